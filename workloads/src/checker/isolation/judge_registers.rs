//! The check of registers: what follows from reads, and for some levels an exact decision.
//!
//! ```text
//! read-committed, read-atomic, causal     exact: weak
//! snapshot-isolation, serializable, and   sure edges, then causal, then writes-follow-reads, which
//! the same for sessions                   these levels imply, then exact search while it is small
//! all others                              sure edges
//! ```
//!
//! The order of each process counts for `strong-session-` levels and those above, for `causal`, whose
//! definition has it, and for `read-committed` and `read-atomic`, as in the literature on registers
//! (Biswas and Enea 2019). Real time counts for the levels that are strong or strict only.

use super::exact::{Problem, smallest};
use super::findings::Findings;
use super::graph::{Edges, Graph};
use super::judge::{Assumed, Outcome, conclude, doubt_ambiguous, judge_edges};
use super::kind::Kind;
use super::level::{Level, Levels};
use super::meter::{Meter, Stop};
use super::reasons::Reasons;
use super::rw_register::{self, Sources};
use super::transactions::{Model, Transactions};
use super::weak::{self, INITIAL, Reads, Sessions, Weak};
use super::words;
use crate::checker::{Budget, Check};
use crate::history::Operation;
use crate::model::{Initial, UnsuitableOperation};

/// Transactions of which weaker levels are decided too, where the level itself is not decided exactly:
/// with more of them it would cost more than the rest.
const IMPLIED_MAX: usize = 100_000;
/// Transactions up to which causes are followed where the order of processes does not count, because
/// each has a clock of its own then.
const CAUSES_MAX: usize = 4096;

/// Checks transactions that write registers.
pub(super) fn check_rw_register(
    operations: &[Operation],
    level: Level,
    initial: &Initial,
    budget: &dyn Budget,
) -> Result<Check, UnsuitableOperation> {
    let mut outcome = Outcome::default();
    let end = judge(operations, level, initial, &mut Meter::new(budget), &mut outcome);
    conclude(level, with_sessions(level), operations.len(), outcome, end)
}

/// The level that is judged where the order of each process counts.
fn with_sessions(level: Level) -> Level {
    match level {
        Level::ReadCommitted => Level::StrongSessionReadCommitted,
        level => level,
    }
}

/// Whether the order of each process counts at a level that is searched for.
fn sessions(level: Level) -> Sessions {
    match level {
        Level::SnapshotIsolation | Level::Serializable => Sessions::Ignore,
        _ => Sessions::Count,
    }
}

fn judge(
    operations: &[Operation],
    level: Level,
    initial: &Initial,
    meter: &mut Meter<'_>,
    outcome: &mut Outcome,
) -> Result<(), Stop> {
    let transactions = Transactions::read(operations, Model::RwRegister, meter)?;
    meter.hold(transactions.bytes())?;
    let sources = Sources::new(&transactions, initial, meter)?;
    let held = transactions.bytes() + sources.writes.bytes();
    meter.hold(held)?;
    doubt_ambiguous(&transactions, &sources.writes, outcome);
    let stray = rw_register::check_seen(&transactions, &sources, &mut outcome.findings, meter)?;
    if let Some((reader, key, value)) = stray {
        outcome.doubts.push(format!(
            "the transaction of event {} read {} = {}, which nobody wrote",
            operations[reader as usize].invoke_index,
            words::plain(&transactions.keys[key as usize]),
            words::plain(&transactions.values.values[value as usize]),
        ));
    }
    let registers = Registers { transactions: &transactions, sources: &sources, held };
    match level {
        Level::ReadCommitted => registers.weak(Weak::ReadCommitted, meter, outcome),
        Level::ReadAtomic => registers.weak(Weak::ReadAtomic, meter, outcome),
        Level::Causal => registers.weak(Weak::Causal, meter, outcome),
        Level::SnapshotIsolation
        | Level::StrongSessionSnapshotIsolation
        | Level::Serializable
        | Level::StrongSessionSerializable => registers.exact(level, meter, outcome),
        _ => registers.inferred(level, meter, outcome),
    }
}

