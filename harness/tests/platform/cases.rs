//! The cases, and what is checked from outside.

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use crate::common::witness::{eventually, processes};
use crate::runner::{Running, SKIPPED};

/// A test.
pub(crate) struct Case {
    /// Also the name of the scenario; starts with the platform it is about.
    pub(crate) name: &'static str,
    /// Who judges it.
    pub(crate) check: Check,
}

/// Who judges a case.
pub(crate) enum Check {
    /// The scenario, by its exit code.
    Inside,
    /// This function, while the scenario runs.
    Outside(fn(&mut Running)),
}

const fn inside(name: &'static str) -> Case {
    Case { name, check: Check::Inside }
}

const fn outside(name: &'static str, check: fn(&mut Running)) -> Case {
    Case { name, check: Check::Outside(check) }
}

pub(crate) const CASES: &[Case] = &[
    inside("machine_doctor_agrees_with_auto"),
    inside("namespaces_nftables_cut_and_heal"),
    inside("namespaces_iptables_cut_and_heal"),
    inside("loopback_cut_and_heal"),
    inside("loopback_bytes_wait_and_arrive_in_order"),
    inside("namespaces_packets_meet_conditions"),
    inside("namespaces_connections_meet_conditions"),
    inside("namespaces_a_cut_wins_over_a_shape"),
    inside("namespaces_cuts_are_seen"),
    inside("loopback_cuts_are_seen"),
    inside("namespaces_conditions_are_seen"),
    inside("loopback_conditions_are_skipped"),
    inside("namespaces_iptables_shapes_are_refused"),
    inside("loopback_shapes_are_refused"),
    inside("namespaces_clients_are_never_cut_off"),
    inside("namespaces_whole_trees_pause_and_resume"),
    inside("loopback_whole_trees_pause_and_resume"),
    inside("namespaces_whole_trees_are_killed"),
    inside("loopback_whole_trees_are_killed"),
    inside("namespaces_terminate_is_patient_then_not"),
    inside("loopback_terminate_is_patient_then_not"),
    inside("namespaces_a_death_of_its_own_is_noticed"),
    inside("loopback_a_death_of_its_own_is_noticed"),
    inside("namespaces_nodes_inherit_nothing"),
    inside("loopback_nodes_inherit_nothing"),
    inside("loopback_two_runs_do_not_collide"),
    inside("namespaces_disk_power_is_lost"),
    inside("namespaces_disk_trouble_comes_and_goes"),
    inside("namespaces_disk_nobody_waits_for_ever"),
    inside("namespaces_clocks_move_alone"),
    inside("loopback_clocks_move_alone"),
    outside("namespaces_hold_outer_killed", outer_killed),
    outside("namespaces_hold_inner_killed", inner_killed),
    outside("namespaces_hold_terminated", terminated),
    outside("namespaces_count_interrupts", interrupts_are_counted_once),
    outside("loopback_hold_killed", outer_killed),
];

/// Waits for a line; false if the scenario has skipped itself.
fn ready(running: &mut Running, line: &str) -> bool {
    let mut skipped = false;
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while !running.printed().lines().any(|printed| printed == line) {
        if let Some(status) = running.child.try_wait().expect("it is our child") {
            assert_eq!(status.code(), Some(SKIPPED), "ended: {}", running.printed());
            skipped = true;
            break;
        }
        assert!(std::time::Instant::now() < deadline, "never {line}: {}", running.printed());
        std::thread::park_timeout(std::time::Duration::from_millis(2));
    }
    !skipped
}

fn pid(running: &Running) -> Pid {
    Pid::from_raw(running.child.id().cast_signed())
}

fn outer_killed(running: &mut Running) {
    if !ready(running, "ready") {
        return;
    }
    assert_eq!(processes(&running.token, "node").len(), 9, "three nodes of three");
    kill(pid(running), Signal::SIGKILL).expect("it runs");
    running.child.wait().expect("it is our child");
    eventually("nothing is left", || processes(&running.token, "").is_empty());
}

fn inner_killed(running: &mut Running) {
    if !ready(running, "ready") {
        return;
    }
    // The inner process is the only child of the outer one.
    let outer = pid(running);
    let children = format!("/proc/{outer}/task/{outer}/children");
    let inner = std::fs::read_to_string(children).expect("the outer process has children");
    let inner = Pid::from_raw(inner.trim().parse().expect("exactly one"));
    kill(inner, Signal::SIGKILL).expect("it runs");
    assert_eq!(running.wait().code(), Some(137));
    eventually("nothing is left", || processes(&running.token, "").is_empty());
}

fn terminated(running: &mut Running) {
    if !ready(running, "ready") {
        return;
    }
    kill(pid(running), Signal::SIGTERM).expect("it runs");
    assert_eq!(running.wait().code(), Some(143));
}

/// A signal to the whole group, as a terminal sends it, arrives once.
fn interrupts_are_counted_once(running: &mut Running) {
    if !ready(running, "ready") {
        return;
    }
    for expected in ["interrupts: 1", "interrupts: 2"] {
        killpg(pid(running), Signal::SIGINT).expect("it runs");
        if !ready(running, expected) {
            panic!("skipped half-way");
        }
        // Longer than the gap within which a repetition is taken for an echo.
        std::thread::park_timeout(std::time::Duration::from_millis(150));
    }
    kill(pid(running), Signal::SIGTERM).expect("it runs");
    assert_eq!(running.wait().code(), Some(137), "the third one is final");
    assert!(!running.printed().contains("interrupts: 3"), "{}", running.printed());
}
