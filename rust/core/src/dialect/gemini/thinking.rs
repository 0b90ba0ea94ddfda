//! How much a model is asked to think, in the way that it takes.
//!
//! Models from Gemini 3 on have levels, and take budgets for the sake of those who had them; older ones refuse
//! levels. What neither the name tells nor every model takes is left out. Sources: see the dialect; the budgets
//! that stand for an effort are those of Google's `OpenAI` compatibility.

use crate::message::json::Json;
use crate::message::{Effort, Losses, Reasoning, Request, Thoughts};

/// Highest budgets of the models that have budgets.
const BUDGET_MAX: u64 = 24_576;
const BUDGET_MAX_PRO: u64 = 32_768;

/// Lowest budget of those that cannot do without.
const BUDGET_MIN_PRO: u64 = 128;

/// What a model's name tells of it. Aliases tell nothing.
pub(super) struct Model {
    /// The number behind `gemini-`.
    generation: Option<u32>,
    is_pro: bool,
}

impl Model {
    pub(super) fn of(name: &str) -> Self {
        let behind = name.split_once("gemini-").map_or("", |(_, behind)| behind);
        let digits = behind.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
        Self { generation: digits.parse().ok(), is_pro: behind.contains("pro") }
    }

    /// Whether it takes levels of thinking, where older ones take budgets only.
    fn has_levels(&self) -> bool {
        self.generation.is_some_and(|number| number >= 3)
    }

    /// Whether it was made before calls had to be signed, tools could give more than text, and an answer could be
    /// JSON where functions are on offer.
    pub(super) fn is_old(&self) -> bool {
        self.generation.is_some_and(|number| number < 3)
    }
}

/// How much to think: a level or a budget.
enum Thinking {
    Level(&'static str),
    Budget(u64),
    /// As much as it needs.
    Dynamic,
    /// What the model does by itself.
    Unsaid,
}

/// Writes what is asked for.
pub(super) fn thinking(request: &Request<'_>, model: &Model, losses: &mut Losses, out: &mut Vec<u8>) {
    let Some(reasoning) = request.reasoning else { return };
    let much = match reasoning {
        Reasoning::Off => {
            let off = off(model);
            losses.add_if(!matches!(off, Thinking::Budget(0)), "thinking.type");
            off
        }
        Reasoning::Adaptive if model.is_old() => Thinking::Dynamic,
        Reasoning::Adaptive => Thinking::Unsaid,
        Reasoning::Effort(effort) => of_effort(effort, model, losses),
        Reasoning::Budget(tokens) => {
            let max = if model.is_old() && !model.is_pro { BUDGET_MAX } else { BUDGET_MAX_PRO };
            losses.add_if(tokens > max, "thinking.budget_tokens");
            Thinking::Budget(tokens.min(max))
        }
    };
    let is_told = reasoning != Reasoning::Off && request.thoughts != Some(Thoughts::Untold);
    if matches!(much, Thinking::Unsaid) && !is_told {
        return;
    }
    out.key("thinkingConfig").open(b'{');
    match much {
        Thinking::Level(level) => out.key("thinkingLevel").string(level),
        Thinking::Budget(tokens) => out.key("thinkingBudget").number(tokens),
        Thinking::Dynamic => out.key("thinkingBudget").raw("-1"),
        Thinking::Unsaid => {}
    }
    if is_told {
        out.key("includeThoughts").raw("true");
    }
    out.close(b'}');
}

/// The least that the model can think.
fn off(model: &Model) -> Thinking {
    match (model.has_levels(), model.is_pro) {
        (true, true) => Thinking::Level("LOW"),
        (true, false) => Thinking::Level("MINIMAL"),
        (false, true) => Thinking::Budget(BUDGET_MIN_PRO),
        (false, false) if model.is_old() => Thinking::Budget(0),
        // It may be one that does not think, and refuses to be told.
        (false, false) => Thinking::Unsaid,
    }
}

fn of_effort(effort: Effort, model: &Model, losses: &mut Losses) -> Thinking {
    losses.add_if(matches!(effort, Effort::XHigh | Effort::Max), "reasoning_effort");
    if model.has_levels() {
        return Thinking::Level(match effort {
            Effort::Minimal if model.is_pro => {
                losses.add("reasoning_effort");
                "LOW"
            }
            Effort::Minimal => "MINIMAL",
            Effort::Low => "LOW",
            Effort::Medium => "MEDIUM",
            Effort::High | Effort::XHigh | Effort::Max => "HIGH",
        });
    }
    Thinking::Budget(match effort {
        Effort::Minimal | Effort::Low => 1024,
        Effort::Medium => 8192,
        Effort::High | Effort::XHigh | Effort::Max => BUDGET_MAX,
    })
}
