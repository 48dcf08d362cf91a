//! Reads and transfers of a history.

use rustc_hash::FxHashMap;

use crate::checker::findings::brief;
use crate::checker::order::{by_key, name};
use crate::history::{Operation, Outcome, Value};
use crate::model::{Initial, UnsuitableOperation};

/// Money that moves. Accounts are numbers given by [`Bank`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Transfer {
    /// Position of the operation.
    pub(super) position: usize,
    pub(super) from: u32,
    pub(super) to: u32,
    pub(super) amount: i64,
}

/// What an acknowledged read showed.
#[derive(Debug, Clone)]
pub(super) struct Read {
    /// Position of the operation.
    pub(super) position: usize,
    /// Accounts with their balances, none if it was null.
    pub(super) balances: Vec<(u32, Option<i64>)>,
}

impl Read {
    /// The sum of all balances.
    pub(super) fn sum(&self) -> i128 {
        self.balances.iter().filter_map(|&(_, balance)| balance).map(i128::from).sum()
    }
}

/// One bank: the operations on one key of the history.
#[derive(Debug, Default)]
pub(super) struct Bank {
    /// The names of the accounts, by number.
    pub(super) accounts: Vec<Value>,
    pub(super) reads: Vec<Read>,
    pub(super) transfers: Vec<Transfer>,
    /// What accounts held at the start, if that was told.
    pub(super) start: Option<Vec<(u32, i64)>>,
    numbers: FxHashMap<Value, u32>,
}

impl Bank {
    fn account(&mut self, value: &Value) -> u32 {
        let name = name(value);
        let next = self.accounts.len() as u32;
        let accounts = &mut self.accounts;
        *self.numbers.entry(name).or_insert_with_key(|name| {
            accounts.push(name.clone());
            next
        })
    }

    /// Bytes held, roughly.
    pub(super) fn bytes(&self) -> usize {
        let balances: usize = self.reads.first().map_or(0, |read| read.balances.len() * 24);
        self.reads.len() * (size_of::<Read>() + balances)
            + self.transfers.len() * size_of::<Transfer>()
    }

    /// In words, such as `account 3`.
    pub(super) fn name(&self, account: u32) -> String {
        format!("account {}", brief(&self.accounts[account as usize]))
    }
}

/// A key with its bank, and the positions of the operations on it.
pub(super) type KeyedBank<'a> = (Option<&'a Value>, Bank, Vec<usize>);

/// The banks of a history by key.
pub(super) fn banks<'a>(
    operations: &'a [Operation],
    initial: Option<&Initial>,
) -> Result<Vec<KeyedBank<'a>>, UnsuitableOperation> {
    by_key(operations)
        .into_iter()
        .map(|(key, members)| Ok((key, bank(operations, &members, initial)?, members)))
        .collect()
}

fn bank(
    operations: &[Operation],
    members: &[usize],
    initial: Option<&Initial>,
) -> Result<Bank, UnsuitableOperation> {
    let mut bank = Bank::default();
    if let Some(Initial::Value(Value::Map(start))) = initial {
        let start = start
            .iter()
            .filter_map(|(account, balance)| Some((bank.account(account), balance.as_i64()?)))
            .collect();
        bank.start = Some(start);
    }
    for &position in members {
        let operation = &operations[position];
        let done = match operation.f.as_str() {
            "transfer" => transfer(&mut bank, position, &operation.invoked),
            "read" if operation.outcome == Outcome::Ok => {
                read(&mut bank, position, &operation.result)
            }
            "read" => Some(()),
            _ => None,
        };
        done.ok_or_else(|| UnsuitableOperation {
            index: operation.invoke_index,
            expected: r#"transfer {"from":1,"to":2,"amount":3}, or read with a result such as {"1":10,"2":20}"#,
            got: format!("{} {} -> {}", operation.f, brief(&operation.invoked), brief(&operation.result)),
        })?;
    }
    Ok(bank)
}

fn transfer(bank: &mut Bank, position: usize, value: &Value) -> Option<()> {
    // So that sums of amounts cannot overflow, and an amount can be negated.
    let amount = value.get("amount")?.as_i64().filter(|it| *it != i64::MIN)?;
    let (from, to) = (bank.account(value.get("from")?), bank.account(value.get("to")?));
    bank.transfers.push(Transfer { position, from, to, amount });
    Some(())
}

fn read(bank: &mut Bank, position: usize, value: &Value) -> Option<()> {
    let balance = |value: &Value| match value {
        Value::Null => Some(None),
        value => Some(Some(value.as_i64()?)),
    };
    let balances = match value {
        Value::Null => Vec::new(),
        Value::Map(map) => map
            .iter()
            .map(|(account, value)| Some((bank.account(account), balance(value)?)))
            .collect::<Option<_>>()?,
        // A list of pairs, as systems write it whose maps only have texts as keys.
        Value::List(list) => list
            .iter()
            .map(|pair| match pair.as_list()? {
                [account, value] => Some((bank.account(account), balance(value)?)),
                _ => None,
            })
            .collect::<Option<_>>()?,
        _ => return None,
    };
    bank.reads.push(Read { position, balances });
    Some(())
}
