//! What a command refers to: "the second one", "those", "it", and people by their names.
//!
//! A tool that wants an id has an argument called so. What people say in its place is looked up in what tools have
//! answered: lists of objects with ids, and `ids`. Where that does not tell, it is a description of what to search for.

use serde_json::Value;

use super::words::{Word, cut};
use crate::api::Tool;

/// What stands where an id should.
#[derive(Debug, PartialEq)]
pub enum Meant {
    /// One of those that were listed last; the last one for none.
    Place(Option<usize>),
    /// What was spoken of last; several if `true`.
    Known(bool),
    /// What is to be searched for.
    Described(String),
}

const ORDINALS: [&str; 10] = [
    "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth",
];

const ONE: [&str; 6] = ["it", "that", "this", "one", "him", "her"];
const SEVERAL: [&str; 7] = ["them", "those", "these", "they", "all", "both", "ones"];

/// Words for things of any kind, which tell nothing of which is meant.
const THINGS: [&str; 14] = [
    "the", "of", "my", "number", "email", "emails", "mail", "mails", "message", "messages", "event",
    "events", "result", "results",
];

/// Whether an argument takes ids.
pub fn is_reference(name: &str) -> bool {
    matches!(name, "id" | "ids") || name.ends_with("_id") || name.ends_with("_ids")
}

/// Whether an argument takes addresses: by its schema, or because its examples have nothing else.
pub fn takes_addresses(tool: &Tool, name: &str) -> bool {
    let mut values = tool.examples.iter().filter_map(|example| {
        let arguments: Value = anyturn_json::from_str(&example.arguments).ok()?;
        let value = arguments.get(name)?;
        let first = value.as_array().map_or(Some(value), |list| list.first());
        first?.as_str().map(|text| text.contains('@'))
    });
    match values.next() {
        Some(first) => first && values.all(|is| is),
        None => false,
    }
}

/// What is said in the place of ids, as one text.
pub fn phrase(value: &Value) -> String {
    match value {
        Value::Array(items) => items
            .iter()
            .filter_map(Value::as_str)
            .collect::<Vec<_>>()
            .join(" and "),
        value => value.as_str().unwrap_or_default().to_owned(),
    }
}

/// Whether that are ids already: those of something that is known, or what looks like nothing that people say.
pub fn is_id<'v>(phrase: &str, mut known: impl Iterator<Item = &'v Value>) -> bool {
    known.any(|value| items(value).iter().any(|id| id == phrase))
        || phrase
            .split(" and ")
            .all(|part| !part.contains(' ') && part.len() > 5 && part.contains(|c: char| c.is_ascii_digit()))
}

/// What is meant.
pub fn meant(phrase: &str) -> Meant {
    let mut words = Vec::new();
    cut(phrase, &mut words);
    let place = |word: &Word<'_>| {
        let ordinal = ORDINALS.iter().position(|ordinal| word.is(ordinal));
        let digits = word.text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let number = digits
            .parse::<usize>()
            .ok()
            .filter(|number| (1..=50).contains(number));
        ordinal.or(number.map(|number| number - 1))
    };
    let mut rest = words.iter().filter(|word| !word.is_any(&THINGS));
    match rest.clone().collect::<Vec<_>>().as_slice() {
        [word] if word.is("last") => return Meant::Place(None),
        [word, one] if word.is("last") && one.is_any(&ONE) => return Meant::Place(None),
        [word] | [word, _] if place(word).is_some() && rest.clone().skip(1).all(|word| word.is_any(&ONE)) => {
            return Meant::Place(place(word));
        }
        _ => {}
    }
    if rest.all(|word| word.is_any(&ONE) || word.is_any(&SEVERAL)) {
        let several = words
            .iter()
            .any(|word| word.is_any(&SEVERAL) || word.is_any(&THINGS) && word.text.ends_with('s'));
        return Meant::Known(several);
    }
    let leading = words
        .iter()
        .take_while(|word| word.is_any(&["all", "the", "every", "of", "my", "each"]));
    let from = words.get(leading.count()).map_or(0, |word| word.range.start);
    Meant::Described(phrase.get(from..).unwrap_or(phrase).to_owned())
}

