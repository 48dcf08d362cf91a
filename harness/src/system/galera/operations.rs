//! What each interface of a workload means in tables. Values are stored as JSON; an element is
//! appended to a list by one statement, without reading the list first.

use workloads::generator::Invocation;
use workloads::generator::bank::{ACCOUNTS, FIRST_BALANCE};
use workloads::history::Value;
use workloads::workload::Interface;

use super::mysql::{Answer, Connection, Row, SqlError, quoted};
use crate::system::outcome::{Failure, steps};

/// What it can be asked.
pub(super) const INTERFACES: &[Interface] = &[
    Interface::Register,
    Interface::Set,
    Interface::ListAppend,
    Interface::ReadWrite,
    Interface::WriteOnce,
    Interface::Bank,
];

/// Numbers of errors after which nothing was changed: a row was changed since it was read, the node
/// takes no statements now, such a row is there, a lock was not given in time, a deadlock.
const WITHOUT_EFFECT: &[u16] = &[1020, 1047, DUPLICATE, 1205, 1213];
/// There is such a row already.
const DUPLICATE: u16 = 1062;

impl From<SqlError> for Failure {
    fn from(error: SqlError) -> Failure {
        match &error {
            SqlError::Server { code, .. } if WITHOUT_EFFECT.contains(code) => {
                Failure::without_effect(error)
            }
            _ => Failure::in_doubt(error),
        }
    }
}

/// Makes the tables, once for the whole cluster.
pub(super) async fn make_tables(connection: &mut Connection) -> Result<(), SqlError> {
    let accounts: Vec<String> =
        (0..ACCOUNTS).map(|account| format!("({account}, {FIRST_BALANCE})")).collect();
    for statement in [
        "CREATE DATABASE IF NOT EXISTS bw".to_owned(),
        table("registers", "k VARBINARY(64) PRIMARY KEY, v LONGBLOB NOT NULL"),
        table("elements", "k VARBINARY(64), v VARBINARY(64), PRIMARY KEY (k, v)"),
        table("accounts", "k BIGINT PRIMARY KEY, v BIGINT NOT NULL"),
        format!("INSERT INTO bw.accounts VALUES {}", accounts.join(", ")),
    ] {
        connection.query(&statement).await?;
    }
    Ok(())
}

fn table(name: &str, columns: &str) -> String {
    format!("CREATE TABLE bw.{name} ({columns}) ENGINE=InnoDB")
}

/// Applies one operation; returns the value of its completion.
pub(super) async fn apply(
    connection: &mut Connection,
    interface: Interface,
    invocation: &Invocation,
) -> Result<Value, Failure> {
    let name = invocation.key.as_ref().map_or_else(|| "\"\"".to_owned(), Value::to_string);
    match (interface, invocation.f, &invocation.value) {
        (Interface::Register, _, _) => register(connection, &name, invocation).await,
        (Interface::Set, "add", element) => {
            let (set, element) = (quoted(&name), quoted(&element.to_string()));
            let statement = format!("INSERT INTO bw.elements VALUES ({set}, {element})");
            connection.query(&statement).await?;
            Ok(invocation.value.clone())
        }
        (Interface::Set, "read", _) => {
            let select = format!("SELECT v FROM bw.elements WHERE k = {}", quoted(&name));
            let found = connection.query(&select).await?;
            let element = |row: Row| Some(value(row.into_iter().next()?.as_deref()));
            Ok(Value::list(found.rows.into_iter().filter_map(element)))
        }
        (Interface::ListAppend | Interface::ReadWrite | Interface::WriteOnce, "txn", _) => {
            connection.transaction(async |it| txn(it, &name, invocation).await).await
        }
        (Interface::Bank, "read", _) => {
            let found = connection.query("SELECT k, v FROM bw.accounts").await?;
            let balance =
                |row: &Vec<Option<String>>| (value(row[0].as_deref()), value(row[1].as_deref()));
            Ok(Value::Map(found.rows.iter().map(balance).collect()))
        }
        (Interface::Bank, "transfer", _) => {
            connection.transaction(async |it| transfer(it, invocation).await).await
        }
        _ => Err(Failure::unknown(invocation)),
    }
}

