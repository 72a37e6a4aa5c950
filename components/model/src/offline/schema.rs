//! What the planner needs to know of a tool's JSON Schema: which arguments there are and what fits them.

use serde_json::Value;

/// An argument of a tool.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Property {
    /// Its name.
    pub name: String,
    /// Whether a call needs it.
    pub required: bool,
    /// A list of what the rest says.
    pub list: bool,
    /// `format: date`.
    pub date: bool,
    /// `format: date-time`.
    pub date_time: bool,
    /// `format: email`.
    pub email: bool,
    /// `format: uri`.
    pub uri: bool,
    /// A whole number.
    pub integer: bool,
    /// Any number.
    pub number: bool,
    /// True or false.
    pub boolean: bool,
    /// The only values, if they are known.
    pub values: Vec<String>,
    /// Text of any kind.
    pub text: bool,
}

impl Property {
    /// Whether it takes dates.
    pub fn takes_dates(&self) -> bool {
        self.date || self.date_time
    }

    /// Whether it takes whatever stands in its place.
    pub fn is_free_text(&self) -> bool {
        self.text && !self.takes_dates() && self.values.is_empty() && !self.email && !self.uri
    }

    /// Whether its name has one of these words: `due_after` has `after`.
    pub fn is_called(&self, words: &[&str]) -> bool {
        self.name.split(['_', '-', '.']).any(|word| words.contains(&word))
    }
}

/// The arguments of a tool, in the schema's order. What the schema says beyond what is needed here is passed
/// over: the tool checks its arguments.
pub fn properties(schema: &str) -> Vec<Property> {
    let Ok(root) = serde_json::from_str::<Value>(schema) else {
        return Vec::new();
    };
    let required: Vec<&str> = root
        .get("required")
        .and_then(Value::as_array)
        .map(|names| names.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    let Some(properties) = root.get("properties").and_then(Value::as_object) else {
        return Vec::new();
    };
    properties
        .iter()
        .map(|(name, schema)| {
            let mut property = Property {
                name: name.clone(),
                required: required.contains(&name.as_str()),
                ..Property::default()
            };
            collect(&mut property, schema, &root, 0);
            property
        })
        .collect()
}

/// Adds what a schema says. References and alternatives are followed, but not for ever: a schema may refer
/// to itself.
fn collect(property: &mut Property, schema: &Value, root: &Value, depth: u8) {
    const DEEPEST: u8 = 6;
    if depth > DEEPEST {
        return;
    }
    if let Some(target) = schema
        .get("$ref")
        .and_then(Value::as_str)
        .and_then(|reference| reference.strip_prefix('#'))
        .and_then(|pointer| root.pointer(pointer))
    {
        collect(property, target, root, depth + 1);
    }
    for alternatives in ["anyOf", "oneOf", "allOf"] {
        for schema in schema
            .get(alternatives)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            collect(property, schema, root, depth + 1);
        }
    }
    let constant = schema.get("const").into_iter();
    let values = schema.get("enum").and_then(Value::as_array).into_iter().flatten();
    for value in constant.chain(values).filter_map(Value::as_str) {
        property.values.push(value.to_owned());
    }
    let types = match schema.get("type") {
        Some(Value::Array(types)) => types.as_slice(),
        Some(one) => std::slice::from_ref(one),
        None => &[],
    };
    for kind in types.iter().filter_map(Value::as_str) {
        match kind {
            "integer" => property.integer = true,
            "number" => property.number = true,
            "boolean" => property.boolean = true,
            "array" => {
                property.list = true;
                if let Some(items) = schema.get("items") {
                    collect(property, items, root, depth + 1);
                }
            }
            "string" => match schema.get("format").and_then(Value::as_str) {
                Some("date") => property.date = true,
                Some("date-time") => property.date_time = true,
                Some("email") => property.email = true,
                Some("uri") => property.uri = true,
                _ => property.text = true,
            },
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn property(schema: &str) -> Property {
        properties(&format!(
            r##"{{"$defs":{{"P":{{"oneOf":[{{"const":"low","type":"string"}},{{"const":"high","type":"string"}}]}},
                "R":{{"$ref":"#/$defs/R"}}}},"properties":{{"x":{schema}}},"required":["x"]}}"##
        ))
        .remove(0)
    }

    #[test]
    fn kinds_are_found_behind_references_and_alternatives() {
        assert!(property(r#"{"type":["string","null"],"format":"date"}"#).date);
        assert_eq!(
            property(r##"{"anyOf":[{"$ref":"#/$defs/P"},{"type":"null"}]}"##).values,
            ["low", "high"]
        );
        let mixed = property(r#"{"anyOf":[{"type":"string","format":"date"},{"enum":["today"]}]}"#);
        assert!(mixed.date && mixed.values == ["today"] && !mixed.is_free_text());
        assert!(property(r#"{"type":"array","items":{"type":"string"}}"#).list);
        assert!(property(r#"{"type":"string"}"#).is_free_text());
        assert!(property(r#"{"type":["integer","null"]}"#).integer);
    }

    #[test]
    fn a_schema_that_refers_to_itself_or_is_none_costs_nothing() {
        assert!(!property(r##"{"$ref":"#/$defs/R"}"##).text);
        for nonsense in [
            "",
            "[]",
            "7",
            r#"{"properties":[]}"#,
            r#"{"properties":{"x":true}}"#,
        ] {
            assert!(
                properties(nonsense).iter().all(|property| property.name == "x"),
                "{nonsense}"
            );
        }
    }
}
