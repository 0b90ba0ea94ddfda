//! How Claude is asked to think: in the form that the model takes which is asked for.

use llm_edge_core::dialect::Dialect::{
    self, AnthropicMessages, BedrockConverse, Gemini, OpenaiChat, OpenaiResponses,
};
use llm_edge_core::translate::{Options, between};
use serde_json::{Value, json};

use crate::{OPTIONS, request_of};

/// What is written of thinking and of the effort, and the names of what is lost.
type Told = (Value, Value, String);

fn told(surface: Dialect, target: Dialect, model: &str, body: &Value) -> (Value, String) {
    let options = Options { max_tokens_default: 8192, ..OPTIONS };
    let (written, translated) = request_of(between(surface, target).unwrap(), model, body, &options).unwrap();
    (serde_json::from_str(&written).unwrap(), translated.losses.to_string())
}

/// What a client of chat completions gets written for this effort.
fn of_effort(model: &str, effort: &str) -> Told {
    let body = json!({"messages": [{"role": "user", "content": "x"}], "reasoning_effort": effort});
    let (told, losses) = told(OpenaiChat, AnthropicMessages, model, &body);
    (told["thinking"].clone(), told["output_config"]["effort"].clone(), losses)
}

/// What a client of `generateContent` gets written for this configuration.
fn of_gemini(model: &str, config: &Value) -> Told {
    let body =
        json!({"contents": [{"parts": [{"text": "x"}]}], "generationConfig": {"thinkingConfig": config}});
    let (told, losses) = told(Gemini, AnthropicMessages, model, &body);
    (told["thinking"].clone(), told["output_config"]["effort"].clone(), losses)
}

fn of_budget(model: &str, tokens: u64) -> Told {
    of_gemini(model, &json!({"thinkingBudget": tokens}))
}

fn enabled(tokens: u64) -> Value {
    json!({"type": "enabled", "budget_tokens": tokens})
}

fn adaptive() -> Value {
    json!({"type": "adaptive"})
}

const NO_LOSS: String = String::new();

#[test]
fn an_effort_is_asked_for_as_the_model_takes_it() {
    let lost = || "reasoning_effort".to_owned();
    for model in ["claude-opus-4-7", "claude-sonnet-5", "claude-haiku-5-5", "claude-fable-5-1", "an-alias"] {
        for effort in ["low", "medium", "high", "xhigh", "max"] {
            assert_eq!(of_effort(model, effort), (adaptive(), json!(effort), NO_LOSS), "{model} {effort}");
        }
        assert_eq!(of_effort(model, "minimal"), (adaptive(), json!("low"), lost()), "{model}");
    }
    for model in ["claude-opus-4-6", "anthropic/claude-sonnet-4.6"] {
        assert_eq!(of_effort(model, "max"), (adaptive(), json!("max"), NO_LOSS), "{model}");
        assert_eq!(of_effort(model, "xhigh"), (adaptive(), json!("high"), lost()), "{model}");
    }
    // Which has efforts beside budgets.
    assert_eq!(of_effort("claude-opus-4-5", "medium"), (enabled(8192), json!("medium"), NO_LOSS));
    assert_eq!(of_effort("claude-opus-4-5", "max"), (enabled(24_576), json!("high"), lost()));
    for model in
        ["claude-sonnet-4-5@20250929", "claude-haiku-4-5", "claude-opus-4-1", "claude-3-7-sonnet-latest"]
    {
        for (effort, tokens) in [("minimal", 1024), ("low", 1024), ("medium", 8192)] {
            assert_eq!(of_effort(model, effort), (enabled(tokens), Value::Null, NO_LOSS), "{model} {effort}");
        }
    }
    assert_eq!(of_effort("claude-sonnet-4-5", "high"), (enabled(24_576), Value::Null, NO_LOSS));
    assert_eq!(of_effort("claude-sonnet-4-5", "xhigh"), (enabled(24_576), Value::Null, lost()));
    for model in ["claude-3-5-sonnet-20241022", "claude-3-haiku-20240307", "claude-2.1"] {
        assert_eq!(of_effort(model, "high"), (Value::Null, Value::Null, lost()), "{model}");
    }
}

