//! Messages that come late, again or never.

use std::collections::VecDeque;

use raft::eraftpb::{Entry, Message, MessageType};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::cluster::{Cluster, ELECTION_TICKS};
use crate::command::{Command, LogCommand, Put};
use crate::replica::{CompactionConfig, Input, Reply};
use crate::types::{RequestId, Role};

#[test]
fn an_append_that_comes_late_and_twice_removes_nothing() {
    let mut cluster = Cluster::led(3);
    cluster.put(1, "key", "0");
    let is_append = |it: &&Message| it.to == 2 && it.get_msg_type() == MessageType::MsgAppend;
    let old: Vec<Message> = cluster.delivered.iter().filter(is_append).cloned().collect();
    assert!(old.iter().any(|append| !append.entries.is_empty()), "{old:?}");
    for number in 1..=12 {
        let reply = cluster.put(1, "key", &number.to_string());
        assert!(matches!(reply, Some(Reply::Applied { .. })), "{reply:?}");
    }
    let log = cluster.node(2).disk.log.clone();
    for append in [old.clone(), old].concat() {
        cluster.step(2, Input::Message(append));
    }
    assert_eq!(cluster.node(2).disk.log.entries, log.entries);
    cluster.isolated.insert(1);
    let leader = next_leader(&mut cluster, 1);
    assert!(matches!(cluster.put(leader, "other", "value"), Some(Reply::Applied { .. })));
    assert_eq!(cluster.get(leader, "key").unwrap(), "12");
}

/// Wherever an election and its first entries lose the network, they go on when it is back.
#[test]
fn a_lost_answer_wedges_nobody() {
    for delivered in 0..24 {
        let mut cluster = Cluster::new(3);
        cluster.messages_left = Some(delivered);
        cluster.tick(4 * ELECTION_TICKS);
        cluster.messages_left = None;
        cluster.until("there is a leader", |cluster| cluster.leader().is_some());
        let leader = cluster.leader().unwrap();
        let (request, _) = cluster.ask(leader, |request| put(request, "value"));
        cluster.until("the write is applied", |cluster| {
            matches!(cluster.node(leader).replies.get(&request), Some(Reply::Applied { .. }))
        });
        cluster.tick(2 * ELECTION_TICKS);
        cluster.assert_equal(&[1, 2, 3]);
    }
}

#[test]
fn an_entry_that_reached_nobody_is_overwritten() {
    let mut cluster = Cluster::led(3);
    cluster.put(1, "key", "old");
    // Its last entry reaches nobody.
    cluster.isolated.insert(1);
    let (request, reply) = cluster.ask(1, |request| put(request, "lost"));
    assert_eq!(reply, None);
    let leader = next_leader(&mut cluster, 1);
    cluster.put(leader, "key", "new");
    cluster.isolated.clear();
    cluster.until("node 1 follows", |it| it.node(1).replica.role() == Role::Follower);
    cluster.tick(2 * ELECTION_TICKS);
    cluster.assert_equal(&[1, 2, 3]);
    assert_eq!(cluster.get(1, "key").unwrap(), "new");
    let fate = cluster.node(1).replies.get(&request);
    assert!(matches!(fate, Some(Reply::Rejected(_))), "{fate:?}");
}

/// Also if the commit index moved alone just before, which nobody writes.
#[test]
fn an_answer_waits_for_the_disk() {
    let mut cluster = Cluster::led(3);
    cluster.put(1, "key", "value");
    let status = cluster.node(2).replica.status();
    let follower = &mut cluster.nodes.get_mut(&2).unwrap().replica;
    for commits_first in [false, true] {
        let last = follower.status().last_index.0;
        let mut append = Message { from: 1, to: 2, term: status.term.0, ..Message::default() };
        append.set_msg_type(MessageType::MsgAppend);
        (append.index, append.log_term, append.commit) = (last, status.term.0, last);
        if commits_first {
            follower.step(Input::Message(append.clone()));
            let effects = follower.take_effects();
            assert!(effects.persist.is_empty() && !effects.committed.is_empty(), "{effects:?}");
        }
        let entry = Entry { index: last + 1, term: status.term.0, ..Entry::default() };
        append.set_entries(vec![entry].into());
        if !commits_first {
            append.commit -= 1;
        }
        follower.step(Input::Message(append));
        let effects = follower.take_effects();
        let number = effects.persist.last().expect("an entry is written").number;
        assert!(answers(&effects.messages).is_empty(), "{effects:?}");
        follower.step(Input::Persisted(number));
        assert_eq!(answers(&follower.take_effects().messages), [last + 1]);
    }
}

