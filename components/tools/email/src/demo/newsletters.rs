//! The newsletters that the demo mailbox got: 23 today, and some on the days before.

use jiff::Zoned;

use super::row::{Day, newsletter};
use crate::mail::{Mail, label};

/// Name, address, subject and beginning.
type Entry = (&'static str, &'static str, &'static str, &'static str);

/// Today's.
const TODAY: [Entry; 23] = [
    (
        "Morning Ledger",
        "daily@morningledger.example",
        "Markets open higher on chip earnings",
        "Five things to know before the bell.",
    ),
    (
        "Ship It Weekly",
        "hello@shipit.example",
        "Feature flags without the mess",
        "How three teams retired 400 flags in a month.",
    ),
    (
        "Design Notes",
        "notes@designnotes.example",
        "The return of the sidebar",
        "Why navigation is moving left again.",
    ),
    (
        "Paper & Pine",
        "news@paperandpine.example",
        "Early holiday offers: 20 % off notebooks",
        "Until Sunday, for subscribers.",
    ),
    (
        "The Wire Brief",
        "brief@wirebrief.example",
        "What happened overnight",
        "The news in four minutes.",
    ),
    (
        "Product Pulse",
        "pulse@productpulse.example",
        "Pricing pages that convert",
        "We looked at 120 of them.",
    ),
    (
        "Rustacean Times",
        "editor@rustaceantimes.example",
        "Async closures in practice",
        "This week: closures, crates and a conference.",
    ),
    (
        "Meridian Air Club",
        "club@meridianair.example",
        "Double miles to Lisbon this month",
        "Book by Friday to earn twice.",
    ),
    (
        "Green Table",
        "recipes@greentable.example",
        "Dinner in 20 minutes: miso noodles",
        "Plus a soup for the weekend.",
    ),
    (
        "Run Club",
        "coach@runclub.example",
        "Your plan for a faster 10k",
        "Intervals, explained gently.",
    ),
    (
        "Data Digest",
        "digest@datadigest.example",
        "Column stores, a love story",
        "And nine links worth your time.",
    ),
    (
        "City Events",
        "events@cityevents.example",
        "12 things to do this weekend",
        "Markets, music, and a lantern walk.",
    ),
    (
        "Harbor Books",
        "read@harborbooks.example",
        "The novels of the season",
        "Our booksellers' picks.",
    ),
    (
        "Cloud Watchers",
        "letter@cloudwatchers.example",
        "Who pays for egress?",
        "A comparison of nine providers.",
    ),
    (
        "Founders' Friday",
        "friday@foundersfriday.example",
        "The first ten hires",
        "An interview with four founders.",
    ),
    (
        "Pixel & Grain",
        "studio@pixelgrain.example",
        "Presets for grey days",
        "Photography for people who stay inside.",
    ),
    (
        "Language Lunch",
        "hola@languagelunch.example",
        "Portuguese in ten phrases",
        "Just in time for your next trip.",
    ),
    (
        "Home & Hinge",
        "ideas@homehinge.example",
        "Small rooms, large shelves",
        "Six ideas under $100.",
    ),
    (
        "Security Scoop",
        "scoop@securityscoop.example",
        "Phishing kits get an upgrade",
        "What to teach your team.",
    ),
    (
        "Quiet Money",
        "hello@quietmoney.example",
        "Index funds, again",
        "Boring is still winning.",
    ),
    (
        "Train Spotter",
        "desk@trainspotter.example",
        "Night trains are back",
        "New routes for the winter.",
    ),
    (
        "Remote Review",
        "editors@remotereview.example",
        "Meetings that should be letters",
        "A template that works.",
    ),
    (
        "Coffee Geek",
        "beans@coffeegeek.example",
        "A grinder for life?",
        "We took five apart.",
    ),
];

/// The same of those that come again and again, and every how many days.
const SERIES: [(u16, Entry); 8] = [
    (
        2,
        (
            "Morning Ledger",
            "daily@morningledger.example",
            "Five things before the bell",
            "What moved the markets yesterday.",
        ),
    ),
    (
        3,
        (
            "The Wire Brief",
            "brief@wirebrief.example",
            "The news in four minutes",
            "What happened overnight.",
        ),
    ),
    (
        7,
        (
            "Ship It Weekly",
            "hello@shipit.example",
            "Smaller releases, calmer weeks",
            "Three teams, three ways.",
        ),
    ),
    (
        7,
        (
            "Rustacean Times",
            "editor@rustaceantimes.example",
            "This week in crates",
            "Crates, talks and jobs.",
        ),
    ),
    (
        4,
        (
            "Paper & Pine",
            "news@paperandpine.example",
            "New in: fountain pens",
            "In four colors.",
        ),
    ),
    (
        5,
        (
            "City Events",
            "events@cityevents.example",
            "What is on this week",
            "Music, markets and museums.",
        ),
    ),
    (
        5,
        (
            "Data Digest",
            "digest@datadigest.example",
            "Nine links worth your time",
            "Rows, columns and everything between.",
        ),
    ),
    (
        3,
        (
            "Green Table",
            "recipes@greentable.example",
            "What to cook tonight",
            "Three pots, one stove.",
        ),
    ),
];

/// They go back so many days.
const DAYS: u16 = 20;

/// All of them, for somebody who begins at this moment.
pub fn mails(begun: &Zoned) -> Vec<Mail> {
    let mut all = Vec::new();
    for (number, entry) in (1_u16..).zip(TODAY) {
        // Most lie among the advertisements, some among the notifications and the mailing lists.
        let category = match number % 6 {
            0 => label::FORUMS,
            1 | 4 => label::UPDATES,
            _ => label::PROMOTIONS,
        };
        let labels = [label::INBOX, label::UNREAD, category];
        let id = format!("demo-news-{number:02}");
        all.push(newsletter(
            id,
            (Day::Ago(0), 61 + number * 55),
            entry,
            &labels,
            begun,
        ));
    }
    for (series, (every, entry)) in (1_u16..).zip(SERIES) {
        let mut ago = every;
        while ago <= DAYS {
            let id = format!("demo-news-{series}-{ago}");
            let when = (Day::Ago(ago), 360 + series * 7);
            all.push(newsletter(
                id,
                when,
                entry,
                &[label::INBOX, label::PROMOTIONS],
                begun,
            ));
            ago += every;
        }
    }
    all
}
