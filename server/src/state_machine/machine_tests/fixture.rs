//! A state machine on each kind of store, and short words for commands.

use bytes::Bytes;

use super::super::*;
use crate::bug::Bugs;
use crate::command::*;
use crate::log_store::LogPosition;
use crate::membership::Configuration;
use crate::replica::CommittedEntry;
use crate::types::{LogIndex, Term};

pub(super) const SESSIONS_MAX: usize = 3;

/// A state machine whose store does not matter.
pub(super) trait Machine {
    fn apply(&mut self, entries: &[CommittedEntry]) -> Applied;

    fn query(&self, query: &Query) -> QueryReply;

    fn applied(&self) -> LogPosition;

    fn living_leases(&self) -> Vec<LeaseChange>;

    /// Opens another state machine on the same store.
    fn restart(&mut self);

    /// Everything in the store.
    fn dump(&self) -> Dump;
}

/// Everything in a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Dump {
    pub(super) applied: LogPosition,
    pub(super) configuration: Option<Configuration>,
    pub(super) keys: Vec<(Bytes, Versioned)>,
    pub(super) sessions: Vec<(u64, Session)>,
    pub(super) leases: Vec<LeaseDump>,
}

/// A lease and what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LeaseDump {
    pub(super) id: u64,
    pub(super) ttl_ticks: u64,
    pub(super) keys: Vec<Bytes>,
    /// Its locks, and who is written down as their holders.
    pub(super) locks: Vec<(Bytes, Option<LockHolder>)>,
}

struct On<S, R> {
    machine: Option<StateMachine<S>>,
    reopen: R,
}

impl<S: StateStore, R: FnMut(Option<S>) -> S> On<S, R> {
    fn new(mut reopen: R) -> Self {
        let machine = Some(open(reopen(None)));
        On { machine, reopen }
    }

    fn machine(&self) -> &StateMachine<S> {
        self.machine.as_ref().unwrap()
    }
}

fn open<S: StateStore>(store: S) -> StateMachine<S> {
    let config = StateMachineConfig { sessions_max: SESSIONS_MAX, bugs: Bugs::NONE };
    let mut machine = StateMachine::new(store, config).unwrap();
    machine.report_events();
    machine
}

impl<S: StateStore, R: FnMut(Option<S>) -> S> Machine for On<S, R> {
    fn apply(&mut self, entries: &[CommittedEntry]) -> Applied {
        self.machine.as_mut().unwrap().apply(entries).unwrap()
    }

    fn query(&self, query: &Query) -> QueryReply {
        self.machine().query(query).unwrap()
    }

    fn applied(&self) -> LogPosition {
        self.machine().applied()
    }

    fn living_leases(&self) -> Vec<LeaseChange> {
        self.machine().living_leases().unwrap()
    }

    fn restart(&mut self) {
        let store = self.machine.take().unwrap().into_store();
        self.machine = Some(open((self.reopen)(Some(store))));
    }

    fn dump(&self) -> Dump {
        let store = self.machine().store();
        let locks = |id| {
            let names = store.lease_locks(id).unwrap().into_iter();
            names.map(|name| (name.clone(), store.lock(&name).unwrap())).collect()
        };
        let leases = store.leases().unwrap().into_iter();
        Dump {
            applied: store.applied(),
            configuration: store.configuration().cloned(),
            keys: store.scan(&KeyRange::all(), usize::MAX, usize::MAX).unwrap().found,
            sessions: store.sessions().unwrap(),
            leases: leases
                .map(|(id, Lease { ttl_ticks })| {
                    let keys = store.lease_keys(id).unwrap();
                    LeaseDump { id, ttl_ticks, keys, locks: locks(id) }
                })
                .collect(),
        }
    }
}

/// A state machine in memory.
pub(super) fn in_memory() -> impl Machine {
    On::new(|store: Option<MemoryStateStore>| store.unwrap_or_default())
}

/// A state machine on RocksDB, in a directory that ends with it.
#[cfg(feature = "rocksdb")]
pub(super) fn in_rocksdb() -> impl Machine {
    let directory = tempfile::tempdir().unwrap();
    On::new(move |store: Option<RocksdbStateStore>| {
        drop(store);
        RocksdbStateStore::open(directory.path(), &crate::config::RocksdbConfig::STANDARD).unwrap()
    })
}

/// Runs a test on a fresh state machine on every kind of store.
pub(super) fn on_every_store(test: impl Fn(&mut dyn Machine)) {
    test(&mut in_memory());
    #[cfg(feature = "rocksdb")]
    test(&mut in_rocksdb());
}

