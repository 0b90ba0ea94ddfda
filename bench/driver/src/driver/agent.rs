//! What an agent asks in the middle of its work: 64 KiB, of which the offer of 40 tools is half and the calls and
//! results of the turns so far are most of the rest.
//!
//! What its translation costs is held against a plain fact: [`parse`], the same body into a tree of `serde_json`.

use std::fmt::Write as _;
use std::mem::ManuallyDrop;

use llm_edge_bench::Failure;
use serde_json::Value;

/// Names the run of [`parse`], which is no scenario: nothing is asked of the engine.
pub(crate) const PARSED: &str = "agent_64k_parsed";

const BODY_BYTES: usize = 64 * 1024;
const TOOLS: usize = 40;
const TURNS: usize = 15;
const SYSTEM: &str = "You are an agent that works on the repository of the user. Read before you write, say \\\"why\\\", and test — always.\\n";
const DESCRIBED: &str = "Looks through the files below `path` for lines that match, newest first; use it before anything that would read a whole file. Results are \\\"path:line: text\\\", at most `limit` of them.";
const PROPERTIES: &str = r#""path":{"type":"string","description":"Folder to look in, relative to the root of the repository"},"pattern":{"type":"string","description":"A regular expression","minLength":1},"limit":{"type":"integer","minimum":1,"maximum":1000,"description":"Most results"},"kinds":{"type":"array","items":{"type":"string","enum":["file","folder","link"]}},"hidden":{"type":["boolean","null"]}"#;
const RESULT_LINE: &str = "src/stations/send.rs:42:     let reply = \\\"first byte\\\";\\n";

/// The body, as `OpenAI`'s SDK writes one.
pub(crate) fn body(model: &str) -> String {
    let before = format!(r#"{{"messages":[{{"role":"system","content":"{}"}}"#, SYSTEM.repeat(20));
    let mut said = String::new();
    for turn in 0..TURNS {
        // Writing to a String cannot fail.
        let _ = write!(
            said,
            r#",{{"role":"user","content":"What came of the last one? Go on with step {turn}."}},{{"role":"assistant","content":"I look for it.","tool_calls":[{}]}},{},{}"#,
            [call(turn, 'a'), call(turn, 'b')].join(","),
            result(turn, 'a', 20),
            result(turn, 'b', 5),
        );
    }
    let mut tools: Vec<String> = Vec::with_capacity(TOOLS);
    tools.extend((0..TOOLS).map(tool));
    let after = format!(
        r#""}}],"model":"{model}","max_completion_tokens":4096,"parallel_tool_calls":true,"stream":false,"temperature":0.2,"tool_choice":"auto","tools":[{}]}}"#,
        tools.join(",")
    );
    let last = r#",{"role":"user","content":""#;
    let room = BODY_BYTES.saturating_sub(before.len() + said.len() + last.len() + after.len());
    [&before, &said, last, &"x".repeat(room), &after].concat()
}

fn call(turn: usize, which: char) -> String {
    format!(
        r#"{{"id":"call_{which}{turn:022}","type":"function","function":{{"name":"search_{turn:02}","arguments":"{{\"path\":\"src/stations\",\"pattern\":\"reply = \\\"\",\"limit\":20}}"}}}}"#
    )
}

fn result(turn: usize, which: char, lines: usize) -> String {
    format!(
        r#"{{"role":"tool","tool_call_id":"call_{which}{turn:022}","content":"{}"}}"#,
        RESULT_LINE.repeat(lines)
    )
}

fn tool(index: usize) -> String {
    format!(
        r#"{{"type":"function","function":{{"name":"search_{index:02}","description":"{DESCRIBED}","parameters":{{"type":"object","properties":{{{PROPERTIES}}},"required":["path","pattern"],"additionalProperties":false}}}}}}"#
    )
}

/// Reads the body into a tree so many times. To give the trees back is no part of it.
#[inline(never)]
pub(crate) fn parse(times: u32) -> Result<(), Failure> {
    let body = body("claude/message-1024");
    for _ in 0..times {
        let tree: Value = serde_json::from_slice(body.as_bytes())?;
        std::hint::black_box(ManuallyDrop::new(tree));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_has_its_size_and_its_tools() {
        let body = body("claude/message-1024");
        assert_eq!(body.len(), BODY_BYTES);
        let tree: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(tree["tools"].as_array().unwrap().len(), TOOLS);
        let last = tree["messages"].as_array().unwrap().last().unwrap();
        // Padding is there to make the size exact, not to be the request.
        assert!(last["content"].as_str().unwrap().len() < BODY_BYTES / 16);
        let call = &tree["messages"][2]["tool_calls"][0]["function"];
        assert!(serde_json::from_str::<Value>(call["arguments"].as_str().unwrap()).is_ok());
    }
}
