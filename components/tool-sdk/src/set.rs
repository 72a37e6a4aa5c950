//! Sets of tools: tuples of tool types.

use schemars::generate::SchemaSettings;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::schema;
use crate::{Call, Effect, Example, Failure, FieldError, Reply, Tool, Toolbox};

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

    /// What a call of the tool of this name can do; `None` when there is none.
    fn effect(name: &str) -> Option<Effect>;

    /// How `tools/list` describes the tools.
    fn describe() -> Vec<Value>;

    /// What is wrong with the tools' names, examples and what they count.
    fn mistakes() -> Vec<String>;
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

            fn effect(name: &str) -> Option<Effect> {
                [($first::NAME, $first::EFFECT), $(($rest::NAME, $rest::EFFECT)),*]
                    .into_iter()
                    .find(|(known, _)| *known == name)
                    .map(|(_, effect)| effect)
            }

            fn describe() -> Vec<Value> {
                vec![describe::<A, $first>(), $(describe::<A, $rest>()),*]
            }

            fn mistakes() -> Vec<String> {
                [mistakes::<A, $first>(), $(mistakes::<A, $rest>()),*].concat()
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
    let tool: T = anyturn_json::from_str(written).map_err(|error| {
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
    schema::without_null(&mut schema);
    schema::flatten_enums(&mut schema);
    schema::one_line_descriptions(&mut schema);
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
    tool.insert("description".into(), json!(schema::one_line(&description)));
    tool.insert("inputSchema".into(), schema);
    tool.insert("annotations".into(), Value::Object(annotations));
    let examples: Vec<Value> = T::EXAMPLES
        .iter()
        .map(|example| {
            let arguments: Value = anyturn_json::from_str(example.1).unwrap_or(Value::Null);
            json!({ "utterance": example.0, "arguments": arguments })
        })
        .collect();
    let mut meta = Map::new();
    if !examples.is_empty() {
        meta.insert(anyturn_mcp::EXAMPLES_KEY.into(), json!(examples));
    }
    if effect.verifiable {
        meta.insert(anyturn_mcp::VERIFIABLE_KEY.into(), json!(true));
    }
    if effect.reversible {
        meta.insert(anyturn_mcp::REVERSIBLE_KEY.into(), json!(true));
    }
    if T::RISK != effect.risk() {
        meta.insert(anyturn_mcp::RISK_KEY.into(), json!(T::RISK.name()));
    }
    if let Some(counted) = T::COUNTED {
        meta.insert(anyturn_mcp::COUNTED_KEY.into(), json!(counted));
    }
    if let Some(most) = T::CONFIRM_ABOVE {
        meta.insert(anyturn_mcp::CONFIRM_ABOVE_KEY.into(), json!(most));
    }
    if !meta.is_empty() {
        tool.insert("_meta".into(), Value::Object(meta));
    }
    Value::Object(tool)
}

fn mistakes<A, T: Tool<A>>() -> Vec<String> {
    let mut all = Vec::new();
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if !(1..=64).contains(&T::NAME.len()) || !T::NAME.bytes().all(is_plain) {
        all.push(format!(
            "{}: a name is 1 to 64 ASCII letters, digits, _ and -",
            T::NAME
        ));
    }
    if let Some(counted) = T::COUNTED {
        let tool = describe::<A, T>();
        let argument = format!("/inputSchema/properties/{counted}/type");
        if tool.pointer(&argument).is_none_or(|kind| kind != "array") {
            all.push(format!(
                "{}: COUNTED names the argument {counted:?}, which is no list",
                T::NAME
            ));
        }
    }
    for Example(utterance, arguments) in T::EXAMPLES {
        if let Err(error) = anyturn_json::from_str::<T>(arguments) {
            all.push(format!(
                "{}: the arguments of the example {utterance:?} do not fit: {error}",
                T::NAME
            ));
        }
    }
    all
}