#[test]
fn a_budget_is_given_to_who_has_budgets_and_is_an_effort_to_others() {
    for model in ["claude-opus-4-6", "claude-opus-4-5", "claude-sonnet-4-5", "claude-3-7-sonnet-20250219"] {
        assert_eq!(of_budget(model, 2000), (enabled(2000), Value::Null, NO_LOSS), "{model}");
        let dynamic = of_gemini(model, &json!({"thinkingBudget": -1}));
        let kind = if model == "claude-opus-4-6" { adaptive() } else { enabled(8192) };
        assert_eq!(dynamic, (kind, Value::Null, NO_LOSS), "{model}");
    }
    let lost = || "generationConfig.thinkingConfig.thinkingBudget".to_owned();
    for model in ["claude-opus-4-7", "claude-sonnet-5-5", "claude-mythos-preview", "an-alias"] {
        for (tokens, effort) in [(2000, "low"), (4096, "medium"), (24_576, "high")] {
            assert_eq!(of_budget(model, tokens), (adaptive(), json!(effort), lost()), "{model} {tokens}");
        }
    }
    assert_eq!(of_budget("claude-3-5-haiku-20241022", 2000), (Value::Null, Value::Null, lost()));
}

#[test]
fn thinking_is_switched_off_in_the_word_that_the_model_takes() {
    // These do not think unasked, and Amazon's Opus 4.7 refuses to be told not to.
    for model in ["claude-3-5-haiku-20241022", "claude-opus-4-7", "claude-opus-4-8"] {
        assert_eq!(of_effort(model, "none"), (Value::Null, Value::Null, NO_LOSS), "{model}");
    }
    for (model, word) in [
        ("claude-sonnet-4-5", "disabled"),
        ("claude-opus-4-6", "disabled"),
        ("claude-sonnet-5", "disabled"),
        ("claude-opus-5", "disabled"),
        ("claude-haiku-5-5", "disabled"),
        ("claude-sonnet-5-5", "between_tools"),
    ] {
        assert_eq!(of_effort(model, "none"), (json!({"type": word}), Value::Null, NO_LOSS), "{model}");
        assert_eq!(of_budget(model, 0), (json!({"type": word}), Value::Null, NO_LOSS), "{model}");
    }
    for model in ["claude-opus-5-5", "claude-fable-5", "claude-mythos-preview", "claude-opus-6", "an-alias"] {
        let lost = "reasoning_effort".to_owned();
        assert_eq!(of_effort(model, "none"), (Value::Null, json!("low"), lost), "{model}");
    }
}

#[test]
fn models_on_bedrock_are_asked_in_the_same_forms() {
    let asked = |model: &str, effort: &str| -> Told {
        let body = json!({"messages": [{"role": "user", "content": "x"}], "reasoning_effort": effort});
        let (told, losses) = told(OpenaiChat, BedrockConverse, model, &body);
        let thinking = told["additionalModelRequestFields"]["thinking"].clone();
        (thinking, told["outputConfig"]["effort"].clone(), losses)
    };
    let old = "arn:aws:bedrock:eu-central-1:123456789012:inference-profile/eu.anthropic.claude-sonnet-4-5-20250929-v1:0";
    assert_eq!(asked(old, "medium"), (enabled(8192), Value::Null, NO_LOSS));
    assert_eq!(asked("anthropic.claude-opus-4-7", "xhigh"), (adaptive(), json!("xhigh"), NO_LOSS));
    assert_eq!(asked(crate::bedrock::HIDDEN, "medium"), (adaptive(), json!("medium"), NO_LOSS));
    let lost = "reasoning_effort".to_owned();
    assert_eq!(
        asked("anthropic.claude-3-5-sonnet-20241022-v2:0", "high"),
        (Value::Null, Value::Null, lost.clone())
    );
    assert_eq!(asked("anthropic.claude-opus-4-7", "none"), (Value::Null, Value::Null, NO_LOSS));
    assert_eq!(asked(crate::bedrock::NOVA, "high"), (Value::Null, Value::Null, lost));
}

