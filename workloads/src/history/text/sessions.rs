//! Transactions by session, without times: nothing is known about the order across sessions.
//!
//! ```text
//! r 0 1                   AWDIT: read or write, key, value;
//! -----                   the next transaction of the session;
//! w 0 2
//! =====                   the next session
//!
//! w(0,1,2,3)              Cobra, PolySI, IsoVista: key, value, session, transaction
//! ```

use std::io::BufRead;

use super::lines::{Lines, malformed};
use crate::history::source::ReadError;
use crate::history::{Event, EventKind, Process, Value};

/// One read or write.
#[derive(Clone)]
struct Access {
    read: bool,
    key: Value,
    value: Value,
}

/// The transactions of one session.
type Session = Vec<Vec<Access>>;

/// The events of a whole text in the form of AWDIT.
pub(crate) fn sessions(source: Box<dyn BufRead + '_>) -> Result<Vec<Event>, ReadError> {
    let mut lines = Lines::new(source);
    let mut sessions: Vec<Session> = vec![vec![Vec::new()]];
    while let Some((line, text)) = lines.next()? {
        let text = text.trim();
        let last = sessions.last_mut();
        if text.is_empty() {
            continue;
        } else if text.starts_with("==") {
            sessions.push(vec![Vec::new()]);
        } else if text.starts_with("--") {
            last.into_iter().for_each(|session| session.push(Vec::new()));
        } else {
            let words: Vec<&str> = text.split_whitespace().collect();
            let access = match words.as_slice() {
                [kind, key, value] => access(kind, key, value),
                _ => None,
            };
            let expected = "a line such as `r 0 1`, `w 0 1`, `-----` or `=====`";
            let access = access.ok_or_else(|| malformed(line, text, expected))?;
            last.and_then(|session| session.last_mut())
                .into_iter()
                .for_each(|it| it.push(access.clone()));
        }
    }
    Ok(events(&sessions))
}

/// The events of a whole text in the form of Cobra.
pub(crate) fn accesses(source: Box<dyn BufRead + '_>) -> Result<Vec<Event>, ReadError> {
    let mut lines = Lines::new(source);
    let mut sessions: Vec<(u64, Session)> = Vec::new();
    let mut latest: Vec<u64> = Vec::new();
    while let Some((line, text)) = lines.next()? {
        if text.trim().is_empty() {
            continue;
        }
        let error = || {
            malformed(line, text, "a line such as `w(0,1,2,3)`: key, value, session, transaction")
        };
        let (kind, rest) = text.trim().split_once('(').ok_or_else(error)?;
        let words: Vec<&str> = rest.trim_end_matches(')').split(',').map(str::trim).collect();
        let &[key, value, session, transaction] = words.as_slice() else { return Err(error()) };
        let access = access(kind, key, value).ok_or_else(error)?;
        let session: u64 = session.parse().map_err(|_| error())?;
        let transaction: u64 = transaction.parse().map_err(|_| error())?;
        let place = sessions.iter().position(|(id, _)| *id == session).unwrap_or_else(|| {
            sessions.push((session, Vec::new()));
            latest.push(u64::MAX);
            sessions.len() - 1
        });
        let transactions = &mut sessions[place].1;
        if latest[place] != transaction || transactions.is_empty() {
            transactions.push(Vec::new());
            latest[place] = transaction;
        }
        transactions.last_mut().into_iter().for_each(|it| it.push(access.clone()));
    }
    let sessions: Vec<Session> = sessions.into_iter().map(|(_, session)| session).collect();
    Ok(events(&sessions))
}

fn access(kind: &str, key: &str, value: &str) -> Option<Access> {
    let read = match kind {
        "r" => true,
        "w" => false,
        _ => return None,
    };
    let number = |text: &str| text.parse::<i64>().ok().map(Value::Int);
    Some(Access { read, key: number(key)?, value: number(value)? })
}

/// The first transactions of all sessions at the same time, then the second ones, and so on.
fn events(sessions: &[Session]) -> Vec<Event> {
    let mut events: Vec<Event> = Vec::new();
    let rounds = sessions.iter().map(Vec::len).max().unwrap_or(0);
    for round in 0..rounds {
        for kind in [EventKind::Invoke, EventKind::Ok] {
            for (process, session) in (0..).zip(sessions) {
                let Some(accesses) = session.get(round).filter(|it| !it.is_empty()) else {
                    continue;
                };
                let index = events.len() as u64;
                events.push(Event {
                    index,
                    time: index * 1_000_000,
                    scheduled: None,
                    process: Process::Client(process),
                    kind,
                    f: "txn".into(),
                    key: None,
                    value: accesses
                        .iter()
                        .map(|access| part(access, kind))
                        .collect::<Vec<_>>()
                        .into(),
                    error: None,
                    node: None,
                });
            }
        }
    }
    events
}

fn part(access: &Access, kind: EventKind) -> Value {
    let known = !access.read || kind == EventKind::Ok;
    let value = if known { access.value.clone() } else { Value::Null };
    Value::list([Value::from(if access.read { "r" } else { "w" }), access.key.clone(), value])
}
