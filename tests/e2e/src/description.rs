//! The deployment's own description of its API, which every answer is held to.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use http::{Method, StatusCode};
use serde_json::{Value, json};

/// An OpenAPI description.
#[derive(Debug)]
pub struct Description {
    document: Value,
    /// By method and path template.
    operations: BTreeMap<(String, String), Value>,
}

/// One operation.
#[derive(Clone, Debug)]
pub struct Operation<'a> {
    /// In upper case.
    pub method: &'a str,
    /// With its parameters in braces.
    pub path: &'a str,
    /// The operation object.
    pub object: &'a Value,
}

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

impl Description {
    /// Takes a description.
    ///
    /// # Errors
    /// When it describes no operation.
    pub fn read(document: Value) -> Result<Self> {
        let paths = document["paths"].as_object().context("it has no `paths`")?;
        let mut operations = BTreeMap::new();
        for (path, item) in paths {
            for method in METHODS {
                if let Some(operation) = item.get(method) {
                    operations.insert((method.to_uppercase(), path.clone()), operation.clone());
                }
            }
        }
        Ok(Self { document, operations })
    }

    /// The whole document.
    pub fn document(&self) -> &Value {
        &self.document
    }

    /// All operations.
    pub fn operations(&self) -> impl Iterator<Item = Operation<'_>> {
        self.operations
            .iter()
            .map(|((method, path), object)| Operation { method, path, object })
    }

    /// The operation that a request asks for: the one whose template has the fewest parameters.
    fn operation(&self, method: &Method, path: &str) -> Option<Operation<'_>> {
        let path = path.split('?').next().unwrap_or(path);
        self.operations()
            .filter(|operation| operation.method == method.as_str() && fits(operation.path, path))
            .min_by_key(|operation| operation.path.matches('{').count())
    }

    /// Follows references within the document.
    fn resolve<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value["$ref"]
            .as_str()
            .and_then(|reference| reference.strip_prefix('#'))
        {
            Some(pointer) => self.resolve(
                self.document
                    .pointer(pointer)
                    .unwrap_or_else(|| panic!("the reference {pointer} in /openapi.json leads nowhere")),
            ),
            None => value,
        }
    }

    /// What is documented of an answer; nothing for a request that asks for no operation.
    fn content(&self, method: &Method, path: &str, status: StatusCode, media_type: &str) -> Option<&Value> {
        // That something has not changed can be the answer to any conditional request (RFC 9110, section 13).
        let operation = self
            .operation(method, path)
            .filter(|_| status != StatusCode::NOT_MODIFIED)?;
        let response = operation.object["responses"]
            .get(status.as_str())
            .unwrap_or_else(|| {
                panic!(
                    "{method} {path} answered {status}, which /openapi.json does not document for {}",
                    operation.path
                )
            });
        let content = &self.resolve(response)["content"];
        let documented = content.get(media_type);
        assert!(
            documented.is_some() || (media_type.is_empty() && content.is_null()),
            "{method} {path} answered {status} with {media_type:?}; /openapi.json documents {content}"
        );
        documented.map(|media| &media["schema"])
    }

    /// Holds a JSON answer to what is documented of it.
    ///
    /// # Panics
    /// When it is otherwise.
    pub fn hold(&self, method: &Method, path: &str, status: StatusCode, media_type: &str, body: &str) {
        let Some(schema) = self.content(method, path, status, media_type) else {
            return;
        };
        if media_type.ends_with("json") {
            let value = serde_json::from_str(body).unwrap_or_else(|error| {
                panic!("{method} {path} answered {body:?}, which is no JSON: {error}")
            });
            self.fit(schema, &value, &format!("{method} {path} answered {status}"));
        }
    }

    /// Holds an event of a stream to what is documented of it.
    ///
    /// # Panics
    /// When it is otherwise.
    pub fn hold_event(&self, method: &Method, path: &str, event: &anyturn_tests::sse::Event) {
        let content = self.content(method, path, StatusCode::OK, "text/event-stream");
        let Some(schema) = content.map(|schema| &schema["contentSchema"]) else {
            return;
        };
        // Events of several names are told by name; else all are of one shape, up to the mark at the end.
        let schema = match schema.get("properties") {
            Some(names) => names.get(&event.event).unwrap_or_else(|| {
                panic!(
                    "{method} {path} told of `{}`, which /openapi.json does not document",
                    event.event
                )
            }),
            None if event.data == "[DONE]" => return,
            None => schema,
        };
        self.fit(
            schema,
            &event.json(),
            &format!("{method} {path} told of `{}`", event.event),
        );
    }

    /// Holds a value to a schema of this document.
    ///
    /// # Panics
    /// When it does not fit.
    pub fn fit(&self, schema: &Value, value: &Value, what: &str) {
        let schema = json!({ "allOf": [schema], "components": self.document["components"] });
        let validator = jsonschema::validator_for(&schema)
            .unwrap_or_else(|error| panic!("a schema in /openapi.json is none: {error}"));
        let wrong: Vec<String> = validator
            .iter_errors(value)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(
            wrong.is_empty(),
            "{what}, which is not as /openapi.json says: {wrong:#?}\n{value}"
        );
    }
}

/// Whether a path is one of a template's.
fn fits(template: &str, path: &str) -> bool {
    let mut segments = path.split('/');
    let all = template.split('/').all(|part| {
        segments
            .next()
            .is_some_and(|segment| part.starts_with('{') || part == segment)
    });
    all && segments.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn description() -> Description {
        let schema = json!({ "$ref": "#/components/schemas/Thing" });
        let answers =
            json!({ "200": { "content": { "application/json": { "schema": schema } } }, "204": {} });
        Description::read(json!({
            "paths": {
                "/things/{id}": { "get": { "responses": answers } },
                "/things/all": { "get": { "responses": { "204": {} } } },
            },
            "components": { "schemas": { "Thing": {
                "type": "object", "required": ["id"], "properties": { "next": { "$ref": "#/components/schemas/Thing" } },
            } } },
        }))
        .unwrap()
    }

    fn is_held(path: &str, status: u16, media_type: &str, body: &str) -> bool {
        let status = StatusCode::from_u16(status).unwrap();
        std::panic::catch_unwind(|| description().hold(&Method::GET, path, status, media_type, body)).is_ok()
    }

    #[test]
    fn an_answer_as_documented_is_taken() {
        assert!(is_held(
            "/things/1?q=2",
            200,
            "application/json",
            r#"{"id":1,"next":{"id":2}}"#
        ));
        assert!(is_held("/things/1", 204, "", ""));
        assert!(is_held(
            "/nowhere",
            500,
            "text/plain",
            "not described, so not judged"
        ));
    }

    #[test]
    fn every_other_answer_is_told() {
        assert!(
            !is_held("/things/1", 418, "application/json", "{}"),
            "an undocumented status"
        );
        assert!(
            !is_held("/things/1", 200, "text/html", "{}"),
            "an undocumented type"
        );
        assert!(
            !is_held("/things/1", 200, "application/json", "{}"),
            "a missing member"
        );
        assert!(
            !is_held("/things/1", 200, "application/json", r#"{"id":1,"next":{}}"#),
            "a wrong inner value"
        );
        assert!(
            !is_held("/things/all", 200, "application/json", r#"{"id":1}"#),
            "the plainer template goes first"
        );
    }
}
