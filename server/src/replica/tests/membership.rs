//! Members come and go.

use super::cluster::{Cluster, ELECTION_TICKS, rejected};
use crate::replica::{MemberChange, MemberError, MemberRole, Rejection, Reply};
use crate::types::{NodeId, Role};

fn add(node: u64, stay_learner: bool) -> MemberChange {
    MemberChange::Add { node: NodeId(node), address: format!("n{node}"), stay_learner }
}

fn remove(node: u64) -> MemberChange {
    MemberChange::Remove { node: NodeId(node) }
}

#[test]
fn a_group_grows_from_one_to_five_and_shrinks_back() {
    let mut cluster = Cluster::led(1);
    for id in 2..=5 {
        assert!(cluster.put(1, "key", &id.to_string()).is_some());
        let configuration = cluster.add(1, id);
        assert_eq!(configuration.voters.len() as u64, id);
        assert_eq!(configuration.addresses[&id], format!("n{id}"));
        assert!(configuration.joining.is_empty());
    }
    cluster.tick(3);
    cluster.assert_equal(&[1, 2, 3, 4, 5]);
    for id in (2..=5).rev() {
        let configuration = cluster.change_wholly(1, remove(id));
        assert_eq!(configuration.voters, (1..id).collect::<Vec<_>>());
        assert!(matches!(cluster.put(1, "key", "value"), Some(Reply::Applied { .. })));
    }
}

#[test]
fn a_new_node_neither_campaigns_nor_votes() {
    let mut cluster = Cluster::led(2);
    cluster.join(3);
    cluster.tick(10 * ELECTION_TICKS);
    let status = cluster.node(3).replica.status();
    assert_eq!((status.role, status.term.0), (Role::Follower, 0));
    assert!(!status.removed, "it never was a member");
}

#[test]
fn a_learner_stays_one_if_it_is_told_to_and_has_no_say() {
    let mut cluster = Cluster::led(2);
    cluster.join(3);
    let configuration = cluster.change_wholly(1, add(3, true));
    assert_eq!(configuration.learners, vec![3]);
    cluster.tick(10 * ELECTION_TICKS);
    let members = cluster.node(1).replica.status().members;
    let roles: Vec<MemberRole> = members.iter().map(|member| member.role).collect();
    assert_eq!(roles, vec![MemberRole::Leader, MemberRole::Voter, MemberRole::Learner]);
    // One of two voters is no majority, whatever the learner says.
    cluster.isolated.insert(2);
    assert_eq!(cluster.put(1, "key", "value"), None);
    cluster.isolated.clear();
    cluster.until("there is a leader", |it| it.leader().is_some());
    let leader = cluster.leader().expect("there is one");
    let promoted = cluster.change_wholly(leader, MemberChange::Promote { node: NodeId(3) });
    assert_eq!(promoted.voters, vec![1, 2, 3]);
    let demoted = cluster.change_wholly(leader, MemberChange::Demote { node: NodeId(3) });
    assert_eq!((demoted.voters, demoted.learners), (vec![1, 2], vec![3]));
}

#[test]
fn a_dead_member_is_replaced_in_one_step() {
    let mut cluster = Cluster::led(3);
    cluster.put(1, "key", "value");
    cluster.stop(3);
    cluster.join(4);
    let change = MemberChange::Replace { old: NodeId(3), new: NodeId(4), address: "n4".to_owned() };
    let configuration = cluster.change_wholly(1, change);
    assert_eq!(configuration.voters, vec![1, 2, 4]);
    assert_eq!(cluster.get(4, "key").as_deref(), Some(&b"value"[..]));
}

#[test]
fn a_replacement_is_completed_by_the_next_leader() {
    let mut cluster = Cluster::led(3);
    cluster.isolated.insert(3);
    cluster.join(4);
    cluster.isolated.insert(4);
    let change = MemberChange::Replace { old: NodeId(3), new: NodeId(4), address: "n4".to_owned() };
    let (request, _) = cluster.change(1, change);
    cluster.tick(5);
    assert_eq!(cluster.node(2).replica.configuration().joining.get(&4), Some(&3));
    // The leader that was asked is gone, and the others are back.
    cluster.isolated = [1].into();
    cluster.until("there is another leader", |it| it.leader().is_some_and(|it| it != 1));
    cluster.until("the replacement is complete", |it| {
        let configuration = it.node(2).replica.configuration();
        configuration.voters == [1, 2, 4] && !configuration.is_joint()
    });
    cluster.isolated.clear();
    cluster.until("node 1 answers", |it| it.node(1).replies.contains_key(&request));
    let reply = cluster.node(1).replies.get(&request).cloned();
    assert_eq!(rejected(reply), Some(Rejection::Uncertain));
}

