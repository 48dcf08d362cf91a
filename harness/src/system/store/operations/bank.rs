//! Accounts: each is a key; one that was never written holds what all hold in the beginning.

use std::collections::BTreeMap;

use proto::client::{KeyValue, Keys};
use workloads::generator::Invocation;
use workloads::generator::bank::{ACCOUNTS, FIRST_BALANCE};
use workloads::history::Value;

use super::{CONFLICTS_MAX, Connection, number};
use crate::system::ReadMode;
use crate::system::outcome::Failure;

pub(super) async fn apply(
    connection: &mut Connection<'_>,
    invocation: &Invocation,
) -> Result<Value, Failure> {
    let part = |name| invocation.value.get(name).and_then(Value::as_i64);
    match (invocation.f, part("from"), part("to"), part("amount")) {
        ("read", ..) => {
            let keys: Vec<String> = (0..ACCOUNTS as i64).map(account).collect();
            let found = match connection.read_mode {
                ReadMode::Linearizable => connection.get_all(&keys).await?,
                ReadMode::Local => {
                    let mut found =
                        BTreeMap::from_iter(connection.scan(Keys::prefix("bank/")).await?);
                    keys.iter().map(|key| found.remove(key.as_bytes())).collect()
                }
            };
            let balances = (0..ACCOUNTS).zip(&found).map(|(account, found)| {
                (Value::from(account.to_string()), Value::from(balance(found.as_ref())))
            });
            Ok(Value::Map(balances.collect()))
        }
        ("transfer", Some(from), Some(to), Some(amount)) => {
            transfer(connection, from, to, amount).await?;
            Ok(invocation.value.clone())
        }
        _ => Err(Failure::unknown(invocation)),
    }
}

async fn transfer(
    connection: &mut Connection<'_>,
    from: i64,
    to: i64,
    amount: i64,
) -> Result<(), Failure> {
    let keys = [account(from), account(to)];
    for _ in 0..CONFLICTS_MAX {
        let found = connection.get_all(&keys).await.map_err(Failure::without_effect)?;
        let [from, to] = [found[0].clone(), found[1].clone()];
        let left = balance(from.as_ref()) - amount;
        if left < 0 {
            return Err(Failure::Refused("there is not enough in the account"));
        }
        let grown = balance(to.as_ref()) + amount;
        let changes = vec![
            (keys[0].clone(), from, left.to_string()),
            (keys[1].clone(), to, grown.to_string()),
        ];
        if connection.put_all(changes).await? {
            return Ok(());
        }
    }
    Err(Failure::Refused("others changed the accounts in the same moment"))
}

fn account(number: i64) -> String {
    format!("bank/{number}")
}

fn balance(found: Option<&KeyValue>) -> i64 {
    found.map_or(FIRST_BALANCE, |found| number(&found.value))
}
