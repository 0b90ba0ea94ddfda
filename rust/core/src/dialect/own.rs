//! What a request must lose before it goes on in its own dialect.
//!
//! A client that was answered by translation has been given reasoning that its API's maker has not signed; sent to that
//! maker in the next turn, it would have the whole request refused. Such reasoning is left out, as it is where requests
//! are translated; everything else stays byte for byte, and the same from turn to turn.
//!
//! Sources: Anthropic API reference, "Extended thinking" (blocks must come back as they were, signed); `OpenAI` API
//! reference, `responses/create` (`encrypted_content`) and `chat/completions` (unknown members are refused); Gemini API
//! reference, "Thought signatures".

use memchr::memmem;

use super::anthropic_messages::BILLING;
use super::gemini::{NOT_SIGNED_JSON, WRAPPED};
use super::openai_responses::{OWN_REASONING, REDACTED, SIGNATURE};
use super::{Dialect, Platform, ReplayedReasoning};
use crate::message::Losses;
use crate::scan::{Cuts, Member, elements, member, members};

/// Who the request goes to.
#[derive(Clone, Copy, Debug)]
pub struct Taker {
    /// What it speaks, and the client too.
    pub dialect: Dialect,
    /// Where its API is served.
    pub platform: Platform,
    /// Whether its messages are those of Anthropic itself: it takes no reasoning without its signature, and the line
    /// that Claude Code puts before its system prompt is for it.
    pub is_anthropic: bool,
    /// Where it takes reasoning of earlier turns in chat messages, if it does.
    pub replays_reasoning: Option<ReplayedReasoning>,
    /// Whether it takes Google's signatures on tool calls in chat messages.
    pub takes_extra_content: bool,
}

impl Taker {
    /// A request, which comes in pieces, as it is for this provider, with the names of what is left out; `None` where
    /// nothing is.
    pub fn fit(self, pieces: &[&[u8]]) -> Option<(Vec<u8>, Losses)> {
        let marks: &[&str] = match self.dialect {
            Dialect::AnthropicMessages => {
                &["\"thinking\"", "\"redacted_thinking\"", "\"encrypted_index\"", BILLING]
            }
            Dialect::OpenaiResponses => &[SIGNATURE, REDACTED, OWN_REASONING],
            Dialect::Gemini => &[WRAPPED],
            Dialect::OpenaiChat => &["\"thinking", "\"reasoning", "\"extra_content\""],
            _ => return None,
        };
        let has = |mark: &&str| pieces.iter().any(|piece| memmem::find(piece, mark.as_bytes()).is_some());
        marks.iter().find(|mark| has(mark))?;
        let body = pieces.concat();
        let (mut cuts, mut losses) = (Cuts::of(&body), Losses::default());
        match self.dialect {
            Dialect::AnthropicMessages => self.messages(&body, &mut cuts, &mut losses),
            Dialect::OpenaiResponses => responses(&body, &mut cuts, &mut losses),
            Dialect::Gemini => gemini(&body, &mut cuts, &mut losses),
            _ => self.chat(&body, &mut cuts, &mut losses),
        }
        cuts.apply().map(|body| (body, losses))
    }

