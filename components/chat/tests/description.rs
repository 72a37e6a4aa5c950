//! The embedded description is the one that the types generate.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, its helpers included"
)]

use std::path::Path;

use serde_json::Value;

#[test]
fn the_embedded_description_is_the_generated_one() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let own = [("accounts", "../accounts"), ("tasks", "../tools/tasks")].map(|(name, folder)| {
        let text = std::fs::read_to_string(here.join(folder).join("openapi.json")).unwrap();
        (name, serde_json::from_str::<Value>(&text).unwrap())
    });
    let generated = anyturn_chat::openapi::write(&anyturn_chat::openapi::generate(&own));
    let file = here.join("openapi.json");
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        std::fs::write(&file, &generated).unwrap();
    }
    let embedded = std::fs::read_to_string(&file).unwrap();
    assert!(
        embedded == generated,
        "openapi.json is not what the types say: UPDATE_OPENAPI=1 cargo test -p anyturn-chat --test description"
    );
}

#[test]
fn every_reference_leads_somewhere_and_every_operation_has_a_name() {
    let description: Value = serde_json::from_str(include_str!("../openapi.json")).unwrap();
    let mut references = Vec::new();
    collect(&description, &mut references);
    assert!(references.len() > 40, "{}", references.len());
    for reference in references {
        let pointer = reference
            .strip_prefix('#')
            .unwrap_or_else(|| panic!("{reference} leads elsewhere"));
        assert!(
            description.pointer(pointer).is_some(),
            "{reference} leads nowhere"
        );
    }
    let mut names = std::collections::BTreeSet::new();
    for (path, operations) in description["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            if method != "parameters" {
                let name = operation["operationId"]
                    .as_str()
                    .unwrap_or_else(|| panic!("{method} {path}"));
                assert!(names.insert(name), "two operations are named {name}");
            }
        }
    }
}

fn collect(value: &Value, references: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member.as_str() {
                    Some(reference) if name == "$ref" => references.push(reference.to_owned()),
                    _ => collect(member, references),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, references)),
        _ => {}
    }
}

mod support;

#[test]
fn the_page_loads_nothing_from_elsewhere_and_its_policy_lets_nothing_be() {
    let world = support::World::new();
    let page = world.get("/docs");
    assert_eq!(
        (page.status.as_u16(), page.header("content-type")),
        (200, "text/html; charset=utf-8")
    );
    let policy = page.header("content-security-policy");
    assert!(
        policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'")
    );
    for path in ["/docs/docs.js", "/docs/docs.css"] {
        assert!(page.body.contains(&format!("\"{path}\"")), "{path}");
        let file = world.get(path);
        assert_eq!(file.status, 200, "{path}");
        assert!(!file.body.contains("://"), "{path} names another server");
    }
    assert!(!page.body.contains("://") && !page.body.contains("style=") && !page.body.contains("<script>"));
    assert_eq!(world.get("/docs/other").status, 404);
}

#[test]
fn a_browser_that_has_the_description_is_not_sent_it_again() {
    let world = support::World::new();
    let first = world.get("/openapi.json");
    assert_eq!(first.body, include_str!("../openapi.json"));
    assert_eq!(
        (first.status.as_u16(), first.header("cache-control")),
        (200, "no-cache")
    );
    let headers = [("if-none-match", first.header("etag"))];
    let second = world.ask(support::with("GET", "/openapi.json", "", &headers));
    assert_eq!((second.status.as_u16(), second.body.as_str()), (304, ""));
}
