//! Which nodes of a growing graph without circles reach which.

/// The transitive closure, a row of bits for each node.
#[derive(Clone)]
pub(super) struct Reach {
    rows: Vec<u64>,
    words: usize,
}

impl Reach {
    /// No edges yet.
    pub(super) fn new(nodes: usize) -> Self {
        let words = nodes.div_ceil(64);
        Self { rows: vec![0; nodes * words], words }
    }

    /// Whether there is a way from one node to the other.
    pub(super) fn reaches(&self, from: u32, to: u32) -> bool {
        let word = self.rows[from as usize * self.words + to as usize / 64];
        word & (1 << (to % 64)) != 0
    }

    /// Adds an edge; says whether there is still no circle.
    pub(super) fn add(&mut self, from: u32, to: u32) -> bool {
        if from == to || self.reaches(to, from) {
            return false;
        }
        if self.reaches(from, to) {
            return true;
        }
        let start = to as usize * self.words;
        let mut behind = self.rows[start..start + self.words].to_vec();
        behind[to as usize / 64] |= 1 << (to % 64);
        for node in 0..(self.rows.len() / self.words) as u32 {
            if node == from || self.reaches(node, from) {
                let start = node as usize * self.words;
                for (mine, more) in self.rows[start..start + self.words].iter_mut().zip(&behind) {
                    *mine |= more;
                }
            }
        }
        true
    }

    /// What it takes in memory.
    pub(super) fn bytes(&self) -> usize {
        self.rows.len() * 8
    }
}
