//! The trace of a run: one line for everything that happened, and a hash over all lines.

use std::fmt::Write as _;
use std::hash::Hasher;

use super::options::TraceMode;

/// FNV-1a over bytes, and a multiply-rotate step over words: the same in every process and build.
#[derive(Debug, Clone)]
pub(super) struct StableHasher(u64);

impl Default for StableHasher {
    fn default() -> StableHasher {
        StableHasher(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for StableHasher {
    fn finish(&self) -> u64 {
        // The last words would otherwise reach the low bits only.
        let mixed = (self.0 ^ (self.0 >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed ^ (mixed >> 29)
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(23) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

/// Collects what happens. Lines are always hashed, and kept only on request.
#[derive(Debug)]
pub(super) struct Trace {
    hasher: StableHasher,
    line: String,
    text: Option<String>,
}

impl Trace {
    pub(super) fn new(mode: TraceMode) -> Trace {
        let text = match mode {
            TraceMode::Hash => None,
            TraceMode::Text => Some(String::new()),
        };
        Trace { hasher: StableHasher::default(), line: String::new(), text }
    }

    /// Records that `what` happened at `time` (virtual microseconds).
    pub(super) fn line(&mut self, time: u64, what: std::fmt::Arguments<'_>) {
        self.line.clear();
        writeln!(self.line, "{time:>9} {what}").expect("a string takes every write");
        for word in self.line.as_bytes().chunks(8) {
            let mut padded = [0; 8];
            padded[..word.len()].copy_from_slice(word);
            self.hasher.write_u64(u64::from_le_bytes(padded));
        }
        if let Some(text) = &mut self.text {
            text.push_str(&self.line);
        }
    }

    pub(super) fn hash(&self) -> u64 {
        self.hasher.finish()
    }

    pub(super) fn into_text(self) -> Option<String> {
        self.text
    }
}
