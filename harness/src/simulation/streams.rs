//! Named streams of randomness from one seed.

use std::hash::Hasher;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::trace::StableHasher;

/// The stream `name` of `seed`. Streams are independent: what one part draws does not shift what
/// another part sees, so a change in the clients leaves the faults of a seed alone.
pub(super) fn stream(seed: u64, name: &str) -> ChaCha8Rng {
    let mut hasher = StableHasher::default();
    hasher.write(name.as_bytes());
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(hasher.finish());
    rng
}
