//! Model names: `name?key=value&…`, each name a behaviour with the parameters it knows.
//!
//! A leading `mock/` is accepted too, so that a client may call the mock without a gateway before it.

use std::time::Duration;

/// The names a list of models shows.
pub const MODELS: &[&str] = &[
    "echo", "lorem", "error", "flaky", "cut", "slow", "tools", "json", "embed", "rerank", "thinking", "big",
    "fixed",
];

/// How long the first token and each one after it take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pace {
    /// Time to the first token: nothing is sent before, not even the head.
    pub(crate) ttft: Duration,
    /// Time between tokens.
    pub(crate) itl: Duration,
}

/// What a model does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Model {
    Echo { pace: Pace },
    Lorem { tokens: usize, seed: u64, pace: Pace },
    Error { status: u16, retry_after_s: Option<u64> },
    Flaky { p: f64, status: u16, seed: u64, retry_after_s: Option<u64> },
    Cut { after: usize, pace: Pace },
    Slow { total: Duration },
    Tools { pace: Pace },
    Json { pace: Pace },
    Embed { dims: usize },
    Rerank,
    Thinking { pace: Pace },
    Big { bytes: usize },
    Fixed(Fixed),
}

/// A canned reply: its shape is the model's and never the request's, so that a benchmark's upstream need not
/// look at the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Fixed {
    /// One body of about so many bytes.
    Unary { bytes: usize },
    /// A stream of so many content events of about `size` bytes each.
    Stream { frames: usize, size: usize },
}

/// Why a model's name is not one.
#[derive(Debug, PartialEq)]
pub(crate) enum Unknown {
    /// No such name.
    Name(String),
    /// A parameter that the name does not know, or a value it cannot have.
    Parameter(String),
}

const PACE: [&str; 2] = ["ttft", "itl"];
const TOKENS_MAX: usize = 100_000;
const BYTES_MAX: usize = 64 << 20;
const DURATION_MAX: Duration = Duration::from_hours(1);

/// The parameters a name knows; `None` for an unknown name.
fn known(name: &str) -> Option<&'static [&'static str]> {
    Some(match name {
        "echo" | "tools" | "json" | "thinking" => &PACE,
        "lorem" => &["tokens", "ttft", "itl", "seed"],
        "error" => &["status", "retry_after"],
        "flaky" => &["p", "status", "seed", "retry_after"],
        "cut" => &["after", "ttft", "itl"],
        "slow" => &["total"],
        "embed" => &["dims"],
        "rerank" => &[],
        "big" => &["bytes"],
        "fixed" => &["bytes", "frames", "size"],
        _ => return None,
    })
}

impl Model {
    /// Reads `[mock/]name[?query]`.
    pub(crate) fn parse(full_name: &str) -> Result<Self, Unknown> {
        let bare = full_name.strip_prefix("mock/").unwrap_or(full_name);
        let (name, query) = bare.split_once('?').unwrap_or((bare, ""));
        let known = known(name).ok_or_else(|| Unknown::Name(name.to_owned()))?;
        let parameters = Parameters::read(name, known, query)?;
        let pace = || -> Result<Pace, Unknown> {
            Ok(Pace { ttft: parameters.duration("ttft")?, itl: parameters.duration("itl")? })
        };
        let retry_after_s = |model: &Parameters<'_>| model.number("retry_after", 0, 86_400);
        Ok(match name {
            "echo" => Self::Echo { pace: pace()? },
            "lorem" => Self::Lorem {
                tokens: parameters.size("tokens", 100, 0, TOKENS_MAX)?,
                seed: parameters.number("seed", 0, u64::MAX)?.unwrap_or(0),
                pace: pace()?,
            },
            "error" => Self::Error {
                status: parameters.status("status", 500)?,
                retry_after_s: retry_after_s(&parameters)?,
            },
            "flaky" => Self::Flaky {
                p: parameters.fraction("p", 0.5)?,
                status: parameters.status("status", 503)?,
                seed: parameters.number("seed", 0, u64::MAX)?.unwrap_or(0),
                retry_after_s: retry_after_s(&parameters)?,
            },
            "cut" => Self::Cut { after: parameters.size("after", 5, 0, TOKENS_MAX)?, pace: pace()? },
            "slow" => Self::Slow { total: parameters.duration_or("total", Duration::from_secs(10))? },
            "tools" => Self::Tools { pace: pace()? },
            "json" => Self::Json { pace: pace()? },
            "embed" => Self::Embed { dims: parameters.size("dims", 384, 1, 16_384)? },
            "rerank" => Self::Rerank,
            "thinking" => Self::Thinking { pace: pace()? },
            "big" => Self::Big { bytes: parameters.size("bytes", 1 << 20, 1, BYTES_MAX)? },
            _ => Self::Fixed(parameters.fixed()?),
        })
    }
}

impl Unknown {
    /// The sentence for people, naming what is known.
    pub(crate) fn message(&self) -> String {
        match self {
            Self::Name(name) => {
                format!("model: the mock has no model `{name}`. hint: it has {}", list(MODELS))
            }
            Self::Parameter(message) => message.clone(),
        }
    }
}

fn list(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// The `key=value` pairs of a model's name, each key known and given once.
struct Parameters<'a> {
    model: &'a str,
    pairs: Vec<(&'a str, &'a str)>,
}

impl<'a> Parameters<'a> {
    fn read(model: &'a str, known: &'static [&'static str], query: &'a str) -> Result<Self, Unknown> {
        let mut pairs: Vec<(&str, &str)> = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            if !known.contains(&key) {
                return Err(Unknown::Parameter(format!(
                    "model: `{model}` has no parameter `{key}`. hint: it has {}",
                    list(known)
                )));
            }
            if pairs.iter().any(|(other, _)| *other == key) {
                return Err(Unknown::Parameter(format!("model: `{model}?{key}` is given twice")));
            }
            pairs.push((key, value));
        }
        Ok(Self { model, pairs })
    }

