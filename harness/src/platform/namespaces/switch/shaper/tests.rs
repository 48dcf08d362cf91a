use super::*;
use crate::platform::namespaces::switch::segment::tests::segment;

const LINK: Link = (NodeId(1), NodeId(2));
const BACK: Link = (NodeId(2), NodeId(1));
const MILLISECOND: u64 = 1_000_000;
const SYN: u8 = 0x02;
const ACK: u8 = 0x10;

fn shaper(conditions: LinkConditions) -> Shaper {
    let mut shaper = Shaper::default();
    shaper.replace(&BTreeMap::from([(LINK, conditions)]), 7);
    shaper
}

/// A frame that is no TCP segment, with a number to know it by.
fn frame(number: u16) -> Vec<u8> {
    let mut frame = vec![0; 100];
    frame[98..].copy_from_slice(&number.to_be_bytes());
    frame
}

fn number(outgoing: &Outgoing) -> u16 {
    u16::from_be_bytes([outgoing.frame[98], outgoing.frame[99]])
}

/// Offers that many frames, a millisecond apart, and takes all: when each left, and its number.
fn carry(shaper: &mut Shaper, frames: u16) -> Vec<(u64, u16)> {
    for at in 0..frames {
        shaper.offer(u64::from(at) * MILLISECOND, LINK, &frame(at));
    }
    let mut carried = Vec::new();
    while let Some(due) = shaper.next_due() {
        if let Some(before) = due.checked_sub(1) {
            assert_eq!(shaper.take_due(before), None, "not before it is due");
        }
        let outgoing = shaper.take_due(due).expect("it is due");
        assert_eq!(outgoing.to, LINK.1);
        carried.push((due, number(&outgoing)));
    }
    carried
}

#[test]
fn without_conditions_frames_leave_at_once_and_in_order() {
    let carried = carry(&mut shaper(LinkConditions::NONE), 5);
    assert!(carried.iter().all(|&(due, number)| due == u64::from(number) * MILLISECOND));
    assert_eq!(carried.len(), 5);
}

#[test]
fn delay_and_jitter_keep_the_order_and_stay_within_their_bounds() {
    let (delay, jitter) = (Duration::from_millis(30), Duration::from_millis(10));
    let mut shaper = shaper(LinkConditions { delay, jitter, ..LinkConditions::NONE });
    let carried = carry(&mut shaper, 500);
    assert!(carried.windows(2).all(|pair| pair[0].1 < pair[1].1), "in order");
    let late: Vec<u64> = carried.iter().map(|&(due, n)| due - u64::from(n) * MILLISECOND).collect();
    assert!(late.iter().all(|&late| (20 * MILLISECOND..=40 * MILLISECOND).contains(&late)));
    assert!(late.iter().max() > Some(&(35 * MILLISECOND)));
}

#[test]
fn chances_come_about_as_often_as_asked() {
    let chance = 0.3;
    let none = LinkConditions::NONE;
    let frames = 2_000;
    let about = |count: u64| (500..700).contains(&count);

    let mut lossy = shaper(LinkConditions { loss: chance, ..none });
    let left = carry(&mut lossy, frames).len() as u64;
    assert!(about(lossy.carried().lost), "{:?}", lossy.carried());
    assert_eq!(left + lossy.carried().lost, lossy.carried().packets);

    let mut doubling = shaper(LinkConditions { duplication: chance, ..none });
    let left = carry(&mut doubling, frames).len() as u64;
    assert!(about(doubling.carried().duplicated));
    assert_eq!(left, 2_000 + doubling.carried().duplicated);

    let mut reordering = shaper(LinkConditions { reordering: chance, ..none });
    let carried = carry(&mut reordering, frames);
    assert!(about(reordering.carried().reordered));
    assert_eq!(carried.len(), 2_000);
    assert!(carried.windows(2).any(|pair| pair[0].1 > pair[1].1), "some are overtaken");

    let mut corrupting = shaper(LinkConditions { corruption: chance, ..none });
    carry(&mut corrupting, frames);
    assert!(about(corrupting.carried().corrupted));
}

