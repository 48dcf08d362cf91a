//! Named streams of randomness from one printed seed.

use rand::SeedableRng;
use rand::rand_core::Rng;
use rand_chacha::ChaCha8Rng;

/// The seed of the stream of this name. Streams of one seed do not depend on each other, so that
/// drawing more from one changes nothing in another.
pub fn stream(seed: u64, name: &str) -> u64 {
    let part = |seed: u64, part: &[u8]| {
        let mut material = [0_u8; 32];
        material[..8].copy_from_slice(&seed.to_le_bytes());
        material[8..][..part.len()].copy_from_slice(part);
        ChaCha8Rng::from_seed(material).next_u64()
    };
    // A name of 24 bytes fills the material; what follows makes a stream of that stream.
    let (first, rest) = name.as_bytes().split_at(name.len().min(24));
    rest.chunks(24).fold(part(seed, first), part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_differ_by_seed_and_by_name() {
        assert_eq!(stream(1, "plan"), stream(1, "plan"));
        assert_ne!(stream(1, "plan"), stream(2, "plan"));
        assert_ne!(stream(1, "plan"), stream(1, "nemesis"));
        let long = "redis-sentinel-min-replicas";
        assert_ne!(stream(1, &format!("{long} 0")), stream(1, &format!("{long} 1")));
        assert_ne!(stream(1, &long[..24]), stream(1, long));
    }
}
