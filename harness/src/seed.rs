//! Named streams of randomness from one printed seed.

use rand::SeedableRng;
use rand::rand_core::Rng;
use rand_chacha::ChaCha8Rng;

/// The seed of the stream of this name. Streams of one seed do not depend on each other, so that
/// drawing more from one changes nothing in another.
pub fn stream(seed: u64, name: &str) -> u64 {
    let mut material = [0_u8; 32];
    material[..8].copy_from_slice(&seed.to_le_bytes());
    for (place, byte) in material[8..].iter_mut().zip(name.bytes()) {
        *place = byte;
    }
    ChaCha8Rng::from_seed(material).next_u64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_differ_by_seed_and_by_name() {
        assert_eq!(stream(1, "plan"), stream(1, "plan"));
        assert_ne!(stream(1, "plan"), stream(2, "plan"));
        assert_ne!(stream(1, "plan"), stream(1, "nemesis"));
    }
}
