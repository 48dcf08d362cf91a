//! What each interface of a workload means here. Values are stored as JSON.

use std::collections::BTreeMap;

use futures_util::future::try_join_all;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Row, Transaction};
use workloads::generator::Invocation;
use workloads::generator::bank::{ACCOUNTS, FIRST_BALANCE};
use workloads::history::Value;
use workloads::workload::Interface;

use super::errors::commit_failure;
use super::session::Session;
use crate::system::outcome::{Failure, is_read, steps};

/// What it can be asked.
pub(in crate::system) const INTERFACES: &[Interface] = &[
    Interface::Register,
    Interface::SizedRegister,
    Interface::Set,
    Interface::ListAppend,
    Interface::ReadWrite,
    Interface::WriteOnce,
    Interface::Bank,
    Interface::Counter,
];

/// The tables of all workloads.
const TABLES: &str = "\
    CREATE TABLE registers (name text PRIMARY KEY, value text NOT NULL);
    CREATE TABLE lists (name text PRIMARY KEY, elements text NOT NULL);
    CREATE TABLE sets (name text, element text, PRIMARY KEY (name, element));
    CREATE TABLE accounts (number bigint PRIMARY KEY, balance bigint NOT NULL);
    CREATE TABLE counters (name text PRIMARY KEY, total bigint NOT NULL);";

/// Gives a register a value.
const WRITE: &str = "\
    INSERT INTO registers VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = $2";

/// Makes the tables, on the primary.
pub(in crate::system) async fn create_tables(
    session: &Session,
) -> Result<(), tokio_postgres::Error> {
    let last = ACCOUNTS - 1;
    let accounts = format!(
        "INSERT INTO accounts SELECT number, {FIRST_BALANCE} FROM generate_series(0, {last}) AS number"
    );
    session.batch_execute(&format!("{TABLES} {accounts}")).await
}

/// Applies one operation in a transaction; returns the value of its completion.
pub(super) async fn apply(
    transaction: &Transaction<'_>,
    interface: Interface,
    invocation: &Invocation,
) -> Result<Value, Failure> {
    match interface {
        Interface::Register | Interface::SizedRegister => register(transaction, invocation).await,
        Interface::Set => set(transaction, invocation).await,
        Interface::ListAppend | Interface::ReadWrite => {
            txn(transaction, interface, invocation).await
        }
        Interface::Bank => bank(transaction, invocation).await,
        Interface::Counter => counter(transaction, invocation).await,
        _ => Err(Failure::unknown(invocation)),
    }
}

async fn register(
    transaction: &Transaction<'_>,
    invocation: &Invocation,
) -> Result<Value, Failure> {
    let name = name(invocation);
    match (invocation.f, &invocation.value) {
        ("read", _) => return read(transaction, &name).await,
        ("write", value) => write(transaction, &name, value).await?,
        ("cas", Value::List(pair)) if pair.len() == 2 => {
            let new = pair[1].to_string();
            let changed = match &pair[0] {
                Value::Null => {
                    let insert = "INSERT INTO registers VALUES ($1, $2) ON CONFLICT DO NOTHING";
                    transaction.execute_typed(insert, &texts(&[&name, &new])).await?
                }
                expected => {
                    let expected = expected.to_string();
                    let update = "UPDATE registers SET value = $3 WHERE name = $1 AND value = $2";
                    transaction.execute_typed(update, &texts(&[&name, &expected, &new])).await?
                }
            };
            if changed == 0 {
                return Err(Failure::Refused("the register holds another value"));
            }
        }
        _ => return Err(Failure::unknown(invocation)),
    }
    Ok(invocation.value.clone())
}

async fn set(transaction: &Transaction<'_>, invocation: &Invocation) -> Result<Value, Failure> {
    let name = name(invocation);
    match invocation.f {
        "add" => {
            let element = invocation.value.to_string();
            let insert = "INSERT INTO sets VALUES ($1, $2) ON CONFLICT DO NOTHING";
            transaction.execute_typed(insert, &texts(&[&name, &element])).await?;
            Ok(invocation.value.clone())
        }
        "read" => {
            let select = "SELECT element FROM sets WHERE name = $1";
            let rows = transaction.query_typed(select, &texts(&[&name])).await?;
            let elements = rows.iter().map(value).collect::<Result<Vec<_>, _>>()?;
            Ok(Value::from(elements))
        }
        _ => Err(Failure::unknown(invocation)),
    }
}