#[test]
fn what_is_refused_beside_thinking_stays_where_the_model_does_not_think() {
    let body = json!({"messages": [{"role": "user", "content": "x"}], "reasoning_effort": "high",
        "temperature": 0.2, "top_k": 3});
    let (one, losses) = told(OpenaiChat, AnthropicMessages, "claude-3-5-haiku-20241022", &body);
    assert_eq!((one["temperature"].clone(), one["top_k"].clone()), (json!(0.2), json!(3)));
    assert_eq!(losses, "reasoning_effort");
    let (one, losses) = told(OpenaiChat, AnthropicMessages, "claude-haiku-4-5", &body);
    assert_eq!((one.get("temperature"), one.get("top_k")), (None, None));
    assert_eq!(losses, "temperature,top_k");
}

/// The bound on tokens, what is written of thinking, and the names of what is lost, for a client of
/// `generateContent` that sets this bound.
fn bounded(target: Dialect, model: &str, bound: Option<u64>, config: &Value) -> (Value, Value, String) {
    let config = json!({"maxOutputTokens": bound, "thinkingConfig": config});
    let body = json!({"contents": [{"parts": [{"text": "x"}]}], "generationConfig": config});
    let (told, losses) = told(Gemini, target, model, &body);
    match target {
        BedrockConverse => (
            told["inferenceConfig"]["maxTokens"].clone(),
            told["additionalModelRequestFields"]["thinking"].clone(),
            losses,
        ),
        _ => (told["max_tokens"].clone(), told["thinking"].clone(), losses),
    }
}

#[test]
fn the_bound_that_the_gateway_sets_holds_a_budget_and_the_answer() {
    let ask = |model: &str, tokens: u64| {
        bounded(AnthropicMessages, model, None, &json!({"thinkingBudget": tokens}))
    };
    let lost = || "generationConfig.thinkingConfig.thinkingBudget".to_owned();
    assert_eq!(ask("claude-sonnet-4-5", 24_576), (json!(32_768), enabled(24_576), NO_LOSS));
    assert_eq!(ask("claude-sonnet-4-5", 512), (json!(9216), enabled(1024), lost()));
    // What these can generate at all.
    assert_eq!(ask("claude-opus-4-1-20250805", 24_576), (json!(32_000), enabled(24_576), NO_LOSS));
    assert_eq!(ask("claude-sonnet-4-5", 100_000), (json!(40_192), enabled(32_000), lost()));
    assert_eq!(ask("claude-opus-4-7", 24_576), (json!(8192), adaptive(), lost()));
    assert_eq!(ask("claude-sonnet-4-5", 0), (json!(8192), json!({"type": "disabled"}), NO_LOSS));
    let body = json!({"messages": [{"role": "user", "content": "x"}], "reasoning_effort": "high"});
    let (told, losses) = told(OpenaiChat, AnthropicMessages, "claude-haiku-4-5", &body);
    assert_eq!((&told["max_tokens"], losses), (&json!(32_768), NO_LOSS));
    assert_eq!(told["thinking"], enabled(24_576));
}