#[test]
fn the_same_seed_gives_the_same_fate_and_links_draw_apart() {
    let conditions = LinkConditions { loss: 0.5, ..LinkConditions::NONE };
    let fate = |seed, link: Link| {
        let mut shaper = Shaper::default();
        shaper.replace(&BTreeMap::from([(LINK, conditions), (BACK, conditions)]), seed);
        (0..64).for_each(|number| shaper.offer(0, link, &frame(number)));
        std::iter::from_fn(|| shaper.take_due(0)).map(|it| number(&it)).collect::<Vec<_>>()
    };
    assert_eq!(fate(1, LINK), fate(1, LINK));
    assert_ne!(fate(1, LINK), fate(2, LINK));
    assert_ne!(fate(1, LINK), fate(1, BACK));
}

#[test]
fn a_limited_rate_spaces_frames_and_its_queue_is_bounded() {
    // A frame of 100 bytes takes a millisecond.
    let mut shaper = shaper(LinkConditions { rate: Some(800_000), ..LinkConditions::NONE });
    for number in 0..1_000 {
        shaper.offer(0, LINK, &frame(number));
    }
    let overflowed = shaper.carried().overflowed;
    assert!((790..=800).contains(&overflowed), "200 ms of queue: {overflowed}");
    let mut last = 0;
    while let Some(due) = shaper.next_due() {
        shaper.take_due(due).expect("it is due");
        assert_eq!(due - last, MILLISECOND);
        last = due;
    }
}

#[test]
fn what_waits_is_bounded() {
    let delay = Duration::from_secs(1);
    let mut shaper = shaper(LinkConditions { delay, ..LinkConditions::NONE });
    for _ in 0..WAITING_MAX + 10 {
        shaper.offer(0, LINK, &frame(0));
    }
    assert_eq!(shaper.carried().overflowed, 10);
}

#[test]
fn a_cut_wins_and_takes_what_waits() {
    let delay = Duration::from_millis(5);
    let mut shaper = shaper(LinkConditions { delay, ..LinkConditions::NONE });
    shaper.offer(0, LINK, &frame(1));
    shaper.cut(&BTreeSet::from([LINK]));
    shaper.offer(0, LINK, &frame(2));
    assert_eq!(shaper.next_due(), None);
    shaper.cut(&BTreeSet::new());
    shaper.offer(0, LINK, &frame(3));
    assert_eq!(carry(&mut shaper, 0).len(), 1);
}

#[test]
fn links_that_are_not_shaped_are_left_alone_and_what_waits_still_arrives() {
    let delay = Duration::from_millis(5);
    let mut shaper = shaper(LinkConditions { delay, ..LinkConditions::NONE });
    shaper.offer(0, BACK, &frame(1));
    assert_eq!(shaper.next_due(), None);
    shaper.offer(0, LINK, &frame(2));
    shaper.replace(&BTreeMap::new(), 0);
    shaper.offer(0, LINK, &frame(3));
    assert_eq!(carry(&mut shaper, 0), vec![(5 * MILLISECOND, 2)]);
}

#[test]
fn resets_go_to_both_ends_and_other_packets_pass() {
    let mut shaper = shaper(LinkConditions { resets: 1.0, ..LinkConditions::NONE });
    shaper.offer(0, LINK, &segment(ACK, 40_000, 8));
    let to: Vec<NodeId> = std::iter::from_fn(|| shaper.take_due(0)).map(|it| it.to).collect();
    assert_eq!(to, vec![NodeId(1), NodeId(2)]);
    assert_eq!(shaper.carried().reset, 1);
    assert_eq!(carry(&mut shaper, 3).len(), 3, "no segments, so they pass");
}

#[test]
fn a_connection_that_was_there_before_is_forgotten_and_a_new_one_is_not() {
    let conditions = LinkConditions { connections: Connections::New, ..LinkConditions::NONE };
    let mut shaper = shaper(conditions);
    shaper.offer(0, LINK, &segment(ACK, 40_000, 8));
    assert_eq!((shaper.next_due(), shaper.carried().forgotten), (None, 1));
    for flags in [SYN, ACK] {
        shaper.offer(0, LINK, &segment(flags, 40_001, 0));
        assert!(shaper.take_due(0).is_some());
    }
    assert_eq!(carry(&mut shaper, 3).len(), 3, "no segments, so they pass");
}
