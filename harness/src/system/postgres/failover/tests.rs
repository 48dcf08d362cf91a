use super::*;

const UPSTREAM: &str = "host=10.0.0.1";
const PRIMARY: NodeId = NodeId(1);

fn standby(position: u64, is_receiving: bool) -> Look {
    let upstream = UPSTREAM.to_owned();
    Look {
        is_standby: true,
        timeline: 0,
        position,
        is_receiving,
        receivers: 0,
        synchronous_receivers: 0,
        upstream,
    }
}

fn primary(timeline: u64) -> Look {
    Look { is_standby: false, timeline, position: 9, ..standby(9, false) }
}

fn watch() -> Watch {
    Watch { nodes: 3, cut_off_since: None }
}

/// What is done after servers n1, n2, ... looked so for long.
#[track_caller]
fn check(looks: [Option<Look>; 3], expected: &[Action]) {
    let looks = (1..).map(NodeId).zip(looks).filter_map(|(node, look)| Some((node, look?)));
    let looks = BTreeMap::from_iter(looks);
    let (mut watch, began) = (watch(), Instant::now());
    watch.decide(PRIMARY, UPSTREAM, &looks, began);
    assert_eq!(watch.decide(PRIMARY, UPSTREAM, &looks, began + CUT_OFF_MAX), expected);
}

#[test]
fn the_furthest_of_the_standbys_takes_over_when_all_are_cut_off() {
    let cut = [Some(primary(1)), Some(standby(7, false)), Some(standby(8, false))];
    check(cut, &[Action::FailOver(NodeId(3))]);
    check([None, Some(standby(8, false)), Some(standby(7, false))], &[Action::FailOver(NodeId(2))]);
}

#[test]
fn nobody_takes_over_while_a_standby_receives_or_is_not_there() {
    check([Some(primary(1)), Some(standby(7, true)), Some(standby(8, false))], &[]);
    check([None, None, Some(standby(8, false))], &[]);
}

#[test]
fn a_short_cut_changes_nothing() {
    let cut = BTreeMap::from([(NodeId(2), standby(7, false)), (NodeId(3), standby(7, false))]);
    let whole = cut.iter().map(|(&node, look)| (node, Look { is_receiving: true, ..look.clone() }));
    let whole = BTreeMap::from_iter(whole);
    let (mut watch, began) = (watch(), Instant::now());
    for (looks, seconds) in [(&cut, 0), (&cut, 1), (&whole, 2), (&cut, 3), (&cut, 4)] {
        let now = began + Duration::from_secs(seconds);
        assert_eq!(watch.decide(PRIMARY, UPSTREAM, looks, now), []);
    }
}

#[test]
fn an_old_primary_is_stopped_and_a_lost_standby_is_told_whom_to_follow() {
    let elsewhere = Look { upstream: "host=10.0.0.9".to_owned(), ..standby(7, false) };
    let looks = [Some(primary(2)), Some(primary(1)), Some(elsewhere)];
    check(looks, &[Action::Demote(NodeId(2)), Action::Follow(NodeId(3))]);
}

#[test]
fn a_primary_that_is_still_a_standby_is_promoted_again() {
    let looks = [Some(standby(7, false)), None, Some(standby(7, false))];
    check(looks, &[Action::Promote]);
}