/// The ids of what is listed in a result, or the one of the thing that it is about.
fn items(value: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let id = |value: &Value| value.get("id").and_then(text);
    if let Some(ids) = value.get("ids").and_then(Value::as_array) {
        return ids.iter().filter_map(text).collect();
    }
    let members = value.as_object().into_iter().flatten().map(|(_, member)| member);
    for list in std::iter::once(value)
        .chain(members.clone())
        .filter_map(Value::as_array)
    {
        let ids: Vec<String> = list.iter().filter_map(id).collect();
        if !ids.is_empty() {
            return ids;
        }
    }
    let own = std::iter::once(value).chain(members);
    own.into_iter().find_map(id).into_iter().collect()
}

/// What was found for a command.
pub fn found(results: &[Value], several: bool) -> Result<Vec<String>, String> {
    let ids = results
        .iter()
        .rev()
        .map(items)
        .find(|ids| !ids.is_empty())
        .unwrap_or_default();
    match ids.len() {
        0 => Err("There is nothing like that.".to_owned()),
        1 => Ok(ids),
        _ if several => Ok(ids),
        count => Err(format!(
            "There are {count} of these. Which one do you mean? Say “the first one”, for instance."
        )),
    }
}

/// The one at a place of what was listed last.
pub fn at(before: &[Value], place: Option<usize>) -> Result<Vec<String>, String> {
    let lists = before.iter().rev().map(items);
    let list = lists
        .into_iter()
        .find(|ids| ids.len() > place.unwrap_or(0))
        .unwrap_or_default();
    let id = match place {
        Some(place) => list.get(place),
        None => list.last(),
    };
    id.map(|id| vec![id.clone()])
        .ok_or_else(|| "I do not know which one that is. List them first.".to_owned())
}

/// What was spoken of last.
pub fn known(before: &[Value], several: bool) -> Result<Vec<String>, String> {
    let last = before.iter().rev().map(items).find(|ids| !ids.is_empty());
    match last {
        None => Err("I do not know what that is. List them first.".to_owned()),
        Some(ids) if several || ids.len() == 1 => Ok(ids),
        Some(ids) => Err(format!(
            "Which of the {} do you mean? Say “the first one”, for instance.",
            ids.len()
        )),
    }
}

/// The member of this name, wherever it stands in a result: of several the first.
pub fn member<'v>(data: &'v Value, name: &str) -> Option<&'v Value> {
    match data {
        Value::Object(members) => {
            let nested = || members.values().find_map(|member| self::member(member, name));
            members.get(name).or_else(nested)
        }
        Value::Array(items) => items.iter().find_map(|item| member(item, name)),
        _ => None,
    }
}

/// A value as an argument takes it: of people their addresses.
pub fn plain(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(plain).collect(),
        Value::Object(members) => {
            let address = ["address", "email"].iter().find_map(|name| members.get(*name));
            address.unwrap_or(value).clone()
        }
        value => value.clone(),
    }
}

/// Who is known by name and address.
#[derive(Debug, Default)]
pub struct People(Vec<(String, String)>);

