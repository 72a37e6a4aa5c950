//! Sets of tools: tuples of tool types.

use schemars::generate::SchemaSettings;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::{Call, Failure, FieldError, Reply, Tool, Toolbox};

/// The tools of a toolbox; implemented for tuples of 1 to 16 [`Tool`]s.
#[allow(async_fn_in_trait)]
pub trait Tools<A> {
    /// Calls the tool of this name; `None` when there is none.
    async fn call(
        toolbox: &A,
        name: &str,
        arguments: Option<&RawValue>,
        call: &Call<'_>,
    ) -> Option<Result<Reply, Failure>>;

    /// How `tools/list` describes the tools.
    fn describe() -> Vec<Value>;
}

/// The JSON array of all descriptions, one tool a line.
pub(crate) fn list<A: Toolbox>() -> String {
    let tools: Vec<String> = <A::Tools as Tools<A>>::describe()
        .iter()
        .map(Value::to_string)
        .collect();
    format!("[\n{}\n]\n", tools.join(",\n"))
}

macro_rules! tuples {
    ($first:ident $($rest:ident)*) => {
        impl<A, $first: Tool<A>, $($rest: Tool<A>),*> Tools<A> for ($first, $($rest,)*) {
            async fn call(
                toolbox: &A,
                name: &str,
                arguments: Option<&RawValue>,
                call: &Call<'_>,
            ) -> Option<Result<Reply, Failure>> {
                if name == $first::NAME {
                    return Some(run::<A, $first>(toolbox, arguments, call).await);
                }
                $(
                    if name == $rest::NAME {
                        return Some(run::<A, $rest>(toolbox, arguments, call).await);
                    }
                )*
                None
            }

            fn describe() -> Vec<Value> {
                vec![describe::<A, $first>(), $(describe::<A, $rest>()),*]
            }
        }
        tuples!($($rest)*);
    };
    () => {};
}

tuples!(T1 T2 T3 T4 T5 T6 T7 T8 T9 T10 T11 T12 T13 T14 T15 T16);

async fn run<A, T: Tool<A>>(
    toolbox: &A,
    arguments: Option<&RawValue>,
    call: &Call<'_>,
) -> Result<Reply, Failure> {
    let written = arguments.map_or("{}", RawValue::get);
    let tool: T = serde_json::from_str(written).map_err(|error| {
        let FieldError { field, message } = FieldError::of_json(written, &error);
        Failure::rejected(format!(
            "The arguments of {} do not fit: {field}: {message}.",
            T::NAME
        ))
    })?;
    tool.call(toolbox, call).await
}

fn describe<A, T: Tool<A>>() -> Value {
    let mut settings = SchemaSettings::draft2020_12();
    settings.inline_subschemas = true;
    settings.meta_schema = None;
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    let mut description = String::new();
    if let Value::Object(schema) = &mut schema {
        schema.remove("title");
        if let Some(Value::String(text)) = schema.remove("description") {
            description = text;
        }
    }
    simplify(&mut schema);
    let effect = T::EFFECT;
    let mut annotations = Map::new();
    annotations.insert("readOnlyHint".into(), json!(effect.read_only));
    if !effect.read_only {
        annotations.insert("destructiveHint".into(), json!(effect.destructive));
        annotations.insert("idempotentHint".into(), json!(effect.idempotent));
    }
    annotations.insert("openWorldHint".into(), json!(T::OPEN_WORLD));
    let mut tool = Map::new();
    tool.insert("name".into(), json!(T::NAME));
    tool.insert("title".into(), json!(T::TITLE));
    tool.insert("description".into(), json!(one_line(&description)));
    tool.insert("inputSchema".into(), schema);
    tool.insert("annotations".into(), Value::Object(annotations));
    let examples: Vec<Value> = T::EXAMPLES
        .iter()
        .map(|example| {
            let arguments: Value = serde_json::from_str(example.1).unwrap_or(Value::Null);
            json!({ "utterance": example.0, "arguments": arguments })
        })
        .collect();
    if !examples.is_empty() {
        tool.insert("_meta".into(), json!({ anyturn_mcp::EXAMPLES_KEY: examples }));
    }
    Value::Object(tool)
}

/// Makes a schema say what a model should write, which is less than what would be accepted: an argument
/// that is not wanted is left out rather than `null`, and the sizes of Rust's integers are nobody's business.
fn simplify(schema: &mut Value) {
    match schema {
        Value::Object(entries) => {
            if let Some(Value::String(text)) = entries.get_mut("description") {
                *text = one_line(text);
            }
            if let Some(Value::Array(types)) = entries.get_mut("type") {
                types.retain(|kind| kind != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    entries.insert("type".into(), only);
                }
            }
            if let Some(Value::Array(values)) = entries.get_mut("enum") {
                values.retain(|value| !value.is_null());
            }
            if let Some(Value::Array(alternatives)) = entries.get_mut("anyOf") {
                alternatives.retain(|alternative| alternative.get("type") != Some(&json!("null")));
                if let [Value::Object(only)] = alternatives.as_slice() {
                    let only = only.clone();
                    entries.remove("anyOf");
                    for (key, value) in only {
                        entries.entry(key).or_insert(value);
                    }
                }
            }
            if entries.get("default") == Some(&Value::Null) {
                entries.remove("default");
            }
            if entries
                .get("format")
                .and_then(Value::as_str)
                .is_some_and(|format| format.starts_with(['u', 'i']))
                && entries.get("type") == Some(&json!("integer"))
            {
                entries.remove("format");
            }
            entries.values_mut().for_each(simplify);
        }
        Value::Array(items) => items.iter_mut().for_each(simplify),
        _ => {}
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
