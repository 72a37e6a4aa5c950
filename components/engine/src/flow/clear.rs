//! What an agent says, without what only it and its tools know each other by: names of tools, and ids.
//!
//! Models are told to leave both out. Where one does not, the assistant could take an id for something that people
//! know, and tell it to them.

use serde_json::Value;

/// Ids shorter than this may be words.
const SHORTEST: usize = 5;

/// A text without ids and names of tools; `titles` are those that people have for tools, after their names.
pub(super) fn clear<'t>(
    text: &str,
    ids: &[String],
    titles: impl Iterator<Item = (&'t str, &'t str)>,
) -> String {
    let mut text = text.to_owned();
    for (name, title) in titles.filter(|(name, _)| name.contains(['_', '-'])) {
        if text.contains(name) {
            text = text.replace(name, title);
        }
    }
    for id in ids {
        while let Some(range) = find(&text, id) {
            text.replace_range(range, "");
        }
    }
    text
}

/// Where an id stands, with the brackets or quotation marks around it, and the word that introduces it.
fn find(text: &str, id: &str) -> Option<std::ops::Range<usize>> {
    let inside = |c: char| c.is_alphanumeric() || c == '_';
    let own = text.match_indices(id).map(|(at, _)| (at, at + id.len()));
    let (mut from, mut to) = own.into_iter().find(|(from, to)| {
        let before = text.get(..*from).and_then(|before| before.chars().next_back());
        let after = text.get(*to..).and_then(|after| after.chars().next());
        !before.is_some_and(inside) && !after.is_some_and(inside)
    })?;
    for (open, close) in [
        ("`", "`"),
        ("\"", "\""),
        ("“", "”"),
        ("(id: ", ")"),
        ("(id ", ")"),
        ("(", ")"),
        ("[", "]"),
    ] {
        let (before, after) = (text.get(..from)?, text.get(to..)?);
        if before.ends_with(open) && after.starts_with(close) {
            (from, to) = (from - open.len(), to + close.len());
        }
    }
    if text.get(..from)?.ends_with(' ') {
        from -= 1;
    }
    Some(from..to)
}

/// The ids in some JSON: texts that members hold which are called so.
pub(super) fn ids(json: &str, found: &mut Vec<String>) {
    let value: Value = anyturn_json::from_str(json).unwrap_or_default();
    collect(&value, false, found);
}

fn collect(value: &Value, is_id: bool, found: &mut Vec<String>) {
    match value {
        Value::String(text) if is_id => {
            let looks = text.len() >= SHORTEST && !text.contains(char::is_whitespace) && !text.contains('@');
            if looks && text.contains(|c: char| c.is_ascii_digit()) && !found.contains(text) {
                found.push(text.clone());
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, is_id, found)),
        Value::Object(members) => {
            for (name, member) in members {
                let name = name.to_ascii_lowercase();
                let is_id = name.ends_with("id") || name.ends_with("ids") || name == "etag";
                collect(member, is_id, found);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_names_of_tools_do_not_pass() {
        let mut found = Vec::new();
        ids(
            r#"{"emails":[{"id":"m_18c2","threadId":"t-77001","subject":"Hello 12345"}],"ids":["evt_9"],"calendar_id":"alex@x.example","id":"all"}"#,
            &mut found,
        );
        assert_eq!(found, ["m_18c2", "t-77001", "evt_9"]);
        let titles = [("archive_emails", "Archive e-mails"), ("send", "Send")];
        let clear = |text| clear(text, &found, titles.into_iter());
        assert_eq!(clear("“Hello” (id: m_18c2) of Sarah"), "“Hello” of Sarah");
        assert_eq!(clear("1. Hello [m_18c2]\n2. `t-77001`"), "1. Hello\n2.");
        assert_eq!(
            clear("I used archive_emails, shall I send it?"),
            "I used Archive e-mails, shall I send it?"
        );
        assert_eq!(clear("xm_18c2 m_18c24"), "xm_18c2 m_18c24");
    }
}