impl People {
    /// Those in results, and in what others have said.
    pub fn of<'v>(results: impl Iterator<Item = &'v Value>, told: &str) -> Self {
        let mut people = Self::default();
        results.for_each(|value| people.collect(value));
        for line in told.lines() {
            let is_address = |word: &&str| word.contains('@') && word.contains('.');
            let address = line
                .split(|c: char| c.is_whitespace() || "<>(),;".contains(c))
                .map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()))
                .find(is_address);
            if let Some(address) = address {
                people.0.push((line.to_lowercase(), address.to_owned()));
            }
        }
        people
    }

    fn collect(&mut self, value: &Value) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.collect(item)),
            Value::Object(members) => {
                let text = |names: &[&str]| names.iter().find_map(|name| members.get(*name)?.as_str());
                if let (Some(name), Some(address)) = (text(&["name"]), text(&["address", "email"])) {
                    self.0.push((name.to_lowercase(), address.to_owned()));
                }
                members.values().for_each(|member| self.collect(member));
            }
            _ => {}
        }
    }

    /// Puts addresses in the place of names, or says whose is not known.
    pub fn resolve(&self, value: &mut Value) -> Result<(), String> {
        let texts = match value {
            Value::Array(items) => items.iter_mut().collect(),
            value => vec![value],
        };
        for place in texts {
            let Some(name) = place.as_str().filter(|text| !text.contains('@')) else {
                continue;
            };
            let wanted = name.to_lowercase();
            let says = |known: &&(String, String)| {
                let mut words = known.0.split(|c: char| !c.is_alphanumeric());
                wanted
                    .split_whitespace()
                    .all(|part| words.any(|word| word == part))
            };
            match self.0.iter().find(says) {
                Some((_, address)) => *place = Value::from(address.as_str()),
                None => return Err(name.to_owned()),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_said_in_the_place_of_an_id_is_understood() {
        for (phrase, place) in [
            ("the second one", Some(1)),
            ("second email", Some(1)),
            ("number 3", Some(2)),
            ("the 2nd", Some(1)),
            ("the last one", None),
            ("the last email", None),
        ] {
            assert_eq!(meant(phrase), Meant::Place(place), "{phrase}");
        }
        for (phrase, several) in [
            ("it", false),
            ("that one", false),
            ("this email", false),
            ("those", true),
            ("all of them", true),
            ("these emails", true),
        ] {
            assert_eq!(meant(phrase), Meant::Known(several), "{phrase}");
        }
        for (phrase, what) in [
            ("all newsletters from today", "newsletters from today"),
            (
                "the email from Sarah about the roadmap",
                "email from Sarah about the roadmap",
            ),
            ("the second newsletter", "second newsletter"),
        ] {
            assert_eq!(meant(phrase), Meant::Described(what.into()), "{phrase}");
        }
    }

    #[test]
    fn ids_are_found_wherever_a_tool_puts_them() {
        let listed = json!({"total": 3, "emails": [{"id": "a1"}, {"id": "b2"}], "ids": ["a1", "b2", "c3"]});
        assert_eq!(
            found(std::slice::from_ref(&listed), true).unwrap(),
            ["a1", "b2", "c3"]
        );
        assert!(
            found(std::slice::from_ref(&listed), false)
                .unwrap_err()
                .contains("There are 3")
        );
        assert!(found(&[json!({"emails": []})], true).is_err());
        let one = json!({"email": {"id": "b2", "body": "x"}});
        assert_eq!(known(&[listed.clone(), one.clone()], false).unwrap(), ["b2"]);
        assert!(known(std::slice::from_ref(&listed), false).is_err());
        assert_eq!(at(&[listed.clone(), one], Some(1)).unwrap(), ["b2"]);
        assert_eq!(at(std::slice::from_ref(&listed), None).unwrap(), ["c3"]);
        assert!(
            is_id("b2", [&listed].into_iter())
                && is_id("18f000001", [].into_iter())
                && !is_id("those", [].into_iter())
        );
    }

    #[test]
    fn people_are_known_by_name_from_results_and_from_what_others_said() {
        let results = [
            json!({"emails": [{"from": {"name": "Sarah Chen", "address": "sarah.chen@northwind.example"}}]}),
        ];
        let people = People::of(
            results.iter(),
            "Answer: 1 contact:\n- Marcus Webb (Engineering), marcus.webb@northwind.example, +1 555",
        );
        let mut to = json!(["sarah", "marcus", "x@y.example"]);
        people.resolve(&mut to).unwrap();
        assert_eq!(
            to,
            json!([
                "sarah.chen@northwind.example",
                "marcus.webb@northwind.example",
                "x@y.example"
            ])
        );
        assert_eq!(people.resolve(&mut json!("tom")), Err("tom".into()));
    }
}