#[test]
fn a_budget_is_lowered_to_what_the_client_allows_at_all() {
    let lost = || "generationConfig.thinkingConfig.thinkingBudget".to_owned();
    for (target, model) in [
        (AnthropicMessages, "claude-sonnet-4-5"),
        (BedrockConverse, "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"),
    ] {
        let ask = |bound: u64, tokens: u64| {
            let (told, thinking, losses) =
                bounded(target, model, Some(bound), &json!({"thinkingBudget": tokens}));
            assert_eq!(told, bound);
            (thinking, losses)
        };
        assert_eq!(ask(4096, 4000), (enabled(4000), NO_LOSS), "{target:?}");
        assert_eq!(ask(4096, 24_576), (enabled(2048), lost()), "half of it is left to the answer");
        assert_eq!(ask(4096, 512), (enabled(1024), lost()));
        assert_eq!(ask(1500, 2000), (enabled(1024), lost()));
        assert_eq!(ask(1024, 2000), (Value::Null, lost()), "there is no lower one");
        let level = |bound: u64, level: &str| {
            let (_, thinking, losses) = bounded(target, model, Some(bound), &json!({"thinkingLevel": level}));
            (thinking, losses)
        };
        let lost = || "generationConfig.thinkingConfig".to_owned();
        assert_eq!(level(4096, "LOW"), (enabled(1024), NO_LOSS));
        assert_eq!(level(10_000, "MEDIUM"), (enabled(5000), lost()));
        assert_eq!(level(1024, "LOW"), (Value::Null, lost()));
        // The client names no number, so that a lower one is no loss.
        let fit = |bound: u64| bounded(target, model, Some(bound), &json!({"thinkingBudget": -1}));
        assert_eq!(fit(4096), (json!(4096), enabled(2048), NO_LOSS));
        assert_eq!(fit(1000), (json!(1000), Value::Null, lost()));
    }
    // Without a bound the model's own holds there.
    let model = "anthropic.claude-sonnet-4-5-20250929-v1:0";
    let (bound, thinking, losses) = bounded(BedrockConverse, model, None, &json!({"thinkingBudget": 24_576}));
    assert_eq!((bound, thinking, losses), (Value::Null, enabled(24_576), NO_LOSS));
}

fn summarized(mut thinking: Value) -> Value {
    thinking["display"] = json!("summarized");
    thinking
}

#[test]
fn thoughts_that_are_asked_for_are_asked_of_claude_where_it_would_omit_them() {
    let gemini = |model: &str, config: Value| of_gemini(model, &config).0;
    for model in ["claude-opus-4-7", "claude-sonnet-5-5", "an-alias"] {
        for config in [json!({}), json!({"thinkingBudget": -1}), json!({"thinkingLevel": "LOW"})] {
            let mut shown = config.clone();
            shown["includeThoughts"] = json!(true);
            assert_eq!(gemini(model, shown.clone()), summarized(adaptive()), "{model} {shown}");
            shown["includeThoughts"] = json!(false);
            let quiet = if config == json!({}) { Value::Null } else { adaptive() };
            assert_eq!(gemini(model, shown), quiet, "{model}");
            assert_eq!(gemini(model, config), quiet, "{model}");
        }
    }
    // These tell them by themselves.
    assert_eq!(gemini("claude-opus-4-6", json!({"includeThoughts": true})), adaptive());
    assert_eq!(
        gemini("claude-sonnet-4-5", json!({"includeThoughts": true, "thinkingBudget": 2000})),
        enabled(2000)
    );
    assert_eq!(
        gemini("claude-sonnet-5", json!({"includeThoughts": true, "thinkingBudget": 0})),
        json!({"type": "disabled"})
    );
    let responses = |target, reasoning: Value| {
        let (told, losses) = told(
            OpenaiResponses,
            target,
            "anthropic.claude-opus-4-8",
            &json!({"input": "x", "reasoning": reasoning}),
        );
        let fields = if target == BedrockConverse { &told["additionalModelRequestFields"] } else { &told };
        (fields["thinking"].clone(), losses)
    };
    for target in [AnthropicMessages, BedrockConverse] {
        let how_long = || "reasoning.summary".to_owned();
        assert_eq!(responses(target, json!({"summary": "auto"})), (summarized(adaptive()), NO_LOSS));
        let concise = json!({"effort": "high", "summary": "concise"});
        assert_eq!(responses(target, concise), (summarized(adaptive()), how_long()));
        let older = json!({"effort": "high", "generate_summary": "detailed"});
        assert_eq!(responses(target, older), (summarized(adaptive()), how_long()));
        assert_eq!(responses(target, json!({"effort": "high"})), (adaptive(), NO_LOSS));
    }
}

