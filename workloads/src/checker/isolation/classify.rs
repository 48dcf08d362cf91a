//! What kinds of cycles a circle has: first whether there are any, which takes linear time, then
//! shortest ones to show.

use std::collections::BTreeSet;

use super::circle::{Circle, Misses, Pattern};
use super::findings::Findings;
use super::graph::{Kinds, PROCESS, REALTIME, RW, WR, WW};
use super::kind::{Class, Kind, Variant};
use super::level::Level;
use super::meter::{Meter, Stop};
use super::reasons::Reasons;
use super::search::{Search, Step};
use super::words;

/// Edges that a search for one shortest cycle may look at, if a cycle is known already.
const ALLOWANCE: u64 = 4_000_000;

/// The kinds of cycles that exist, whether or not one of them is shown.
pub(super) type Existing = BTreeSet<Kind>;

/// Finds what a circle breaks, and tells of one cycle of each kind.
pub(super) fn classify(
    circle: &Circle,
    reasons: &Reasons<'_, '_>,
    level: Level,
    existing: &mut Existing,
    findings: &mut Findings,
    meter: &mut Meter<'_>,
) -> Result<(), Stop> {
    let mut search = Search::new(circle);
    let mut found: Vec<(Class, Variant)> = Vec::new();
    for variant in Variant::ALL {
        let order = match variant {
            Variant::Plain => 0,
            Variant::Process => PROCESS,
            Variant::Realtime => PROCESS | REALTIME,
        };
        let exists = Exists::new(circle, order);
        existing.extend(exists.kinds(variant));
        for (class, pattern) in exists.searches(order) {
            if found
                .iter()
                .any(|&(other, in_variant)| in_variant <= variant && implies(other, class))
            {
                continue;
            }
            meter.ask(0)?;
            let cycle = match pattern.misses {
                Misses::First => {
                    // Nothing else tells whether these levels hold.
                    let decides = level == Level::ConsistentView
                        || level.weaker().contains(&Level::ConsistentView);
                    let allowance = if decides { u64::MAX / 2 } else { ALLOWANCE };
                    search.single(pattern.free, u32::MAX, allowance, meter)?
                }
                _ => search.cycle(pattern, ALLOWANCE, meter)?,
            };
            let Some(cycle) = cycle else { continue };
            let (class, variant) = class_of(&cycle);
            found.push((class, variant));
            tell(Kind::Cycle(class, variant), &cycle, reasons, findings);
            if is_long_fork(&cycle) {
                tell(Kind::LongFork, &cycle, reasons, findings);
            }
        }
    }
    weak_levels(&mut search, reasons, level, findings, meter)
}

/// Levels below snapshots that no class of cycles describes.
fn weak_levels(
    search: &mut Search<'_>,
    reasons: &Reasons<'_, '_>,
    level: Level,
    findings: &mut Findings,
    meter: &mut Meter<'_>,
) -> Result<(), Stop> {
    let (kind, free, longest) = match level {
        Level::Causal => (Kind::CausalityViolation, WR | PROCESS, u32::MAX),
        Level::ReadAtomic | Level::UpdateAtomic => (Kind::FracturedRead, WR, 2),
        _ => return Ok(()),
    };
    if let Some(cycle) = search.single(free, longest, u64::MAX / 2, meter)? {
        tell(kind, &cycle, reasons, findings);
    }
    Ok(())
}

/// Which cycles a circle has, with one order beside the data.
struct Exists {
    writes: bool,
    information: bool,
    prefix: bool,
    snapshot: bool,
    any: bool,
}

impl Exists {
    fn new(circle: &Circle, order: Kinds) -> Self {
        let cyclic = |free, misses| circle.components(Pattern { free, misses }).1;
        let mut exists = Exists {
            writes: false,
            information: false,
            prefix: false,
            snapshot: false,
            any: cyclic(WW | WR | order, Misses::Any),
        };
        if exists.any {
            let free = WW | WR | order;
            exists.snapshot = cyclic(free, Misses::After(free));
            exists.prefix = exists.snapshot && cyclic(free, Misses::After(WR | order));
            exists.information = exists.prefix && cyclic(free, Misses::Never);
            exists.writes = exists.information && cyclic(WW | order, Misses::Never);
        }
        exists
    }