struct Registers<'r, 'a> {
    transactions: &'r Transactions<'a>,
    sources: &'r Sources,
    held: usize,
}

impl Registers<'_, '_> {
    fn reasons(&self) -> Reasons<'_, '_> {
        Reasons { transactions: self.transactions, writes: &self.sources.writes, order: None }
    }

    /// Decides a weak level; if it is broken, weaker ones as well, to say which is the weakest.
    fn weak(&self, level: Weak, meter: &mut Meter<'_>, outcome: &mut Outcome) -> Result<(), Stop> {
        let reads = Reads::new(self.transactions, self.sources, Sessions::Count, meter)?;
        meter.hold(self.held + reads.bytes())?;
        self.weaker(level, &reads, meter, outcome).map(|_| ())
    }

    /// Tells of what breaks the weakest level that is broken. Returns whether `level` holds.
    fn weaker(
        &self,
        level: Weak,
        reads: &Reads,
        meter: &mut Meter<'_>,
        outcome: &mut Outcome,
    ) -> Result<bool, Stop> {
        let mut findings = Findings::default();
        let decided = weak::decide(level, self.transactions, reads, &mut findings, meter);
        if let Ok(true) = decided {
            return Ok(true);
        }
        if let Ok(false) = decided {
            outcome.existing.insert(level.kind());
            let weaker = match level {
                Weak::ReadCommitted => None,
                Weak::ReadAtomic => Some(Weak::ReadCommitted),
                Weak::Causal => Some(Weak::ReadAtomic),
            };
            let weaker = weaker.map(|weaker| self.weaker(weaker, reads, meter, outcome));
            if let Some(Ok(false)) = weaker {
                return Ok(false);
            }
        }
        outcome.findings.append(findings);
        decided
    }

    /// What follows from sure edges, and what would follow from more.
    fn inferred(
        &self,
        level: Level,
        meter: &mut Meter<'_>,
        outcome: &mut Outcome,
    ) -> Result<(), Stop> {
        outcome.incomplete = Some("reads do not tell the order of all writes");
        self.implied(level, meter, outcome)?;
        let (edges, present) = self.sure(level, meter, outcome)?;
        if level >= Level::ConsistentView && !Levels::broken(outcome.kinds()).contains(level) {
            self.assume(level, false, edges, present, meter, outcome)?;
        }
        Ok(())
    }

    /// Decides read-committed exactly, for levels that imply it.
    fn implied(
        &self,
        level: Level,
        meter: &mut Meter<'_>,
        outcome: &mut Outcome,
    ) -> Result<(), Stop> {
        if self.transactions.len() > IMPLIED_MAX {
            return Ok(());
        }
        // Those count the order of each process, so whoever implies them must do so too.
        match level {
            Level::StrongSessionReadCommitted
            | Level::StrongReadCommitted
            | Level::StrongSnapshotIsolation
            | Level::StrictSerializable => self.weak(Weak::ReadCommitted, meter, outcome),
            _ => Ok(()),
        }
    }

    /// Sure edges and the cycles in them.
    fn sure(
        &self,
        level: Level,
        meter: &mut Meter<'_>,
        outcome: &mut Outcome,
    ) -> Result<(Edges, Vec<bool>), Stop> {
        let (mut edges, present) =
            rw_register::dependencies(self.transactions, self.sources, meter)?;
        edges.add_processes(self.transactions, &present);
        let graph =
            Graph::new(self.transactions, edges.clone(), present.clone(), in_real_time(level));
        judge_edges(graph, &self.reasons(), level, self.held, meter, outcome)?;
        Ok((edges, present))
    }