/// Whatever comes in whatever order, a follower says that it has what is on its disk, and no more.
#[test]
fn no_answer_is_ahead_of_the_disk() {
    for seed in 0..200 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut cluster = Cluster::with_compaction(3, OFTEN);
        cluster.elect(1);
        cluster.put(1, "key", "value");
        let status = cluster.node(2).replica.status();
        let mut node = cluster.nodes.remove(&2).unwrap();
        let (term, mut last, mut durable) = (status.term.0, status.last_index.0, 0);
        durable += last;
        let mut writes = VecDeque::new();
        for _ in 0..300 {
            let mut message = Message { from: 1, to: 2, term, ..Message::default() };
            match rng.random_range(0..8) {
                0..3 => {
                    let first = rng.random_range(durable.max(3) - 2..=last);
                    let count = rng.random_range(0..3);
                    last = last.max(first + count);
                    let entry = |index| Entry { index, term, ..Entry::default() };
                    message.set_msg_type(MessageType::MsgAppend);
                    (message.index, message.log_term) = (first, term);
                    message.commit = rng.random_range(0..=durable);
                    let entries: Vec<Entry> = (first + 1..=first + count).map(entry).collect();
                    message.set_entries(entries.into());
                    node.replica.step(Input::Message(message));
                }
                3 => {
                    message.set_msg_type(MessageType::MsgHeartbeat);
                    message.commit = rng.random_range(0..=durable);
                    node.replica.step(Input::Message(message));
                }
                4 => node.replica.step(Input::Lull),
                5..7 => {
                    if let Some((number, index)) = writes.pop_front() {
                        durable = durable.max(index);
                        node.replica.step(Input::Persisted(number));
                    }
                }
                _ => {
                    let effects = node.replica.take_effects();
                    for persist in effects.persist {
                        let index = persist.entries.last().map_or(0, |entry| entry.index);
                        writes.push_back((persist.number, index));
                    }
                    if let Some(applied) = effects.committed.last() {
                        let (index, entries, leases) = (applied.index, Vec::new(), Vec::new());
                        node.replica.step(Input::Applied { index, entries, leases });
                    }
                    for answer in answers(&effects.messages) {
                        assert!(answer <= durable, "seed {seed}: {answer} of {durable}");
                    }
                }
            }
        }
    }
}

const OFTEN: CompactionConfig = CompactionConfig {
    snapshot_entries: 20,
    snapshot_bytes: u64::MAX,
    tail_entries: 3,
    log_bytes_max: u64::MAX,
};

/// The entries up to which these say that everything is there.
fn answers(messages: &[Message]) -> Vec<u64> {
    let is_answer =
        |it: &&Message| it.get_msg_type() == MessageType::MsgAppendResponse && !it.reject;
    let answers = messages.iter().filter(is_answer);
    answers.map(|it| it.index).collect()
}

/// Lets time pass until another node leads.
fn next_leader(cluster: &mut Cluster, old: u64) -> u64 {
    cluster.until("another node leads", |it| it.leader().is_some_and(|leader| leader != old));
    cluster.leader().unwrap()
}

fn put(request: RequestId, value: &'static str) -> Input {
    let put = Put { key: "key".into(), value: value.into(), lease: 0 };
    Input::Write { request, command: LogCommand::new(0, 0, Command::Put(put)) }
}
