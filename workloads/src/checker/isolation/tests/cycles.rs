//! Searches and their existence tests against all simple cycles of small random graphs.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::super::circle::{Circle, Misses, Pattern};
use super::super::classify::class_of;
use super::super::graph::{Edges, Graph, Kinds, PROCESS, REALTIME, RW, WR, WW};
use super::super::kind::Class;
use super::super::meter::Meter;
use super::super::search::{Search, Step, follows};
use super::super::transactions::{Model, NONE, Transactions};
use super::operation;
use crate::checker::linearizable::Unlimited;
use crate::history::{Operation, Outcome};

/// All simple cycles, each once for each choice of edges and each beginning.
fn simple_cycles(edges: &[Step], path: &mut Vec<Step>, all: &mut Vec<Vec<Step>>) {
    let (first, last) = (path[0].from, path[path.len() - 1].to);
    if first == last {
        all.push(path.clone());
        return;
    }
    for &edge in edges.iter().filter(|edge| edge.from == last) {
        if edge.to == first || path.iter().all(|step| step.from != edge.to) {
            path.push(edge);
            simple_cycles(edges, path, all);
            path.pop();
        }
    }
}

fn shortest(cycles: &[&Vec<Step>], wanted: impl Fn(&Vec<Step>) -> bool) -> Option<usize> {
    cycles.iter().filter(|cycle| wanted(cycle)).map(|cycle| cycle.len()).min()
}

#[test]
fn searches_find_the_shortest_cycles_and_existence_agrees() {
    let (mut graphs, mut cyclic) = (0, 0);
    for seed in 0..4_000 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let count = rng.random_range(2..6u64);
        let operations: Vec<Operation> = (0..count)
            .map(|at| {
                let end = 10 * at + rng.random_range(5..45);
                operation(at, 10 * at, Some(end), Outcome::Ok, vec![])
            })
            .collect();
        let mut meter = Meter::new(&Unlimited);
        let transactions = Transactions::read(&operations, Model::ListAppend, &mut meter).unwrap();
        let mut edges = Edges::new(count as usize);
        let mut steps: Vec<Step> = Vec::new();
        let before = |one: u32, other: u32| {
            operations[one as usize].complete_index.unwrap()
                < operations[other as usize].invoke_index
        };
        for _ in 0..rng.random_range(0..3 * count) {
            let (from, to) = (rng.random_range(0..count) as u32, rng.random_range(0..count) as u32);
            let kind = [WW, WR, RW, RW, PROCESS][rng.random_range(0..5)];
            let new = steps.iter().all(|it| (it.from, it.to, it.kind) != (from, to, kind));
            if from != to && new && (kind != PROCESS || before(from, to)) {
                edges.add(from, to, kind, 0);
                steps.push(Step { from, to, kind, version: 0 });
            }
        }
        for from in 0..count as u32 {
            for to in (0..count as u32).filter(|&to| before(from, to)) {
                steps.push(Step { from, to, kind: REALTIME, version: NONE });
            }
        }
        let graph = Graph::new(&transactions, edges, vec![true; count as usize], true);
        let mut all = Vec::new();
        for &edge in &steps {
            simple_cycles(&steps, &mut vec![edge], &mut all);
        }
        let circles = graph.circles(&mut meter).unwrap();
        assert_eq!(circles.is_empty(), all.is_empty(), "{steps:?}");
        let mut scratch = vec![NONE; graph.nodes() as usize];
        graphs += 1;
        for members in circles {
            cyclic += 1;
            let circle = Circle::new(&graph, members.clone(), &mut scratch);
            for order in [0, PROCESS, PROCESS | REALTIME] {
                let allowed = |kind: Kinds| kind & (WW | WR | RW | order) != 0;
                let here: Vec<&Vec<Step>> = all
                    .iter()
                    .filter(|it| it.iter().all(|step| allowed(step.kind)))
                    .filter(|it| members.contains(&it[0].from))
                    .collect();
                let free = WW | WR | order;
                let class = |cycle: &Vec<Step>| class_of(cycle).0;
                let after = Pattern { free, misses: Misses::After(free) };
                let prefix = Pattern { free, misses: Misses::After(WR | order) };
                let mut search = Search::new(&circle);
                let mut find = |pattern| {
                    let found = search.cycle(pattern, u64::MAX / 2, &mut meter).unwrap();
                    if let Some(cycle) = &found {
                        assert!(follows(cycle, pattern), "{cycle:?}");
                        let linked = (0..cycle.len())
                            .all(|at| cycle[at].to == cycle[(at + 1) % cycle.len()].from);
                        assert!(linked, "{cycle:?}");
                    }
                    found.map(|cycle| cycle.len())
                };
                let any = Pattern { free, misses: Misses::Any };
                assert_eq!(find(any), shortest(&here, |_| true), "{steps:?}");
                assert_eq!(
                    find(after),
                    shortest(&here, |cycle| class(cycle) != Class::G2Item),
                    "{steps:?}"
                );
                assert_eq!(
                    find(prefix),
                    shortest(&here, |cycle| follows(cycle, prefix)),
                    "{steps:?}"
                );
                assert_eq!(
                    find(Pattern { free, misses: Misses::Never }),
                    shortest(&here, |cycle| matches!(class(cycle), Class::G0 | Class::G1c)),
                    "{steps:?}"
                );
                let single = search.single(free, u32::MAX, u64::MAX / 2, &mut meter).unwrap();
                assert_eq!(
                    single.map(|cycle| cycle.len()),
                    shortest(&here, |cycle| class(cycle) == Class::GSingle),
                    "{order} {steps:?}"
                );
            }
        }
    }
    eprintln!("{graphs} graphs with {cyclic} circles");
    assert!(cyclic > 1_000);
}

#[test]
fn hubs_lead_each_reader_to_each_other_writer_and_to_nobody_else() {
    for seed in 0..500 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let readers: Vec<u32> = (0..12).filter(|_| rng.random_bool(0.6)).collect();
        let writers: Vec<(u32, u32)> =
            (0..20).filter(|_| rng.random_bool(0.6)).map(|writer| (writer, 100 + writer)).collect();
        let mut edges = Edges::new(20);
        edges.miss(&readers, &writers);
        for &reader in &readers {
            // All that is reached by one rw and any hubs behind it.
            let mut reached: Vec<(u32, u32)> = Vec::new();
            let mut hubs = vec![reader];
            while let Some(node) = hubs.pop() {
                for edge in edges.list.iter().filter(|edge| edge.from == node) {
                    assert_eq!(edge.kind == RW, node < 20);
                    match edge.to < 20 {
                        true => reached.push((edge.to, edge.version)),
                        false => hubs.push(edge.to),
                    }
                }
            }
            reached.sort_unstable();
            reached.dedup();
            let others: Vec<(u32, u32)> =
                writers.iter().copied().filter(|(writer, _)| *writer != reader).collect();
            assert_eq!(reached, others, "{readers:?} {writers:?} {reader}");
        }
        assert!(edges.list.len() <= readers.len() * 2 + writers.len() * 4 + 80);
    }
}
