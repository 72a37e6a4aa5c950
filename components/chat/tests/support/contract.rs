//! Holds answers to the description of the API: every route that is described answers as it says.

use http::Method;
use serde_json::{Value, json};

use super::Reply;

thread_local! {
    static DESCRIPTION: Value = serde_json::from_str(include_str!("../../openapi.json")).unwrap();
}

/// Checks an answer's status, type and body. Answers of tools and of accounts are theirs, and what is not described must be 404 or 405.
pub fn check(method: &Method, path: &str, reply: &Reply) {
    DESCRIPTION.with(|description| {
        let Some((template, item)) = find(description, path) else {
            return;
        };
        let mut operations = item.as_object().unwrap().values();
        if operations.any(|operation| operation["tags"][0] == "Tools" || operation["tags"][0] == "Accounts") {
            return;
        }
        let name = if method == Method::HEAD {
            "get".to_owned()
        } else {
            method.as_str().to_ascii_lowercase()
        };
        let Some(operation) = item.get(&name) else {
            assert!(
                matches!(reply.status.as_u16(), 403 | 405 | 204),
                "{method} {path} is not described: {reply:?}"
            );
            return;
        };
        let status = reply.status.as_u16().to_string();
        // What a proxy or a browser's rules can do to any request is not described for each.
        if matches!(status.as_str(), "304" | "403") && operation["responses"].get(&status).is_none() {
            return;
        }
        let answer = operation["responses"]
            .get(&status)
            .unwrap_or_else(|| panic!("{method} {template} does not describe {status}: {}", reply.body));
        let answer = answer["$ref"].as_str().map_or(answer, |reference| {
            description.pointer(reference.trim_start_matches('#')).unwrap()
        });
        let given = reply.header("content-type");
        let essence = given.split(';').next().unwrap_or_default();
        let Some(content) = answer.get("content") else {
            assert_eq!(
                (given, reply.body.as_str()),
                ("", ""),
                "{method} {template} {status}"
            );
            return;
        };
        let schema = &content
            .get(essence)
            .unwrap_or_else(|| panic!("{method} {template} {status} does not describe {essence}"))["schema"];
        match essence {
            "text/event-stream" if !template.starts_with("/v1/chat/") => {
                for (name, data) in reply.events() {
                    let data: Value = serde_json::from_str(&data).unwrap();
                    let schema = &schema["contentSchema"]["properties"][&name];
                    assert!(schema.is_object(), "the event {name} is not described");
                    validate(description, schema, &data);
                }
            }
            "text/event-stream" => {
                for data in reply
                    .body
                    .split("\n\n")
                    .filter_map(|event| event.strip_prefix("data: {"))
                {
                    let data: Value = serde_json::from_str(&format!("{{{data}")).unwrap();
                    if data.get("error").is_none() {
                        validate(description, &schema["contentSchema"], &data);
                    }
                }
            }
            _ if essence.ends_with("json") => validate(description, schema, &reply.json()),
            _ => {}
        }
    });
}

fn validate(description: &Value, schema: &Value, value: &Value) {
    let whole = json!({"allOf": [schema], "components": description["components"]});
    let validator = jsonschema::draft202012::new(&whole).unwrap_or_else(|error| panic!("{error}"));
    let errors: Vec<_> = validator
        .iter_errors(value)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(
        errors.is_empty(),
        "{value}\nis not as described:\n{}",
        errors.join("\n")
    );
}

/// The described path that a path belongs to; one without parameters goes first.
fn find<'a>(description: &'a Value, path: &str) -> Option<(&'a str, &'a Value)> {
    let paths = description["paths"].as_object()?;
    let fits = |template: &str| {
        let (given, wanted) = (path.split('/'), template.split('/'));
        given.clone().count() == wanted.clone().count()
            && given
                .zip(wanted)
                .all(|(given, wanted)| wanted.starts_with('{') || given == wanted)
    };
    let mut found: Vec<_> = paths.iter().filter(|(template, _)| fits(template)).collect();
    found.sort_by_key(|(template, _)| template.matches('{').count());
    found.first().map(|(template, item)| (template.as_str(), *item))
}
