//! Answers of a model as Ollama tells them, whole and as lines.

use serde_json::{Value, json};

use crate::answers::Answer;
use crate::answers::Said::{Call, Redacted, Text, Thinking};

/// Whether it can be told at all: one reasoning, one text, then calls.
pub(crate) fn is_ollamas(answer: &Answer) -> bool {
    !["refusal", "redacted", "thinking twice"].contains(&answer.name)
}

impl Answer {
    fn ollama_message(&self) -> Value {
        let mut message = json!({"role": "assistant", "content": ""});
        let mut calls = Vec::new();
        for said in &self.said {
            match said {
                Text(text) => message["content"] = (*text).into(),
                Thinking(text, _) => message["thinking"] = (*text).into(),
                Redacted(_) => {}
                Call(id, name, input) => {
                    let input: Value = serde_json::from_str(input).unwrap();
                    calls.push(json!({"id": id, "function": {"index": calls.len(), "name": name, "arguments": input}}));
                }
            }
        }
        if !calls.is_empty() {
            message["tool_calls"] = calls.into();
        }
        message
    }

    fn ollama_line(message: &Value) -> Value {
        json!({"model": "m", "created_at": "2025-05-27T22:54:57.641643Z", "message": message, "done": false})
    }

    fn ollama_last(&self, message: &Value) -> Value {
        let mut last = Self::ollama_line(message);
        last["done"] = true.into();
        last["done_reason"] = if self.stop.1 == "length" { "length" } else { "stop" }.into();
        for (name, count) in
            [("prompt_eval_count", 100), ("eval_count", 20), ("total_duration", 5), ("load_duration", 1)]
        {
            last[name] = count.into();
        }
        last
    }

    pub(crate) fn ollama(&self) -> Value {
        self.ollama_last(&self.ollama_message())
    }

    pub(crate) fn ollama_stream(&self, size: usize) -> String {
        let whole = self.ollama_message();
        let mut lines = Vec::new();
        for member in ["thinking", "content"] {
            let text: Vec<char> = whole[member].as_str().unwrap_or_default().chars().collect();
            for piece in text.chunks(size) {
                let mut message = json!({"role": "assistant", "content": ""});
                message[member] = piece.iter().collect::<String>().into();
                lines.push(Self::ollama_line(&message));
            }
        }
        for call in whole["tool_calls"].as_array().into_iter().flatten() {
            lines.push(Self::ollama_line(&json!({"role": "assistant", "content": "", "tool_calls": [call]})));
        }
        lines.push(self.ollama_last(&json!({"role": "assistant", "content": ""})));
        let lines: Vec<String> = lines.iter().map(Value::to_string).collect();
        lines.join("\n") + "\n"
    }
}