    fn raw(&self, key: &str) -> Option<&'a str> {
        self.pairs.iter().find(|(other, _)| *other == key).map(|(_, value)| *value)
    }

    fn wrong(&self, key: &str, wanted: &str) -> Unknown {
        let value = self.raw(key).unwrap_or_default();
        Unknown::Parameter(format!("model: `{}?{key}={value}`: {key} must be {wanted}", self.model))
    }

    fn number(&self, key: &str, least: u64, most: u64) -> Result<Option<u64>, Unknown> {
        let Some(text) = self.raw(key) else { return Ok(None) };
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let value = text.parse().ok().filter(|value| digits && (least..=most).contains(value));
        value.map(Some).ok_or_else(|| self.wrong(key, &format!("a whole number from {least} to {most}")))
    }

    fn size(&self, key: &str, default: usize, least: usize, most: usize) -> Result<usize, Unknown> {
        let wide = |size: usize| u64::try_from(size).unwrap_or(u64::MAX);
        let value = self.number(key, wide(least), wide(most))?;
        Ok(value.and_then(|value| usize::try_from(value).ok()).unwrap_or(default))
    }

    fn status(&self, key: &str, default: u16) -> Result<u16, Unknown> {
        let value = self.number(key, 300, 599)?;
        Ok(value.and_then(|value| u16::try_from(value).ok()).unwrap_or(default))
    }

    fn fraction(&self, key: &str, default: f64) -> Result<f64, Unknown> {
        let Some(text) = self.raw(key) else { return Ok(default) };
        let value = text.parse().ok().filter(|value| (0.0..=1.0).contains(value));
        value.ok_or_else(|| self.wrong(key, "a number from 0 to 1"))
    }

    fn duration(&self, key: &str) -> Result<Duration, Unknown> {
        self.duration_or(key, Duration::ZERO)
    }

    fn duration_or(&self, key: &str, default: Duration) -> Result<Duration, Unknown> {
        let Some(text) = self.raw(key) else { return Ok(default) };
        let value = duration(text).filter(|value| *value <= DURATION_MAX);
        value.ok_or_else(|| self.wrong(key, "a duration up to an hour, like `80ms`, `1.5s` or `2m`"))
    }

    fn fixed(&self) -> Result<Fixed, Unknown> {
        let stream = self.raw("frames").is_some() || self.raw("size").is_some();
        if stream && self.raw("bytes").is_some() {
            return Err(Unknown::Parameter(
                "model: `fixed` takes `bytes` (one body) or `frames` and `size` (a stream), not both"
                    .to_owned(),
            ));
        }
        if stream {
            let frames = self.size("frames", 64, 1, TOKENS_MAX)?;
            let size = self.size("size", 200, 1, 1 << 20)?;
            if frames.saturating_mul(size) > BYTES_MAX {
                return Err(self.wrong("frames", "such that frames × size is at most 64 MiB"));
            }
            Ok(Fixed::Stream { frames, size })
        } else {
            Ok(Fixed::Unary { bytes: self.size("bytes", 1024, 1, BYTES_MAX)? })
        }
    }
}

/// A number with `us`, `ms`, `s` or `m` behind it.
fn duration(text: &str) -> Option<Duration> {
    let unit_at = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at_checked(unit_at)?;
    if !number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return None;
    }
    let seconds = match unit {
        "us" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(number.parse::<f64>().ok()? * seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(name: &str) -> String {
        Model::parse(name).unwrap_err().message()
    }

    #[test]
    fn each_name_of_the_specification_is_read() {
        let ms = Duration::from_millis;
        assert_eq!(
            Model::parse("lorem?tokens=200&ttft=80ms&itl=12ms&seed=1"),
            Ok(Model::Lorem { tokens: 200, seed: 1, pace: Pace { ttft: ms(80), itl: ms(12) } })
        );
        assert_eq!(
            Model::parse("mock/error?status=429&retry_after=2"),
            Ok(Model::Error { status: 429, retry_after_s: Some(2) })
        );
        assert_eq!(Model::parse("slow?total=1.5s"), Ok(Model::Slow { total: ms(1500) }));
        assert_eq!(Model::parse("fixed?frames=8"), Ok(Model::Fixed(Fixed::Stream { frames: 8, size: 200 })));
        for name in MODELS {
            Model::parse(name).unwrap_or_else(|unknown| panic!("{name}: {unknown:?}"));
        }
    }

    #[test]
    fn what_is_not_known_is_refused_with_what_is() {
        assert!(matches!(Model::parse("gpt-9"), Err(Unknown::Name(_))));
        assert!(refusal("gpt-9").contains("`echo`"));
        assert!(refusal("lorem?token=1").contains("`tokens`"));
        assert!(refusal("lorem?tokens=1&tokens=2").contains("twice"));
        for wrong in [
            "lorem?tokens=many",
            "lorem?tokens=+1",
            "lorem?tokens=",
            "lorem?ttft=80",
            "lorem?ttft=-1s",
            "lorem?ttft=2h",
            "error?status=200",
            "flaky?p=1.5",
            "flaky?p=NaN",
            "embed?dims=0",
            "fixed?bytes=1&frames=2",
            "slow?total=inf",
        ] {
            assert!(matches!(Model::parse(wrong), Err(Unknown::Parameter(_))), "{wrong}");
        }
    }
}
