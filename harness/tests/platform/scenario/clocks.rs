//! Wall clocks of nodes are moved, and nothing else is.

use std::io::Read;
use std::net::TcpStream;

use harness::node_id::NodeId;
use harness::platform::{ClockSetting, Endpoint, NodeCommand, ProcessState};

use super::{Scenario, n};
use crate::common::witness::eventually;
use crate::node::time;

const SECOND: i64 = 1_000_000_000;
const HOUR: i64 = 3600 * SECOND;

impl Scenario {
    pub(super) fn clocks_move_alone(&self) {
        let clocks = self.platform.clocks().expect("they were arranged");
        for node in [n(1), n(2)] {
            self.start_clock(node);
            self.check(node, 0);
        }
        for offset in [-2 * HOUR, 5 * HOUR + 1, 300 * SECOND / 1000] {
            clocks.set(n(1), ClockSetting { offset, ..ClockSetting::TRUE }).expect("is set");
            self.check(n(1), offset);
            self.check(n(2), 0);
        }
        // A node that is started again finds its clock as it was.
        clocks.set(n(1), ClockSetting { offset: HOUR, ..ClockSetting::TRUE }).expect("is set");
        self.platform.process().kill(n(1)).expect("kills");
        self.start_clock(n(1));
        self.check(n(1), HOUR);
        clocks.set(n(1), ClockSetting::TRUE).expect("is set");
        self.check(n(1), 0);
        self.other_programs_are_fooled();
        assert!(clocks.set(n(99), ClockSetting::TRUE).is_err(), "there is no n99");
    }

    /// A program that is not ours, nor written in Rust.
    fn other_programs_are_fooled(&self) {
        let node = n(3);
        let clocks = self.platform.clocks().expect("they were arranged");
        clocks
            .set(node, ClockSetting { offset: -30 * HOUR, ..ClockSetting::TRUE })
            .expect("is set");
        let argv = ["date", "+%s"].map(Into::into).to_vec();
        let command = NodeCommand { argv, log: self.log(node) };
        self.platform.process().start(node, &command).expect("starts");
        eventually("date ends", || {
            matches!(self.platform.process().state(node), ProcessState::Gone { .. })
        });
        let printed = std::fs::read_to_string(self.log(node)).expect("it has a log");
        let shown: i64 = printed.trim().parse().expect("a number of seconds");
        let ahead = shown * SECOND - time(libc::CLOCK_REALTIME);
        assert!((ahead + 30 * HOUR).abs() < 20 * SECOND, "{ahead}");
    }

    fn start_clock(&self, node: NodeId) {
        let address = self.platform.listen_address(node);
        self.start(node, &format!("clock-{address}"));
        let client = self.platform.address(Endpoint::Client, node);
        eventually("the clock listens", || TcpStream::connect(client).is_ok());
    }

    /// The wall clock of a node is so many nanoseconds ahead, and the monotonic one right, as far as
    /// the time of the question allows to tell.
    #[track_caller]
    fn check(&self, node: NodeId, ahead: i64) {
        const CLOCKS: [libc::clockid_t; 2] = [libc::CLOCK_REALTIME, libc::CLOCK_MONOTONIC];
        let before = CLOCKS.map(time);
        let client = self.platform.address(Endpoint::Client, node);
        let mut answer = String::new();
        let mut stream = TcpStream::connect(client).expect("it listens");
        stream.read_to_string(&mut answer).expect("it answers");
        let after = CLOCKS.map(time);
        let mut shown =
            answer.split_whitespace().map(|word| word.parse::<i64>().expect("a number"));
        for (number, offset) in [ahead, 0].into_iter().enumerate() {
            let shown = shown.next().expect("two numbers") - offset;
            let possible = before[number]..=after[number];
            assert!(possible.contains(&shown), "{node}: {shown} is not in {possible:?}, {number}");
        }
    }
}