    fn messages<'a>(self, body: &'a [u8], cuts: &mut Cuts<'a>, losses: &mut Losses) {
        if !self.is_anthropic || self.platform != Platform::Own {
            billing(body, cuts);
        }
        let messages = elements(member(body, "messages").unwrap_or_default());
        let goes = |block: &[u8]| match member(block, "type") {
            Some(b"\"thinking\"") => match string(block, "signature") {
                Some(b"") | None => self.is_anthropic,
                Some(signature) => signature.contains(&b':'),
            },
            Some(b"\"redacted_thinking\"") => string(block, "data").is_some_and(|data| data.contains(&b':')),
            _ => false,
        };
        if self.is_anthropic && memmem::find(body, b"\"encrypted_index\"").is_some() {
            for message in &messages {
                citations(message, cuts, losses);
            }
        }
        let parts: Vec<_> =
            messages.into_iter().map(|message| (message, cut_list(message, "content", goes, cuts))).collect();
        losses_of(&parts, "messages[].content[].thinking", losses);
        cuts.cut_among(&gone(&parts));
    }

    fn chat<'a>(self, body: &'a [u8], cuts: &mut Cuts<'a>, losses: &mut Losses) {
        let messages: Vec<_> = elements(member(body, "messages").unwrap_or_default())
            .into_iter()
            .map(|message| (message, self.chat_message(message, cuts, losses)))
            .collect();
        cuts.cut_among(&gone(&messages));
    }

    fn chat_message<'a>(self, message: &'a [u8], cuts: &mut Cuts<'a>, losses: &mut Losses) -> Left {
        if member(message, "role") != Some(b"\"assistant\"") {
            return Left::All;
        }
        let goes = |name: &[u8]| {
            CHAT_REASONING.iter().any(|(known, taker, _)| {
                known.as_bytes() == name && (taker.is_none() || self.replays_reasoning != *taker)
            })
        };
        let mut is_cut = false;
        for (name, _, loss) in CHAT_REASONING {
            if goes(name.as_bytes()) && member(message, name).is_some() {
                is_cut = true;
                losses.add(loss);
            }
        }
        let takes_parts = self.replays_reasoning == Some(ReplayedReasoning::Content);
        let is_thought = |part: &[u8]| {
            !takes_parts && matches!(member(part, "type"), Some(b"\"thinking\"" | b"\"redacted_thinking\""))
        };
        let content = member(message, "content");
        let parts = elements(content.unwrap_or_default());
        let thoughts = parts.iter().filter(|part| is_thought(part)).count();
        if thoughts > 0 {
            is_cut = true;
            losses.add("messages[].content[].thinking");
        }
        let calls = elements(member(message, "tool_calls").unwrap_or_default());
        let is_empty = match content {
            None | Some(b"null" | b"\"\"") => true,
            Some(_) => parts.len() == thoughts && content.is_some_and(|content| content.starts_with(b"[")),
        };
        let refuses = member(message, "refusal").is_some_and(|refusal| refusal != b"null");
        if is_cut && is_empty && calls.is_empty() && !refuses {
            return Left::Nothing;
        }
        cuts.cut_among(&among(message, goes));
        match content {
            // Beside calls there may be none.
            Some(content) if thoughts > 0 && is_empty => cuts.replace(content, "null"),
            _ => {
                cut_list(message, "content", is_thought, cuts);
            }
        }
        for call in calls {
            if !self.takes_extra_content && member(call, "extra_content").is_some() {
                losses.add("messages[].tool_calls[].extra_content");
                cuts.cut_among(&among(call, |name| name == b"extra_content"));
            }
        }
        if is_cut { Left::Some } else { Left::All }
    }
}

/// Members of chat messages that hold reasoning, who takes them, and what is said where one is left out.
const CHAT_REASONING: [(&str, Option<ReplayedReasoning>, &str); 4] = [
    ("thinking_blocks", None, "messages[].thinking_blocks"),
    ("reasoning_content", Some(ReplayedReasoning::ReasoningContent), "messages[].reasoning_content"),
    ("reasoning", Some(ReplayedReasoning::Reasoning), "messages[].reasoning"),
    ("reasoning_details", Some(ReplayedReasoning::Reasoning), "messages[].reasoning_details"),
];

/// What becomes of the parts of a message.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Left {
    All,
    Some,
    /// None, so that nothing is left to say.
    Nothing,
}

/// Leaves those parts out of a message's list that are to go.
fn cut_list<'a>(message: &'a [u8], list: &str, goes: impl Fn(&[u8]) -> bool, cuts: &mut Cuts<'a>) -> Left {
    let parts: Vec<_> = elements(member(message, list).unwrap_or_default())
        .into_iter()
        .map(|part| (part, goes(part)))
        .collect();
    match parts.iter().filter(|(_, goes)| *goes).count() {
        0 => Left::All,
        gone if gone == parts.len() => Left::Nothing,
        _ => {
            cuts.cut_among(&parts);
            Left::Some
        }
    }
}

