//! The kinds of fault on a cluster without processes.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::*;
use crate::nemesis::Action;
use crate::nemesis::fake::FakeCluster;
use crate::nemesis::fault::{FaultKind, Situation};
use crate::nemesis::plan::PlannedFault;
use crate::nemesis::record::{FaultOutcome, FaultRecord};
use crate::node_id::NodeId;
use crate::pausable::PausableClients;

const SITUATION: Situation = Situation { nodes: 5, keep_quorum: false };

/// Each variant of these kinds once. Nothing looks at their times.
fn planned(kinds: &[&'static FaultKind]) -> Vec<PlannedFault> {
    let of_kind = |kind: &&'static FaultKind| {
        let kind = *kind;
        (kind.variants)(SITUATION).into_iter().map(move |fault| PlannedFault {
            start: Duration::ZERO,
            stop: Duration::ZERO,
            kind,
            fault,
            seed: 7,
        })
    };
    kinds.iter().flat_map(of_kind).collect()
}

fn only(records: Vec<FaultRecord>) -> FaultRecord {
    let [record] = <[_; 1]>::try_from(records).expect("one record");
    record
}

#[test]
fn every_variant_is_seen_to_act_and_leaves_the_cluster_as_it_was() {
    let kinds = [
        &KILL,
        &PAUSE,
        &CRASH_LOOP,
        &RESTART,
        &ROLLING_RESTART,
        &PAUSE_KILL,
        &SLOW,
        &WIPE,
        &MEMBERSHIP,
        &TRANSFER,
        &SNAPSHOT,
    ];
    let plan = planned(&kinds);
    let cluster = Arc::new(FakeCluster::new(5));
    let mut injector = cluster.injector(plan.clone());
    for (index, planned) in plan.iter().enumerate() {
        for action in [Action::Install(index), Action::Heal(index)] {
            let record = only(injector.perform(action));
            assert_eq!(record.outcome, FaultOutcome::Installed, "{record:#?}");
            assert!(record.installed_time.is_some(), "{record:#?}");
            assert_eq!(record.healed_time.is_some(), action == Action::Heal(index), "{record:#?}");
        }
        let name = (planned.kind, planned.fault.variant());
        assert!(cluster.all_run(), "{name:?}");
        assert!(cluster.members().values().all(|role| role.votes()), "{name:?}");
        assert_eq!(cluster.members().len(), 5, "{name:?}");
        assert!(cluster.wiped.lock().unwrap().is_empty(), "{name:?}");
    }
}

#[test]
fn what_cannot_be_undone_yet_is_undone_when_others_are_healed() {
    let cluster = Arc::new(FakeCluster::new(5));
    let shrink = planned(&[&MEMBERSHIP]).swap_remove(0);
    let pause = planned(&[&PAUSE]).swap_remove(0);
    let mut injector = cluster.injector(vec![shrink, pause]);
    injector.perform(Action::Install(0));
    injector.perform(Action::Install(1));
    cluster.refuses.store(true, Ordering::Relaxed);
    let record = only(injector.perform(Action::Heal(0)));
    assert_eq!(record.outcome, FaultOutcome::Indeterminate);
    assert_eq!(record.healed_time, None);
    assert_eq!(injector.in_force().len(), 2);
    cluster.refuses.store(false, Ordering::Relaxed);
    let records = injector.perform(Action::Heal(1));
    assert!(records.iter().all(|it| it.outcome == FaultOutcome::Installed), "{records:#?}");
    assert_eq!((records.len(), cluster.members().len()), (2, 5));
    assert!(injector.in_force().is_empty());
}

#[test]
fn no_majority_is_ever_wiped_or_out() {
    let cluster = Arc::new(FakeCluster::new(5));
    let plan: Vec<PlannedFault> = planned(&[&WIPE, &MEMBERSHIP])
        .into_iter()
        .filter(|planned| planned.fault.variant().contains("minority"))
        .collect();
    let mut injector = cluster.injector(plan.clone());
    let first = only(injector.perform(Action::Install(0)));
    assert_eq!((first.outcome, first.targets.len()), (FaultOutcome::Installed, 2));
    for index in 1..plan.len() {
        let record = only(injector.perform(Action::Install(index)));
        assert_eq!(record.outcome, FaultOutcome::Skipped, "{record:#?}");
    }
    assert_eq!(cluster.wiped.lock().unwrap().len(), 2);
    drop(injector);
    assert!(cluster.all_run() && cluster.members().contains_key(&NodeId(5)));
}

#[test]
fn members_are_not_changed_where_nodes_have_addresses_of_their_own_for_each_other() {
    let cluster = Arc::new(FakeCluster::with_proxies(5));
    let plan = planned(&[&WIPE, &MEMBERSHIP]);
    let mut injector = cluster.injector(plan.clone());
    for index in 0..plan.len() {
        let record = only(injector.perform(Action::Install(index)));
        assert_eq!(record.outcome, FaultOutcome::Skipped);
        assert!(record.reason.expect("a reason").contains("platform fake"));
    }
}

/// Starts clients that never end their operation. Returns once all are at work.
fn clients_at_work(runtime: &tokio::runtime::Runtime, number: usize) -> PausableClients {
    let clients = PausableClients::new(number);
    for client in (0..number).map(|number| clients.client(number)) {
        let works = client.clone();
        let work = async move {
            works.operation(Duration::from_secs(3_600), std::future::pending::<()>()).await
        };
        runtime.spawn(client.run(work));
    }
    while !(0..number).all(|number| clients.client(number).observe().is_busy) {
        std::thread::yield_now();
    }
    clients
}

#[test]
fn clients_are_stopped_in_the_middle_of_their_operations_and_go_on() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_time()
        .build()
        .unwrap();
    let clients = clients_at_work(&runtime, 5);
    let cluster = Arc::new(FakeCluster::with_clients(3, clients.clone()));
    let plan = planned(&[&CLIENT_PAUSE]);
    let mut injector = cluster.injector(plan.clone());
    let held = || (0..5).filter(|&it| clients.client(it).observe().is_held).count();
    for (index, planned) in plan.iter().enumerate() {
        let record = only(injector.perform(Action::Install(index)));
        assert_eq!(record.outcome, FaultOutcome::Installed, "{record:#?}");
        let stopped = match planned.fault.variant().as_str() {
            "one" => 1,
            "half" => 3,
            _ => 4,
        };
        assert_eq!(held(), stopped, "{record:#?}");
        assert_eq!(record.evidence["install"]["in_the_middle_of_an_operation"], stopped);
        let record = only(injector.perform(Action::Heal(index)));
        assert_eq!(record.outcome, FaultOutcome::Installed, "{record:#?}");
        assert_eq!(held(), 0);
    }
}

#[test]
fn where_there_are_no_clients_none_are_stopped() {
    let cluster = Arc::new(FakeCluster::new(3));
    let mut injector = cluster.injector(planned(&[&CLIENT_PAUSE]));
    let record = only(injector.perform(Action::Install(0)));
    assert_eq!(record.outcome, FaultOutcome::Skipped);
}
