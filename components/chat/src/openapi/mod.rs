//! The description of the API (OpenAPI 3.1), generated from the types that requests are read into and answers are
//! written from.
//!
//! It is generated natively and embedded as the file `openapi.json`, so that a component carries the text and not the
//! generator; a test holds the file to the types, and every test's answers to the file. The APIs of tools and of
//! signing in are taken over from their own descriptions, below `/api`.

mod operations;
mod shapes;

use schemars::JsonSchema;
use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::{Map, Value, json};

use crate::route::{self, Dialect};

/// Schemas by their names, collected while operations refer to them.
struct Schemas {
    requests: SchemaGenerator,
    answers: SchemaGenerator,
}

impl Schemas {
    fn new() -> Self {
        let mut settings = SchemaSettings::draft2020_12();
        settings.meta_schema = None;
        settings.definitions_path = "/components/schemas".into();
        Self {
            requests: settings.clone().into_generator(),
            answers: settings.for_serialize().into_generator(),
        }
    }

    /// A type as it is read.
    fn read<T: JsonSchema>(&mut self) -> Value {
        self.requests.subschema_for::<T>().to_value()
    }

    /// A type as it is written.
    fn written<T: JsonSchema>(&mut self) -> Value {
        self.answers.subschema_for::<T>().to_value()
    }

    fn take(mut self) -> Map<String, Value> {
        let mut all = self.requests.take_definitions(true);
        all.extend(self.answers.take_definitions(true));
        all
    }
}

/// Generates the description. `tools` are the names of tools and the descriptions of their own APIs.
#[must_use]
pub fn generate(tools: &[(&str, Value)]) -> Value {
    let mut schemas = Schemas::new();
    let mut paths = operations::all(&mut schemas);
    let answers = operations::answers(&mut schemas);
    let mut schemas = schemas.take();
    for (name, description) in tools {
        let description = renamed(description, name);
        for (path, operations) in object(&description, "/paths") {
            if path != "/openapi.json" {
                let path = format!("/api{path}");
                let operations = below_api(&path, operations);
                paths.insert(path, operations);
            }
        }
        schemas.extend(
            object(&description, "/components/schemas")
                .into_iter()
                .map(|(schema, value)| (format!("{name}.{schema}"), value)),
        );
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "anyturn",
            "version": env!("CARGO_PKG_VERSION"),
            "description": DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "tags": [
            {"name": "Turns", "description": "Talk to an assistant."},
            {"name": "Sessions", "description": "Conversations that the server keeps."},
            {"name": "Decisions", "description": "Risky calls that wait for somebody, and undoing what was done."},
            {"name": "Assistants", "description": "Whom one can talk to."},
            {"name": "OpenAI", "description": "The same for clients of OpenAI's Chat Completions."},
            {"name": "App", "description": "The same for the app of one assistant."},
            {"name": "Accounts", "description": "Signing in with Google, and the caller's Google account."},
            {"name": "Tools", "description": "The tools' own APIs."},
            {"name": "Operations", "description": "For whoever runs the server."},
        ],
        "security": [{"bearer": []}, {"apiKey": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": answers,
            "securitySchemes": {
                "bearer": {
                    "type": "http", "scheme": "bearer",
                    "description": "A JSON Web Token signed with the shared secret (HS256), or an API key (`ak_…`).",
                },
                "internal": {"type": "http", "scheme": "bearer", "description": "The variable `internal_secret`."},
                "apiKey": {"type": "apiKey", "in": "header", "name": "x-api-key", "description": "An API key (`ak_…`)."},
            },
        },
    })
}

const DESCRIPTION: &str = "An agent server in which any instance can take any turn.\n\n\
    Errors are problem details (RFC 9457); below `/v1/chat` and `/v1/models` they have OpenAI's shape, below `/api/chat`, \
    `/api/session` and `/api/auth` the app's (`success`, `error`, `message`). What is not \
    JSON is 400 with line and column; what is JSON but not what is wanted is 422 with a JSON pointer (400 with `param` \
    in OpenAI's shape). Bodies over 1 MiB are 413. Every answer carries `x-request-id`, and what counts against the \
    user's limit `RateLimit`, `RateLimit-Policy` and `X-RateLimit-*`. In development mode everybody on this machine is \
    one user and no credentials are needed.";

/// A tool's description with references to its schemas under the names that they get here.
fn renamed(description: &Value, tool: &str) -> Value {
    match description {
        Value::Object(members) => members
            .iter()
            .map(|(name, member)| {
                let schema = member
                    .as_str()
                    .and_then(|reference| reference.strip_prefix("#/components/schemas/"));
                let member = match schema {
                    Some(schema) if name == "$ref" => format!("#/components/schemas/{tool}.{schema}").into(),
                    _ => renamed(member, tool),
                };
                (name.clone(), member)
            })
            .collect::<Map<_, _>>()
            .into(),
        Value::Array(items) => items.iter().map(|item| renamed(item, tool)).collect(),
        other => other.clone(),
    }
}

fn object(value: &Value, pointer: &str) -> Map<String, Value> {
    value
        .pointer(pointer)
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default()
}

/// A tool's operations, or those of signing in, as they are seen from outside: through chat, which adds answers of its
/// own in the words of that path.
fn below_api(path: &str, operations: Value) -> Value {
    let (tag, shape) = match route::dialect(path) {
        Dialect::App => ("Accounts", "AppError"),
        Dialect::Native | Dialect::OpenAi => ("Tools", "Problem"),
    };
    let mut operations = operations;
    for (method, operation) in operations.as_object_mut().into_iter().flatten() {
        let Some(operation) = operation.as_object_mut().filter(|_| method != "parameters") else {
            continue;
        };
        operation.insert("tags".to_owned(), json!([tag]));
        // What nobody has to be signed in for stays so; how one signs in is chat's to say.
        if operation.get("security") != Some(&json!([])) {
            operation.remove("security");
        }
        if let Some(answers) = operation.get_mut("responses").and_then(Value::as_object_mut) {
            for status in [401, 403, 429, 502] {
                answers
                    .entry(status.to_string())
                    .or_insert_with(|| operations::shared(shape, status));
            }
        }
    }
    operations
}

/// Writes the description with one operation and one schema on a line: small, and still to be compared line by line.
#[must_use]
pub fn write(description: &Value) -> String {
    let mut text = String::new();
    line(description, 0, &mut text);
    text.push('\n');
    text
}

fn line(value: &Value, depth: usize, text: &mut String) {
    const BROKEN: usize = 3;
    match value.as_object() {
        Some(members) if depth < BROKEN && !members.is_empty() => {
            let mut separator = "{\n";
            for (name, member) in members {
                text.push_str(separator);
                text.push_str(&Value::from(name.as_str()).to_string());
                text.push(':');
                line(member, depth + 1, text);
                separator = ",\n";
            }
            text.push_str("\n}");
        }
        _ => text.push_str(&value.to_string()),
    }
}
