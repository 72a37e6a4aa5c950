//! The description of the API. That answers are as it says is checked with every request of every promise.

use std::collections::BTreeSet;

use http::StatusCode;
use serde_json::{Value, json};

use crate::Verdict;
use crate::visit::{Visit, text};

pub(crate) async fn the_description_is_valid_openapi(visit: &Visit) -> Verdict {
    let description = &visit.site.description;
    let document = description.document();
    assert!(
        text(&document["openapi"]).starts_with("3.1."),
        "{}",
        document["openapi"]
    );
    for member in ["title", "version"] {
        assert!(!text(&document["info"][member]).is_empty(), "info.{member}");
    }
    let schemas = document["components"]["schemas"]
        .as_object()
        .cloned()
        .unwrap_or_default();
    assert!(!schemas.is_empty());
    for (name, schema) in &schemas {
        assert!(
            jsonschema::meta::is_valid(schema),
            "components.schemas.{name} is a JSON schema"
        );
    }
    let mut names = BTreeSet::new();
    for operation in description.operations() {
        let what = format!("{} {}", operation.method, operation.path);
        assert!(
            names.insert(text(&operation.object["operationId"])),
            "{what} has a name of its own"
        );
        let responses = operation.object["responses"].as_object();
        assert!(
            responses.is_some_and(|responses| !responses.is_empty()),
            "{what} has answers"
        );
        let parameters = operation.object["parameters"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let declared: BTreeSet<String> = parameters
            .iter()
            .filter(|parameter| parameter["in"] == "path")
            .map(|parameter| text(&parameter["name"]))
            .collect();
        let used: BTreeSet<String> = operation
            .path
            .split('/')
            .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}').map(str::to_owned))
            .collect();
        assert_eq!(declared, used, "the parameters in the path of {what}");
    }
    Ok(())
}

pub(crate) async fn every_documented_operation_answers_as_documented(visit: &Visit) -> Verdict {
    let (session, turn) = visit
        .begin("tasks", &format!("add {}", visit.own("buy milk")))
        .await;
    let task = text(&turn["tool_calls"][0]["result"]["task"]["id"]);
    let turn = text(&turn["turn"]);
    // What deletes comes last, so that there is something to ask for until then.
    let mut operations: Vec<_> = visit.site.description.operations().collect();
    operations.sort_by_key(|operation| operation.method == "DELETE");
    for operation in operations {
        let mut path = operation.path.to_owned();
        for (parameter, value) in [
            ("{session}", session.as_str()),
            ("{turn}", &turn),
            ("{id}", &task),
            ("{assistant}", "chat"),
            ("{model}", "chat"),
            ("{gate}", "gate_00000000000000000000000000"),
            ("{approval}", "nothing"),
        ] {
            path = path.replace(parameter, value);
        }
        assert!(!path.contains('{'), "what is the parameter of {path}?");
        let mut request = visit.request(operation.method, &path);
        if operation.object.get("requestBody").is_some() {
            request = request.json(&json!({}));
        }
        // That the answer is documented is checked on the way.
        let answer = request.send().await;
        let what = format!(
            "{} {path} answered {}: {}",
            operation.method, answer.status, answer.text
        );
        // What the operator has not set up is told with the name of what is missing.
        let unset = answer.status == StatusCode::NOT_IMPLEMENTED && answer.text.contains("variable");
        assert!(unset || !answer.status.is_server_error(), "{what}");
        if operation.method == "GET" {
            // Where there is nothing to hear, that is the answer.
            let silent = path.ends_with("/events") && answer.status == StatusCode::NO_CONTENT;
            // Google has sent nobody back.
            let unasked = path.ends_with("/callback") && answer.status == StatusCode::BAD_REQUEST;
            assert!(
                silent || unset || unasked || answer.status == StatusCode::OK,
                "{what}"
            );
        }
        let problem = serde_json::from_str::<Value>(&answer.text).unwrap_or_default();
        let nowhere = problem["type"] == "https://anyturn.dev/problems/not-found";
        // The tick is there only where the deployment has a secret for it.
        assert!(!nowhere || path == "/internal/tick", "{what}");
    }
    Ok(())
}