#[test]
fn how_thoughts_are_shown_goes_from_claude_to_claude() {
    let shown = |model: &str, display: Option<&str>| {
        let thinking = json!({"type": "adaptive", "display": display});
        let body =
            json!({"max_tokens": 9000, "messages": [{"role": "user", "content": "x"}], "thinking": thinking});
        let (told, losses) = told(AnthropicMessages, BedrockConverse, model, &body);
        (told["additionalModelRequestFields"]["thinking"]["display"].clone(), losses)
    };
    for (model, display, told) in [
        ("anthropic.claude-opus-4-7", "summarized", json!("summarized")),
        ("anthropic.claude-opus-4-7", "omitted", Value::Null),
        ("anthropic.claude-opus-4-6-v1", "summarized", Value::Null),
        ("anthropic.claude-opus-4-6-v1", "omitted", json!("omitted")),
    ] {
        assert_eq!(shown(model, Some(display)), (told, NO_LOSS), "{display} of {model}");
        assert_eq!(shown(model, None), (Value::Null, NO_LOSS));
    }
    let (told, losses) = shown("anthropic.claude-opus-4-7", Some("updates"));
    assert_eq!((told, losses.as_str()), (Value::Null, "thinking.display"));
}

#[test]
fn thoughts_that_are_asked_for_are_asked_of_openai_as_a_summary() {
    let asked = |surface, body: Value| {
        let (told, losses) = told(surface, OpenaiResponses, "gpt", &body);
        (told["reasoning"].clone(), told["include"].clone(), losses)
    };
    let include = json!(["reasoning.encrypted_content"]);
    let gemini = |config: Value| {
        asked(
            Gemini,
            json!({"contents": [{"parts": [{"text": "x"}]}], "generationConfig": {"thinkingConfig": config}}),
        )
    };
    assert_eq!(
        gemini(json!({"includeThoughts": true})),
        (json!({"summary": "auto"}), include.clone(), NO_LOSS)
    );
    assert_eq!(
        gemini(json!({"includeThoughts": true, "thinkingLevel": "LOW"})),
        (json!({"effort": "low", "summary": "auto"}), include.clone(), NO_LOSS)
    );
    assert_eq!(gemini(json!({"thinkingLevel": "LOW"})).0, json!({"effort": "low"}));
    // Models that do not think refuse to be asked.
    let body = json!({"contents": [{"parts": [{"text": "x"}]}],
        "generationConfig": {"thinkingConfig": {"includeThoughts": true}}});
    let (sent, _) = told(Gemini, OpenaiResponses, "gpt-4.1-mini", &body);
    assert_eq!((sent.get("reasoning"), sent.get("include")), (None, None));
    assert_eq!(gemini(json!({"includeThoughts": true, "thinkingBudget": 0})).0, Value::Null);
    let anthropic = |display: Option<&str>| {
        let thinking = json!({"type": "adaptive", "display": display});
        asked(
            AnthropicMessages,
            json!({"max_tokens": 20, "messages": [{"role": "user", "content": "x"}],
            "thinking": thinking, "output_config": {"effort": "high"}}),
        )
    };
    let summary = json!({"effort": "high", "summary": "auto"});
    assert_eq!(anthropic(Some("summarized")), (summary, include.clone(), NO_LOSS));
    // Who has not shown OpenAI papers is refused a summary, and so none is asked for unasked.
    for quiet in [Some("omitted"), None] {
        assert_eq!(anthropic(quiet), (json!({"effort": "high"}), include.clone(), NO_LOSS));
    }
}