    /// More edges, on assumptions that the level implies or that Elle offers.
    fn assume(
        &self,
        level: Level,
        implied: bool,
        mut edges: Edges,
        present: Vec<bool>,
        meter: &mut Meter<'_>,
        outcome: &mut Outcome,
    ) -> Result<(), Stop> {
        let realtime = level == Level::StrictSerializable;
        let (transactions, sources) = (self.transactions, self.sources);
        rw_register::assumed(transactions, sources, &present, realtime, &mut edges, meter)?;
        let graph = Graph::new(transactions, edges, present, in_real_time(level));
        let mut more = Outcome::default();
        judge_edges(graph, &self.reasons(), level, self.held, meter, &mut more)?;
        if Levels::broken(more.kinds()).contains(level) {
            let assumption = match realtime {
                true => "if writes follow reads and each key is linearizable",
                false => "if writes follow reads",
            };
            outcome.assumed = Some(Assumed { assumption, implied, findings: more.findings });
            if implied {
                outcome.existing.insert(no_order(level));
            }
        }
        Ok(())
    }

    /// Cheaper ways to find a contradiction first, then search.
    fn exact(
        &self,
        level: Level,
        meter: &mut Meter<'_>,
        outcome: &mut Outcome,
    ) -> Result<(), Stop> {
        let (edges, present) = self.sure(level, meter, outcome)?;
        let order = sessions(level);
        let reads = Reads::new(self.transactions, self.sources, order, meter)?;
        meter.hold(self.held + reads.bytes())?;
        let implied = match order {
            Sessions::Ignore if self.transactions.len() > CAUSES_MAX => Weak::ReadAtomic,
            _ => Weak::Causal,
        };
        let holds = self.weaker(implied, &reads, meter, outcome)?;
        if !holds && order == Sessions::Ignore {
            // `causal` itself counts processes, so that its anomalies do not say this.
            outcome.existing.insert(no_order(level));
        }
        if Levels::broken(outcome.kinds()).contains(level) {
            return Ok(());
        }
        self.assume(level, true, edges, present, meter, outcome)?;
        if Levels::broken(outcome.kinds()).contains(level) {
            return Ok(());
        }
        let snapshots =
            matches!(level, Level::SnapshotIsolation | Level::StrongSessionSnapshotIsolation);
        let all: Vec<u32> =
            self.transactions.all().filter(|&it| reads.present[it as usize]).collect();
        match Problem::new(&all, &reads, snapshots) {
            Err(_) => outcome.incomplete = Some("too large for an exact search"),
            Ok(problem) => {
                if !problem.solve(meter)? {
                    let kind = no_order(level);
                    outcome.existing.insert(kind);
                    let core = smallest(all, &reads, snapshots, meter)?;
                    outcome.findings.add(kind, || self.contradiction(kind, &core, &reads));
                }
            }
        }
        Ok(())
    }

    /// A set of transactions that no order explains, in words.
    fn contradiction(&self, kind: Kind, core: &[u32], reads: &Reads) -> crate::checker::Anomaly {
        let (mut lines, mut keys) = (Vec::new(), Vec::new());
        for (&reader, at) in core.iter().zip(0..) {
            for read in reads.of(reader).iter().filter(|read| read.external) {
                let key = words::plain(&self.transactions.keys[read.key as usize]);
                let label = words::label(at);
                keys.push(read.key);
                if read.writer == INITIAL {
                    lines.push(format!("{label} read {key} before anybody wrote it."));
                } else if let Some(writer) = core.iter().position(|&it| it == read.writer) {
                    lines.push(format!("{label} read {key} from {}.", words::label(writer)));
                }
            }
        }
        lines.push(
            "Whichever way the writes of each key are ordered, some transaction comes before itself; \
             without any one of these transactions an order exists."
                .to_owned(),
        );
        words::anomaly(self.transactions, kind, &keys, core, vec![], lines)
    }
}

/// What a history shows that no order explains.
fn no_order(level: Level) -> Kind {
    match level {
        Level::SnapshotIsolation => Kind::NoSnapshotOrder,
        Level::StrongSessionSnapshotIsolation => Kind::NoSnapshotOrderProcess,
        Level::Serializable => Kind::NoSerialOrder,
        _ => Kind::NoSerialOrderProcess,
    }
}

/// Whether a level speaks of real time.
fn in_real_time(level: Level) -> bool {
    matches!(
        level,
        Level::StrongReadUncommitted
            | Level::StrongReadCommitted
            | Level::StrongSnapshotIsolation
            | Level::StrictSerializable
    )
}
