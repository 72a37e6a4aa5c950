//! Checks a tool's arguments against its JSON Schema.
//!
//! Knows what schemas of tools are made of (2020-12): `type`, `enum`, `const`, `properties`, `required`,
//! `additionalProperties`, `items`, `prefixItems`, the bounds of numbers, texts and lists, `allOf`, `anyOf`,
//! `oneOf`, `not`, and `$ref` within the schema. Other keywords, `format` and `pattern` among them, are left
//! to the tool: what this check lets through is not thereby right, but what it refuses is wrong.

use serde_json::{Map, Value};
use std::cell::Cell;

/// How deep values and references are followed.
const DEPTH: usize = 32;

/// How many schemas are looked at, so that one that branches into itself cannot take for ever.
const BUDGET: u32 = 20_000;

/// At most so many problems are reported; a model mends the first ones first.
const MOST: usize = 8;

/// Everything that is wrong, in words a model can act on; empty if nothing is.
pub(crate) fn check(schema: &Value, value: &Value) -> Vec<String> {
    let budget = Cell::new(BUDGET);
    let mut check = Check {
        root: schema,
        budget: &budget,
        problems: Vec::new(),
    };
    check.value(schema, value, "", DEPTH);
    check.problems.truncate(MOST);
    check.problems
}

/// A keyword, its words, and whether a number keeps to it.
type Bound = (&'static str, &'static str, fn(f64, f64) -> bool);

struct Check<'s> {
    root: &'s Value,
    budget: &'s Cell<u32>,
    problems: Vec<String>,
}

impl<'s> Check<'s> {
    fn problem(&mut self, path: &str, problem: String) {
        let path = if path.is_empty() { "the arguments" } else { path };
        self.problems.push(format!("{path} {problem}"));
    }

    fn value(&mut self, schema: &'s Value, value: &Value, path: &str, depth: usize) {
        let schema = match schema {
            Value::Bool(false) => return self.problem(path, "must not be there".to_owned()),
            Value::Object(schema) => schema,
            // `true`, and what is no schema at all.
            _ => return,
        };
        let (Some(depth), Some(budget)) = (depth.checked_sub(1), self.budget.get().checked_sub(1)) else {
            return;
        };
        self.budget.set(budget);
        if let Some(target) = schema.get("$ref").and_then(Value::as_str)
            && let Some(target) = target
                .strip_prefix('#')
                .and_then(|pointer| self.root.pointer(pointer))
        {
            self.value(target, value, path, depth);
        }
        if !self.has_type(schema, value, path) {
            // Everything else would only repeat it.
            return;
        }
        self.one_of_values(schema, value, path);
        match value {
            Value::Object(object) => self.object(schema, object, path, depth),
            Value::Array(items) => self.array(schema, items, path, depth),
            Value::String(text) => {
                let length = text.chars().count();
                self.length(schema, length, ["minLength", "maxLength"], "characters", path);
            }
            Value::Number(number) => self.number(schema, number.as_f64().unwrap_or_default(), path),
            Value::Bool(_) | Value::Null => {}
        }
        self.combined(schema, value, path, depth);
    }

    fn has_type(&mut self, schema: &Map<String, Value>, value: &Value, path: &str) -> bool {
        let types: Vec<&str> = match schema.get("type") {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
            _ => return true,
        };
        let fits = types.iter().any(|expected| match *expected {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            "null" => value.is_null(),
            "number" => value.is_number(),
            // 2.0 is an integer, by the specification (6.1.1 of the validation vocabulary).
            "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
            // A type that there is not: the tool's mistake, not the model's.
            _ => true,
        });
        if !fits {
            self.problem(
                path,
                format!("must be of type {}, not {}", types.join(" or "), short(value)),
            );
        }
        fits
    }

    fn one_of_values(&mut self, schema: &Map<String, Value>, value: &Value, path: &str) {
        if let Some(Value::Array(values)) = schema.get("enum")
            && !values.iter().any(|allowed| same(allowed, value))
        {
            let values: Vec<String> = values.iter().map(short).collect();
            self.problem(
                path,
                format!("must be one of {}, not {}", values.join(", "), short(value)),
            );
        }
        if let Some(only) = schema.get("const").filter(|only| !same(only, value)) {
            self.problem(path, format!("must be {}, not {}", short(only), short(value)));
        }
    }