#[test]
fn thoughts_are_asked_of_gemini_unless_the_client_wants_none() {
    let asked = |surface, body: Value| {
        let (told, losses) = told(surface, Gemini, "gemini-3-pro", &body);
        (told["generationConfig"]["thinkingConfig"].clone(), losses)
    };
    let anthropic = |display: Option<&str>| {
        let thinking = json!({"type": "enabled", "budget_tokens": 2000, "display": display});
        asked(
            AnthropicMessages,
            json!({"max_tokens": 9000, "messages": [{"role": "user", "content": "x"}], "thinking": thinking}),
        )
    };
    let shown = json!({"thinkingBudget": 2000, "includeThoughts": true});
    assert_eq!(anthropic(None), (shown.clone(), NO_LOSS));
    assert_eq!(anthropic(Some("summarized")), (shown, NO_LOSS));
    assert_eq!(anthropic(Some("omitted")), (json!({"thinkingBudget": 2000}), NO_LOSS));
    let summary = json!({"input": "x", "reasoning": {"summary": "auto"}});
    assert_eq!(asked(OpenaiResponses, summary), (json!({"includeThoughts": true}), NO_LOSS));
}

#[test]
fn thoughts_that_cannot_be_kept_back_are_named() {
    for (target, losses) in [
        (OpenaiChat, "thinking.display"),
        (Dialect::CohereChat, "thinking.display"),
        (Dialect::OllamaChat, "thinking.display"),
    ] {
        let body = json!({"max_tokens": 9, "messages": [{"role": "user", "content": "x"}],
            "thinking": {"type": "adaptive", "display": "omitted"}});
        assert_eq!(told(AnthropicMessages, target, "m", &body).1, losses, "{target:?}");
    }
}

#[test]
fn a_budget_is_not_given_in_the_middle_of_calls_that_were_made_without_thinking() {
    let ask = |target, model: &str, more: &[Value]| {
        let call = json!({"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}});
        let mut messages = vec![
            json!({"role": "user", "content": "x"}),
            json!({"role": "assistant", "content": "Hm.", "tool_calls": [call]}),
            json!({"role": "tool", "tool_call_id": "c", "content": "y"}),
        ];
        messages.extend_from_slice(more);
        let tools = json!([{"type": "function", "function": {"name": "f"}}]);
        let mut body = json!({"messages": messages, "tools": tools, "reasoning_effort": "medium"});
        let quiet = told(OpenaiChat, target, model, &body);
        let block = json!({"type": "thinking", "thinking": "Hm.", "signature": "c2ln"});
        body["messages"][1]["thinking_blocks"] = json!([block]);
        let thought = told(OpenaiChat, target, model, &body);
        [quiet, thought].map(|(told, losses)| {
            let fields =
                if target == BedrockConverse { &told["additionalModelRequestFields"] } else { &told };
            (fields["thinking"].clone(), losses)
        })
    };
    let lost = || "reasoning_effort".to_owned();
    let given = || (enabled(8192), NO_LOSS);
    for (target, model) in [
        (AnthropicMessages, "claude-sonnet-4-5"),
        (BedrockConverse, "anthropic.claude-haiku-4-5-20251001-v1:0"),
    ] {
        assert_eq!(ask(target, model, &[]), [(Value::Null, lost()), given()], "{target:?}");
        // What was done before the user spoke again does not count.
        let again =
            [json!({"role": "assistant", "content": "z"}), json!({"role": "user", "content": "And?"})];
        assert_eq!(ask(target, model, &again), [given(), given()], "{target:?}");
        // Between its calls it may not have thought.
        let call = json!({"id": "d", "type": "function", "function": {"name": "f", "arguments": "{}"}});
        let more = [
            json!({"role": "assistant", "tool_calls": [call]}),
            json!({"role": "tool", "tool_call_id": "d", "content": "y"}),
        ];
        assert_eq!(ask(target, model, &more), [(Value::Null, lost()), given()], "{target:?}");
    }
    // Where it is left to the model, it need not have thought.
    assert_eq!(
        ask(AnthropicMessages, "claude-opus-4-6", &[]),
        [(adaptive(), NO_LOSS), (adaptive(), NO_LOSS)]
    );
    let body = json!({"contents": [
            {"role": "user", "parts": [{"text": "x"}]},
            {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}}}]},
            {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"output": "y"}}}]},
        ], "tools": [{"functionDeclarations": [{"name": "f"}]}],
        "generationConfig": {"thinkingConfig": {"thinkingBudget": 2000}}});
    let (told, losses) = told(Gemini, AnthropicMessages, "claude-opus-4-6", &body);
    let lost = "generationConfig.thinkingConfig.thinkingBudget".to_owned();
    assert_eq!((told["thinking"].clone(), losses), (adaptive(), lost));
}

