//! A random target, by weight.

/// The index, among those that `may` be picked, whose share of `0..sum(weights)` holds `random`.
pub fn pick(weights: &[u32], random: u64, may: impl Fn(usize) -> bool) -> usize {
    let those = || weights.iter().enumerate().filter(|(at, _)| may(*at));
    let total: u64 = those().map(|(_, weight)| u64::from(*weight)).sum();
    // Multiply-shift instead of a remainder: the bias is below 2^-32 for any sum of u32 weights.
    let mut left = u64::try_from((u128::from(random) * u128::from(total)) >> 64).unwrap_or(0);
    for (at, weight) in those() {
        if left < u64::from(*weight) {
            return at;
        }
        left -= u64::from(*weight);
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_follow_the_weights() {
        let mut seen = [0u32; 3];
        for step in 0..1000u64 {
            // The middle of each thousandth: its edge may round to either side.
            seen[pick(&[1, 2, 7], (2 * step + 1) * (u64::MAX / 2000), |_| true)] += 1;
        }
        assert_eq!(seen.map(|n| n / 10), [10, 20, 70]);
    }
}
