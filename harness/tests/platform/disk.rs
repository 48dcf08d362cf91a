//! Disks that can fail, mounted, with a process of a node on them.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use harness::disk::{Disk, NameRule, Syncs, Trouble, Unsynced};
use harness::node_id::NodeId;
use harness::platform::{NodeCommand, Platform, ProcessState};

use crate::common::witness::eventually;

/// A record of the writer.
const RECORD: usize = 1000;
/// Long enough to believe that a synchronisation hangs.
const HANGS: Duration = Duration::from_millis(200);
const ENDS: Duration = Duration::from_secs(5);
const ROUNDS: u64 = 10;

/// The node: a record, fsync, a line in the log; then bytes that are not synchronised.
pub(crate) fn write_for_ever(path: &str) -> ! {
    let file = File::options().write(true).create(true).truncate(false).open(path).expect("opens");
    for number in 1.. {
        let record = record(number);
        let offset = (number - 1) * RECORD as u64;
        file.write_all_at(&record, offset).expect("writes");
        file.sync_data().expect("synchronises");
        eprintln!("synced {number}");
        file.write_all_at(&[0xff; 3 * RECORD], offset + RECORD as u64).expect("writes");
    }
    unreachable!("there is always another number")
}

fn record(number: u64) -> [u8; RECORD] {
    let mut record = [b'.'; RECORD];
    record[..8].copy_from_slice(&number.to_le_bytes());
    record
}

/// A disk and the writer on it.
pub(crate) struct DiskScenario<'a> {
    pub(crate) platform: &'a dyn Platform,
    pub(crate) folder: &'a Path,
    pub(crate) token: String,
}

impl DiskScenario<'_> {
    fn disk(&self) -> Disk {
        Disk::new(&self.folder.join("n1"), NameRule::Journal).expect("mounts")
    }

    fn log(&self) -> PathBuf {
        self.folder.join("writer.log")
    }

    /// The last number that the writer said was synchronised.
    fn synced(&self) -> u64 {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        let complete = log.rsplit_once('\n').map_or("", |(complete, _)| complete);
        let last = complete.lines().filter_map(|line| line.strip_prefix("synced ")).next_back();
        last.map_or(0, |number| number.parse().expect("a number"))
    }

    fn start_writer(&self, file: &Path) {
        File::create(self.log()).expect("creates");
        let role = format!("writer-{}", file.display());
        let argv = ["/proc/self/exe", "node", &role, &self.token];
        let command = NodeCommand { argv: argv.map(Into::into).to_vec(), log: self.log() };
        let state = self.platform.process().start(NodeId(1), &command).expect("starts");
        assert!(matches!(state, ProcessState::Running { .. }), "{state:?}");
    }

    fn kill_writer(&self) {
        self.platform.process().kill(NodeId(1)).expect("kills");
    }

    /// What was synchronised is there, and nothing else unless it may survive by chance.
    pub(crate) fn power_is_lost(&self) {
        let disk = self.disk();
        for round in 0..ROUNDS {
            let file = disk.data().join(format!("file-{round}"));
            self.start_writer(&file);
            eventually("the writer gets on", || self.synced() > 20);
            self.kill_writer();
            let synced = self.synced();
            let is_torn = round % 2 == 1;
            let unsynced = if is_torn { Unsynced::Torn(round) } else { Unsynced::Lost };
            let loss = disk.lose_power(unsynced).expect("loses power");
            let content = fs::read(&file).expect("its name was synchronised with it");
            for number in 1..=synced {
                let at = (number as usize - 1) * RECORD;
                assert_eq!(content[at..at + RECORD], record(number), "round {round}: {number}");
            }
            // A record was synchronised with what was behind the one before it. The last one may
            // be missing in the log only.
            let durable = |last: u64| (last as usize + 2) * RECORD == content.len();
            assert!(is_torn || durable(synced) || durable(synced + 1), "round {round}: {loss:?}");
        }
        assert_eq!(disk.counters().power_losses, ROUNDS);
    }

    /// Room, errors and time as told, and as before afterwards.
    pub(crate) fn trouble_comes_and_goes(&self) {
        let disk = self.disk();
        let sync = || disk.probe_sync().expect("starts").wait(ENDS).expect("ends");
        let old = disk.data().join("old");
        fs::write(&old, "0123456789").expect("a sound disk");

        disk.set_trouble(Trouble { full: true, ..Trouble::NONE }, 1);
        assert_eq!(disk.probe_room().expect_err("full").kind(), ErrorKind::StorageFull);
        let mut file = File::options().append(true).open(&old).expect("opens");
        assert_eq!(file.write(b"x").expect_err("full").kind(), ErrorKind::StorageFull);
        let file = File::options().write(true).open(&old).expect("opens");
        file.write_all_at(b"abc", 0).expect("it has its place");

        disk.set_trouble(Trouble { write_errors: 1.0, ..Trouble::NONE }, 1);
        assert_eq!(disk.probe_write().expect_err("fails").raw_os_error(), Some(libc::EIO));
        disk.set_trouble(Trouble { sync_errors: 1.0, ..Trouble::NONE }, 1);
        assert_eq!(sync().0.expect_err("fails").raw_os_error(), Some(libc::EIO));

        let syncs = Syncs::Slow(Duration::from_millis(50), Duration::from_millis(60));
        disk.set_trouble(Trouble { syncs, ..Trouble::NONE }, 1);
        let (slow, took) = sync();
        assert!(slow.is_ok() && took >= Duration::from_millis(50), "{took:?}");

        disk.set_trouble(Trouble { syncs: Syncs::Stuck, ..Trouble::NONE }, 1);
        let stuck = disk.probe_sync().expect("starts");
        assert!(stuck.wait(HANGS).is_none());
        fs::write(disk.data().join("new"), "while it hangs").expect("the rest goes on");
        disk.set_trouble(Trouble::NONE, 1);
        assert!(stuck.wait(ENDS).expect("ends").0.is_ok());

        disk.set_trouble(Trouble { syncs: Syncs::Ignored, ..Trouble::NONE }, 1);
        assert!(sync().0.is_ok());
        disk.set_trouble(Trouble::NONE, 1);
        disk.probe_room().expect("there is room");
        assert_eq!(fs::read_to_string(&old).expect("reads"), "abc3456789");
        let done = disk.counters();
        assert!(done.refused_full >= 2 && done.failed_writes == 1 && done.failed_syncs == 1);
        assert!(done.late_syncs == 2 && done.ignored_syncs == 1, "{done:?}");
    }

    /// Whoever waits for a disk that hangs goes on when it does, and with the disk when it goes.
    pub(crate) fn nobody_waits_for_ever(&self) {
        let disk = self.disk();
        let file = disk.data().join("file");
        disk.set_trouble(Trouble { syncs: Syncs::Stuck, ..Trouble::NONE }, 1);
        self.start_writer(&file);
        eventually("the writer hangs", || disk.counters().late_syncs == 1);
        assert_eq!(self.synced(), 0);
        disk.set_trouble(Trouble::NONE, 1);
        eventually("the writer gets on", || self.synced() > 3);
        disk.set_trouble(Trouble { syncs: Syncs::Stuck, ..Trouble::NONE }, 1);
        eventually("the writer hangs again", || disk.counters().late_syncs == 2);
        disk.remove().expect("unmounts");
        let process = self.platform.process();
        let ended = || matches!(process.state(NodeId(1)), ProcessState::Gone { .. });
        eventually("the writer has got an error", ended);
        assert!(self.folder.join("n1/data/file").exists(), "the data is where it belongs");
    }
}
