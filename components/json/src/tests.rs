use super::*;
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Debug;

#[derive(Debug, Deserialize)]
#[allow(dead_code)]
struct Everything<'a> {
    text: String,
    #[serde(borrow)]
    borrowed: Option<Cow<'a, str>>,
    #[serde(default)]
    flag: bool,
    small: Option<i8>,
    large: Option<u64>,
    float: Option<f32>,
    double: Option<f64>,
    pair: Option<(String, u32)>,
    #[serde(default)]
    list: Vec<Choice>,
    #[serde(default)]
    map: BTreeMap<String, Wrapped>,
    any: Option<Value>,
    #[serde(borrow)]
    raw: Option<&'a RawValue>,
    nested: Option<Box<Everything<'a>>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(dead_code)]
enum Choice {
    Unit,
    Empty {},
    Wrapped(Wrapped),
    Pair(u8, u8),
    Named { a: u8, b: Option<String> },
}

#[derive(Debug, Deserialize)]
#[allow(dead_code)]
struct Wrapped(u16);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct Strict {
    #[serde(deserialize_with = "odd")]
    odd: u8,
    #[serde(default)]
    inner: Option<Box<Strict>>,
}

fn odd<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
    let number = u8::deserialize(deserializer)?;
    if number % 2 == 0 {
        return Err(serde::de::Error::custom(format_args!("{number} is even")));
    }
    Ok(number)
}

/// What came of it, with everything that an error tells.
fn outcome<T: Debug>(outcome: Result<T, Error>) -> String {
    match outcome {
        Ok(value) => format!("{value:?}"),
        Err(error) => format!(
            "{:?} at {}:{}: {error}",
            error.classify(),
            error.line(),
            error.column()
        ),
    }
}

fn same<'de, T: Debug + Deserialize<'de>>(json: &'de str) -> bool {
    let expected = outcome(serde_json::from_slice::<T>(json.as_bytes()));
    assert_eq!(outcome(from_str::<T>(json)), expected, "{json}");
    !expected.contains(" at ")
}

#[test]
fn what_serde_json_reads_is_read_as_it_reads_it() {
    for json in [
        r#"{"text": "a"}"#,
        r#" { "text" : "\u00e4\n" , "borrowed" : "plain" , "flag" : true } "#,
        r#"{"text": "a", "borrowed": "with \"escapes\"", "small": -128, "large": 18446744073709551615}"#,
        r#"{"text": "a", "float": 0.1, "double": 1.7976931348623157e308, "pair": ["x", 4294967295]}"#,
        r#"{"text": "a", "float": 16777217, "double": -5}"#,
        r#"{"text": "a", "list": ["unit", {"unit": null}, {"empty": {}}, {"wrapped": 7}, {"pair": [1, 2]}]}"#,
        r#"{"text": "a", "list": [{"named": {"b": null, "a": 1}}, {"named": {"a": 1, "more": [{}, [0]]}}]}"#,
        r#"{"text": "a", "map": {"": 1, "x\ty": 2}, "any": {"a": [1, -2, 3.5, true, null, "x", {}]}}"#,
        r#"{"text": "a", "raw": {"b" : [ 1 ,2]}, "nested": {"text": "b", "raw": 1e2}}"#,
        r#"{"text": "a", "unknown": {"a": [1, {"b": "c"}]}, "small": null, "any": null, "raw": null}"#,
    ] {
        assert!(same::<Everything<'_>>(json), "{json}");
        assert!(same::<Value>(json) && same::<&RawValue>(json));
    }
    assert!(same::<Strict>(r#"{"inner": {"odd": 3}, "odd": 1}"#));
    assert!(same::<Vec<Option<Choice>>>(r#"[null, "unit"]"#));
    assert!(same::<[u8; 2]>("[1, 2]") && same::<()>("null") && same::<char>(r#""ä""#));
}

#[test]
fn what_serde_json_refuses_is_refused_in_its_words_at_the_same_place() {
    for json in [
        "",
        "{",
        "nul",
        r#"{"text": "a"} x"#,
        r#"{"text": "a",}"#,
        r#"{"text" "a"}"#,
        r#"{"text": "a", "any": [1, 2}"#,
        r#"{"text": "a", "any": {"b": tru}}"#,
        r#"{"text": "a\x"}"#,
        r#"{}"#,
        r#"{"flag": true}"#,
        r#"{"text": 5}"#,
        r#"{"text": null}"#,
        r#"{"text": ["a"]}"#,
        r#"{"text": {"a": 1}}"#,
        r#"{"text": "a", "text": "b"}"#,
        "{\n  \"text\": \"a\",\n  \"flag\": \"yes\"\n}",
        r#"{"text": "a", "small": 128}"#,
        r#"{"text": "a", "small": 1.5}"#,
        r#"{"text": "a", "large": -1}"#,
        r#"{"text": "a", "large": "1"}"#,
        r#"{"text": "a", "double": 1e999}"#,
        r#"{"text": "a", "pair": ["x"]}"#,
        r#"{"text": "a", "pair": ["x", 1, 2]}"#,
        r#"{"text": "a", "pair": {}}"#,
        r#"{"text": "a", "list": ["other"]}"#,
        r#"{"text": "a", "list": [{"other": 1}]}"#,
        r#"{"text": "a", "list": [{}]}"#,
        r#"{"text": "a", "list": [5]}"#,
        r#"{"text": "a", "list": ["wrapped"]}"#,
        r#"{"text": "a", "list": ["named"]}"#,
        r#"{"text": "a", "list": ["pair"]}"#,
        r#"{"text": "a", "list": [{"unit": 1}]}"#,
        r#"{"text": "a", "list": [{"unit": null, "more": 1}]}"#,
        r#"{"text": "a", "list": [{"pair": [1]}]}"#,
        r#"{"text": "a", "list": [{"named": {"b": "x"}}]}"#,
        r#"{"text": "a", "list": [{"named": 1}]}"#,
        r#"{"text": "a", "list": {"unit": null}}"#,
        r#"{"text": "a", "map": {"b": "c"}}"#,
        r#"{"text": "a", "map": []}"#,
        r#"{"text": "a", "nested": {"text": "b", "nested": {"flag": 1}}}"#,
        r#"{"text": "a", "nested": {"text": "b" "#,
        "5",
        r#""text""#,
    ] {
        assert!(!same::<Everything<'_>>(json), "{json}");
    }
    for json in [
        r#"{"odd": 2}"#,
        r#"{"odd": 300}"#,
        r#"{"odd": 1, "even": 2}"#,
        r#"{"inner": {"odd": 1, "x": 2}, "odd": 1}"#,
        r#"{"odd": 1, "inner": {}}"#,
        r#"{"odd": 1, "inner": {"odd": 4 } , "more": 1}"#,
    ] {
        assert!(!same::<Strict>(json), "{json}");
    }
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    assert!(!same::<Value>(&deep) && !same::<&str>(r#""\n""#));
}

/// serde_json takes the members' values in the order of the fields; whoever sends that did not mean it.
#[test]
fn an_object_is_not_read_from_a_list() {
    let list = r#"[1, null]"#;
    assert!(serde_json::from_str::<Strict>(list).is_ok());
    assert_eq!(
        from_str::<Strict>(list).unwrap_err().to_string(),
        "invalid type: sequence, expected struct Strict at line 1 column 0"
    );
    assert_eq!(
        from_str::<Choice>(r#"{"named": [1, null]}"#)
            .unwrap_err()
            .to_string(),
        "invalid type: sequence, expected struct variant Choice::Named at line 1 column 11"
    );
}
