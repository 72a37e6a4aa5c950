//! Answers in the published shapes: `chat.completion`, and `chat.completion.chunk` as server-sent events.

use serde_json::{Value, json};

use super::validate::Completion;

/// What the model says.
#[derive(Clone, Debug)]
pub struct Content {
    /// Text; none where only tools are called.
    pub text: Option<String>,
    /// Names and arguments.
    pub tool_calls: Vec<(String, String)>,
    /// `stop`, `length`, …
    pub finish_reason: String,
    /// Tokens of the prompt (counted if none are given), of these cached, and of the answer.
    pub usage: Option<(u64, u64, u64)>,
}

impl Content {
    fn usage(&self, request: &Completion) -> Value {
        let written = self.text.as_deref().unwrap_or("").len()
            + self.tool_calls.iter().map(|(_, a)| a.len()).sum::<usize>();
        let (prompt, cached, completion) =
            self.usage
                .unwrap_or((request.prompt_tokens(), 0, (written / 4 + 1) as u64));
        json!({
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
            "prompt_tokens_details": {"cached_tokens": cached, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0,
                "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0},
        })
    }

    fn call(at: usize, name: &str, arguments: &str) -> Value {
        json!({"id": format!("call_fake{at}"), "type": "function",
            "function": {"name": name, "arguments": arguments}})
    }

    /// The whole answer.
    pub fn whole(&self, request: &Completion) -> Value {
        let mut message =
            json!({"role": "assistant", "content": self.text, "refusal": null, "annotations": []});
        if !self.tool_calls.is_empty() {
            let calls = self.tool_calls.iter().enumerate();
            message["tool_calls"] = calls
                .map(|(at, (name, arguments))| Self::call(at, name, arguments))
                .collect();
        }
        json!({
            "id": "chatcmpl-fake", "object": "chat.completion", "created": 1_795_150_000, "model": request.model(),
            "choices": [{"index": 0, "message": message, "logprobs": null, "finish_reason": self.finish_reason}],
            "usage": self.usage(request), "service_tier": "default", "system_fingerprint": "fp_fake",
        })
    }

    /// The events of the streamed answer.
    pub fn events(&self, request: &Completion) -> Vec<String> {
        let mut events = Vec::new();
        let mut push = |choices: Value, usage: Value| {
            let mut chunk = json!({
                "id": "chatcmpl-fake", "object": "chat.completion.chunk", "created": 1_795_150_000,
                "model": request.model(), "service_tier": "default", "system_fingerprint": "fp_fake",
                "choices": choices,
            });
            if request.wants_usage() {
                chunk["usage"] = usage;
            }
            events.push(format!("data: {chunk}\n\n"));
        };
        let delta = |delta: Value, reason: Value| json!([{"index": 0, "delta": delta, "logprobs": null, "finish_reason": reason}]);
        let first = match &self.text {
            Some(_) => json!({"role": "assistant", "content": "", "refusal": null}),
            None => json!({"role": "assistant", "content": null}),
        };
        push(delta(first, Value::Null), Value::Null);
        for word in self.text.as_deref().unwrap_or("").split_inclusive(' ') {
            push(delta(json!({"content": word}), Value::Null), Value::Null);
        }
        for (at, (name, arguments)) in self.tool_calls.iter().enumerate() {
            let mut start = Self::call(at, name, "");
            start["index"] = at.into();
            push(delta(json!({"tool_calls": [start]}), Value::Null), Value::Null);
            let characters: Vec<char> = arguments.chars().collect();
            for piece in characters.chunks(8) {
                let piece: String = piece.iter().collect();
                let more = json!({"tool_calls": [{"index": at, "function": {"arguments": piece}}]});
                push(delta(more, Value::Null), Value::Null);
            }
        }
        push(delta(json!({}), json!(self.finish_reason)), Value::Null);
        if request.wants_usage() {
            push(json!([]), self.usage(request));
        }
        events.push("data: [DONE]\n\n".into());
        events
    }
}
