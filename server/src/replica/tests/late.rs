//! Messages that come late, again or never.

use raft::eraftpb::{Message, MessageType};

use super::cluster::{Cluster, ELECTION_TICKS};
use crate::command::{Command, LogCommand, Put};
use crate::replica::{Input, Reply};
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

/// Lets time pass until another node leads.
fn next_leader(cluster: &mut Cluster, old: u64) -> u64 {
    cluster.until("another node leads", |it| it.leader().is_some_and(|leader| leader != old));
    cluster.leader().unwrap()
}

fn put(request: RequestId, value: &'static str) -> Input {
    let put = Put { key: "key".into(), value: value.into(), lease: 0 };
    Input::Write { request, command: LogCommand::new(0, 0, Command::Put(put)) }
}
