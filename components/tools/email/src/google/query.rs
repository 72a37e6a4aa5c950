//! A search in the words of Gmail (support.google.com/mail/answer/7190).

use crate::mail::label;
use crate::search::{Category, Place, Search};

/// What Gmail is asked for: the search, and the labels (by id) that everything found has to have. The user's own label is
/// left to the caller, who knows its id.
pub fn query(search: &Search) -> (String, Vec<String>) {
    let Search {
        from,
        to,
        subject,
        text,
        start,
        end,
        unread,
        attachment,
        category,
        label: _,
        place,
    } = search;
    let mut query = Vec::new();
    let mut labels = Vec::new();
    for (operator, words) in [("from:", from), ("to:", to), ("subject:", subject), ("", text)] {
        // One by one and in quotes, so that they are words and nothing else, and all have to be there.
        query.extend(words.iter().map(|word| format!("{operator}\"{word}\"")));
    }
    if let Some(start) = start {
        query.push(format!("after:{}", start.as_second() - 1));
    }
    if let Some(end) = end {
        query.push(format!("before:{}", end.as_second()));
    }
    match unread {
        None => {}
        Some(true) => query.push("is:unread".to_owned()),
        Some(false) => query.push("is:read".to_owned()),
    }
    match attachment {
        None => {}
        Some(true) => query.push("has:attachment".to_owned()),
        Some(false) => query.push("-has:attachment".to_owned()),
    }
    if let Some(category) = category {
        let category = match category {
            // Gmail has no such category: it is what one can unsubscribe from among what is not from people.
            Category::Newsletters => "{category:promotions category:updates category:forums} unsubscribe",
            Category::Promotions => "category:promotions",
            Category::Social => "category:social",
            Category::Updates => "category:updates",
            Category::Forums => "category:forums",
            Category::Primary => "category:primary",
        };
        query.push(category.to_owned());
    }
    match place {
        Place::Received => query.push("-in:sent -in:drafts".to_owned()),
        Place::Anywhere => {}
        Place::Inbox => labels.push(label::INBOX.to_owned()),
        Place::Sent => labels.push(label::SENT.to_owned()),
        Place::Drafts => labels.push(label::DRAFT.to_owned()),
        Place::Trash => labels.push(label::TRASH.to_owned()),
        Place::Spam => labels.push(label::SPAM.to_owned()),
    }
    (query.join(" "), labels)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::words;

    #[test]
    fn a_search_is_written_in_gmails_words() {
        let search = Search {
            from: words("Sarah Chen"),
            text: words("budget -in:trash"),
            start: Some("2026-11-15T23:00:00Z".parse().unwrap()),
            end: Some("2026-11-22T23:00:00Z".parse().unwrap()),
            unread: Some(true),
            attachment: Some(false),
            category: Some(Category::Newsletters),
            place: Place::Inbox,
            ..Search::default()
        };
        let (query, labels) = query(&search);
        assert_eq!(
            query,
            "from:\"sarah\" from:\"chen\" \"budget\" \"in\" \"trash\" after:1794783599 before:1795388400 is:unread \
             -has:attachment {category:promotions category:updates category:forums} unsubscribe"
        );
        assert_eq!(labels, ["INBOX"]);
    }
}
