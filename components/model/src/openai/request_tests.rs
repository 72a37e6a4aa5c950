use serde_json::{Value, json};

use super::*;
use crate::{
    api::{Options, ToolChoice},
    openai::adjust::{Adjustments, Dialect},
    presets::find,
};

fn request() -> api::Request {
    api::Request {
        purpose: "turn".into(),
        messages: vec![api::Message {
            role: Role::User,
            parts: vec![Part::Text("Hi".into())],
        }],
        tools: Vec::new(),
        tool_choice: ToolChoice::Auto,
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
    }
}

fn dialect(preset: &str, model: &'static str) -> Dialect<'static> {
    Dialect {
        preset: find(preset).unwrap(),
        model,
        reasoning_effort: None,
        adjustments: Adjustments::default(),
    }
}

fn written(request: &api::Request, preset: &str) -> Value {
    serde_json::from_slice(&body(request, &dialect(preset, "m")).unwrap()).unwrap()
}

#[test]
fn what_is_not_asked_for_is_not_sent() {
    let expected = json!({"model": "m", "messages": [{"role": "user", "content": "Hi"}], "stream": true,
        "stream_options": {"include_usage": true}});
    assert_eq!(written(&request(), "openai"), expected);
}

#[test]
fn each_provider_gets_the_fields_that_it_knows() {
    let mut request = request();
    request.options.max_output_tokens = Some(9);
    request.options.seed = Some(3);
    request.user = Some("u".into());
    let openai = written(&request, "openai");
    assert_eq!(
        (&openai["max_completion_tokens"], &openai["seed"], &openai["user"]),
        (&json!(9), &json!(3), &json!("u"))
    );
    let gemini = written(&request, "gemini");
    assert_eq!(gemini["max_tokens"], 9);
    for absent in ["max_completion_tokens", "seed", "user"] {
        assert_eq!(gemini.get(absent), None, "{absent}");
    }
}

#[test]
fn a_decimal_is_sent_as_it_was_meant() {
    let mut request = request();
    request.options.temperature = Some(0.7);
    let body = body(&request, &dialect("openai", "m")).unwrap();
    let text = String::from_utf8(body).unwrap();
    assert!(
        text.contains("\"temperature\":0.7,") || text.contains("\"temperature\":0.7}"),
        "{text}"
    );
}

#[test]
fn a_schema_is_strict_only_where_strict_mode_takes_it() {
    let strict = |schema: &str| {
        let mut request = request();
        request.options.response_schema = Some(schema.into());
        written(&request, "openai")["response_format"]["json_schema"]["strict"].clone()
    };
    assert_eq!(
        strict(
            r#"{"type":"object","properties":{"a":{"type":"string"}},"required":["a"],"additionalProperties":false}"#
        ),
        true
    );
    for lax in [
        r#"{"type":"object","properties":{"a":{"type":"string"}},"additionalProperties":false}"#,
        r#"{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}"#,
        r#"{"type":"object","properties":{"a":{"type":"array","items":{"type":"object","properties":{"b":{}}}}},
            "required":["a"],"additionalProperties":false}"#,
    ] {
        assert_eq!(strict(lax), false, "{lax}");
    }
}

