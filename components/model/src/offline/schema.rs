//! What the planner needs to know of a tool's JSON Schema: which arguments there are and what fits them.
//!
//! Read in one pass that keeps only that; descriptions, which make up most of a schema, are passed over.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::Value;

use super::near::Choice;

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
    /// The only values, if they are known.
    pub values: Vec<Choice>,
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

/// The arguments of a tool, in the schema's order. A schema that is none has no arguments: the tool checks
/// what it gets.
pub fn properties(schema: &str) -> Vec<Property> {
    let Ok(root) = anyturn_json::from_str::<Schema<'_>>(schema) else {
        return Vec::new();
    };
    root.properties
        .iter()
        .map(|(name, schema)| {
            let mut property = Property {
                name: name.clone().into_owned(),
                required: root.required.contains(name),
                ..Property::default()
            };
            collect(&mut property, schema, &root, 0);
            property
        })
        .collect()
}

/// Adds what a schema says. References and alternatives are followed, but not for ever: a schema may refer
/// to itself.
fn collect(property: &mut Property, schema: &Schema<'_>, root: &Schema<'_>, depth: u8) {
    const DEEPEST: u8 = 6;
    if depth > DEEPEST {
        return;
    }
    let referred = schema.reference.as_deref().and_then(|reference| {
        let (_, name) = reference.rsplit_once('/')?;
        root.definitions.iter().find(|(own, _)| own == name)
    });
    if let Some((_, target)) = referred {
        collect(property, target, root, depth + 1);
    }
    for alternative in &schema.alternatives {
        collect(property, alternative, root, depth + 1);
    }
    let values = schema.values.iter().filter_map(Value::as_str);
    property.values.extend(values.map(Choice::new));
    for kind in &schema.types {
        match kind.as_ref() {
            "integer" => property.integer = true,
            "number" => property.number = true,
            "array" => {
                property.list = true;
                if let Some(items) = &schema.items {
                    collect(property, items, root, depth + 1);
                }
            }
            "string" => match schema.format.as_deref() {
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

// ---- reading ----------------------------------------------------------------------------------------

/// The part of a schema that matters here.
#[derive(Default)]
struct Schema<'a> {
    reference: Option<Cow<'a, str>>,
    definitions: Named<'a>,
    properties: Named<'a>,
    required: Vec<Cow<'a, str>>,
    types: Vec<Cow<'a, str>>,
    format: Option<Cow<'a, str>>,
    /// `enum` and `const`.
    values: Vec<Value>,
    /// `anyOf`, `oneOf` and `allOf`.
    alternatives: Vec<Schema<'a>>,
    items: Option<Box<Schema<'a>>>,
}

type Named<'a> = Vec<(Cow<'a, str>, Schema<'a>)>;

impl<'de: 'a, 'a> Deserialize<'de> for Schema<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SchemaVisitor)
    }
}

struct SchemaVisitor;

impl<'de> Visitor<'de> for SchemaVisitor {
    type Value = Schema<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON Schema")
    }

    /// `true` fits everything and `false` nothing; neither says anything here.
    fn visit_bool<E>(self, _: bool) -> Result<Schema<'de>, E> {
        Ok(Schema::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Schema<'de>, A::Error> {
        let mut schema = Schema::default();
        while let Some(Text(key)) = map.next_key()? {
            match key.as_ref() {
                "$ref" => schema.reference = Some(map.next_value::<Text<'_>>()?.0),
                "$defs" | "definitions" => schema.definitions = map.next_value::<Schemas<'_>>()?.0,
                "properties" => schema.properties = map.next_value::<Schemas<'_>>()?.0,
                "required" => schema.required = map.next_value::<Texts<'_>>()?.0,
                "type" => schema.types = map.next_value::<Texts<'_>>()?.0,
                "format" => schema.format = Some(map.next_value::<Text<'_>>()?.0),
                "enum" => schema.values.append(&mut map.next_value()?),
                "const" => schema.values.push(map.next_value()?),
                "anyOf" | "oneOf" | "allOf" => schema.alternatives.append(&mut map.next_value()?),
                "items" => schema.items = Some(map.next_value()?),
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(schema)
    }
}

/// A text, borrowed where it holds no escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// One text, or a list of them.
struct Texts<'a>(Vec<Cow<'a, str>>);

impl<'de: 'a, 'a> Deserialize<'de> for Texts<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextsVisitor).map(Texts)
    }
}

struct TextsVisitor;

impl<'de> Visitor<'de> for TextsVisitor {
    type Value = Vec<Cow<'de, str>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or a list of texts")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(vec![Cow::Borrowed(text)])
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(vec![Cow::Owned(text.to_owned())])
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut texts = Vec::new();
        while let Some(Text(text)) = list.next_element()? {
            texts.push(text);
        }
        Ok(texts)
    }
}

/// Schemas by name, in their order.
struct Schemas<'a>(Named<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for Schemas<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(SchemasVisitor).map(Schemas)
    }
}

struct SchemasVisitor;

impl<'de> Visitor<'de> for SchemasVisitor {
    type Value = Named<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of JSON Schemas")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut schemas = Vec::new();
        while let Some((Text(name), schema)) = map.next_entry()? {
            schemas.push((name, schema));
        }
        Ok(schemas)
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
        let referred = property(r##"{"anyOf":[{"$ref":"#/$defs/P"},{"type":"null"}]}"##);
        assert_eq!(referred.values, ["low", "high"].map(Choice::new));
        let mixed = property(r#"{"anyOf":[{"type":"string","format":"date"},{"enum":["today"]}]}"#);
        assert!(mixed.date && mixed.values == [Choice::new("today")] && !mixed.is_free_text());
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
