//! Hashes of what has no order.

/// Spreads the bits of a number (the finaliser of SplitMix64), so that sums of these are as good as hashes
/// of the numbers in any order.
pub(super) fn scatter(number: u32) -> u64 {
    let mut bits = u64::from(number).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}
