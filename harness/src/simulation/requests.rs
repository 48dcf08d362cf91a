//! Requests of clients at a node, and what they are answered.

use bytes::Bytes;
use rand::RngExt;
use server::command::{
    Command, CompareAndSet, GrantLease, LogCommand, OpenSession, OutcomeKind, Put,
};
use server::replica::{Input, Rejection, Reply};
use server::types::{LogIndex, RequestId};

use super::client::{Function, Request, Response};
use super::event::Event;
use super::node::{ClientTicket, Ticket};
use super::report::Violation;
use super::world::World;

impl World {
    /// A client's request arrives.
    pub(super) fn request(&mut self, node: usize, request: Request) {
        let Request { client, attempt, key, function, session, sequence } = request;
        let target = &mut self.nodes[node];
        if target.paused_until > self.now {
            let delay = target.paused_until - self.now + self.loop_rng.random_range(0..2_000);
            self.schedule(delay, Event::Request { node, request });
            return;
        }
        let Some(running) = &mut target.running else {
            // The connection is refused: surely nothing happened.
            self.respond(node, ClientTicket { client, attempt, key }, Response::Refused(None));
            return;
        };
        let id = running.request(Ticket::Client(ClientTicket { client, attempt, key }));
        let input = match function {
            Function::Read => Input::Read { request: id },
            Function::Open => write(id, 0, 0, Command::OpenSession(OpenSession::default())),
            Function::Write(value) => {
                let put = Put { key: bytes_of(key), value: bytes_of(value), lease: 0 };
                write(id, session, sequence, Command::Put(put))
            }
            Function::Cas(expected, value) => {
                let cas = CompareAndSet {
                    key: bytes_of(key),
                    expected: Some(bytes_of(expected)),
                    value: bytes_of(value),
                };
                write(id, session, sequence, Command::CompareAndSet(cas))
            }
            Function::Grant(ttl_ticks) => {
                write(id, 0, 0, Command::GrantLease(GrantLease { ttl_ticks }))
            }
            Function::KeepAlive(lease) => Input::KeepAlive { request: id, lease },
        };
        self.step(node, input);
    }

    pub(super) fn answer_read(&mut self, node: usize, request: RequestId) {
        let Some(running) = &mut self.nodes[node].running else { return };
        let Some(Ticket::Client(ticket)) = running.requests.remove(&request) else { return };
        let value = match running.machine.get(&bytes_of(ticket.key)) {
            Ok(versioned) => versioned.and_then(|versioned| value_of(&versioned.value)),
            Err(error) => {
                let (node, message) = (self.nodes[node].id.0, error.to_string());
                self.found(Violation::Crash { node, message });
                return;
            }
        };
        self.respond(node, ticket, Response::Value(value));
    }

    pub(super) fn answer(&mut self, node: usize, request: RequestId, reply: Reply) {
        let Some(running) = &mut self.nodes[node].running else { return };
        let ticket = match running.requests.remove(&request) {
            Some(Ticket::Client(ticket)) => ticket,
            Some(Ticket::Operator) => return self.operator_answered(&reply),
            None => return,
        };
        let response = match reply {
            Reply::Applied { outcome, .. } => match OutcomeKind::try_from(outcome.kind) {
                Ok(OutcomeKind::Done) => Response::Done(outcome.revision),
                Ok(OutcomeKind::Mismatch) => Response::Mismatch,
                Ok(OutcomeKind::SessionExpired | OutcomeKind::StaleSequence) => {
                    Response::SessionLost
                }
                Ok(
                    OutcomeKind::LeaseNotFound
                    | OutcomeKind::ValueTooLong
                    | OutcomeKind::WrongGroup,
                )
                | Err(_) => unreachable!("the simulated clients use one group, and short values"),
            },
            Reply::KeptAlive { ttl_ticks } => Response::KeptAlive(ttl_ticks),
            Reply::MembersChanged { .. }
            | Reply::LeaderTransferred { .. }
            | Reply::SnapshotTaken { .. } => unreachable!("clients do not ask for these"),
            Reply::Rejected(rejection) => match rejection {
                Rejection::NotLeader { leader } => Response::Refused(leader),
                Rejection::Busy | Rejection::AtLimit { .. } | Rejection::Overwritten => {
                    Response::Refused(None)
                }
                Rejection::Uncertain | Rejection::Timeout => Response::Unknown,
                Rejection::LeaseNotFound => Response::LeaseGone,
                Rejection::Members(_) | Rejection::Transfer(_) | Rejection::SnapshotFailed => {
                    unreachable!("clients do not ask for these")
                }
            },
        };
        if let (Response::Done(revision), Some(running)) = (response, &self.nodes[node].running) {
            let durable = self.nodes.iter().map(|node| (node.id, node.disk.durable()));
            let configuration = running.replica.configuration();
            let index = LogIndex(revision);
            let result = self.watch.acknowledged(index, &running.log, configuration, durable);
            self.must_hold(result);
        }
        self.respond(node, ticket, response);
    }

    fn respond(&mut self, node: usize, ticket: ClientTicket, response: Response) {
        let ClientTicket { client, attempt, .. } = ticket;
        if let Some(delay) = self.network.client_delay() {
            self.schedule(delay, Event::Response { client, attempt, node, response });
        }
    }
}

fn write(request: RequestId, session: u64, sequence: u64, command: Command) -> Input {
    Input::Write { request, command: LogCommand::new(session, sequence, command) }
}

/// Keys and values are decimal numbers in the store.
fn bytes_of(number: u64) -> Bytes {
    Bytes::from(number.to_string())
}

fn value_of(bytes: &[u8]) -> Option<u64> {
    std::str::from_utf8(bytes).ok()?.parse().ok()
}
