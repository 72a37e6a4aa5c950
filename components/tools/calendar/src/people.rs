//! Who is meant by an address, or by the name of somebody with whom the user has meetings.

use anyturn_people::{address, name};
use jiff::ToSpan;

use crate::diary::{Diary, Trouble};
use crate::event::{Event, MAX_ATTENDEES, Person, midnight};
use crate::moment::Clock;

/// How many days of meetings before and after today somebody may have been in.
const DAYS: i32 = 30;

/// The people that these names and addresses mean, each once, without the user.
///
/// # Errors
///
/// A name means nobody, or several; the message says who might be meant.
pub async fn resolve(diary: &impl Diary, named: &[String], clock: &Clock) -> Result<Vec<Person>, Trouble> {
    check_count("attendees", named.len())?;
    let owner = diary.owner().await?;
    let mut known: Option<Vec<Person>> = None;
    let mut people: Vec<Person> = Vec::with_capacity(named.len());
    for text in named.iter().map(|text| text.trim()) {
        if matches!(text.to_lowercase().as_str(), "me" | "i" | "myself" | "") {
            continue;
        }
        let person = match address::parse(text) {
            Some(address) => Person {
                name: String::new(),
                address,
            },
            None => {
                if known.is_none() {
                    known = Some(acquaintances(diary, clock).await?);
                }
                one(text, known.as_deref().unwrap_or_default())?
            }
        };
        if person.address != owner.address && people.iter().all(|other| other.address != person.address) {
            people.push(person);
        }
    }
    Ok(people)
}

/// People by their addresses alone: those who get mail are never guessed from a name.
///
/// # Errors
///
/// One of them is no address.
pub fn addressed(field: &str, texts: &[String]) -> Result<Vec<Person>, Trouble> {
    check_count(field, texts.len())?;
    let mut people: Vec<Person> = Vec::with_capacity(texts.len());
    for text in texts {
        let Some(address) = address::parse(text) else {
            return Err(Trouble::Invalid(format!(
                "{field}: “{}” is no e-mail address. search_contacts and find_free_time tell the addresses of people.",
                excerpt(text)
            )));
        };
        if people.iter().all(|other| other.address != address) {
            people.push(Person {
                name: String::new(),
                address,
            });
        }
    }
    Ok(people)
}

fn check_count(field: &str, count: usize) -> Result<(), Trouble> {
    if count > MAX_ATTENDEES {
        return Err(Trouble::Invalid(format!(
            "{field}: must be at most {MAX_ATTENDEES}."
        )));
    }
    Ok(())
}

/// Everybody who is in the user's meetings around today.
async fn acquaintances(diary: &impl Diary, clock: &Clock) -> Result<Vec<Person>, Trouble> {
    let today = clock.today();
    let between = (
        midnight(today.saturating_sub(DAYS.days()), &clock.zone),
        midnight(today.saturating_add(DAYS.days()), &clock.zone),
    );
    let events: Vec<Event> = diary.events(between, None).await?.events;
    let mut people: Vec<Person> = Vec::new();
    for event in events {
        for person in event
            .guests
            .into_iter()
            .map(|guest| guest.person)
            .chain(event.organizer)
        {
            if people.iter().all(|other| other.address != person.address) {
                people.push(person);
            }
        }
    }
    Ok(people)
}

/// The one who is called so.
fn one(text: &str, known: &[Person]) -> Result<Person, Trouble> {
    let fits = known
        .iter()
        .filter_map(|person| Some((name::fit(text, &person.name, &[&person.address], &[])?, person)));
    let fits: Vec<_> = fits.collect();
    let best = fits.iter().map(|(fit, _)| *fit).max();
    let meant: Vec<&Person> = fits
        .iter()
        .filter(|(fit, _)| Some(*fit) == best)
        .map(|(_, person)| *person)
        .collect();
    match meant.as_slice() {
        [only] => Ok((*only).clone()),
        [] => Err(Trouble::Invalid(format!(
            "attendees: nobody in the user's meetings is called “{}”. Use the e-mail address; search_contacts finds it.",
            excerpt(text)
        ))),
        several => {
            let listed: Vec<String> = several
                .iter()
                .map(|person| format!("- {} ({})", person.name, person.address))
                .collect();
            Err(Trouble::Invalid(format!(
                "attendees: “{}” could be any of these; ask which one is meant, and use the address:\n{}",
                excerpt(text),
                listed.join("\n")
            )))
        }
    }
}

fn excerpt(text: &str) -> String {
    text.trim().chars().take(100).collect()
}