#[test]
fn numbers_that_steer_sampling_go_to_models_that_take_them() {
    let numbers = json!({"temperature": 0.2, "top_p": 0.9});
    for (surface, target) in
        [(Dialect::OpenaiChat, Dialect::AnthropicMessages), (Dialect::OpenaiChat, Dialect::BedrockConverse)]
    {
        for (model, taken) in [
            ("anthropic.claude-sonnet-4-6", true),
            ("anthropic.claude-opus-4-7", false),
            ("anthropic.claude-haiku-5-5", false),
            ("anthropic.claude-latest", false),
        ] {
            let mut body = json!({"model": "x", "messages": [{"role": "user", "content": "Hi"}]});
            body.as_object_mut().unwrap().append(&mut numbers.clone().as_object().unwrap().clone());
            let (sent, losses) = told(surface, target, model, &body);
            let sent = sent.get("inferenceConfig").unwrap_or(&sent);
            assert_eq!(sent.get("temperature"), taken.then_some(&json!(0.2)), "{model}");
            assert_eq!(losses, if taken { "top_p" } else { "temperature,top_p" }, "{model}");
            body["temperature"] = json!(1);
            body["top_p"] = json!(1.0);
            let (sent, losses) = told(surface, target, model, &body);
            let sent = sent.get("inferenceConfig").unwrap_or(&sent);
            assert_eq!(sent.get("temperature"), taken.then_some(&json!(1)), "{model}");
            assert_eq!(losses, "", "{model}");
        }
    }
    // Servers of other makers' models that speak the API are not Claude.
    let body = json!({"model": "x", "temperature": 0.2, "messages": [{"role": "user", "content": "Hi"}]});
    let (sent, losses) = told(Dialect::OpenaiChat, Dialect::AnthropicMessages, "deepseek-v4", &body);
    assert_eq!((sent["temperature"].clone(), losses.as_str()), (json!(0.2), ""));
}

#[test]
fn a_call_is_not_forced_on_models_that_refuse_that() {
    let body = json!({
        "model": "x", "messages": [{"role": "user", "content": "Hi"}], "reasoning_effort": "high",
        "tools": [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}],
        "tool_choice": {"type": "function", "function": {"name": "look"}},
    });
    for (model, taken) in [
        ("anthropic.claude-opus-5", true),
        ("anthropic.claude-haiku-5-5", true),
        ("anthropic.claude-opus-5-5", false),
        ("anthropic.claude-fable-5-1", false),
    ] {
        let (sent, losses) = told(Dialect::OpenaiChat, Dialect::AnthropicMessages, model, &body);
        let choice = if taken { json!({"type": "tool", "name": "look"}) } else { json!({"type": "auto"}) };
        assert_eq!(sent["tool_choice"], choice, "{model}");
        // Where a call is forced, the model may not think.
        assert_eq!(losses, if taken { "reasoning_effort" } else { "tool_choice" }, "{model}");
        let (sent, _) = told(Dialect::OpenaiChat, Dialect::BedrockConverse, model, &body);
        let choice = if taken { json!({"tool": {"name": "look"}}) } else { json!({"auto": {}}) };
        assert_eq!(sent["toolConfig"]["toolChoice"], choice, "{model}");
    }
}
