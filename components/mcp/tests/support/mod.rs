//! A server with one tool that says what it was told.

use std::borrow::Cow;
use std::cell::RefCell;

use anyturn_mcp::server::{Call, Server};
use anyturn_mcp::{CallResult, Checked, Implementation, Inverse, ResultMeta, RpcError};
use serde_json::json;
use serde_json::value::to_raw_value;

pub const IDENTITY: Implementation = Implementation {
    name: "echo",
    title: Some("Echo"),
    version: "1.2.3",
};

#[derive(Default)]
pub struct Echo {
    pub keys: RefCell<Vec<Option<String>>>,
    /// The keys that were asked about.
    pub checked: RefCell<Vec<Option<String>>>,
}

impl Server for Echo {
    fn identity(&self) -> Implementation {
        IDENTITY
    }

    fn instructions(&self) -> Option<&str> {
        Some("Say something.")
    }

    fn tools(&self) -> Cow<'_, str> {
        Cow::Borrowed(
            r#"[{"name":"echo","description":"Repeats.","inputSchema":{"type":"object"},"annotations":{"readOnlyHint":true},"_meta":{"anyturn.dev/examples":[{"utterance":"say hi","arguments":{"text":"hi"}}]}}]"#,
        )
    }

    async fn call(&self, call: Call<'_>) -> Result<CallResult, RpcError> {
        self.keys
            .borrow_mut()
            .push(call.idempotency_key.map(str::to_owned));
        match call.name {
            "echo" => Ok(CallResult {
                structured: Some(to_raw_value(&json!({ "said": call.arguments })).unwrap()),
                meta: ResultMeta {
                    inverse: Some(Inverse {
                        tool: "unsay".into(),
                        arguments: json!({"all": true}),
                        title: "Take it back".into(),
                        destructive: Some(false),
                    }),
                    ..ResultMeta::default()
                },
                ..CallResult::from_text(call.arguments.map_or("nothing", |arguments| arguments.get()))
            }),
            "list" => Ok(CallResult {
                structured: Some(to_raw_value(&json!([1])).unwrap()),
                ..CallResult::from_text("a list")
            }),
            "late" => Err(RpcError::new(
                RpcError::TOO_LATE,
                format!("later than {:?}", call.not_after),
            )),
            "broken" => Err(RpcError::internal("the store is down")),
            other => Err(RpcError::invalid_params(format!("Unknown tool: {other}"))),
        }
    }

    async fn check(&self, call: Call<'_>) -> Result<CallResult, RpcError> {
        self.checked
            .borrow_mut()
            .push(call.idempotency_key.map(str::to_owned));
        let mut result = CallResult::from_text("asked");
        result.meta.check = Some(match call.idempotency_key {
            Some("k1") => Checked::Recorded,
            _ => Checked::NotFound,
        });
        Ok(result)
    }
}
