//! How a request asks one of Anthropic's models to think, in a form that this one takes.
//!
//! The newest decide how much they think, and are told with how much effort; those before have budgets of tokens,
//! and the oldest do not think. Sources: see [`Model`].

use super::is_forced;
use super::model::{Model, Off};
use crate::message::json::Json;
use crate::message::{Effort, Losses, Reasoning, Request};

/// The budgets that stand for an effort where a model has no other word for it: those of Google's `OpenAI`
/// compatibility, as for models of Google's. `LiteLLM` has 1024, 2048 and 4096.
const BUDGET_LOW: u64 = 1024;
const BUDGET_MEDIUM: u64 = 8192;
const BUDGET_HIGH: u64 = 24_576;

/// What the request says of thinking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Thinking {
    form: Form,
    /// With how much effort the model shall answer, in a word that it knows.
    pub(crate) effort: Option<Effort>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Nothing is said: the model does what it does by itself.
    Unsaid,
    /// A type that needs nothing beside it.
    Off(&'static str),
    Adaptive,
    Budget(u64),
}

impl Thinking {
    /// What the request asks for, for the model of this name.
    pub(crate) fn of(request: &Request<'_>, model: &str, losses: &mut Losses) -> Self {
        let model = Model::of(model);
        let Some(reasoning) = request.reasoning else { return Self { form: Form::Unsaid, effort: None } };
        if reasoning == Reasoning::Off {
            return Self::off(model, losses);
        }
        let effort = effort(reasoning, model, losses);
        if is_forced(request) {
            losses.add("reasoning_effort");
            return Self { form: Form::Unsaid, effort };
        }
        Self { form: form(reasoning, model, losses), effort }
    }

    fn off(model: Model, losses: &mut Losses) -> Self {
        match model.off() {
            Off::Unasked => Self { form: Form::Unsaid, effort: None },
            Off::Word(word) => Self { form: Form::Off(word), effort: None },
            // It is then as short as can be.
            Off::Never => {
                losses.add("thinking.type");
                Self { form: Form::Unsaid, effort: model.effort(Effort::Low) }
            }
        }
    }

    /// Whether the model is asked to think.
    pub(super) const fn thinks(&self) -> bool {
        matches!(self.form, Form::Adaptive | Form::Budget(_))
    }

    /// Writes the member `thinking`, where there is something to say.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let (kind, budget) = match self.form {
            Form::Unsaid => return,
            Form::Off(word) => (word, None),
            Form::Adaptive => ("adaptive", None),
            Form::Budget(tokens) => ("enabled", Some(tokens)),
        };
        out.key("thinking").open(b'{');
        out.key("type").string(kind);
        if let Some(tokens) = budget {
            out.key("budget_tokens").number(tokens);
        }
        out.close(b'}');
    }
}

/// In which way the model can be asked for this.
fn form(reasoning: Reasoning, model: Model, losses: &mut Losses) -> Form {
    let budget = match reasoning {
        Reasoning::Off => return Form::Unsaid,
        Reasoning::Budget(tokens) if model.takes_budgets() => tokens,
        Reasoning::Budget(_) => {
            losses.add("thinking.budget_tokens");
            return if model.adapts() { Form::Adaptive } else { Form::Unsaid };
        }
        Reasoning::Adaptive | Reasoning::Effort(_) if model.adapts() => return Form::Adaptive,
        Reasoning::Adaptive | Reasoning::Effort(_) if !model.thinks() => {
            losses.add("reasoning_effort");
            return Form::Unsaid;
        }
        // In the middle, as the client says nothing.
        Reasoning::Adaptive => BUDGET_MEDIUM,
        Reasoning::Effort(effort) => {
            losses.add_if(matches!(effort, Effort::XHigh | Effort::Max), "reasoning_effort");
            budget_of(effort)
        }
    };
    Form::Budget(budget)
}

const fn budget_of(effort: Effort) -> u64 {
    match effort {
        Effort::Minimal | Effort::Low => BUDGET_LOW,
        Effort::Medium => BUDGET_MEDIUM,
        Effort::High | Effort::XHigh | Effort::Max => BUDGET_HIGH,
    }
}

/// The effort that is asked for, in a word that the model knows; also one that comes near to a budget which it does
/// not take.
fn effort(reasoning: Reasoning, model: Model, losses: &mut Losses) -> Option<Effort> {
    match reasoning {
        Reasoning::Effort(asked) => {
            let known = model.effort(asked)?;
            losses.add_if(known != asked, "reasoning_effort");
            Some(known)
        }
        Reasoning::Budget(tokens) if !model.takes_budgets() => model.effort(Effort::of_budget(tokens)),
        Reasoning::Off | Reasoning::Adaptive | Reasoning::Budget(_) => None,
    }
}
