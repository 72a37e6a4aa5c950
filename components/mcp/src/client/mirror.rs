//! Arguments that a tool's description wants repeated in headers (2026-07-28, "Custom Headers from Tool
//! Parameters").

use http::header::{HeaderName, HeaderValue};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::{Tool, header};

const ANNOTATION: &str = "x-mcp-header";
/// What stands between its dashes, and hardly ever between others.
const RARE: &[u8] = b"mcp";

/// An argument that a call repeats in a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MirroredHeader {
    name: HeaderName,
    /// The keys that lead to the argument.
    path: Vec<String>,
}

impl MirroredHeader {
    /// The header for these arguments; none when they leave the argument out.
    pub(super) fn take(&self, arguments: &RawValue) -> Option<(HeaderName, HeaderValue)> {
        let arguments: Value = anyturn_json::from_slice(arguments.get().as_bytes()).ok()?;
        let mut value = &arguments;
        for key in &self.path {
            value = value.get(key)?;
        }
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Bool(value) => value.to_string(),
            Value::Number(number) => number.to_string(),
            Value::Null | Value::Array(_) | Value::Object(_) => return None,
        };
        Some((self.name.clone(), header::encode(&text)))
    }
}

/// Drops tools with invalid annotations and notes the valid ones. `page` is the page as it came: nearly
/// every one has no annotation at all, which a search for a part of the word tells without looking into the schemas.
pub(super) fn accept<S>(tools: Vec<Tool<S>>, page: &[u8]) -> Vec<Tool<S>> {
    if !page.split(|byte| *byte == b'-').any(|part| part == RARE) {
        return tools;
    }
    let schemas = schemas(page);
    tools
        .into_iter()
        .enumerate()
        .filter_map(|(position, mut tool)| {
            tool.mirrored = collect(schemas.get(position)?)?;
            Some(tool)
        })
        .collect()
}

fn schemas(page: &[u8]) -> Vec<Value> {
    #[derive(serde::Deserialize)]
    struct Message {
        result: Page,
    }
    #[derive(serde::Deserialize)]
    struct Page {
        tools: Vec<Described>,
    }
    #[derive(serde::Deserialize)]
    struct Described {
        #[serde(rename = "inputSchema")]
        input_schema: Value,
    }
    match anyturn_json::from_slice::<Message>(page) {
        Ok(message) => message
            .result
            .tools
            .into_iter()
            .map(|tool| tool.input_schema)
            .collect(),
        Err(_) => Vec::new(),
    }
}

/// The annotations of a schema; `None` when one of them breaks a rule.
fn collect(schema: &Value) -> Option<Vec<MirroredHeader>> {
    let mut found = Vec::new();
    let mut path = Vec::new();
    visit(schema, &mut path, &mut found)?;
    let mut names: Vec<&HeaderName> = found.iter().map(|mirrored| &mirrored.name).collect();
    names.sort_by_key(|name| name.as_str());
    let is_unique = names.windows(2).all(|pair| pair.first() != pair.last());
    // Whatever was not reached by way of `properties` alone stands where it must not.
    (is_unique && found.len() == count(schema)).then_some(found)
}

fn visit(schema: &Value, path: &mut Vec<String>, found: &mut Vec<MirroredHeader>) -> Option<()> {
    let Some(Value::Object(properties)) = schema.get("properties") else {
        return Some(());
    };
    for (key, property) in properties {
        path.push(key.clone());
        if let Some(annotation) = property.get(ANNOTATION) {
            let is_primitive = matches!(
                property.get("type").and_then(Value::as_str),
                Some("string" | "integer" | "boolean")
            );
            let name = annotation
                .as_str()
                .filter(|name| !name.is_empty() && is_primitive)?;
            let name = HeaderName::try_from(format!("{}{name}", header::PARAM_PREFIX)).ok()?;
            found.push(MirroredHeader {
                name,
                path: path.clone(),
            });
        }
        visit(property, path, found)?;
        path.pop();
    }
    Some(())
}

/// How many annotations there are, wherever they stand. A property that merely has the name of the
/// annotation counts too, which at worst leaves out a tool that nobody has written yet.
fn count(schema: &Value) -> usize {
    match schema {
        Value::Object(entries) => {
            let here = usize::from(entries.contains_key(ANNOTATION));
            here + entries.values().map(count).sum::<usize>()
        }
        Value::Array(items) => items.iter().map(count).sum(),
        _ => 0,
    }
}
