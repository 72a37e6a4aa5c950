//! Holds every answer to the component's own description, `openapi.json`.

use serde_json::Value;

use super::Answer;

/// Where an answer is described: its operation and status must be, and its body must fit.
pub fn check(method: &str, target: &str, answer: &Answer) {
    let description: Value = serde_json::from_str(include_str!("../../openapi.json")).unwrap();
    let path = target.split('?').next().unwrap();
    let Some(item) = description["paths"].get(path) else {
        // `/token` is for components, and described in docs/accounts.md.
        assert!(
            path == "/token" || answer.status == 404,
            "{path} is not described"
        );
        return;
    };
    let Some(operation) = item.get(method.to_ascii_lowercase()) else {
        assert_eq!(answer.status, 405, "{method} {path} is not described");
        return;
    };
    let response = operation["responses"]
        .get(answer.status.to_string())
        .unwrap_or_else(|| {
            panic!(
                "{method} {path} does not answer {}: {}",
                answer.status, answer.text
            )
        });
    let Some(mut schema) = response.pointer("/content/application~1json/schema").cloned() else {
        return;
    };
    if answer.header("content-type") == "application/json" {
        schema["components"] = description["components"].clone();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let body = answer.json();
        let errors: Vec<_> = validator
            .iter_errors(&body)
            .map(|error| error.to_string())
            .collect();
        assert!(errors.is_empty(), "{method} {path}: {errors:?}: {body}");
    }
}