/// Step by step, each a statement of its own; reads among themselves are sent at once. A list is its
/// elements with commas between them.
async fn txn(
    transaction: &Transaction<'_>,
    interface: Interface,
    invocation: &Invocation,
) -> Result<Value, Failure> {
    if is_read(invocation) {
        let reads = steps(&invocation.value).map(|step| async move {
            let [f, key, _] = step.as_list().unwrap_or_default() else {
                return Err(Failure::unknown(invocation));
            };
            let name = step_name(invocation, key);
            let seen = match interface {
                Interface::ListAppend => read_list(transaction, &name).await?,
                _ => read(transaction, &name).await?,
            };
            Ok(Value::from(vec![f.clone(), key.clone(), seen]))
        });
        return Ok(Value::from(try_join_all(reads).await?));
    }
    let mut results = Vec::new();
    for step in steps(&invocation.value) {
        let [f, key, argument] = step.as_list().unwrap_or_default() else {
            return Err(Failure::unknown(invocation));
        };
        let name = step_name(invocation, key);
        let result = match (f.as_str(), interface) {
            (Some("r"), Interface::ListAppend) => read_list(transaction, &name).await?,
            (Some("r"), _) => read(transaction, &name).await?,
            (Some("append"), Interface::ListAppend) => {
                append(transaction, &name, argument).await?;
                argument.clone()
            }
            (Some("w"), Interface::ReadWrite) => {
                write(transaction, &name, argument).await?;
                argument.clone()
            }
            _ => return Err(Failure::unknown(invocation)),
        };
        results.push(Value::from(vec![f.clone(), key.clone(), result]));
    }
    Ok(Value::from(results))
}

/// Reads of several keys in one statement, and so in one snapshot.
pub(super) async fn read_at_once(
    session: &Session,
    invocation: &Invocation,
) -> Result<Value, Failure> {
    let keys = steps(&invocation.value).filter_map(|step| step.as_list()?.get(1));
    let names: Vec<String> = keys.map(|key| step_name(invocation, key)).collect();
    let select = "SELECT name, value FROM registers WHERE name = ANY($1)";
    let rows = session.query_typed(select, &[(&names, Type::TEXT_ARRAY)]).await?;
    let mut found: BTreeMap<String, Value> = BTreeMap::new();
    for row in &rows {
        found.insert(row.try_get::<_, String>(0)?, parse(row.try_get(1)?));
    }
    let read = |(step, name): (&Value, &String)| {
        Value::from(vec![
            step[0].clone(),
            step[1].clone(),
            found.get(name).cloned().unwrap_or_default(),
        ])
    };
    Ok(Value::from(steps(&invocation.value).zip(&names).map(read).collect::<Vec<_>>()))
}

/// A write of one key in one statement, which commits by itself.
pub(super) async fn write_at_once(
    session: &Session,
    invocation: &Invocation,
) -> Result<Value, Failure> {
    let mut steps = steps(&invocation.value).filter_map(Value::as_list);
    let (Some([f, key, value]), None) = (steps.next(), steps.next()) else {
        return Err(Failure::unknown(invocation));
    };
    if f.as_str() != Some("w") {
        return Err(Failure::unknown(invocation));
    }
    let (name, value) = (step_name(invocation, key), value.to_string());
    let written = session.execute_typed(WRITE, &texts(&[&name, &value])).await;
    written.map_err(|error| commit_failure(&error))?;
    Ok(invocation.value.clone())
}

/// The row of a step.
fn step_name(invocation: &Invocation, key: &Value) -> String {
    match &invocation.key {
        None => format!("txn/{key}"),
        Some(group) => format!("txn/{group}/{key}"),
    }
}

async fn append(transaction: &Transaction<'_>, name: &str, element: &Value) -> Result<(), Failure> {
    let upsert = "INSERT INTO lists VALUES ($1, $2) \
                  ON CONFLICT (name) DO UPDATE SET elements = lists.elements || ',' || $2";
    transaction.execute_typed(upsert, &texts(&[&name, &element.to_string()])).await?;
    Ok(())
}