    fn kinds(&self, variant: Variant) -> Vec<Kind> {
        let cycles = [
            (self.any, Kind::Cycle(Class::G2Item, variant)),
            (self.snapshot, Kind::Cycle(Class::GNonadjacent, variant)),
            (self.information, Kind::Cycle(Class::G1c, variant)),
            (self.writes, Kind::Cycle(Class::G0, variant)),
            (self.prefix && variant == Variant::Plain, Kind::NotPrefix),
        ];
        cycles.into_iter().filter_map(|(exists, kind)| exists.then_some(kind)).collect()
    }

    /// What to look for, the worst first. A cycle of information breaks all that the later classes
    /// break; those that need none of it are looked for only where there is none.
    fn searches(&self, order: Kinds) -> Vec<(Class, Pattern)> {
        let free = WW | WR | order;
        let pattern = |free, misses| Pattern { free, misses };
        let all = [
            (self.writes, Class::G0, pattern(WW | order, Misses::Never)),
            (self.information, Class::G1c, pattern(free, Misses::Never)),
            (self.snapshot, Class::GSingle, pattern(free, Misses::First)),
            (
                self.snapshot && !self.information,
                Class::GNonadjacent,
                pattern(free, Misses::After(free)),
            ),
            (self.any && !self.snapshot, Class::G2Item, pattern(free, Misses::Any)),
        ];
        let wanted = all.into_iter().filter(|(wanted, ..)| *wanted);
        wanted.map(|(_, class, pattern)| (class, pattern)).collect()
    }
}

/// Whether who knows of a cycle of the first class need not look for the second.
fn implies(one: Class, other: Class) -> bool {
    match one {
        Class::G0 => matches!(other, Class::G0 | Class::G1c),
        Class::G1c => other == Class::G1c,
        Class::GSingle => matches!(other, Class::GSingle | Class::GNonadjacent | Class::G2Item),
        Class::GNonadjacent => matches!(other, Class::GNonadjacent | Class::G2Item),
        Class::G2Item => other == Class::G2Item,
    }
}

/// What a cycle is made of.
pub(super) fn class_of(cycle: &[Step]) -> (Class, Variant) {
    let has = |kind| cycle.iter().any(|step| step.kind == kind);
    let misses = cycle.iter().filter(|step| step.kind == RW).count();
    let adjacent =
        (0..cycle.len()).any(|at| cycle[at].kind == RW && cycle[(at + 1) % cycle.len()].kind == RW);
    let class = match misses {
        0 if has(WR) => Class::G1c,
        0 => Class::G0,
        1 => Class::GSingle,
        _ if adjacent => Class::G2Item,
        _ => Class::GNonadjacent,
    };
    let variant = match (has(REALTIME), has(PROCESS)) {
        (true, _) => Variant::Realtime,
        (false, true) => Variant::Process,
        (false, false) => Variant::Plain,
    };
    (class, variant)
}

/// Two writers and two readers, each of which saw one of the writes only.
fn is_long_fork(cycle: &[Step]) -> bool {
    cycle.len() == 4
        && (0..4).all(|at| {
            let (kind, before) = (cycle[at].kind, cycle[(at + 3) % 4].kind);
            (kind == RW && before == WR) || (kind == WR && before == RW)
        })
}

/// Adds a cycle to what was found.
fn tell(kind: Kind, cycle: &[Step], reasons: &Reasons<'_, '_>, findings: &mut Findings) {
    findings.add(kind, || {
        // Begin with the first transaction; its edges then read like a story.
        let first = (0..cycle.len()).min_by_key(|&at| cycle[at].from).unwrap_or_default();
        let cycle = [&cycle[first..], &cycle[..first]].concat();
        let of: Vec<u32> = cycle.iter().map(|step| step.from).collect();
        let (edges, keys) = (reasons.edges(&cycle), reasons.keys(&cycle));
        let mut lines: Vec<String> = Vec::new();
        for (edge, at) in edges.iter().zip(1..) {
            let (from, to) = (words::label(edge.from), words::label(edge.to));
            let lead = if at == edges.len() { "But then " } else { "" };
            lines.push(format!("{lead}{from} comes before {to}: {}.", edge.reason));
        }
        lines.push(format!(
            "So {} would have to come before itself: no order of these transactions is possible.",
            words::label(0)
        ));
        words::anomaly(reasons.transactions, kind, &keys, &of, edges, lines)
    });
}