#[test]
fn a_joint_configuration_is_left_by_the_next_leader() {
    let mut joint = 0;
    // The leader that was asked is cut off after each number of messages.
    for messages in 0..60 {
        let mut cluster = Cluster::led(3);
        cluster.add(1, 4);
        cluster.messages_left = Some(messages);
        cluster.change(1, remove(4));
        cluster.messages_left = None;
        cluster.isolated.insert(1);
        let nodes = cluster.nodes.values();
        joint += nodes.filter(|node| node.replica.configuration().is_joint()).count();
        cluster.until("there is another leader", |it| it.leader().is_some_and(|it| it != 1));
        cluster.until("the configuration is joint no more", |it| {
            let mut others = it.nodes.iter().filter(|(id, _)| **id != 1 && **id != 4);
            others.all(|(_, node)| !node.replica.configuration().is_joint())
        });
        let leader = cluster.leader().expect("there is one");
        assert!(matches!(cluster.put(leader, "key", "value"), Some(Reply::Applied { .. })));
    }
    assert!(joint > 0, "no leader was cut off in a joint configuration");
}

#[test]
fn a_leader_that_removes_itself_answers_and_another_leads_at_once() {
    let mut cluster = Cluster::led(3);
    let configuration = cluster.change_wholly(1, remove(1));
    assert_eq!(configuration.voters, vec![2, 3]);
    // Without waiting for an election timeout.
    let leader = cluster.leader().expect("the best of the others was told to campaign");
    assert_ne!(leader, 1);
    let status = cluster.node(1).replica.status();
    assert!(status.removed && status.role == Role::Follower, "{status:?}");
    assert!(matches!(cluster.put(leader, "key", "value"), Some(Reply::Applied { .. })));
}

#[test]
fn a_removed_node_that_was_not_told_does_not_disturb_the_others() {
    let mut cluster = Cluster::led(3);
    cluster.isolated.insert(3);
    cluster.change_wholly(1, remove(3));
    cluster.isolated.clear();
    let term = cluster.node(1).replica.term();
    cluster.delivered.clear();
    cluster.tick(10 * ELECTION_TICKS);
    let asked = cluster.delivered.iter().any(|message| message.from == 3);
    assert!(asked, "it believes that it is a member, and asks for votes");
    assert_eq!(cluster.leader(), Some(1));
    assert_eq!(cluster.node(1).replica.term(), term, "pre-vote and check-quorum keep it out");
    assert_eq!(cluster.node(2).replica.term(), term);
}

#[test]
fn changes_that_would_stop_the_group_are_refused() {
    let mut cluster = Cluster::led(3);
    cluster.stop(3);
    cluster.tick(3 * ELECTION_TICKS);
    let (_, reply) = cluster.change(1, remove(2));
    let refused = Rejection::Members(MemberError::WouldLoseQuorum { active: 1, voters: 2 });
    assert_eq!(rejected(reply), Some(refused));
    let configuration = cluster.change_wholly(1, remove(3));
    assert_eq!(configuration.voters, vec![1, 2]);
}

#[test]
fn one_change_at_a_time() {
    let mut cluster = Cluster::led(3);
    cluster.isolated.extend([2, 3]);
    cluster.change(1, add(4, true));
    let (_, reply) = cluster.change(1, remove(3));
    let refused = Rejection::Members(MemberError::ChangeInProgress);
    assert_eq!(rejected(reply), Some(refused));
}

#[test]
fn a_learner_that_lags_is_not_promoted() {
    let mut cluster = Cluster::led(1);
    cluster.change_wholly(1, add(2, true));
    for _ in 0..600 {
        cluster.put(1, "key", "value");
    }
    let (_, reply) = cluster.change(1, MemberChange::Promote { node: NodeId(2) });
    let Some(Rejection::Members(MemberError::LearnerLags { node, lag })) = rejected(reply) else {
        panic!("it has nothing at all");
    };
    assert!(node == NodeId(2) && lag > 600);
}

#[test]
fn a_member_without_an_answer_ends_the_wait_and_not_the_change() {
    let mut cluster = Cluster::led(1);
    let (request, reply) = cluster.change(1, add(2, false));
    assert_eq!(reply, None);
    cluster.tick(600);
    let reply = cluster.node(1).replies.get(&request).cloned();
    assert_eq!(rejected(reply), Some(Rejection::Timeout));
    cluster.join(2);
    cluster.until("node 2 is a voter", |it| it.node(1).replica.configuration().voters == [1, 2]);
}

#[test]
fn a_follower_refuses_and_names_the_leader() {
    let mut cluster = Cluster::led(3);
    let (_, reply) = cluster.change(2, remove(3));
    let leader = Some(NodeId(1));
    assert_eq!(rejected(reply), Some(Rejection::NotLeader { leader }));
}

#[test]
fn a_configuration_survives_restarts_of_everybody() {
    let mut cluster = Cluster::led(1);
    cluster.add(1, 2);
    cluster.add(1, 3);
    cluster.tick(3);
    for id in 1..=3 {
        cluster.stop(id);
    }
    for id in 1..=3 {
        cluster.start(id).expect("nothing was lost");
        assert_eq!(cluster.node(id).replica.configuration().voters, vec![1, 2, 3]);
    }
    cluster.until("there is a leader", |it| it.leader().is_some());
    let leader = cluster.leader().expect("there is one");
    assert!(matches!(cluster.put(leader, "key", "value"), Some(Reply::Applied { .. })));
}
