//! How a request asks one of Anthropic's models to think, in a form that this one takes.
//!
//! The newest decide how much they think, and are told with how much effort; those before have budgets of tokens,
//! and the oldest do not think. Sources: see [`Model`].

use super::is_forced;
use super::model::{Model, Off};
use crate::message::json::Json;
use crate::message::turns::{Merged, Piece};
use crate::message::{Effort, Losses, Part, Reasoning, Request, Thoughts, ToolChoice};

/// The lowest budget that the API takes. The highest is below the bound on all that is generated, thinking included.
/// Source: Anthropic API reference, "Create a Message"; "Extended thinking".
const BUDGET_MIN: u64 = 1024;

/// The budgets that stand for an effort where a model has no other word for it: those of Google's `OpenAI`
/// compatibility, as for models of Google's. `LiteLLM` has 1024, 2048 and 4096.
const BUDGET_LOW: u64 = 1024;
const BUDGET_MEDIUM: u64 = 8192;
const BUDGET_HIGH: u64 = 24_576;

/// What the request says of thinking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Thinking {
    model: Model,
    form: Form,
    /// How what it thinks is shown, where it does otherwise by itself.
    display: Option<&'static str>,
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
    /// What the request with these turns asks for, for the model of this name.
    pub(crate) fn of(request: &Request<'_>, turns: &[Merged<'_>], model: &str, losses: &mut Losses) -> Self {
        let model = Model::of(model);
        // Who asks for thoughts alone takes it that the model thinks.
        let implied = request.wants_thoughts().then_some(Reasoning::Adaptive);
        let (form, effort) = match request.reasoning.or(implied) {
            None => (Form::Unsaid, None),
            Some(Reasoning::Off) => off(model, losses),
            Some(reasoning) => {
                let effort = effort(reasoning, model, losses);
                (form(reasoning, model, request, turns, losses), effort)
            }
        };
        let display = match (request.thoughts, model.tells_thoughts()) {
            (Some(Thoughts::Told), false) => Some("summarized"),
            (Some(Thoughts::Untold), true) => Some("omitted"),
            (Some(Thoughts::Told), true) | (Some(Thoughts::Untold), false) | (None, _) => None,
        };
        Self { model, form, display, effort }
    }

    /// The bound on generated tokens where the client sets none: what is left to the answer is the default, as
    /// without thinking.
    pub(crate) fn bound(&self, default: u64) -> u64 {
        match self.form {
            Form::Budget(tokens) => tokens.saturating_add(default).min(self.model.output_max()).max(default),
            Form::Unsaid | Form::Off(_) | Form::Adaptive => default,
        }
    }

    /// Whether the model is asked to think.
    pub(super) const fn thinks(&self) -> bool {
        matches!(self.form, Form::Adaptive | Form::Budget(_))
    }

    /// Which tool is to be called, as far as the model can be told: some cannot be made to call one.
    pub(crate) fn tool_choice<'r, 'a>(
        &self,
        request: &'r Request<'a>,
        losses: &mut Losses,
    ) -> Option<&'r ToolChoice<'a>> {
        if is_forced(request) && !self.model.takes_forced_calls() {
            losses.add("tool_choice");
            return Some(&ToolChoice::Auto);
        }
        request.tool_choice.as_ref()
    }

    /// Whether the model can be steered by numbers at all.
    pub(super) fn takes_sampling(&self) -> bool {
        self.model.takes_sampling()
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
        if let Some(display) = self.display.filter(|_| self.thinks()) {
            out.key("display").string(display);
        }
        out.close(b'}');
    }
}

/// In which way the model can be told not to think.
fn off(model: Model, losses: &mut Losses) -> (Form, Option<Effort>) {
    match model.off() {
        Off::Unasked => (Form::Unsaid, None),
        Off::Word(word) => (Form::Off(word), None),
        // It is then as short as can be.
        Off::Never => {
            losses.add("thinking.type");
            (Form::Unsaid, model.effort(Effort::Low))
        }
    }
}

/// In which way the model can be asked for this.
fn form(
    reasoning: Reasoning,
    model: Model,
    request: &Request<'_>,
    turns: &[Merged<'_>],
    losses: &mut Losses,
) -> Form {
    if is_forced(request) && model.takes_forced_calls() {
        losses.add("reasoning_effort");
        return Form::Unsaid;
    }
    let bound = request.max_tokens.unwrap_or_else(|| model.output_max());
    let takes_budgets = model.takes_budgets() && !calls_unthought(turns);
    match reasoning {
        Reasoning::Off => Form::Unsaid,
        Reasoning::Budget(tokens) if takes_budgets => {
            let is_fit = (BUDGET_MIN..bound).contains(&tokens);
            losses.add_if(!is_fit, "thinking.budget_tokens");
            if is_fit { Form::Budget(tokens) } else { fitted(tokens, bound) }
        }
        Reasoning::Budget(_) => {
            losses.add("thinking.budget_tokens");
            if model.adapts() { Form::Adaptive } else { Form::Unsaid }
        }
        Reasoning::Adaptive | Reasoning::Effort(_) if model.adapts() => Form::Adaptive,
        Reasoning::Adaptive | Reasoning::Effort(_) if !takes_budgets => {
            losses.add("reasoning_effort");
            Form::Unsaid
        }
        // In the middle, as the client names nothing.
        Reasoning::Adaptive => {
            let form = fitted(BUDGET_MEDIUM, bound);
            losses.add_if(form == Form::Unsaid, "reasoning_effort");
            form
        }
        Reasoning::Effort(effort) => {
            let form = fitted(budget_of(effort), bound);
            let is_less = form != Form::Budget(budget_of(effort));
            losses.add_if(is_less || matches!(effort, Effort::XHigh | Effort::Max), "reasoning_effort");
            form
        }
    }
}

/// Whether the calls, or the beginning of an answer, that are under way came without thinking. The API refuses a
/// budget then ("a final `assistant` message must start with a thinking block", anomalyco/opencode, issue 3077):
/// clients of other dialects have no place for its blocks, or leave them out.
fn calls_unthought(turns: &[Merged<'_>]) -> bool {
    let is_result = |piece: &Piece<'_>| matches!(piece.block.part, Part::ToolResult { .. });
    let is_thought =
        |piece: &Piece<'_>| matches!(piece.block.part, Part::Thinking { .. } | Part::Redacted(_));
    let since_asked = || {
        let under_way = |turn: &&Merged<'_>| turn.assistant || turn.pieces.iter().any(is_result);
        turns.iter().rev().take_while(under_way).filter(|turn| turn.assistant)
    };
    since_asked().next().is_some() && !since_asked().any(|turn| turn.pieces.first().is_some_and(is_thought))
}

/// A budget of so many tokens or of what there is less, half of the bound being left to the answer.
fn fitted(tokens: u64, bound: u64) -> Form {
    if bound <= BUDGET_MIN { Form::Unsaid } else { Form::Budget(tokens.min(bound / 2).max(BUDGET_MIN)) }
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
