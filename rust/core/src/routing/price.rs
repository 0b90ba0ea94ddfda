//! What tokens cost. Money is whole pico-USD, never a fraction: $0.0375 per million tokens are 37,500 per token.

use serde::Deserialize;

/// Prices of one model's tokens.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// As long as no tier says otherwise.
    pub base: Rates,
    /// What holds for longer prompts, the shortest first.
    pub tiers: Vec<Tier>,
}

/// What holds for a whole request whose prompt is longer.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tier {
    /// Longer than so many tokens.
    pub above_input_tokens: u64,
    /// Then these.
    pub rates: Rates,
}

/// In pico-USD per token, which is micro-USD per million tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rates {
    /// Of a token of the prompt.
    pub input: u64,
    /// Of a generated one.
    pub output: u64,
    /// Of one of the prompt that the provider's prompt cache has; `None`: as any other.
    pub cached_input: Option<u64>,
    /// Of one of the prompt that is written to it; `None`: as any other.
    pub cache_write: Option<u64>,
    /// The same, to be kept for an hour; `None`: as any that is written.
    pub cache_write_1h: Option<u64>,
}

/// Tokens that are paid for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Of the prompt, all of them.
    pub input: u64,
    /// Of these, those that the prompt cache had.
    pub cached_input: u64,
    /// Of these, those that were written to it.
    pub cache_write: u64,
    /// Of those, the ones to be kept for an hour.
    pub cache_write_1h: u64,
    /// Generated.
    pub output: u64,
}

/// In pico-USD.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charge {
    /// What the tokens cost.
    pub cost: u64,
    /// What they would cost without a prompt cache.
    pub uncached: u64,
}

impl Price {
    /// What they cost, in pico-USD.
    pub fn of(&self, tokens: Tokens) -> u64 {
        self.charge(tokens).cost
    }

    /// What they cost, and what they would have.
    pub fn charge(&self, tokens: Tokens) -> Charge {
        let rates = self.rates(tokens.input);
        let output = tokens.output.saturating_mul(rates.output);
        let uncached = tokens.input.saturating_mul(rates.input).saturating_add(output);
        if tokens.cached_input == 0 && tokens.cache_write == 0 {
            return Charge { cost: uncached, uncached };
        }
        let cached = tokens.cached_input.min(tokens.input);
        let written = tokens.cache_write.min(tokens.input - cached);
        let for_long = tokens.cache_write_1h.min(written);
        let write = rates.cache_write.unwrap_or(rates.input);
        let cost = (tokens.input - cached - written)
            .saturating_mul(rates.input)
            .saturating_add(cached.saturating_mul(rates.cached_input.unwrap_or(rates.input)))
            .saturating_add((written - for_long).saturating_mul(write))
            .saturating_add(for_long.saturating_mul(rates.cache_write_1h.unwrap_or(write)))
            .saturating_add(output);
        Charge { cost, uncached }
    }

    fn rates(&self, input: u64) -> Rates {
        let tier = self.tiers.iter().rev().find(|tier| input > tier.above_input_tokens);
        tier.map_or(self.base, |tier| tier.rates)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_prompt_costs_by_its_tier_as_a_whole() {
        let rates = |input, cached_input| Rates {
            input,
            output: 30,
            cached_input,
            cache_write: Some(50),
            cache_write_1h: None,
        };
        let tier = |above_input_tokens, input| Tier { above_input_tokens, rates: rates(input, Some(2)) };
        let price = Price { base: rates(10, None), tiers: vec![tier(100, 11), tier(200, 12)] };
        let tokens = |input, cached_input, cache_write, output| {
            price.of(Tokens { input, cached_input, cache_write, cache_write_1h: 0, output })
        };
        assert_eq!(tokens(100, 50, 0, 1), 100 * 10 + 30);
        assert_eq!(tokens(101, 50, 1, 1), 50 * 11 + 50 * 2 + 50 + 30);
        assert_eq!(tokens(201, 0, 0, 0), 201 * 12);
        assert_eq!(tokens(5, 9, 9, 0), 50);
        assert_eq!(
            price.charge(Tokens {
                input: 101,
                cached_input: 50,
                cache_write: 1,
                cache_write_1h: 1,
                output: 2
            }),
            Charge { cost: 50 * 11 + 50 * 2 + 50 + 2 * 30, uncached: 101 * 11 + 2 * 30 }
        );
    }

    #[test]
    fn what_is_kept_for_an_hour_costs_by_its_own_rate() {
        let rates = |cache_write, cache_write_1h| Rates {
            input: 10,
            output: 0,
            cached_input: None,
            cache_write,
            cache_write_1h,
        };
        let cost = |rates, cache_write_1h| {
            let tokens = Tokens { input: 9, cached_input: 1, cache_write: 5, cache_write_1h, output: 0 };
            Price { base: rates, tiers: Vec::new() }.of(tokens)
        };
        assert_eq!(cost(rates(Some(12), Some(20)), 2), 4 * 10 + 3 * 12 + 2 * 20);
        assert_eq!(cost(rates(Some(12), Some(20)), 7), 4 * 10 + 5 * 20);
        assert_eq!(cost(rates(Some(12), None), 2), 4 * 10 + 5 * 12);
        assert_eq!(cost(rates(None, Some(20)), 2), 4 * 10 + 3 * 10 + 2 * 20);
    }
}
