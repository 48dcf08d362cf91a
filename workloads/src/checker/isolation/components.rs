//! Strongly connected components (Tarjan 1972), without recursion.

/// The edges of a graph, by where they begin.
pub(super) struct Adjacency {
    first: Vec<u32>,
    to: Vec<u32>,
}

impl Adjacency {
    /// A graph of so many nodes. `edges` is called twice with a function that takes an edge.
    pub(super) fn new(nodes: usize, edges: impl Fn(&mut dyn FnMut(u32, u32))) -> Self {
        let mut first = vec![0u32; nodes + 2];
        edges(&mut |from, _| first[from as usize + 2] += 1);
        for node in 2..first.len() {
            first[node] += first[node - 1];
        }
        let mut to = vec![0u32; first[nodes + 1] as usize];
        edges(&mut |from, target| {
            let slot = &mut first[from as usize + 1];
            to[*slot as usize] = target;
            *slot += 1;
        });
        Self { first, to }
    }

    /// How many nodes there are.
    pub(super) fn nodes(&self) -> usize {
        self.first.len() - 2
    }

    /// Where the edges of a node lead.
    pub(super) fn out(&self, node: u32) -> &[u32] {
        &self.to[self.first[node as usize] as usize..self.first[node as usize + 1] as usize]
    }

    /// What it takes in memory.
    pub(super) fn bytes(&self) -> usize {
        (self.first.len() + self.to.len()) * 4
    }
}

/// Of each node, the number of its component, and how many there are. An edge never leads to a
/// component of a higher number.
pub(super) fn components(graph: &Adjacency) -> (Vec<u32>, u32) {
    const NEW: u32 = u32::MAX;
    let nodes = graph.nodes();
    let mut component = vec![NEW; nodes];
    // The order of discovery, or, once known, the earliest node that can be reached.
    let mut low = vec![NEW; nodes];
    let mut open: Vec<u32> = Vec::new();
    // The nodes that we are in, with the next edge of each, and when each was discovered.
    let mut path: Vec<(u32, u32)> = Vec::new();
    let mut entry: Vec<u32> = Vec::new();
    let (mut discovered, mut count) = (0u32, 0u32);
    for root in 0..nodes as u32 {
        if low[root as usize] != NEW {
            continue;
        }
        path.push((root, 0));
        open.push(root);
        low[root as usize] = discovered;
        entry.push(discovered);
        discovered += 1;
        while let Some((node, next)) = path.last_mut() {
            let (this, out) = (*node as usize, graph.out(*node));
            if let Some(&target) = out.get(*next as usize) {
                *next += 1;
                if low[target as usize] == NEW {
                    low[target as usize] = discovered;
                    entry.push(discovered);
                    discovered += 1;
                    open.push(target);
                    path.push((target, 0));
                } else if component[target as usize] == NEW {
                    low[this] = low[this].min(low[target as usize]);
                }
                continue;
            }
            let discovered_at = entry.pop();
            path.pop();
            if Some(low[this]) == discovered_at {
                while let Some(member) = open.pop() {
                    component[member as usize] = count;
                    if member as usize == this {
                        break;
                    }
                }
                count += 1;
            }
            if let Some((parent, _)) = path.last() {
                let parent = *parent as usize;
                low[parent] = low[parent].min(low[this]);
            }
        }
    }
    (component, count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(nodes: usize, edges: &[(u32, u32)]) -> Vec<u32> {
        let graph = Adjacency::new(nodes, |add| edges.iter().for_each(|&(a, b)| add(a, b)));
        components(&graph).0
    }

    #[test]
    fn nodes_of_a_cycle_share_a_component() {
        let found = of(6, &[(0, 1), (1, 2), (2, 0), (2, 3), (3, 4), (4, 3), (5, 0)]);
        assert!(found[0] == found[1] && found[1] == found[2]);
        assert!(found[3] == found[4] && found[3] != found[0]);
        assert!(found[3] < found[0] && found[0] < found[5]);
    }

    #[test]
    fn two_nodes_share_a_component_if_and_only_if_they_reach_each_other() {
        use rand::{RngExt, SeedableRng};
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(7);
        for _ in 0..3_000 {
            let nodes = rng.random_range(1..8u32);
            let edges: Vec<(u32, u32)> = (0..rng.random_range(0..14))
                .map(|_| (rng.random_range(0..nodes), rng.random_range(0..nodes)))
                .collect();
            let found = of(nodes as usize, &edges);
            let mut reaches = [[false; 8]; 8];
            edges.iter().for_each(|&(a, b)| reaches[a as usize][b as usize] = true);
            for k in 0..8 {
                for i in 0..8 {
                    for j in 0..8 {
                        reaches[i][j] |= reaches[i][k] && reaches[k][j];
                    }
                }
            }
            for a in 0..nodes as usize {
                for b in 0..nodes as usize {
                    let same = a == b || reaches[a][b] && reaches[b][a];
                    assert_eq!(found[a] == found[b], same, "{edges:?} {a} {b}");
                    assert!(!reaches[a][b] || found[a] >= found[b], "{edges:?} {a} {b}");
                }
            }
        }
    }
}
