//! What the tap tells of a reply: for each dialect, whole and cut at every byte.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "in a test a panic is the finding"
)]

use llm_edge_core::surface::Dialect;
use llm_edge_core::tap::{JSON_BYTES_MAX, Outcome, Payload, Tap, Usage};
use proptest::prelude::*;

const CHAT: &str = concat!(
    "data: {\"id\":\"c\",\"choices\":[],\"prompt_filter_results\":[],\"usage\":null}\n\n",
    "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}],\"usage\":null}\n\n",
    ": keep-alive\n\n",
    "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\\\"usage\\\": {} \\\"error\\\": 1 é\"}}],\"usage\":null}\n\n",
    "data: {\"id\":\"c\",\"choices\":[],\"usage\": {\"prompt_tokens\":11,\"completion_tokens\":7,\"total_tokens\":18,",
    "\"prompt_tokens_details\":{\"cached_tokens\":4},\"completion_tokens_details\":{\"reasoning_tokens\":3}}}\n\n",
    "data: [DONE]\n\n",
);

const ANTHROPIC: &str = concat!(
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"usage\":{\"input_tokens\":25,",
    "\"cache_creation_input_tokens\":5,\"cache_read_input_tokens\":9,\"output_tokens\":1}}}\n\n",
    "event: ping\ndata: {\"type\": \"ping\"}\n\n",
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"delta\":{\"text\":\"Hi\"}}\n\n",
    "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{},\"usage\":{\"output_tokens\":8}}\n\n",
    "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{},\"usage\":{\"output_tokens\":15,\"input_tokens\":null}}\n\n",
    "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
);

const RESPONSES: &str = concat!(
    "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"error\":null,\"usage\":null}}\n\n",
    "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"Hi\"}\n\n",
    "event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"error\":null,\"usage\":{",
    "\"input_tokens\":36,\"input_tokens_details\":{\"cached_tokens\":6},\"output_tokens\":87,",
    "\"output_tokens_details\":{\"reasoning_tokens\":2},\"total_tokens\":123}}}\n\n",
);

/// As Google streams: usage in every chunk, the thoughts counted apart, and no last event.
const GEMINI: &str = concat!(
    "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"\"}],\"role\":\"model\"},\"index\":0}],",
    "\"usageMetadata\":{\"promptTokenCount\":9,\"totalTokenCount\":12,\"thoughtsTokenCount\":3}}\r\n\r\n",
    "data: {\"candidates\": [{\"content\": {\"parts\": [{\"text\": \"\\\"finishReason\\\":\\\"STOP\\\"\",\"thought\": true}]}}],",
    "\"usageMetadata\": {\"promptTokenCount\": 9,\"candidatesTokenCount\": 2,\"thoughtsTokenCount\": 5}}\r\n\r\n",
    "data: {\"candidates\":[{\"content\":{},\"finishReason\":\"STOP\",\"index\":0}],\"usageMetadata\":{\"promptTokenCount\":9,",
    "\"candidatesTokenCount\":7,\"totalTokenCount\":25,\"cachedContentTokenCount\":4,\"thoughtsTokenCount\":6,",
    "\"toolUsePromptTokenCount\":3},\"modelVersion\":\"g\"}\r\n\r\n",
);

const COHERE: &str = concat!(
    "event: message-start\ndata: {\"type\":\"message-start\",\"id\":\"c\"}\n\n",
    "event: content-delta\ndata: {\"type\":\"content-delta\",\"delta\":{\"message\":{\"content\":{\"text\":\"Hi\"}}}}\n\n",
    "event: message-end\ndata: {\"type\":\"message-end\",\"delta\":{\"finish_reason\":\"COMPLETE\",\"usage\":{",
    "\"billed_units\":{\"input_tokens\":5,\"output_tokens\":26},",
    "\"tokens\":{\"input_tokens\":71.0,\"output_tokens\":26.0},\"cached_tokens\":60}}}\n\n",
);

