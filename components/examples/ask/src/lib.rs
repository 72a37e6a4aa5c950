//! An HTTP service that asks `anyturn:model` one question: `POST /` with the question, the answer comes as text.
//!
//! Composed with the model component it runs on any host of WASI 0.3 HTTP services, without anything of anyturn's
//! besides: see docs/hosts.md.

// Natively there is nobody to import the model from.
#![cfg(target_family = "wasm")]

use http_body_util::BodyExt as _;
use spin_sdk::http::{Request, StatusCode};
use spin_sdk::http_service;

#[allow(
    missing_docs,
    unsafe_code,
    unused_qualifications,
    clippy::all,
    clippy::restriction
)]
mod bindings {
    spin_sdk::wit_bindgen::generate!({
        path: "../../../wit/model",
        world: "imports",
        runtime_path: "::spin_sdk::wit_bindgen::rt",
        generate_all,
    });
}

use bindings::anyturn::model::chat::{self, Event, Message, Options, Part, Role, ToolChoice};

/// How many events are taken at once.
const BATCH: usize = 32;

#[http_service]
async fn handle(request: Request) -> (StatusCode, String) {
    let Ok(body) = request.into_body().collect().await else {
        return (
            StatusCode::BAD_REQUEST,
            "The question did not arrive whole.\n".to_owned(),
        );
    };
    let question = String::from_utf8_lossy(&body.to_bytes()).into_owned();
    match ask(question).await {
        Ok(answer) => (StatusCode::OK, answer),
        Err(error) => (StatusCode::BAD_GATEWAY, format!("{}\n", error.message)),
    }
}

/// What the model says.
async fn ask(question: String) -> Result<String, chat::Error> {
    let request = chat::Request {
        purpose: "answer".to_owned(),
        messages: vec![Message {
            role: Role::User,
            parts: vec![Part::Text(question)],
        }],
        tools: Vec::new(),
        tool_choice: ToolChoice::None,
        options: Options {
            model: None,
            temperature: None,
            top_p: None,
            max_output_tokens: None,
            stop: Vec::new(),
            response_schema: None,
            seed: None,
        },
        local_time: None,
        user: None,
    };
    let mut events = chat::complete(request).await?;
    let mut answer = String::new();
    loop {
        let (_, batch) = events.read(Vec::with_capacity(BATCH)).await;
        if batch.is_empty() {
            return Ok(answer);
        }
        for event in batch {
            match event {
                Event::Text(text) => answer.push_str(&text),
                Event::Failed(error) => return Err(error),
                Event::ToolCallStarted(_) | Event::ToolCallArguments(_) | Event::Finished(_) => {}
            }
        }
    }
}
