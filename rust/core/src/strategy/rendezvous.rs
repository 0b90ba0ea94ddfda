//! The same one for the same key, by weight: each target has a number for each key, and the greatest wins. A target
//! that comes or goes moves only the keys that it gains or loses, and nobody has to remember anything.
//!
//! Source: Thaler and Ravishankar, "Using name-based mappings to increase hit rates" (1998); by weight as in Schindelhauer
//! and Schomaker, "Weighted distributed hash tables" (2005).

use twox_hash::XxHash3_64;

/// What stands for a name in [`score`].
pub fn identity(name: &str) -> u64 {
    XxHash3_64::oneshot(name.as_bytes())
}

/// The number of a target for a key: the greatest of several is the one to take.
#[inline]
pub fn score(key: u64, identity: u64, weight: u32) -> f64 {
    // 52 bits and a half, between 0 and 1: neither of them.
    let uniform = f64::from_bits(1.0_f64.to_bits() | mix(key ^ identity) >> 12) - 1.0 + f64::EPSILON / 2.0;
    -f64::from(weight) / log2(uniform)
}

/// The logarithm to base 2, off by less than 0.0001: shares are off by less than that. Quicker than an exact one, and by
/// sums and products alone, which are the same on every machine.
#[inline]
fn log2(positive: f64) -> f64 {
    const MANTISSA_BITS: u32 = f64::MANTISSA_DIGITS - 1;
    let bits = positive.to_bits();
    let exponent = i32::try_from(bits >> MANTISSA_BITS).unwrap_or_default() - 1023;
    // Between 1 and 2.
    let mantissa = f64::from_bits(1.0_f64.to_bits() | bits & ((1 << MANTISSA_BITS) - 1));
    let over = mantissa - 1.0;
    let curve = 1.441_814_9
        + over * (-0.708_440_6 + over * (0.414_722_1 + over * (-0.192_635_4 + over * 0.044_539_1)));
    f64::from(exponent) + over * curve
}

/// Every bit of the result hangs on every one of `word` (Stafford's thirteenth variant, as in `SplitMix64`).
#[inline]
fn mix(word: u64) -> u64 {
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(key: u64, targets: &[(&str, u32)]) -> usize {
        let scores = targets.iter().map(|(name, weight)| score(key, identity(name), *weight));
        scores.enumerate().max_by(|a, b| a.1.total_cmp(&b.1)).map_or(0, |(at, _)| at)
    }

    #[test]
    fn shares_follow_the_weights() {
        let mut seen = [0_u32; 3];
        for key in 0..30_000 {
            seen[taken(key, &[("a", 1), ("b", 2), ("c", 7)])] += 1;
        }
        // Five standard deviations of the binomial distribution: at most 5 × √(30,000 × 0.3 × 0.7) < 400.
        for (seen, expected) in seen.into_iter().zip([3000, 6000, 21000]) {
            assert!(seen.abs_diff(expected) < 400, "{seen} of {expected}");
        }
    }

    #[test]
    fn the_logarithm_is_as_near_as_it_says() {
        for step in 1..100_000 {
            let x = f64::from(step) / 100_000.0;
            assert!((log2(x) - x.log2()).abs() < 1e-4, "{x}: {} for {}", log2(x), x.log2());
        }
    }

    #[test]
    fn a_target_that_goes_moves_only_its_own() {
        let (all, fewer) = ([("a", 1), ("b", 1), ("c", 1)], [("a", 1), ("c", 1)]);
        for key in 0..1000 {
            match taken(key, &all) {
                1 => {}
                before => assert_eq!(fewer[taken(key, &fewer)].0, all[before].0),
            }
        }
    }
}