async fn read_list(transaction: &Transaction<'_>, name: &str) -> Result<Value, Failure> {
    let select = "SELECT elements FROM lists WHERE name = $1";
    let Some(row) = transaction.query_typed_opt(select, &texts(&[&name])).await? else {
        return Ok(Value::Null);
    };
    let elements: &str = row.try_get(0)?;
    Ok(parse(&format!("[{elements}]")))
}

async fn read(transaction: &Transaction<'_>, name: &str) -> Result<Value, Failure> {
    let select = "SELECT value FROM registers WHERE name = $1";
    match transaction.query_typed_opt(select, &texts(&[&name])).await? {
        Some(row) => Ok(value(&row)?),
        None => Ok(Value::Null),
    }
}

async fn write(transaction: &Transaction<'_>, name: &str, value: &Value) -> Result<(), Failure> {
    transaction.execute_typed(WRITE, &texts(&[&name, &value.to_string()])).await?;
    Ok(())
}

/// A transfer reads both balances and writes both: only isolation keeps others out in between.
async fn bank(transaction: &Transaction<'_>, invocation: &Invocation) -> Result<Value, Failure> {
    let part = |name| invocation.value.get(name).and_then(Value::as_i64);
    match (invocation.f, part("from"), part("to"), part("amount")) {
        ("read", ..) => {
            let select = "SELECT number, balance FROM accounts ORDER BY number";
            let rows = transaction.query_typed(select, &[]).await?;
            let balance = |row: &Row| -> Result<_, Failure> {
                let number: i64 = row.try_get(0)?;
                Ok((Value::from(number.to_string()), Value::from(row.try_get::<_, i64>(1)?)))
            };
            Ok(Value::Map(rows.iter().map(balance).collect::<Result<_, _>>()?))
        }
        ("transfer", Some(from), Some(to), Some(amount)) => {
            let mut balances = [(from, -amount), (to, amount)];
            for (number, balance) in &mut balances {
                let select = "SELECT balance FROM accounts WHERE number = $1";
                let row = transaction.query_typed_one(select, &[(&*number, Type::INT8)]).await?;
                *balance += row.try_get::<_, i64>(0)?;
                if *balance < 0 {
                    return Err(Failure::Refused("there is not enough in the account"));
                }
            }
            for (number, balance) in &balances {
                let update = "UPDATE accounts SET balance = $2 WHERE number = $1";
                let arguments: [Argument<'_>; 2] = [(number, Type::INT8), (balance, Type::INT8)];
                transaction.execute_typed(update, &arguments).await?;
            }
            Ok(invocation.value.clone())
        }
        _ => Err(Failure::unknown(invocation)),
    }
}

async fn counter(transaction: &Transaction<'_>, invocation: &Invocation) -> Result<Value, Failure> {
    let name = name(invocation);
    match (invocation.f, invocation.value.as_i64()) {
        ("read", _) => {
            let select = "SELECT total FROM counters WHERE name = $1";
            let row = transaction.query_typed_opt(select, &texts(&[&name])).await?;
            let total = row.map_or(Ok(0), |row| row.try_get::<_, i64>(0))?;
            Ok(Value::from(total))
        }
        ("add", Some(amount)) => {
            let upsert = "INSERT INTO counters VALUES ($1, $2) \
                          ON CONFLICT (name) DO UPDATE SET total = counters.total + $2";
            let arguments: [Argument<'_>; 2] = [(&name, Type::TEXT), (&amount, Type::INT8)];
            transaction.execute_typed(upsert, &arguments).await?;
            Ok(invocation.value.clone())
        }
        _ => Err(Failure::unknown(invocation)),
    }
}

/// An argument of a statement.
type Argument<'a> = (&'a (dyn ToSql + Sync), Type);

fn texts<'a, const N: usize>(texts: &[&'a (dyn ToSql + Sync); N]) -> [Argument<'a>; N] {
    texts.map(|text| (text, Type::TEXT))
}

fn name(invocation: &Invocation) -> String {
    invocation.key.as_ref().map_or_else(|| "\"\"".to_owned(), Value::to_string)
}

/// The first column.
fn value(row: &Row) -> Result<Value, tokio_postgres::Error> {
    Ok(parse(row.try_get(0)?))
}

fn parse(text: &str) -> Value {
    text.parse().unwrap_or_else(|_| Value::from(text))
}