fn gone<'a>(parts: &[(&'a [u8], Left)]) -> Vec<(&'a [u8], bool)> {
    parts.iter().map(|(message, left)| (*message, *left == Left::Nothing)).collect()
}

fn losses_of(parts: &[(&[u8], Left)], name: &'static str, losses: &mut Losses) {
    losses.add_if(parts.iter().any(|(_, left)| *left != Left::All), name);
}

/// Pages that another maker's model has cited: what they are known by at Anthropic, nobody else can say.
fn citations<'a>(message: &'a [u8], cuts: &mut Cuts<'a>, losses: &mut Losses) {
    for block in elements(member(message, "content").unwrap_or_default()) {
        let cited = elements(member(block, "citations").unwrap_or_default());
        if cited.iter().any(|citation| member(citation, "encrypted_index") == Some(b"\"\"")) {
            losses.add("messages[].content[].citations");
            cuts.cut_among(&among(block, |name| name == b"citations"));
        }
    }
}

/// The line changes with every request: before it, no prompt cache of another provider would ever be read.
fn billing<'a>(body: &'a [u8], cuts: &mut Cuts<'a>) {
    let Some(system) = member(body, "system") else { return };
    if let Some(rest) = behind_billing(system) {
        cuts.cut_between(system.get(1..).unwrap_or_default(), rest);
        return;
    }
    let blocks = elements(system);
    let Some(text) = blocks.first().and_then(|first| member(first, "text")) else { return };
    match behind_billing(text) {
        None => {}
        Some(b"\"") => {
            let parts: Vec<_> = blocks.iter().enumerate().map(|(at, block)| (*block, at == 0)).collect();
            cuts.cut_among(&parts);
        }
        Some(rest) => cuts.cut_between(text.get(1..).unwrap_or_default(), rest),
    }
}

/// What follows the line in a JSON string that begins with it, its closing quote at least.
fn behind_billing(text: &[u8]) -> Option<&[u8]> {
    let line = text.strip_prefix(b"\"")?;
    line.strip_prefix(BILLING.as_bytes())?;
    let end = memmem::find(line, b"\\n").map_or(line.len().saturating_sub(1), |at| at + 2);
    line.get(end..)
}

fn responses<'a>(body: &'a [u8], cuts: &mut Cuts<'a>, losses: &mut Losses) {
    let goes = |item: &[u8]| {
        member(item, "type") == Some(b"\"reasoning\"")
            && match string(item, "encrypted_content") {
                Some(content) if !content.is_empty() => {
                    content.starts_with(SIGNATURE.as_bytes()) || content.starts_with(REDACTED.as_bytes())
                }
                _ => string(item, "id").is_some_and(|id| id.starts_with(OWN_REASONING.as_bytes())),
            }
    };
    let left = cut_list(body, "input", goes, cuts);
    losses.add_if(left != Left::All, "input[].reasoning");
    if left == Left::Nothing {
        let items = elements(member(body, "input").unwrap_or_default());
        cuts.cut_among(&items.into_iter().map(|item| (item, true)).collect::<Vec<_>>());
    }
}

/// What becomes of a part of Google's.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part<'a> {
    Stays,
    Goes,
    /// Stays with another signature than this: a call that Google has not signed has to say so.
    Unsigned(&'a [u8]),
    /// Stays without one.
    Bare,
}