fn tapped<'a>(payload: Payload, dialect: Dialect, pieces: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let mut tap = Tap::new(payload, dialect);
    for piece in pieces {
        tap.push(piece);
    }
    tap.finish()
}

fn streamed(dialect: Dialect, stream: &str) -> Outcome {
    tapped(Payload::Sse, dialect, [stream.as_bytes()])
}

fn usage(input: u64, output: u64, cached: u64, written: u64, reasoning: u64) -> Usage {
    Usage {
        input_tokens: input,
        output_tokens: output,
        cached_input_tokens: cached,
        cache_write_tokens: written,
        cache_write_1h_tokens: 0,
        reasoning_tokens: reasoning,
        search_units: 0,
    }
}

#[test]
fn searches_and_tokens_of_a_ranking_are_found_wherever_they_are_told() {
    let told = |reply: &str| {
        let whole = {
            let mut tap = Tap::json(Dialect::Rerank);
            tap.push_whole(reply.as_bytes());
            tap.finish()
        };
        assert_eq!(tapped(Payload::Json, Dialect::Rerank, reply.as_bytes().chunks(1)), whole);
        whole.usage.map(|usage| (usage.input_tokens, usage.search_units))
    };
    let cohere = r#"{"results":[],"meta":{"billed_units":{"search_units":2.0}}}"#;
    assert_eq!(told(cohere), Some((0, 2)));
    assert_eq!(told(r#"{"results":[],"usage":{"prompt_tokens":3,"total_tokens":5}}"#), Some((5, 0)));
    let both = r#"{"usage":{"total_tokens":5,"search_units":1},"results":[]}"#;
    assert_eq!(told(both), Some((5, 1)));
    let apart = r#"{"meta":{"billed_units":{"search_units":4}},"usage":{"total_tokens":5}}"#;
    assert_eq!(told(apart), Some((5, 4)));
    assert_eq!(told(r#"{"results":[]}"#), None);
}

/// Whole streams, and what is to be told of them.
fn streams() -> [(Dialect, &'static str, Usage, u64); 6] {
    const COMPLETIONS: &str = concat!(
        "data: {\"choices\":[{\"text\":\"Hi\"}]}\r\n\r\n",
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}\r\n\r\ndata: [DONE]\r\n\r\n"
    );
    [
        (Dialect::OpenaiChat, CHAT, usage(11, 7, 4, 0, 3), 5),
        (Dialect::OpenaiCompletions, COMPLETIONS, usage(1, 2, 0, 0, 0), 3),
        (Dialect::OpenaiResponses, RESPONSES, usage(36, 87, 6, 0, 2), 3),
        (Dialect::AnthropicMessages, ANTHROPIC, usage(39, 15, 9, 5, 0), 6),
        (Dialect::Gemini, GEMINI, usage(12, 13, 4, 0, 6), 3),
        (Dialect::CohereChat, COHERE, usage(71, 26, 60, 0, 0), 3),
    ]
}

/// Whole replies, and their usage.
fn documents() -> [(Dialect, &'static str, Usage); 7] {
    [
        (
            Dialect::OpenaiChat,
            r#"{"id":"c","choices":[{"message":{"content":"{\"usage\":{\"prompt_tokens\":99}}","usage":{"prompt_tokens":98}}}],
            "usage":{"prompt_tokens":11,"completion_tokens":7,"prompt_tokens_details":null}}"#,
            usage(11, 7, 0, 0, 0),
        ),
        (
            Dialect::OpenaiCompletions,
            r#"{"usage":{"completion_tokens":7,"prompt_tokens":1},"choices":[]}"#,
            usage(1, 7, 0, 0, 0),
        ),
        (
            Dialect::OpenaiResponses,
            r#"{"error":null,"usage":{"input_tokens":3,"input_tokens_details":{"cached_tokens":1},"output_tokens":2}}"#,
            usage(3, 2, 1, 0, 0),
        ),
        (
            Dialect::OpenaiEmbeddings,
            "\n\n{\"data\":[],\"usage\":{\"prompt_tokens\":8}}\n",
            usage(8, 0, 0, 0, 0),
        ),
        (
            Dialect::AnthropicMessages,
            r#"{"type":"message","usage":{"input_tokens":2,"cache_read_input_tokens":1,"output_tokens":4}}"#,
            usage(3, 4, 1, 0, 0),
        ),
        (
            Dialect::Gemini,
            r#"{"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":4,"thoughtsTokenCount":2}}"#,
            usage(5, 6, 0, 0, 2),
        ),
        (
            Dialect::CohereChat,
            r#"{"finish_reason":"COMPLETE","message":{},"usage":{"billed_units":{"input_tokens":5},
            "tokens":{"input_tokens":71.0,"output_tokens":26},"cached_tokens":60}}"#,
            usage(71, 26, 60, 0, 0),
        ),
    ]
}

#[test]
fn a_whole_stream_tells_its_usage_its_end_and_no_error_wherever_it_is_cut() {
    for (dialect, stream, usage, events) in streams() {
        let stream = stream.as_bytes();
        let expected =
            Outcome { usage: Some(usage), terminal: true, error_event: false, events, content: true };
        for cut in 0..=stream.len() {
            let (a, b) = stream.split_at(cut);
            assert_eq!(tapped(Payload::Sse, dialect, [a, b]), expected, "{dialect:?} cut at {cut}");
        }
        assert_eq!(tapped(Payload::Sse, dialect, stream.chunks(1)), expected, "{dialect:?} byte by byte");
    }
}

#[test]
fn a_stream_cut_short_has_no_terminal_event() {
    for (dialect, stream, ..) in streams() {
        let last = stream.trim_end().len();
        for cut in 0..last {
            let (seen, _) = stream.as_bytes().split_at(cut);
            assert!(!tapped(Payload::Sse, dialect, [seen]).terminal, "{dialect:?} cut at {cut}");
        }
        // Only the empty line is missing: the upstream did say that it is done.
        assert!(tapped(Payload::Sse, dialect, [&stream.as_bytes()[..last]]).terminal, "{dialect:?}");
    }
}

#[test]
fn a_whole_document_tells_its_usage_wherever_it_is_cut() {
    for (dialect, document, usage) in documents() {
        let document = document.as_bytes();
        let expected =
            Outcome { usage: Some(usage), terminal: true, error_event: false, events: 0, content: true };
        for cut in 0..=document.len() {
            let (a, b) = document.split_at(cut);
            assert_eq!(tapped(Payload::Json, dialect, [a, b]), expected, "{dialect:?} cut at {cut}");
        }
        assert_eq!(tapped(Payload::Json, dialect, document.chunks(1)), expected, "{dialect:?}");
    }
}

#[test]
fn a_document_known_to_be_whole_tells_the_same_without_the_long_look() {
    let whole = |dialect, document: &[u8]| {
        let mut tap = Tap::json(dialect);
        tap.push_whole(document);
        tap.finish()
    };
    for (dialect, document, _) in documents() {
        let expected = tapped(Payload::Json, dialect, [document.as_bytes()]);
        assert_eq!(whole(dialect, document.as_bytes()), expected, "{dialect:?}");
    }
    for document in [
        r#"{"usage":{"prompt_tokens":1},"a":{"usage":{"prompt_tokens":9}}}"#,
        r#"{"a":{"b":{"usage":{"prompt_tokens":9}}}}"#,
        r#"{"a\"usage":{"prompt_tokens":9},"usage":{"prompt_tokens":1}}"#,
        r#"{"usage":{"prompt_tokens":1},"a\"usage":{"prompt_tokens":9}}"#,
        r#"{"usage":{"prompt_tokens":1},"error":{"message":"no"}}"#,
        r#"{"object":"error","usage":{"prompt_tokens":1}}"#,
        r#"{"x":["usage",{"y":1}],"z":2}"#,
        r#"{"usage":null}"#,
    ] {
        let expected = tapped(Payload::Json, Dialect::OpenaiChat, [document.as_bytes()]);
        assert_eq!(whole(Dialect::OpenaiChat, document.as_bytes()), expected, "{document}");
    }
}

#[test]
fn a_document_cut_short_is_not_whole_and_tells_no_usage() {
    for (dialect, document, _) in documents() {
        for cut in 0..document.trim_end().len() {
            let seen = tapped(Payload::Json, dialect, [&document.as_bytes()[..cut]]);
            assert_eq!(seen, Outcome::default(), "{dialect:?} cut at {cut}");
        }
    }
}

#[test]
fn a_document_with_more_behind_it_is_not_whole_and_tells_nothing() {
    for pieces in [&[&b"{}"[..], b"{}"][..], &[b"{} x"], &[b"{}", b" ", b"x", b" "], &[b"{}", b"\x0c"]] {
        let outcome = tapped(Payload::Json, Dialect::OpenaiChat, pieces.iter().copied());
        assert_eq!(outcome, Outcome::default(), "{pieces:?}");
    }
}

#[test]
fn an_error_inside_a_good_status_is_told() {
    use Dialect::{AnthropicMessages, Gemini, OpenaiChat, OpenaiCompletions, OpenaiResponses};
    for (dialect, stream) in [
        (OpenaiChat, "data: {\"error\":{\"message\":\"overloaded\"}}\n\n"),
        (OpenaiChat, "data: {\"id\":\"x\",\"error\" : {\"code\":502},\"choices\":[{\"delta\":{}}]}\n\n"),
        (OpenaiChat, "data: {\"object\":\"error\",\"message\":\"no\"}\n\n"),
        (OpenaiChat, "data: {\"x_groq\":{\"error\":\"stopped\"}}\n\n"),
        (OpenaiChat, "event: error\ndata: no\n\n"),
        (OpenaiCompletions, "data: {\"error\":\"no\"}\n\n"),
        (OpenaiResponses, "event: error\ndata: {\"type\":\"error\"}\n\n"),
        (OpenaiResponses, "data: {\"type\":\"error\",\"message\":\"no\"}\n\n"),
        (OpenaiResponses, "event: response.failed\ndata: {\"type\":\"response.failed\"}\n\n"),
        (
            AnthropicMessages,
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}\n\n",
        ),
        (Gemini, "data: {\"error\":{\"code\":503,\"message\":\"no\",\"status\":\"UNAVAILABLE\"}}\r\n\r\n"),
    ] {
        let outcome = streamed(dialect, stream);
        assert!(outcome.error_event, "{stream}");
        assert_eq!(outcome.terminal, dialect == OpenaiResponses, "{stream}");
    }
    // The event that ends a stream of Cohere tells its failure.
    let failed =
        "data: {\"type\":\"message-end\",\"delta\":{\"error\":\"no\",\"finish_reason\":\"ERROR\"}}\n\n";
    let outcome = streamed(Dialect::CohereChat, failed);
    assert!(outcome.error_event && outcome.terminal);
    let document = tapped(Payload::Json, OpenaiChat, [&br#"{"error":{"message":"no"}}"#[..]]);
    assert!(document.error_event && document.terminal);
}

#[test]
fn what_only_looks_like_an_error_or_usage_is_none() {
    for stream in [
        "data: {\"error\":null,\"choices\":[]}\n\n",
        "data: {\"choices\":[{\"delta\":{\"content\":\"{\\\"error\\\":1}\"}}]}\n\n",
        "data: {\"choices\":[{\"error\":{},\"usage\":{\"prompt_tokens\":1}}]}\n\n",
        "data: {\"usage\":{\"prompt_tokens\":\"1\",\"completion_tokens\":-2}}\n\n",
        ": {\"error\":1}\nid: {\"usage\":{\"prompt_tokens\":1}}\n\n",
    ] {
        let outcome = streamed(Dialect::OpenaiChat, stream);
        assert_eq!((outcome.error_event, outcome.usage), (false, None), "{stream}");
    }
}

#[test]
fn usage_is_the_last_one_seen_and_never_a_sum() {
    let stream = "data: {\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":1}}\n\n\
                  data: {\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":2}}\n\ndata: [DONE]\n\n";
    assert_eq!(streamed(Dialect::OpenaiChat, stream).usage, Some(usage(5, 2, 0, 0, 0)));
    let groq = "data: {\"x_groq\":{\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4}}}\n\n";
    assert_eq!(streamed(Dialect::OpenaiChat, groq).usage, Some(usage(3, 4, 0, 0, 0)));
}

#[test]
fn events_that_leave_out_their_name_are_known_by_their_type() {
    let bare: String = RESPONSES.split_inclusive('\n').filter(|l| !l.starts_with("event:")).collect();
    assert_eq!(streamed(Dialect::OpenaiResponses, &bare), streamed(Dialect::OpenaiResponses, RESPONSES));
}

#[test]
fn the_opening_formalities_are_not_content() {
    let mut tap = Tap::sse(Dialect::OpenaiChat);
    let mut contents = Vec::new();
    for event in CHAT.split_inclusive("\n\n") {
        tap.push(event.as_bytes());
        contents.push(tap.content_seen());
    }
    assert_eq!(contents, [false, false, false, true, true, true]);
    let mut tap = Tap::sse(Dialect::Gemini);
    let first = GEMINI.find("\r\n\r\n").unwrap() + 4;
    tap.push(&GEMINI.as_bytes()[..first]);
    assert!(!tap.content_seen());
    tap.push(&GEMINI.as_bytes()[first..]);
    assert!(tap.content_seen());
    let start = ANTHROPIC.split_inclusive("\n\n").next().unwrap();
    assert!(!streamed(Dialect::AnthropicMessages, start).content);
    let tool_call =
        "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{}]}}]}\n\n";
    assert!(streamed(Dialect::OpenaiChat, tool_call).content);
}

#[test]
fn a_reason_counts_wherever_google_puts_it_and_only_if_it_says_something() {
    let told = |event: &str| streamed(Dialect::Gemini, &format!("data: {event}\n\n")).terminal;
    assert!(told(r#"{"promptFeedback":{"blockReason":"SAFETY"}}"#));
    assert!(told(r#"{ "candidates" : [ { "finishReason" : "MAX_TOKENS" } ] }"#));
    for event in [
        r#"{"candidates":[{"finishReason":""}]}"#,
        r#"{"candidates":[{"finishReason":null}]}"#,
        r#"{"candidates":[],"finishReason":"STOP"}"#,
        r#"{"candidates":[{"content":{"parts":[{"finishReason":"STOP"}]}}]}"#,
        r#"{"promptFeedback":{"safetyRatings":[]}}"#,
    ] {
        assert!(!told(event), "{event}");
    }
    // What comes behind it still counts: some models give a reason with every chunk.
    let reason =
        "data: {\"candidates\":[{\"finishReason\":\"STOP\"}],\"usageMetadata\":{\"promptTokenCount\":1}}\n\n";
    let more = "data: {\"usageMetadata\":{\"promptTokenCount\":1,\"candidatesTokenCount\":8}}\n\n";
    let outcome = streamed(Dialect::Gemini, &[reason, more].concat());
    assert_eq!((outcome.usage, outcome.terminal), (Some(usage(1, 8, 0, 0, 0)), true));
    let failed = "data: {\"error\":{\"code\":500}}\n\n";
    assert!(streamed(Dialect::Gemini, &[reason, failed].concat()).error_event);
}

#[test]
fn a_stream_may_come_as_one_array() {
    let chunks: Vec<_> = GEMINI.split("\r\n\r\n").filter_map(|event| event.strip_prefix("data: ")).collect();
    let array = format!("[{}\n]\n", chunks.join(",\r\n"));
    let whole = Outcome {
        usage: Some(usage(12, 13, 4, 0, 6)),
        terminal: true,
        error_event: false,
        events: 0,
        content: true,
    };
    let bytes = array.as_bytes();
    for cut in 0..=bytes.len() {
        let (a, b) = bytes.split_at(cut);
        assert_eq!(tapped(Payload::Json, Dialect::Gemini, [a, b]), whole, "cut at {cut}");
    }
    let last = array.trim_end().len();
    for cut in 0..last {
        let outcome = tapped(Payload::Json, Dialect::Gemini, [&bytes[..cut]]);
        assert!(!outcome.terminal, "cut short at {cut}");
        // What came whole of it is paid for.
        assert_eq!(outcome.usage.is_some(), cut > chunks[0].len(), "cut short at {cut}");
    }
    for bad in ["[] x", "[{\"candidates\":[{\"finishReason\":\"STOP\"}]}]]", "[]", "[1,", "[{}{}]"] {
        assert!(!tapped(Payload::Json, Dialect::Gemini, [bad.as_bytes()]).terminal, "{bad}");
    }
    let failed = r#"[{"candidates":[]},{"error":{"code":503,"status":"UNAVAILABLE"}}]"#;
    assert!(tapped(Payload::Json, Dialect::Gemini, [failed.as_bytes()]).error_event);
    // Of another dialect an array is no reply.
    assert_eq!(tapped(Payload::Json, Dialect::OpenaiChat, [bytes]), Outcome::default());
}

#[test]
fn a_document_beyond_the_cap_leaves_its_end_to_the_framing() {
    let head = format!("{{\"data\":\"{}\"", "x".repeat(JSON_BYTES_MAX));
    let tail = ",\"usage\":{\"prompt_tokens\":1}}";
    let outcome = tapped(Payload::Json, Dialect::OpenaiEmbeddings, [head.as_bytes(), tail.as_bytes()]);
    assert_eq!((outcome.usage, outcome.terminal), (None, true));
    let whole = [head, tail.to_owned()].concat();
    let outcome = tapped(Payload::Json, Dialect::OpenaiEmbeddings, [whole.as_bytes()]);
    assert_eq!(outcome.usage, Some(usage(1, 0, 0, 0, 0)), "in one piece nothing is kept and no cap applies");
}

#[test]
fn an_opaque_reply_is_ended_by_its_framing() {
    let mut tap = Tap::none();
    tap.push(b"data: [DONE]\n\n");
    assert_eq!(tap.finish(), Outcome { terminal: true, ..Outcome::default() });
}

#[test]
fn a_used_tap_is_as_good_as_new_after_a_reset() {
    let mut tap = Tap::none();
    for _ in 0..2 {
        for (dialect, stream, usage, _) in streams() {
            tap.reset(Payload::Sse, dialect);
            tap.push(stream.as_bytes());
            tap.push(b"data: {\"half");
            assert_eq!(tap.finish().usage, Some(usage));
        }
        for (dialect, document, usage) in documents() {
            tap.reset(Payload::Json, dialect);
            tap.push(&document.as_bytes()[..9]);
            tap.push(&document.as_bytes()[9..]);
            assert_eq!(tap.finish().usage, Some(usage));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn the_outcome_does_not_depend_on_the_cuts(
        which in 0..5_usize, cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let (dialect, stream, ..) = streams()[which];
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        at.extend([0, stream.len()]);
        at.sort_unstable();
        let pieces = at.windows(2).map(|pair| &stream.as_bytes()[pair[0]..pair[1]]);
        prop_assert_eq!(tapped(Payload::Sse, dialect, pieces), streamed(dialect, stream));
    }

    #[test]
    fn bytes_of_any_kind_are_no_trouble(
        bytes in proptest::collection::vec(any::<u8>(), 0..200), sse in any::<bool>(), dialect in 0..6_usize,
    ) {
        let payload = if sse { Payload::Sse } else { Payload::Json };
        let whole = tapped(payload, Dialect::ALL[dialect], [&bytes[..]]);
        prop_assert_eq!(tapped(payload, Dialect::ALL[dialect], bytes.chunks(3)), whole);
    }
}