    fn object(
        &mut self,
        schema: &'s Map<String, Value>,
        object: &Map<String, Value>,
        path: &str,
        depth: usize,
    ) {
        let properties = schema.get("properties").and_then(Value::as_object);
        if let Some(Value::Array(required)) = schema.get("required") {
            for name in required.iter().filter_map(Value::as_str) {
                if !object.contains_key(name) {
                    self.problem(&join(path, name), "is missing".to_owned());
                }
            }
        }
        for (name, value) in object {
            let path = join(path, name);
            if let Some(schema) = properties.and_then(|properties| properties.get(name)) {
                self.value(schema, value, &path, depth);
            } else if schema.contains_key("patternProperties") {
                // Which names a pattern covers is not known here.
            } else if let Some(additional) = schema.get("additionalProperties") {
                if additional == &Value::Bool(false) {
                    let known: Vec<&str> = properties
                        .into_iter()
                        .flat_map(Map::keys)
                        .map(String::as_str)
                        .collect();
                    self.problem(&path, format!("is not known; there are: {}", known.join(", ")));
                } else {
                    self.value(additional, value, &path, depth);
                }
            }
        }
    }

    fn array(&mut self, schema: &'s Map<String, Value>, items: &[Value], path: &str, depth: usize) {
        self.length(schema, items.len(), ["minItems", "maxItems"], "items", path);
        let first = schema
            .get("prefixItems")
            .and_then(Value::as_array)
            .map(Vec::as_slice)
            .unwrap_or_default();
        for (index, item) in items.iter().enumerate() {
            if let Some(schema) = first.get(index).or(schema.get("items")) {
                self.value(schema, item, &format!("{path}[{index}]"), depth);
            }
        }
    }

    fn length(
        &mut self,
        schema: &Map<String, Value>,
        length: usize,
        [least, most]: [&str; 2],
        unit: &str,
        path: &str,
    ) {
        let bound = |name| {
            schema
                .get(name)
                .and_then(Value::as_u64)
                .and_then(|n| usize::try_from(n).ok())
        };
        if let Some(least) = bound(least).filter(|least| length < *least) {
            self.problem(path, format!("must have at least {least} {unit}, not {length}"));
        }
        if let Some(most) = bound(most).filter(|most| length > *most) {
            self.problem(path, format!("must have at most {most} {unit}, not {length}"));
        }
    }

    fn number(&mut self, schema: &Map<String, Value>, number: f64, path: &str) {
        let bound = |name| schema.get(name).and_then(Value::as_f64);
        let bounds: [Bound; 4] = [
            ("minimum", "at least", |number, bound| number >= bound),
            ("maximum", "at most", |number, bound| number <= bound),
            ("exclusiveMinimum", "more than", |number, bound| number > bound),
            ("exclusiveMaximum", "less than", |number, bound| number < bound),
        ];
        for (name, words, holds) in bounds {
            if let Some(bound) = bound(name).filter(|bound| !holds(number, *bound)) {
                let (bound, number) = (plain(bound), plain(number));
                self.problem(path, format!("must be {words} {bound}, not {number}"));
            }
        }
    }

    fn combined(&mut self, schema: &'s Map<String, Value>, value: &Value, path: &str, depth: usize) {
        let list = |name| {
            schema
                .get(name)
                .and_then(Value::as_array)
                .map(Vec::as_slice)
                .unwrap_or_default()
        };
        for part in list("allOf") {
            self.value(part, value, path, depth);
        }
        let any = list("anyOf");
        if !any.is_empty() {
            let mut problems: Vec<Vec<String>> = any
                .iter()
                .map(|schema| self.alone(schema, value, path, depth))
                .collect();
            if problems.iter().all(|problems| !problems.is_empty()) {
                // The alternative that is nearest to what was meant.
                problems.sort_by_key(Vec::len);
                self.problems
                    .extend(problems.into_iter().next().unwrap_or_default());
            }
        }
        let one = list("oneOf");
        if !one.is_empty() {
            let mut problems: Vec<Vec<String>> = one
                .iter()
                .map(|schema| self.alone(schema, value, path, depth))
                .collect();
            match problems.iter().filter(|problems| problems.is_empty()).count() {
                1 => {}
                0 => {
                    problems.sort_by_key(Vec::len);
                    self.problems
                        .extend(problems.into_iter().next().unwrap_or_default());
                }
                _ => self.problem(path, "fits several alternatives of which only one may".to_owned()),
            }
        }
        if let Some(not) = schema.get("not")
            && self.alone(not, value, path, depth).is_empty()
        {
            self.problem(path, format!("must not be {}", short(value)));
        }
    }