fn gemini<'a>(body: &'a [u8], cuts: &mut Cuts<'a>, losses: &mut Losses) {
    // What is to be counted may be wrapped.
    let wrapped =
        ["generateContentRequest", "generate_content_request"].iter().find_map(|name| member(body, name));
    let body = wrapped.unwrap_or(body);
    let mut contents = Vec::new();
    for content in elements(member(body, "contents").unwrap_or_default()) {
        for part in elements(member(content, "parts").unwrap_or_default()) {
            match part_of_gemini(part) {
                Part::Stays | Part::Goes => continue,
                Part::Unsigned(value) => cuts.replace(value, NOT_SIGNED_JSON),
                Part::Bare => {
                    let is_signature = |name: &[u8]| SIGNATURES.iter().any(|known| known.as_bytes() == name);
                    cuts.cut_among(&among(part, is_signature));
                }
            }
            losses.add("contents[].parts[].thoughtSignature");
        }
        let goes = |part: &[u8]| part_of_gemini(part) == Part::Goes;
        contents.push((content, cut_list(content, "parts", goes, cuts)));
    }
    losses_of(&contents, "contents[].parts[].thought", losses);
    cuts.cut_among(&gone(&contents));
}

const SIGNATURES: [&str; 2] = ["thoughtSignature", "thought_signature"];

fn part_of_gemini(part: &[u8]) -> Part<'_> {
    let signature = SIGNATURES.iter().find_map(|name| member(part, name));
    let Some(signature) = signature.filter(|value| value.starts_with(WRAPPED.as_bytes())) else {
        return Part::Stays;
    };
    let is_call = ["functionCall", "function_call"].iter().any(|name| member(part, name).is_some());
    let is_empty = string(part, "text").is_some_and(<[u8]>::is_empty);
    match member(part, "thought") {
        _ if is_call => Part::Unsigned(signature),
        Some(b"true") => Part::Goes,
        _ if is_empty => Part::Goes,
        _ => Part::Bare,
    }
}

/// The members of an object, and whether each is to go by its name.
fn among(object: &[u8], goes: impl Fn(&[u8]) -> bool) -> Vec<(&[u8], bool)> {
    let part = |found: &Member| object.get(found.start..found.value_end).unwrap_or_default();
    members(object).iter().map(|found| (part(found), goes(found.key.raw.of(object)))).collect()
}