async fn register(
    connection: &mut Connection,
    name: &str,
    invocation: &Invocation,
) -> Result<Value, Failure> {
    let key = quoted(name);
    match (invocation.f, &invocation.value) {
        ("read", _) => {
            let select = format!("SELECT v FROM bw.registers WHERE k = {key}");
            return Ok(single(&connection.query(&select).await?));
        }
        ("write", value) => {
            connection.query(&put(&key, &quoted(&value.to_string()))).await?;
        }
        ("cas", Value::List(pair)) if pair.len() == 2 => {
            let new = quoted(&pair[1].to_string());
            let statement = match &pair[0] {
                Value::Null => format!("INSERT INTO bw.registers VALUES ({key}, {new})"),
                expected => {
                    let expected = quoted(&expected.to_string());
                    format!("UPDATE bw.registers SET v = {new} WHERE k = {key} AND v = {expected}")
                }
            };
            let changed = match connection.query(&statement).await {
                Err(SqlError::Server { code: DUPLICATE, .. }) => 0,
                answer => answer?.changed,
            };
            if changed == 0 {
                return Err(Failure::Refused("the register holds another value"));
            }
        }
        _ => return Err(Failure::unknown(invocation)),
    }
    Ok(invocation.value.clone())
}

/// The steps of a transaction, in their order.
async fn txn(
    connection: &mut Connection,
    name: &str,
    invocation: &Invocation,
) -> Result<Value, Failure> {
    let mut results = Vec::new();
    for step in steps(&invocation.value) {
        let key = quoted(&format!("{name}/{}", step[1]));
        let text = quoted(&step[2].to_string());
        match step[0].as_str() {
            Some("r") => {
                let select = format!("SELECT v FROM bw.registers WHERE k = {key}");
                let found = single(&connection.query(&select).await?);
                results.push(Value::from(vec![step[0].clone(), step[1].clone(), found]));
                continue;
            }
            Some("w") => connection.query(&put(&key, &text)).await?,
            Some("append") => {
                let append = format!(
                    "INSERT INTO bw.registers VALUES ({key}, CONCAT('[', {text}, ']')) \
                     ON DUPLICATE KEY UPDATE v = CONCAT(LEFT(v, LENGTH(v) - 1), ',', {text}, ']')"
                );
                connection.query(&append).await?
            }
            _ => return Err(Failure::unknown(invocation)),
        };
        results.push(step.clone());
    }
    Ok(Value::from(results))
}

/// Reads both balances and writes both, as a program would.
async fn transfer(connection: &mut Connection, invocation: &Invocation) -> Result<Value, Failure> {
    let of = |name| invocation.value.get(name).and_then(Value::as_i64);
    let (Some(from), Some(to), Some(amount)) = (of("from"), of("to"), of("amount")) else {
        return Err(Failure::unknown(invocation));
    };
    let mut balances = [0; 2];
    for (account, balance) in [from, to].into_iter().zip(&mut balances) {
        let select = format!("SELECT v FROM bw.accounts WHERE k = {account}");
        let found = single(&connection.query(&select).await?);
        *balance = found.as_i64().ok_or(Failure::Refused("there is no such account"))?;
    }
    if balances[0] < amount {
        return Err(Failure::Refused("the balance is too small"));
    }
    for (account, balance) in [(from, balances[0] - amount), (to, balances[1] + amount)] {
        let update = format!("UPDATE bw.accounts SET v = {balance} WHERE k = {account}");
        connection.query(&update).await?;
    }
    Ok(invocation.value.clone())
}

impl Connection {
    /// Commits what `body` does, or nothing of it: until COMMIT is sent nothing can have an effect.
    async fn transaction(
        &mut self,
        body: impl AsyncFnOnce(&mut Connection) -> Result<Value, Failure>,
    ) -> Result<Value, Failure> {
        let begun = match self.query("START TRANSACTION").await {
            Ok(_) => body(self).await,
            Err(error) => Err(error.into()),
        };
        match begun {
            Ok(value) => {
                self.query("COMMIT").await?;
                Ok(value)
            }
            Err(Failure::Request { reason, .. }) => Err(Failure::without_effect(reason)),
            Err(failure) => Err(failure),
        }
    }
}

fn put(key: &str, text: &str) -> String {
    format!("INSERT INTO bw.registers VALUES ({key}, {text}) ON DUPLICATE KEY UPDATE v = {text}")
}

/// The only column of the only row, or nothing.
fn single(answer: &Answer) -> Value {
    value(answer.rows.first().and_then(|row| row.first()?.as_deref()))
}

fn value(text: Option<&str>) -> Value {
    match text {
        Some(text) => text.parse().unwrap_or_else(|_| Value::from(text)),
        None => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadlock_changed_nothing_and_an_unknown_error_may_have() {
        let doubt = |code| {
            let message = String::new();
            Failure::from(SqlError::Server { code, message }).is_in_doubt()
        };
        assert_eq!([1213, 1205, 1047].map(doubt), [false; 3]);
        // "Error during commit": the write-set may be on the other nodes.
        assert!(doubt(1180));
        let broken = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        assert!(Failure::from(SqlError::Io(broken)).is_in_doubt());
    }
}