    /// The problems of a value with one schema.
    fn alone(&self, schema: &'s Value, value: &Value, path: &str, depth: usize) -> Vec<String> {
        let mut check = Check {
            root: self.root,
            budget: self.budget,
            problems: Vec::new(),
        };
        check.value(schema, value, path, depth);
        check.problems
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

/// A number in an error: whole ones without a fraction.
fn plain(number: f64) -> String {
    if number.fract() == 0.0 && number.abs() < 1e15 {
        return (number as i64).to_string();
    }
    Value::from(number).to_string()
}

/// Equality of values; 1 and 1.0 are the same number.
fn same(a: &Value, b: &Value) -> bool {
    a == b || (a.is_number() && b.is_number() && a.as_f64() == b.as_f64())
}

/// A value in an error.
fn short(value: &Value) -> String {
    match value {
        Value::Object(_) => "an object".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::String(text) if text.chars().count() > 40 => {
            format!("\"{}…\"", text.chars().take(40).collect::<String>())
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn problems(schema: Value, value: Value) -> String {
        check(&schema, &value).join("; ")
    }

    #[test]
    fn arguments_that_fit_have_no_problems() {
        let schema = json!({
            "type": "object",
            "properties": {
                "title": {"type": "string", "minLength": 1},
                "due": {"type": ["string", "null"], "format": "date"},
                "priority": {"$ref": "#/$defs/Priority"},
                "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 3},
                "estimate": {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}]},
            },
            "required": ["title"],
            "additionalProperties": false,
            "$defs": {"Priority": {"enum": ["low", "high"]}},
        });
        let value = json!({"title": "x", "due": null, "priority": "low", "tags": ["a"], "estimate": 2.0});
        assert_eq!(problems(schema, value), "");
    }

    #[test]
    fn each_problem_names_its_place_and_what_would_be_right() {
        let schema = json!({
            "type": "object",
            "properties": {
                "title": {"type": "string", "minLength": 2},
                "count": {"type": "integer", "minimum": 1, "exclusiveMaximum": 10},
                "priority": {"enum": ["low", "high"]},
                "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 1},
            },
            "required": ["title", "due"],
            "additionalProperties": false,
        });
        assert_eq!(problems(schema.clone(), json!({"title": "xx"})), "due is missing");
        assert_eq!(
            problems(schema.clone(), json!([])),
            "the arguments must be of type object, not a list"
        );
        let place = |name: &str, value: Value| {
            let mut schema = schema.clone();
            schema["required"] = json!([]);
            problems(schema, json!({ name: value }))
        };
        assert_eq!(
            place("count", json!("3")),
            "count must be of type integer, not \"3\""
        );
        assert_eq!(
            place("count", json!(1.5)),
            "count must be of type integer, not 1.5"
        );
        assert_eq!(place("count", json!(0)), "count must be at least 1, not 0");
        assert_eq!(place("count", json!(10)), "count must be less than 10, not 10");
        assert_eq!(
            problems(json!({"maximum": 0.5}), json!(0.75)),
            "the arguments must be at most 0.5, not 0.75"
        );
        assert_eq!(
            place("priority", json!("mid")),
            "priority must be one of \"low\", \"high\", not \"mid\""
        );
        assert_eq!(place("tags", json!([1])), "tags[0] must be of type string, not 1");
        assert_eq!(
            place("tags", json!(["a", "b"])),
            "tags must have at most 1 items, not 2"
        );
        assert!(place("other", json!(1)).starts_with("other is not known; there are: "));
    }

    #[test]
    fn alternatives_are_weighed() {
        let any = json!({"anyOf": [{"type": "integer"}, {"type": "object", "required": ["a", "b"]}]});
        assert_eq!(problems(any.clone(), json!(1)), "");
        assert_eq!(
            problems(any, json!("x")),
            "the arguments must be of type integer, not \"x\""
        );
        let one = json!({"oneOf": [{"minimum": 1}, {"minimum": 5}]});
        assert_eq!(problems(one.clone(), json!(3)), "");
        assert!(problems(one, json!(7)).contains("several"));
        assert_eq!(
            problems(json!({"not": {"type": "null"}}), json!(null)),
            "the arguments must not be null"
        );
        assert_eq!(problems(json!({"const": 1}), json!(1.0)), "");
        assert_eq!(
            problems(json!({"allOf": [{"const": 1}]}), json!(2)),
            "the arguments must be 1, not 2"
        );
        assert_eq!(
            problems(json!({"prefixItems": [true], "items": false}), json!([1])),
            ""
        );
        assert_eq!(
            problems(json!({"prefixItems": [true], "items": false}), json!([1, 2])),
            "[1] must not be there"
        );
    }

    #[test]
    fn a_schema_that_refers_to_itself_ends() {
        let schema = json!({"$defs": {"A": {"$ref": "#/$defs/A"}}, "$ref": "#/$defs/A"});
        assert_eq!(problems(schema, json!({})), "");
        let branching = json!({"anyOf": [{"$ref": "#"}, {"$ref": "#"}, {"$ref": "#"}]});
        assert_eq!(problems(branching, json!(1)), "");
        let tree = json!({
            "properties": {"child": {"$ref": "#"}, "leaf": {"type": "string"}},
        });
        assert_eq!(
            problems(tree, json!({"child": {"child": {"leaf": 1}}})),
            "child.child.leaf must be of type string, not 1"
        );
    }
}