/// What stands between the quotes of a member that is a string.
fn string<'a>(object: &'a [u8], name: &str) -> Option<&'a [u8]> {
    member(object, name)?.strip_prefix(b"\"")?.strip_suffix(b"\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANTHROPIC: Taker = Taker {
        dialect: Dialect::AnthropicMessages,
        platform: Platform::Own,
        is_anthropic: true,
        replays_reasoning: None,
        takes_extra_content: false,
    };

    /// What is sent, and the names of what is not; the body alone where nothing is left out.
    fn fit(taker: Taker, body: &str) -> (String, String) {
        let (one, other) = body.as_bytes().split_at(body.len() / 2);
        let whole = taker.fit(&[body.as_bytes()]);
        // The places where a body is cut are never inside of what is looked for; here both are tried.
        assert!(taker.fit(&[one, other]).is_none_or(|cut| Some(cut) == whole));
        whole.map_or_else(
            || (body.to_owned(), String::new()),
            |(body, losses)| (String::from_utf8(body).unwrap(), losses.to_string()),
        )
    }

    #[test]
    fn anthropic_gets_no_thoughts_that_it_has_not_signed() {
        let body = |blocks: &str| {
            format!(
                r#"{{"messages": [{{"role":"user","content":"signature"}}, {{"role":"assistant", "content" : [ {blocks}{{"type":"text","text":"\"signature\":\"\""}} ]}} ], "system":"x"}}"#
            )
        };
        let own = r#"{"type":"thinking","thinking":"a","signature":"ErUB+/=="}, "#;
        assert_eq!(fit(ANTHROPIC, &body(own)), (body(own), String::new()));
        for foreign in [
            r#"{"type":"thinking","thinking":"a","signature":"openai:rs_1:gAAA"}, "#,
            r#"{"signature" : "google:CiQ" , "thinking":"a","type":"thinking"}, "#,
            r#"{"type":"thinking","thinking":"a","signature":""}, "#,
            r#"{"type":"thinking","thinking":"a"}, "#,
            r#"{"type":"redacted_thinking","data":"bedrock:c2ln"}, "#,
        ] {
            let left = (body(own), "messages[].content[].thinking".to_owned());
            assert_eq!(fit(ANTHROPIC, &body(&format!("{own}{foreign}"))), left, "{foreign}");
            let left = (body(""), "messages[].content[].thinking".to_owned());
            assert_eq!(fit(ANTHROPIC, &body(foreign)), left, "{foreign}");
        }
        let redacted = r#"{"type":"redacted_thinking","data":"c2ln"}, "#;
        assert_eq!(fit(ANTHROPIC, &body(redacted)), (body(redacted), String::new()));
    }

    #[test]
    fn a_message_of_foreign_thoughts_alone_goes_with_them() {
        let of = |more: &str| {
            format!(
                r#"{{"messages":[{{"role":"user","content":"a"}}{more},{{"role":"user","content":"b"}}]}}"#
            )
        };
        let foreign = r#",{"role":"assistant","content":[{"type":"thinking","thinking":"a","signature":""},{"type":"thinking","thinking":"b","signature":"google:C"}]}"#;
        assert_eq!(fit(ANTHROPIC, &of(foreign)).0, of(""));
    }

    #[test]
    fn anthropic_gets_no_citations_of_others() {
        let body = |citations: &str| {
            format!(
                r#"{{"messages":[{{"role":"assistant","content":[{{"type":"text","text":"a"{citations}}}]}}]}}"#
            )
        };
        let cited = |index: &str| {
            body(&format!(
                r#","citations":[{{"type":"web_search_result_location","url":"u","encrypted_index": "{index}"}}]"#
            ))
        };
        assert_eq!(fit(ANTHROPIC, &cited("")), (body(""), "messages[].content[].citations".to_owned()));
        assert_eq!(fit(ANTHROPIC, &cited("EqQB")), (cited("EqQB"), String::new()));
    }

    #[test]
    fn servers_that_sign_nothing_keep_their_thoughts() {
        let vllm = Taker { is_anthropic: false, ..ANTHROPIC };
        let body = |signature: &str| {
            format!(
                r#"{{"messages":[{{"role":"assistant","content":[{{"type":"thinking","thinking":"a","signature":"{signature}"}},{{"type":"text","text":"b"}}]}}]}}"#
            )
        };
        assert_eq!(fit(vllm, &body("")).1, "");
        assert_eq!(fit(vllm, &body("openai:rs_1:g")).1, "messages[].content[].thinking");
    }

    #[test]
    fn the_billing_line_is_anthropics_alone() {
        let vllm = Taker { is_anthropic: false, ..ANTHROPIC };
        let vertex = Taker { platform: Platform::Vertex, ..ANTHROPIC };
        let line = r#"{"type":"text","text":"x-anthropic-billing-header: cc_version=1; cch=a\"b;"}"#;
        for (system, left) in [
            (format!(r#"[ {line}, {{"type":"text","text":"Be"}}]"#), r#"[ {"type":"text","text":"Be"}]"#),
            (format!("[{line}]"), "[]"),
            (
                r#"[{"type":"text","text":"x-anthropic-billing-header: a;\nBe","cache_control":{}}]"#
                    .to_owned(),
                r#"[{"type":"text","text":"Be","cache_control":{}}]"#,
            ),
            (r#""x-anthropic-billing-header: a;\nBe""#.to_owned(), r#""Be""#),
            (r#""x-anthropic-billing-header: a;""#.to_owned(), r#""""#),
        ] {
            let body = |system: &str| format!(r#"{{"system" : {system}, "messages":[]}}"#);
            for taker in [vllm, vertex] {
                assert_eq!(fit(taker, &body(&system)), (body(left), String::new()));
            }
            assert_eq!(fit(ANTHROPIC, &body(&system)).0, body(&system));
        }
        let quoted = r#"{"system":"Say x-anthropic-billing-header: a","messages":[]}"#;
        assert_eq!(fit(vllm, quoted).0, quoted);
    }

    #[test]
    fn openai_gets_no_reasoning_that_it_has_not_encrypted() {
        let openai = Taker { dialect: Dialect::OpenaiResponses, ..ANTHROPIC };
        let body = |items: &str| {
            format!(
                r#"{{"input":[{{"role":"user","content":"a"}},{items}{{"role":"user","content":"signature:"}}]}}"#
            )
        };
        for own in [
            r#"{"type":"reasoning","id":"rs_68","summary":[],"encrypted_content":"gAAA"},"#,
            r#"{"type":"reasoning","id":"rs_68","summary":[]},"#,
            r#"{"type":"message","encrypted_content":"signature:x"},"#,
        ] {
            assert_eq!(fit(openai, &body(own)), (body(own), String::new()));
        }
        for foreign in [
            r#"{"type":"reasoning","id":"rs_edge_1","summary":[],"encrypted_content":"signature:QQ=="},"#,
            r#"{"type":"reasoning","summary":[],"encrypted_content":"redacted:QQ=="},"#,
            r#"{"type":"reasoning","id":"rs_edge_1","summary":[{"type":"summary_text","text":"a"}]},"#,
        ] {
            assert_eq!(fit(openai, &body(foreign)), (body(""), "input[].reasoning".to_owned()), "{foreign}");
        }
    }

    #[test]
    fn google_gets_no_signature_of_others() {
        let google = Taker { dialect: Dialect::Gemini, ..ANTHROPIC };
        let body = |parts: &str| {
            format!(
                r#"{{"contents":[{{"role":"user","parts":[{{"text":"a"}}]}},{{"role":"model","parts":[{parts}]}}]}}"#
            )
        };
        let foreign = "bGxtLWVkZ2U6b3BlbmFpOnJzXzE6Z0FB";
        for (parts, left, loss) in [
            (
                format!(r#"{{"functionCall":{{"name":"f"}},"thoughtSignature":"{foreign}"}}"#),
                r#"{"functionCall":{"name":"f"},"thoughtSignature":"skip_thought_signature_validator"}"#,
                "contents[].parts[].thoughtSignature",
            ),
            (
                format!(r#"{{"thought":true,"text":"t","thoughtSignature":"{foreign}"}},{{"text":"b"}}"#),
                r#"{"text":"b"}"#,
                "contents[].parts[].thought",
            ),
            (
                format!(r#"{{"text":"b"}}, {{"text":"","thought_signature":"{foreign}"}}"#),
                r#"{"text":"b"}"#,
                "contents[].parts[].thought",
            ),
            (
                format!(r#"{{"thoughtSignature":"{foreign}","text":"b"}}"#),
                r#"{"text":"b"}"#,
                "contents[].parts[].thoughtSignature",
            ),
        ] {
            assert_eq!(fit(google, &body(&parts)), (body(left), loss.to_owned()));
        }
        let wrapped = |parts: &str| format!(r#"{{"generateContentRequest":{}}}"#, body(parts));
        let signed = format!(r#"{{"text":"b","thoughtSignature":"{foreign}"}}"#);
        assert_eq!(fit(google, &wrapped(&signed)).0, wrapped(r#"{"text":"b"}"#));
        let own = r#"{"thought":true,"text":"t"},{"text":"b","thoughtSignature":"CiQB"}"#;
        assert_eq!(fit(google, &body(own)).0, body(own));
    }

    #[test]
    fn chat_messages_lose_the_members_that_their_provider_refuses() {
        let openai = Taker { dialect: Dialect::OpenaiChat, ..ANTHROPIC };
        let takes = |member| Taker { replays_reasoning: Some(member), ..openai };
        let body = |members: &str| {
            format!(
                r#"{{"messages":[{{"role":"user","content":"reasoning_content"}},{{"role":"assistant",{members}"content":"b"}}],"reasoning":{{}}}}"#
            )
        };
        let (text, blocks) = (r#""reasoning_content":"t","#, r#""thinking_blocks":[{"type":"thinking"}],"#);
        let both = format!("{text}{blocks}");
        let names = "messages[].thinking_blocks,messages[].reasoning_content";
        assert_eq!(fit(openai, &body(&both)), (body(""), names.to_owned()));
        let deepseek = takes(ReplayedReasoning::ReasoningContent);
        assert_eq!(fit(deepseek, &body(&both)), (body(text), "messages[].thinking_blocks".to_owned()));
        assert_eq!(fit(deepseek, &body(text)), (body(text), String::new()));
        let details = r#""reasoning_details":[{"type":"reasoning.text"}],"#;
        assert_eq!(fit(openai, &body(details)), (body(""), "messages[].reasoning_details".to_owned()));
        assert_eq!(fit(takes(ReplayedReasoning::Reasoning), &body(details)).0, body(details));
        let groq = r#""reasoning":"t","#;
        assert_eq!(fit(takes(ReplayedReasoning::Reasoning), &body(groq)), (body(groq), String::new()));
        assert_eq!(fit(openai, &body(groq)), (body(""), "messages[].reasoning".to_owned()));
    }

    #[test]
    fn a_chat_message_of_thoughts_alone_goes_and_one_that_calls_says_nothing() {
        let openai = Taker { dialect: Dialect::OpenaiChat, ..ANTHROPIC };
        let mistral = Taker { replays_reasoning: Some(ReplayedReasoning::Content), ..openai };
        let body = |message: &str| {
            format!(
                r#"{{"messages":[{{"role":"user","content":"a"}}{message},{{"role":"user","content":"b"}}]}}"#
            )
        };
        let thought = r#"{"type":"thinking","thinking":[{"type":"text","text":"t"}]}"#;
        for alone in [
            r#",{"role":"assistant","content":null,"reasoning_content":"t"}"#.to_owned(),
            format!(r#",{{"role":"assistant","content":[{thought}]}}"#),
        ] {
            assert_eq!(fit(openai, &body(&alone)).0, body(""), "{alone}");
        }
        let calls = r#""tool_calls":[{"id":"a"}]"#;
        let told = format!(r#",{{"role":"assistant","content":[{thought}],{calls}}}"#);
        assert_eq!(
            fit(openai, &body(&told)).0,
            body(&format!(r#",{{"role":"assistant","content":null,{calls}}}"#))
        );
        assert_eq!(fit(mistral, &body(&told)).0, body(&told));
        let told = format!(r#",{{"role":"assistant","content":[{thought},{{"type":"text","text":"x"}}]}}"#);
        let left = body(r#",{"role":"assistant","content":[{"type":"text","text":"x"}]}"#);
        assert_eq!(fit(openai, &body(&told)), (left, "messages[].content[].thinking".to_owned()));
    }

    #[test]
    fn googles_signatures_on_calls_go_to_google_alone() {
        let openai = Taker { dialect: Dialect::OpenaiChat, ..ANTHROPIC };
        let google = Taker { takes_extra_content: true, ..openai };
        let body = |extra: &str| {
            format!(
                r#"{{"messages":[{{"role":"assistant","tool_calls":[{{"id":"a"{extra}}},{{"id":"b"}}]}}]}}"#
            )
        };
        let signed = body(r#","extra_content":{"google":{"thought_signature":"CiQB"}}"#);
        let name = "messages[].tool_calls[].extra_content";
        assert_eq!(fit(openai, &signed), (body(""), name.to_owned()));
        assert_eq!(fit(google, &signed), (signed, String::new()));
    }

    #[test]
    fn what_is_broken_is_the_providers_to_refuse() {
        for body in [
            r#"{"messages":[{"content":[{"type":"thinking","signature":""}"#,
            r#"{"messages":{"signature":""}}"#,
            r#""signature""#,
        ] {
            assert_eq!(fit(ANTHROPIC, body).0, body);
        }
    }
}