impl dyn Machine + '_ {
    /// Applies a command in a session (0 for none) as the next entry.
    pub(super) fn run_in(&mut self, session: u64, sequence: u64, command: Command) -> Outcome {
        let applied = self.apply(&[entry(
            self.applied().index.0 + 1,
            &LogCommand::new(session, sequence, command),
        )]);
        applied.entries.into_iter().next().unwrap().outcome
    }

    /// Applies a command as the next entry.
    pub(super) fn run(&mut self, command: Command) -> Outcome {
        self.run_in(0, 0, command)
    }

    pub(super) fn get(&self, key: &'static str) -> Option<Versioned> {
        self.query(&Query::Get { key: bytes(key) }).into_key()
    }

    /// The value of a key.
    pub(super) fn value(&self, key: &'static str) -> Option<Bytes> {
        self.get(key).map(|versioned| versioned.value)
    }

    pub(super) fn lease(&self, id: u64) -> Option<LeaseStatus> {
        match self.query(&Query::Lease { id }) {
            QueryReply::Lease(status) => status,
            _ => unreachable!("a lease was asked for"),
        }
    }
}

pub(super) fn entry(index: u64, command: &LogCommand) -> CommittedEntry {
    CommittedEntry {
        index: LogIndex(index),
        term: Term(1 + index / 10),
        data: command.encode_entry().into(),
        configuration: None,
    }
}

pub(super) fn bytes(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

pub(super) fn held(value: &'static str, revision: u64, version: u64) -> Versioned {
    Versioned { value: bytes(value), revision, version, lease: 0 }
}

pub(super) fn put(key: &'static str, value: &'static str) -> Command {
    put_with(key, value, 0)
}

pub(super) fn put_with(key: &'static str, value: &'static str, lease: u64) -> Command {
    Command::Put(Put { key: bytes(key), value: bytes(value), lease })
}

pub(super) fn delete(key: &'static str) -> Command {
    Command::Delete(Delete { key: bytes(key) })
}

pub(super) fn cas(
    key: &'static str,
    expected: Option<&'static str>,
    value: &'static str,
) -> Command {
    let (key, expected, value) = (bytes(key), expected.map(bytes), bytes(value));
    Command::CompareAndSet(CompareAndSet { key, expected, value })
}

/// Appends to a value of at most 6 bytes.
pub(super) fn append(key: &'static str, suffix: &'static str) -> Append {
    Append { key: bytes(key), suffix: bytes(suffix), value_bytes_max: 6 }
}

pub(super) fn grant(ttl_ticks: u64) -> Command {
    Command::GrantLease(GrantLease { ttl_ticks })
}

pub(super) fn revoke(lease: u64) -> Command {
    Command::RevokeLease(RevokeLease { lease })
}

pub(super) fn lock(name: &'static str, lease: u64) -> Command {
    Command::Lock(Lock { name: bytes(name), lease })
}

pub(super) fn unlock(name: &'static str, token: u64) -> Command {
    Command::Unlock(Unlock { name: bytes(name), token })
}

pub(super) fn open_session(id: u64) -> Command {
    Command::OpenSession(OpenSession { id, map_version: 0 })
}

/// A step of a transaction.
pub(super) fn step(command: Command) -> TxnOperation {
    let step = match command {
        Command::Put(put) => TxnStep::Put(put),
        Command::Delete(delete) => TxnStep::Delete(delete),
        Command::Append(append) => TxnStep::Append(append),
        other => panic!("{other:?} is no step"),
    };
    TxnOperation { step: Some(step) }
}

pub(super) fn read(key: &'static str) -> TxnOperation {
    TxnOperation { step: Some(TxnStep::Get(bytes(key))) }
}

pub(super) fn outcome(revision: u64, kind: OutcomeKind) -> Outcome {
    Outcome { revision, kind: kind as i32, ..Outcome::default() }
}

pub(super) fn done(revision: u64, previous: Option<Versioned>) -> Outcome {
    Outcome { previous, ..outcome(revision, OutcomeKind::Done) }
}

pub(super) fn in_no_session(command: Command) -> LogCommand {
    LogCommand::new(0, 0, command)
}

pub(super) fn change(
    revision: u64,
    key: &'static str,
    now: Option<Versioned>,
    previous: Option<Versioned>,
) -> ChangeEvent {
    ChangeEvent { revision, key: bytes(key), now, previous }
}
