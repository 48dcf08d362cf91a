//! A simulated client: one open operation at a time, retried under its session until it is over.

use server::types::NodeId;

/// What an operation does to its register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    /// Opens the session; no operation of the history.
    Open,
    /// Reads the register.
    Read,
    /// Sets it.
    Write(u64),
    /// Sets it if it holds the first value.
    Cas(u64, u64),
    /// Grants a lease that lives for so many ticks; no operation of the history.
    Grant(u64),
    /// Keeps a lease alive; no operation of the history.
    KeepAlive(u64),
}

impl Function {
    /// The name in the history.
    pub(super) fn name(self) -> &'static str {
        match self {
            Function::Open => "open",
            Function::Read => "read",
            Function::Write(_) => "write",
            Function::Cas(..) => "cas",
            Function::Grant(_) => "grant",
            Function::KeepAlive(_) => "keep-alive",
        }
    }
}

/// A request as it travels to a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) client: usize,
    pub(super) attempt: u64,
    pub(super) key: u64,
    pub(super) function: Function,
    pub(super) session: u64,
    pub(super) sequence: u64,
}

/// An answer as it travels back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Response {
    /// A read's value.
    Value(Option<u64>),
    /// A command took effect at this log index.
    Done(u64),
    /// A compare-and-set found another value.
    Mismatch,
    /// The lease lives for so many ticks from when the request was sent.
    KeptAlive(u64),
    /// The lease has ended, or will.
    LeaseGone,
    /// The session cannot say what happened to this sequence number.
    SessionLost,
    /// This attempt surely has no effect; perhaps another node knows better.
    Refused(Option<NodeId>),
    /// This attempt may have an effect.
    Unknown,
}

/// The open operation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Open {
    pub(super) function: Function,
    /// Given up then (virtual microseconds).
    pub(super) deadline: u64,
    /// Has any attempt been left without a definite answer?
    pub(super) doubtful: bool,
    /// Is an attempt on its way?
    pub(super) awaiting: bool,
    /// Invoked after the heal?
    pub(super) after_heal: bool,
    /// The node of the present attempt, from 0.
    pub(super) node: usize,
    pub(super) attempts: u32,
}

/// What a client waits for. Each wait has a number, so that late wake-ups are recognised.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) key: u64,
    /// Where it asks first, from 0.
    pub(super) home: usize,
    /// Does it ask first whoever answered last?
    pub(super) follows: bool,
    /// Its process id in the history; a new one after an indeterminate operation.
    pub(super) process: u64,
    pub(super) session: Option<u64>,
    pub(super) sequence: u64,
    pub(super) open: Option<Open>,
    /// Number of the present attempt or wait.
    pub(super) attempt: u64,
    /// The last value this client saw in the register.
    pub(super) seen: Option<u64>,
    /// Operations answered that were invoked after the heal.
    pub(super) served_after_heal: u32,
}

impl Client {
    pub(super) fn new(key: u64, home: usize, process: u64, follows: bool) -> Client {
        Client {
            key,
            home,
            follows,
            process,
            session: None,
            sequence: 0,
            open: None,
            attempt: 0,
            seen: None,
            served_after_heal: 0,
        }
    }

    /// The request of the present attempt.
    pub(super) fn request(&self, client: usize, open: &Open) -> Request {
        Request {
            client,
            attempt: self.attempt,
            key: self.key,
            function: open.function,
            session: self.session.unwrap_or(0),
            sequence: self.sequence,
        }
    }

    /// A new logical process: nothing of the old one's session is known any more.
    pub(super) fn retire(&mut self, process: u64) {
        self.process = process;
        self.session = None;
        self.sequence = 0;
    }
}
