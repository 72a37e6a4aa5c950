//! One spelling for equal JSON, so that a hash stands for exactly what was decided on.
//!
//! This is the JSON Canonicalization Scheme (RFC 8785): no white space, keys sorted by their UTF-16 code units,
//! texts escaped as little as possible, numbers as ECMAScript writes them. One thing differs: an integer keeps
//! all of its digits where ECMAScript would round it, because the tool gets all of them too.

use crate::scope::hex;
use serde_json::{Number, Value};
use sha2::{Digest, Sha256};

/// SHA-256 of a value's canonical JSON, in hexadecimal.
pub(crate) fn hash(value: &Value) -> String {
    let mut json = String::new();
    write(value, &mut json);
    hex(&Sha256::digest(json.as_bytes()))
}

fn write(value: &Value, json: &mut String) {
    match value {
        Value::Null => json.push_str("null"),
        Value::Bool(true) => json.push_str("true"),
        Value::Bool(false) => json.push_str("false"),
        Value::Number(number) => write_number(number, json),
        Value::String(text) => write_text(text, json),
        Value::Array(items) => {
            json.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    json.push(',');
                }
                write(item, json);
            }
            json.push(']');
        }
        Value::Object(members) => {
            let mut members: Vec<(&String, &Value)> = members.iter().collect();
            members.sort_by(|(one, _), (other, _)| one.encode_utf16().cmp(other.encode_utf16()));
            json.push('{');
            for (index, (key, value)) in members.into_iter().enumerate() {
                if index > 0 {
                    json.push(',');
                }
                write_text(key, json);
                json.push(':');
                write(value, json);
            }
            json.push('}');
        }
    }
}

/// RFC 8785, section 3.2.2.2.
fn write_text(text: &str, json: &mut String) {
    json.push('"');
    for c in text.chars() {
        match c {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            '\u{8}' => json.push_str("\\b"),
            '\t' => json.push_str("\\t"),
            '\n' => json.push_str("\\n"),
            '\u{c}' => json.push_str("\\f"),
            '\r' => json.push_str("\\r"),
            c if c < ' ' => json.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => json.push(c),
        }
    }
    json.push('"');
}

/// RFC 8785, section 3.2.2.3: ECMAScript's `Number::toString`.
fn write_number(number: &Number, json: &mut String) {
    let float = match number.as_f64() {
        Some(float) if !number.is_i64() && !number.is_u64() => float,
        _ => {
            json.push_str(&number.to_string());
            return;
        }
    };
    if float == 0.0 {
        json.push('0');
        return;
    }
    // These are the shortest digits that read back as the same number, and of two that are as near the even ones,
    // as ECMAScript asks for; what differs is where the point goes.
    let shortest = number.to_string();
    let (mantissa, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let (before, after) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let (before, after) = (before.trim_start_matches('-'), after.trim_end_matches('0'));
    let all = format!("{before}{after}");
    let digits = all.trim_start_matches('0');
    let leading = i32::try_from(all.len() - digits.len()).unwrap_or_default();
    let digits = digits.trim_end_matches('0');
    if float < 0.0 {
        json.push('-');
    }
    // The decimal point stands after so many digits.
    let point = i32::try_from(before.len()).unwrap_or_default() - leading + exponent;
    let exponent = point - 1;
    let whole = usize::try_from(point).unwrap_or_default();
    match point {
        1..=21 if digits.len() <= whole => {
            json.push_str(digits);
            json.extend(std::iter::repeat_n('0', whole - digits.len()));
        }
        1..=21 => {
            let (before, after) = digits.split_at(whole);
            json.push_str(before);
            json.push('.');
            json.push_str(after);
        }
        -5..=0 => {
            json.push_str("0.");
            json.extend(std::iter::repeat_n(
                '0',
                usize::try_from(-point).unwrap_or_default(),
            ));
            json.push_str(digits);
        }
        _ => {
            let (first, rest) = digits.split_at(1);
            json.push_str(first);
            if !rest.is_empty() {
                json.push('.');
                json.push_str(rest);
            }
            json.push_str(&format!(
                "e{}{}",
                if exponent < 0 { '-' } else { '+' },
                exponent.abs()
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn canonical(json: &str) -> String {
        let mut canonical = String::new();
        write(&serde_json::from_str(json).unwrap(), &mut canonical);
        canonical
    }

    #[test]
    fn the_examples_of_the_specification_come_out_as_it_says() {
        // RFC 8785, sections 3.2.2 and 3.2.3.
        assert_eq!(
            canonical(
                r#"{"numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
                    "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
                    "literals": [null, true, false]}"#
            ),
            "{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27],\"string\":\"€$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}"
        );
        assert_eq!(
            canonical(
                r#"{"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\ud83d\ude00": 5, "\u0080": 6, "\u00f6": 7}"#
            ),
            "{\"\\r\":2,\"1\":4,\"\u{80}\":6,\"ö\":7,\"€\":1,\"😀\":5,\"\u{fb33}\":3}"
        );
    }

    #[test]
    fn numbers_are_written_as_ecmascript_does() {
        // RFC 8785, appendix B.
        for (bits, written) in [
            (0x0000_0000_0000_0000, "0"),
            (0x8000_0000_0000_0000, "0"),
            (0x0000_0000_0000_0001, "5e-324"),
            (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
            (0x4340_0000_0000_0000, "9007199254740992"),
            (0x4430_0000_0000_0000, "295147905179352830000"),
            (0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22"),
            (0x444b_1ae4_d6e2_ef4f, "999999999999999900000"),
            (0x444b_1ae4_d6e2_ef50, "1e+21"),
            (0x3eb0_c6f7_a0b5_ed8c, "9.999999999999997e-7"),
            (0x3eb0_c6f7_a0b5_ed8d, "0.000001"),
            (0x41b3_de43_5555_5557, "333333333.33333343"),
            (0xbecb_f647_612f_3696, "-0.0000033333333333333333"),
            (0x4314_3ff3_c1cb_0959, "1424953923781206.2"),
        ] {
            let mut json = String::new();
            let number = Number::from_f64(f64::from_bits(bits)).unwrap();
            write_number(&number, &mut json);
            assert_eq!(json, written);
        }
        assert_eq!(
            canonical("[18446744073709551615, -9007199254740993]"),
            "[18446744073709551615,-9007199254740993]"
        );
    }

    proptest! {
        #[test]
        fn canonical_json_means_the_same_and_is_one_spelling(numbers in prop::collection::vec(any::<f64>(), 0..5), text in ".{0,20}") {
            let value = serde_json::json!({ "b": numbers, "a": { &text: text } });
            let once = canonical(&value.to_string());
            let again: Value = serde_json::from_str(&once).unwrap();
            prop_assert_eq!(canonical(&serde_json::to_string_pretty(&again).unwrap()), once);
            prop_assert_eq!(hash(&again), hash(&value));
        }
    }
}