#[test]
fn tool_choices_are_written_as_the_dialect_has_them() {
    let mut request = request();
    request.tools.push(api::Tool {
        name: "f".into(),
        description: "F".into(),
        parameters: r#" {"type":"object","b":1,"a":2} "#.into(),
        examples: Vec::new(),
    });
    for (choice, expected) in [
        (ToolChoice::Auto, Value::Null),
        (ToolChoice::None, json!("none")),
        (ToolChoice::Required, json!("required")),
        (
            ToolChoice::Named("f".into()),
            json!({"type": "function", "function": {"name": "f"}}),
        ),
    ] {
        request.tool_choice = choice;
        assert_eq!(written(&request, "openai")["tool_choice"], expected);
    }
    // The schema's order is its author's.
    let text = String::from_utf8(body(&request, &dialect("openai", "m")).unwrap()).unwrap();
    assert!(text.contains(r#"{"type":"object","b":1,"a":2}"#), "{text}");
}

#[test]
fn every_rule_that_is_broken_is_named() {
    let mut cases: Vec<(&str, api::Request)> = Vec::new();
    let mut case = |part, change: &dyn Fn(&mut api::Request)| {
        let mut request = request();
        change(&mut request);
        cases.push((part, request));
    };
    let tool = |name: &str| api::Tool {
        name: name.into(),
        description: String::new(),
        parameters: "{}".into(),
        examples: Vec::new(),
    };
    case("at least one message", &|request| request.messages.clear());
    case("Message 0 has no parts", &|request| {
        request.messages[0].parts.clear()
    });
    case("Message 0 holds text", &|request| {
        request.messages[0].role = Role::Tool
    });
    case("Message 0 holds a picture", &|request| {
        request.messages[0].role = Role::System;
        request.messages[0].parts = vec![Part::Image(api::Image {
            media_type: "image/png".into(),
            source: api::ImageSource::Data(vec![]),
        })];
    });
    case("A picture must be one of", &|request| {
        request.messages[0].parts = vec![Part::Image(api::Image {
            media_type: "image/tiff".into(),
            source: api::ImageSource::Data(vec![]),
        })];
    });
    case("must begin with https://", &|request| {
        request.messages[0].parts = vec![Part::Image(api::Image {
            media_type: "image/png".into(),
            source: api::ImageSource::Url("http://169.254.169.254/".into()),
        })];
    });
    case("“a b” is not 1 to 64", &|request| {
        request.tools.push(tool("a b"))
    });
    case("Two tools are called “a”", &|request| {
        request.tools.extend([tool("a"), tool("a")])
    });
    case("parameters of “a” are not", &|request| {
        request.tools.push(api::Tool {
            parameters: "[]".into(),
            ..tool("a")
        });
    });
    case("there are no tools", &|request| {
        request.tool_choice = ToolChoice::Required
    });
    case("no such one", &|request| {
        request.tool_choice = ToolChoice::Named("x".into())
    });
    case("temperature", &|request| {
        request.options.temperature = Some(f32::NAN)
    });
    case("top-p", &|request| request.options.top_p = Some(1.1));
    case("4 stop texts", &|request| {
        request.options.stop = vec![String::new(); 5]
    });
    case("max-output-tokens", &|request| {
        request.options.max_output_tokens = Some(0)
    });
    case("response schema", &|request| {
        request.options.response_schema = Some("no".into())
    });
    for (part, request) in cases {
        let error = body(&request, &dialect("openai", "m")).unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidRequest);
        assert!(error.message.contains(part), "{part}: {}", error.message);
    }
}

#[test]
fn a_models_own_way_of_reasoning_is_said_to_it_alone() {
    let said = |preset, model, configured| {
        let dialect = Dialect {
            reasoning_effort: configured,
            ..dialect(preset, model)
        };
        serde_json::from_slice::<Value>(&body(&request(), &dialect).unwrap()).unwrap()["reasoning_effort"]
            .clone()
    };
    let own = find("openai").unwrap().model.unwrap();
    assert_eq!(said("openai", own, None), "none");
    assert_eq!(said("openai", own, Some("low")), "low");
    assert_eq!(said("openai", "another", None), Value::Null);
    assert_eq!(said("groq", "another", Some("high")), "high");
}

#[test]
fn gemini_is_told_of_calls_with_the_word_that_stands_for_a_signature() {
    let mut request = request();
    request.messages.push(api::Message {
        role: Role::Assistant,
        parts: vec![Part::ToolCall(api::ToolCall {
            id: "a".into(),
            name: "f".into(),
            arguments: "{}".into(),
        })],
    });
    let call = |preset| written(&request, preset)["messages"][1]["tool_calls"][0].clone();
    assert_eq!(
        call("gemini")["extra_content"],
        json!({"google": {"thought_signature": "skip_thought_signature_validator"}})
    );
    assert_eq!(call("openai").get("extra_content"), None);
}

#[test]
fn a_note_on_a_result_comes_before_it_and_none_comes_alone() {
    let mut request = request();
    let result = |id: &str, is_error| {
        Part::ToolResult(api::ToolResult {
            call_id: id.into(),
            content: "Done.".into(),
            is_error,
        })
    };
    let note = || Part::Text("(Somebody changed it.)".into());
    request.messages.push(api::Message {
        role: Role::Tool,
        parts: vec![
            result("a", false),
            note(),
            result("b", true),
            note(),
            result("c", false),
        ],
    });
    let messages = written(&request, "openai")["messages"].clone();
    assert_eq!(messages[1]["content"], "(Somebody changed it.)\nDone.");
    assert_eq!(messages[2]["content"], "(Somebody changed it.)\nError: Done.");
    assert_eq!(messages[3]["content"], "Done.");
    request.messages[1].parts = vec![note(), result("a", false)];
    assert!(body(&request, &dialect("openai", "m")).is_err());
}
