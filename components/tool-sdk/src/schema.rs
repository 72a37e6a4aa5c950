//! Makes generated JSON Schemas shorter and plainer, for models and for readers of API descriptions.

use serde_json::{Map, Value, json};

/// Takes `null` away as a choice: an argument that is not wanted is left out, and a model that reads less has
/// less to get wrong. What is read still accepts it.
pub fn without_null(schema: &mut Value) {
    each_object(schema, &mut |entries| {
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
        if let Some(Value::Array(choices)) = entries.get_mut("anyOf") {
            choices.retain(|choice| choice.get("type") != Some(&json!("null")));
            if let [Value::Object(only)] = choices.as_slice() {
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
    });
}

/// Writes a choice of constant texts as an `enum`, and drops the formats that are sizes of Rust's integers.
pub fn flatten_enums(schema: &mut Value) {
    each_object(schema, &mut |entries| {
        if let Some(Value::Array(choices)) = entries.get("oneOf") {
            let texts: Option<Vec<Value>> = choices
                .iter()
                .map(|choice| choice.get("const").filter(|text| text.is_string()).cloned())
                .collect();
            if let Some(texts) = texts {
                entries.remove("oneOf");
                entries.insert("type".into(), json!("string"));
                entries.insert("enum".into(), Value::Array(texts));
            }
        }
        let is_integer = entries.get("type") == Some(&json!("integer"));
        let is_size = |format: &str| {
            format
                .trim_start_matches("uint")
                .trim_start_matches("int")
                .parse::<u8>()
                .is_ok()
        };
        if is_integer && entries.get("format").and_then(Value::as_str).is_some_and(is_size) {
            entries.remove("format");
        }
    });
}

/// Joins the lines of descriptions, which are broken where source code is.
pub fn one_line_descriptions(schema: &mut Value) {
    each_object(schema, &mut |entries| {
        if let Some(Value::String(text)) = entries.get_mut("description") {
            *text = one_line(text);
        }
    });
}

/// Joins lines.
pub fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn each_object(value: &mut Value, change: &mut impl FnMut(&mut Map<String, Value>)) {
    match value {
        Value::Object(entries) => {
            change(entries);
            entries.values_mut().for_each(|value| each_object(value, change));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| each_object(item, change)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_optional_choice_reads_as_a_list_of_words() {
        let mut schema = json!({
            "description": "How\n it is.",
            "anyOf": [
                {"description": "inner", "oneOf": [{"const": "a", "type": "string"}, {"const": "b", "type": "string"}]},
                {"type": "null"},
            ],
        });
        without_null(&mut schema);
        flatten_enums(&mut schema);
        one_line_descriptions(&mut schema);
        assert_eq!(
            schema,
            json!({"description": "How it is.", "type": "string", "enum": ["a", "b"]})
        );
    }

    #[test]
    fn what_is_no_choice_of_texts_stays() {
        let before = json!({"oneOf": [{"const": 1}, {"type": "object"}], "format": "date", "type": "string"});
        let mut after = before.clone();
        without_null(&mut after);
        flatten_enums(&mut after);
        assert_eq!(after, before);
        let mut sized =
            json!({"type": ["integer", "null"], "format": "uint32", "minimum": 0, "default": null});
        without_null(&mut sized);
        flatten_enums(&mut sized);
        assert_eq!(sized, json!({"type": "integer", "minimum": 0}));
    }
}
