//! Measures the log's store against a log in RocksDB, in interleaved rounds on one file system.
//!
//! `cargo run -p server --example log_store -- DIRECTORY [ROUNDS]`
//!
//! Each write is synced. Both stores compact 10,000 entries behind the end, as a node with
//! snapshots does. CPU time is that of the whole process, helper threads included.

#![expect(clippy::print_stdout, reason = "the table is what this program is for")]
#![expect(clippy::unwrap_used, reason = "a measurement that meets an error is worth nothing")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use protobuf::Message;
use raft::eraftpb::{ConfState, Entry, HardState};
use rocksdb::{DB, DBCompressionType, DBRecoveryMode, Options, WriteBatch, WriteOptions};
use server::log_store::{
    LogBatch, LogPosition, LogStore, LogStoreError, RecoveredLog, SegmentLogStore,
};
use server::types::{GroupId, LogIndex, Term};

const VALUE_BYTES: usize = 256;
const BATCHES: [u64; 2] = [1, 64];
const ROUND: Duration = Duration::from_secs(2);
const ENTRIES_KEPT: u64 = 10_000;
const STORES: [&str; 2] = ["rocksdb", "segments"];

/// One store in one round.
#[derive(Clone, Copy)]
struct Measured {
    writes_per_second: f64,
    cpu_seconds_per_1000: f64,
    p50: Duration,
    p99: Duration,
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let Some(directory) = arguments.next().map(PathBuf::from) else {
        eprintln!("usage: log_store DIRECTORY [ROUNDS]");
        std::process::exit(254);
    };
    let rounds: usize = arguments.next().map_or(5, |rounds| rounds.parse().unwrap());
    println!("{VALUE_BYTES}-byte entries, every write synced, {rounds} rounds of {ROUND:?} each");
    println!("entries  store     writes/s  appends/s  CPU s/1,000  p50 ms   p99 ms");
    for batch in BATCHES {
        let mut all = [Vec::new(), Vec::new()];
        for round in 0..rounds {
            for turn in 0..STORES.len() {
                let which = (round + turn) % STORES.len();
                let measured = measure(&directory.join("log-store-example"), which, batch);
                print_line(batch, STORES[which], measured);
                all[which].push(measured);
            }
        }
        let ratio = |of: fn(&Measured) -> f64| {
            let pairs = all[1].iter().zip(&all[0]);
            median(pairs.map(|(segments, rocksdb)| of(segments) / of(rocksdb)).collect())
        };
        println!(
            "{batch:7}  segments / rocksdb, median of rounds: writes/s {:.2}, CPU {:.2}, p50 {:.2}, \
             p99 {:.2}",
            ratio(|it| it.writes_per_second),
            ratio(|it| it.cpu_seconds_per_1000),
            ratio(|it| it.p50.as_secs_f64()),
            ratio(|it| it.p99.as_secs_f64()),
        );
    }
}

fn measure(directory: &Path, which: usize, entries: u64) -> Measured {
    let _ = fs::remove_dir_all(directory);
    fs::create_dir_all(directory).unwrap();
    let mut store: Box<dyn LogStore> = match which {
        0 => Box::new(RocksdbLog::open(directory)),
        _ => Box::new(SegmentLogStore::open(directory).unwrap()),
    };
    store.bootstrap(GroupId(0), &ConfState::default()).unwrap();
    let (mut last, mut latencies) = (0, Vec::new());
    let (started, cpu) = (Instant::now(), cpu_seconds());
    while started.elapsed() < ROUND {
        let batch = batch(last, entries);
        let write = Instant::now();
        store.write(&[batch], true).unwrap();
        latencies.push(write.elapsed());
        last += entries;
    }
    let (seconds, cpu) = (started.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    drop(store);
    fs::remove_dir_all(directory).unwrap();
    latencies.sort_unstable();
    let percentile = |part: usize| latencies[(latencies.len() - 1) * part / 100];
    Measured {
        writes_per_second: latencies.len() as f64 / seconds,
        cpu_seconds_per_1000: cpu * 1000.0 / last as f64,
        p50: percentile(50),
        p99: percentile(99),
    }
}

fn batch(last: u64, entries: u64) -> LogBatch {
    let entry = |index| Entry {
        index,
        term: 1,
        data: vec![index as u8; VALUE_BYTES].into(),
        ..Default::default()
    };
    let position = |index| LogPosition { index: LogIndex(index), term: Term(1) };
    let compact = (last / ENTRIES_KEPT < (last + entries) / ENTRIES_KEPT)
        .then(|| position(last.saturating_sub(ENTRIES_KEPT)));
    LogBatch {
        group: GroupId(0),
        hard_state: Some(HardState { term: 1, vote: 1, commit: last, ..Default::default() }),
        entries: (last + 1..=last + entries).map(entry).collect(),
        compact,
        reset: None,
    }
}

fn print_line(batch: u64, store: &str, it: Measured) {
    println!(
        "{batch:7}  {store:8}  {:8.0}  {:9.0}  {:11.4}  {:7.3}  {:7.3}",
        it.writes_per_second,
        it.writes_per_second * batch as f64,
        it.cpu_seconds_per_1000,
        it.p50.as_secs_f64() * 1e3,
        it.p99.as_secs_f64() * 1e3,
    );
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

/// CPU time of this process so far, in the kernel's hundredths of a second.
fn cpu_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields = stat.rsplit_once(')').unwrap().1.split_whitespace();
    let ticks: u64 = fields.skip(11).take(2).map(|field| field.parse::<u64>().unwrap()).sum();
    ticks as f64 / 100.0
}

/// The least that a log in RocksDB does for a write: entries by index, the hard state, one sync.
struct RocksdbLog(DB);

const HARD_STATE: [u8; 1] = [0];

impl RocksdbLog {
    fn open(directory: &Path) -> RocksdbLog {
        let mut options = Options::default();
        options.create_if_missing(true);
        options.set_wal_recovery_mode(DBRecoveryMode::TolerateCorruptedTailRecords);
        options.set_write_buffer_size(64 << 20);
        options.set_compression_type(DBCompressionType::None);
        RocksdbLog(DB::open(&options, directory).unwrap())
    }
}

impl LogStore for RocksdbLog {
    fn groups(&mut self) -> Result<Vec<GroupId>, LogStoreError> {
        Ok(Vec::new())
    }

    fn remove(&mut self, _group: GroupId) -> Result<(), LogStoreError> {
        Ok(())
    }

    fn load(&mut self, _group: GroupId) -> Result<RecoveredLog, LogStoreError> {
        Ok(RecoveredLog::default())
    }

    fn bootstrap(&mut self, _group: GroupId, _first: &ConfState) -> Result<(), LogStoreError> {
        Ok(())
    }

    fn write(&mut self, batches: &[LogBatch], sync: bool) -> Result<(), LogStoreError> {
        let mut changes = WriteBatch::default();
        for batch in batches {
            if let Some(hard_state) = &batch.hard_state {
                changes.put(HARD_STATE, hard_state.write_to_bytes().unwrap());
            }
            for entry in &batch.entries {
                changes.put(entry.index.to_be_bytes(), entry.write_to_bytes().unwrap());
            }
            if let Some(compact) = batch.compact {
                changes.delete_range(1u64.to_be_bytes(), (compact.index.0 + 1).to_be_bytes());
            }
        }
        let mut options = WriteOptions::default();
        options.set_sync(sync);
        self.0.write_opt(changes, &options).unwrap();
        Ok(())
    }
}
