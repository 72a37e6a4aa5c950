//! The tools: one of every effect class, with the same arguments.

use std::borrow::Cow;
use std::time::Duration;

use anyturn_mcp::server::{Call, Server};
use anyturn_mcp::{CallResult, Checked, Implementation, RpcError};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Class, Effect, Moment, Shared, now};

pub(super) struct Tools<'a>(pub &'a Shared);

/// What a call is about.
#[derive(Deserialize)]
struct Arguments {
    label: String,
    /// Milliseconds between the call's arrival and its effect.
    #[serde(default)]
    before: u64,
    /// Milliseconds between the effect and the answer.
    #[serde(default)]
    after: u64,
}

impl Server for Tools<'_> {
    fn identity(&self) -> Implementation {
        Implementation {
            name: "effects",
            title: None,
            version: "1",
        }
    }

    fn tools(&self) -> Cow<'_, str> {
        Cow::Owned(Value::from(Class::ALL.map(description).to_vec()).to_string())
    }

    async fn call(&self, call: Call<'_>) -> Result<CallResult, RpcError> {
        let (class, arguments) = read(&call)?;
        let label = &arguments.label;
        pause(arguments.before).await;
        self.0.pass(label, Moment::BeforeEffect).await;
        let outcome = self.take_effect(class, &call, label)?;
        self.0.pass(label, Moment::AfterEffect).await;
        pause(arguments.after).await;
        Ok(CallResult::from_text(outcome))
    }

    async fn check(&self, call: Call<'_>) -> Result<CallResult, RpcError> {
        let (class, _) = read(&call)?;
        let recorded = call
            .idempotency_key
            .and_then(|key| self.0.lock().outcomes.get(&(class, key.to_owned())).cloned());
        let found = match recorded {
            Some(_) => Checked::Recorded,
            None => Checked::NotFound,
        };
        let mut result = CallResult::from_text(recorded.unwrap_or_default());
        result.meta.check = Some(found);
        Ok(result)
    }
}

impl Tools<'_> {
    /// The effect itself: atomic, as it would be in a database of the tool's own.
    fn take_effect(&self, class: Class, call: &Call<'_>, label: &str) -> Result<String, RpcError> {
        let mut state = self.0.lock();
        let at = now();
        let key = call.idempotency_key.map(str::to_owned);
        if let (Class::Idempotent, Some(key)) = (class, &key)
            && let Some(outcome) = state.outcomes.get(&(class, key.clone()))
        {
            return Ok(outcome.clone());
        }
        // Whoever is to be asked later whether a call took effect must know that it will not any more.
        if class == Class::Verifiable && call.not_after.is_some_and(|last| last < at) {
            return Err(RpcError::new(RpcError::TOO_LATE, "Too late"));
        }
        let outcome = format!("done: {label}");
        if let (Class::Idempotent | Class::Verifiable, Some(key)) = (class, &key) {
            state.outcomes.insert((class, key.clone()), outcome.clone());
        }
        *state.counts.entry(label.to_owned()).or_default() += 1;
        state.effects.push(Effect {
            class,
            label: label.to_owned(),
            key,
            arguments: call
                .arguments
                .map(|arguments| arguments.get().to_owned())
                .unwrap_or_default(),
            at,
        });
        Ok(outcome)
    }
}

/// Waits. Even no time at all would last until the timer's next tick, up to a millisecond later.
async fn pause(milliseconds: u64) {
    if milliseconds > 0 {
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    }
}

fn read(call: &Call<'_>) -> Result<(Class, Arguments), RpcError> {
    let class = Class::ALL
        .into_iter()
        .find(|class| class.tool() == call.name)
        .ok_or_else(|| RpcError::invalid_params(format!("Unknown tool: {}", call.name)))?;
    let arguments = call.arguments.map_or("{}", |arguments| arguments.get());
    let arguments = serde_json::from_str(arguments)
        .map_err(|error| RpcError::invalid_params(format!("Wrong arguments: {error}")))?;
    Ok((class, arguments))
}

fn description(class: Class) -> Value {
    json!({
        "name": class.tool(),
        "description": "Does what the label says.",
        "inputSchema": {
            "type": "object",
            "properties": {
                "label": { "type": "string" },
                "before": { "type": "integer" },
                "after": { "type": "integer" },
            },
            "required": ["label"],
            "additionalProperties": false,
        },
        // Said in full, because what is missing means the worst case, and that would want a confirmation.
        "annotations": {
            "readOnlyHint": class == Class::Read,
            "destructiveHint": false,
            "idempotentHint": class == Class::Idempotent,
            "openWorldHint": false,
        },
        "_meta": { "anyturn.dev/verifiable": class == Class::Verifiable },
    })
}
