//! Smooth weighted round robin: nginx's algorithm, which spreads the heavy targets between the light ones
//! (weights 5, 1, 1 give a a b a c a a, not a a a a a b c).
//! Source: nginx commit 52327e0627f4 ("Upstream: smooth weighted round-robin balancing").

/// Current weights.
#[derive(Debug)]
pub struct Smooth(Vec<i64>);

impl Smooth {
    /// For this many targets.
    pub fn new(targets: usize) -> Self {
        Self(vec![0; targets])
    }

    /// The index of the next target among those that `may` be picked. Over any `sum(weights)` picks of the same ones
    /// each is picked exactly `weight` times.
    pub fn pick(&mut self, weights: &[u32], may: impl Fn(usize) -> bool) -> usize {
        let mut total = 0;
        let mut best = (0, i64::MIN);
        for (at, (current, weight)) in self.0.iter_mut().zip(weights).enumerate().filter(|(at, _)| may(*at)) {
            *current += i64::from(*weight);
            total += i64::from(*weight);
            if *current > best.1 {
                best = (at, *current);
            }
        }
        if let Some(current) = self.0.get_mut(best.0) {
            *current -= total;
        }
        best.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heavy_targets_are_spread_between_light_ones() {
        let mut smooth = Smooth::new(3);
        let picks: Vec<_> = (0..7).map(|_| smooth.pick(&[5, 1, 1], |_| true)).collect();
        assert_eq!(picks, [0, 0, 1, 0, 2, 0, 0]);
    }

    #[test]
    fn each_target_gets_its_weight_in_every_cycle() {
        let weights = [3, 1, 4, 2];
        let mut smooth = Smooth::new(4);
        let mut seen = [0u32; 4];
        for _ in 0..100 {
            seen[smooth.pick(&weights, |_| true)] += 1;
        }
        assert_eq!(seen, [30, 10, 40, 20]);
    }
}
