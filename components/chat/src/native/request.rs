//! A turn as a client asks for it.

use std::fmt;

use anyturn_engine::OnBusy;
use anyturn_engine::port::{ModelOptions, Part};
use serde::Deserialize;
use serde::de::value::SeqAccessDeserializer;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};

use crate::http::Problem;
use crate::{message, timezone};

/// The longest title, in characters.
const MAX_TITLE: usize = 200;

/// The body of a turn.
#[derive(Debug, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct TurnBody {
    /// What the user says: a text, or texts and pictures.
    pub message: MessageBody,
    /// The title of a new session; without one it is taken from the message. At most 200 characters.
    #[serde(default)]
    pub title: Option<String>,
    /// The user's time zone by its IANA name, such as `Europe/Berlin`. UTC without one.
    #[serde(default)]
    pub timezone: Option<String>,
    /// What the answer should look like, where the assistant's own choice does not fit.
    #[serde(default)]
    pub options: OptionsBody,
    /// What happens if another turn of the session is running; the assistant's own policy without it.
    #[serde(default)]
    pub on_busy: Option<OnBusyBody>,
}

/// What happens to a message while another one of the session is answered.
#[derive(Clone, Copy, Debug, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum OnBusyBody {
    /// It is refused with 409.
    Reject,
    /// It is answered when those before it are.
    Enqueue,
    /// The running turn is stopped, then it is answered. What was said and done until then stands.
    Interrupt,
    /// The running turn is stopped, what it did is undone as far as it can be, and then it is answered.
    Rollback,
}

impl From<OnBusyBody> for OnBusy {
    fn from(body: OnBusyBody) -> Self {
        match body {
            OnBusyBody::Reject => OnBusy::Reject,
            OnBusyBody::Enqueue => OnBusy::Enqueue,
            OnBusyBody::Interrupt => OnBusy::Interrupt,
            OnBusyBody::Rollback => OnBusy::Rollback,
        }
    }
}

/// What the user says.
#[derive(Debug)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema), schemars(untagged))]
pub enum MessageBody {
    /// A text.
    Text(String),
    /// Texts and pictures, in order.
    Parts(Vec<PartBody>),
}

/// A piece of what the user says.
#[derive(Debug)]
#[cfg_attr(
    not(target_arch = "wasm32"),
    derive(schemars::JsonSchema),
    schemars(tag = "type", rename_all = "snake_case", deny_unknown_fields)
)]
pub enum PartBody {
    /// Text.
    Text {
        /// The text.
        text: String,
    },
    /// A picture.
    Image {
        /// Its `https:` address, or a `data:` URL in Base64 (PNG, JPEG, WebP or GIF).
        url: String,
    },
}

/// Everything that any piece has.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PartMembers {
    #[serde(rename = "type")]
    kind: PartKind,
    text: Option<String>,
    url: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum PartKind {
    Text,
    Image,
}

/// Written by hand: a derived one would bring a second way of reading everything into the component.
impl<'de> Deserialize<'de> for PartBody {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let PartMembers { kind, text, url } = PartMembers::deserialize(deserializer)?;
        match (kind, text, url) {
            (PartKind::Text, Some(text), None) => Ok(PartBody::Text { text }),
            (PartKind::Image, None, Some(url)) => Ok(PartBody::Image { url }),
            (PartKind::Text, None, _) => Err(D::Error::missing_field("text")),
            (PartKind::Image, _, None) => Err(D::Error::missing_field("url")),
            (PartKind::Text, _, Some(_)) => Err(D::Error::unknown_field("url", &["type", "text"])),
            (PartKind::Image, Some(_), _) => Err(D::Error::unknown_field("text", &["type", "url"])),
        }
    }
}

/// What the answer should look like.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct OptionsBody {
    /// How varied: 0 to 2.
    pub temperature: Option<f32>,
    /// Only the likeliest words that together have this probability: 0 to 1.
    pub top_p: Option<f32>,
    /// Upper limit for one answer of the model, in tokens; at least 1.
    pub max_output_tokens: Option<u32>,
    /// Up to 4 texts that end the answer.
    pub stop: Vec<String>,
    /// For reproducible answers, where the provider can.
    pub seed: Option<i64>,
}

/// Written by hand so that a mistake in a part is told with the part's place.
impl<'de> Deserialize<'de> for MessageBody {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextOrParts;

        impl<'de> Visitor<'de> for TextOrParts {
            type Value = MessageBody;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a list of parts")
            }
            fn visit_str<E>(self, text: &str) -> Result<MessageBody, E> {
                Ok(MessageBody::Text(text.to_owned()))
            }
            fn visit_string<E>(self, text: String) -> Result<MessageBody, E> {
                Ok(MessageBody::Text(text))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, parts: A) -> Result<MessageBody, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(parts)).map(MessageBody::Parts)
            }
        }

        deserializer.deserialize_any(TextOrParts)
    }
}

/// A body that was checked.
#[derive(Debug, PartialEq)]
pub struct CheckedTurn {
    /// What the user says.
    pub message: Vec<Part>,
    /// The title of a new session.
    pub title: Option<String>,
    /// The user's time zone.
    pub timezone: Option<String>,
    /// What the answer should look like.
    pub options: ModelOptions,
    /// What happens if another turn is running.
    pub on_busy: Option<OnBusy>,
}

impl TurnBody {
    /// Checks what the types do not say.
    ///
    /// # Errors
    /// The first field that is wrong.
    pub fn check(self) -> Result<CheckedTurn, Problem> {
        let TurnBody {
            message,
            title,
            timezone,
            options,
            on_busy,
        } = self;
        let message = message.check()?;
        if title
            .as_ref()
            .is_some_and(|title| title.chars().count() > MAX_TITLE)
        {
            return Err(Problem::at(
                "/title",
                format!("A title has at most {MAX_TITLE} characters."),
            ));
        }
        check_timezone(timezone.as_deref())?;
        Ok(CheckedTurn {
            message,
            title: title.filter(|title| !title.trim().is_empty()),
            timezone,
            options: options.check()?,
            on_busy: on_busy.map(OnBusy::from),
        })
    }
}

impl MessageBody {
    /// The message in parts.
    ///
    /// # Errors
    /// The first part that is wrong.
    pub fn check(self) -> Result<Vec<Part>, Problem> {
        let message = match self {
            MessageBody::Text(text) => vec![message::text(text)],
            MessageBody::Parts(parts) => parts
                .into_iter()
                .enumerate()
                .map(|(i, part)| match part {
                    PartBody::Text { text } => Ok(message::text(text)),
                    PartBody::Image { url } => message::image(&url)
                        .map_err(|reason| Problem::message(format!("/message/{i}/url"), reason)),
                })
                .collect::<Result<Vec<_>, _>>()?,
        };
        if message::is_empty(&message) {
            return Err(Problem::message("/message", "The message is empty."));
        }
        Ok(message)
    }
}

/// Checks the field `timezone`.
///
/// # Errors
/// When there is no such zone.
pub fn check_timezone(name: Option<&str>) -> Result<(), Problem> {
    name.map_or(Ok(()), timezone::check)
        .map_err(|reason| Problem::at("/timezone", reason))
}

impl OptionsBody {
    /// Checks what the types do not say.
    ///
    /// # Errors
    /// The first option that is wrong.
    pub fn check(self) -> Result<ModelOptions, Problem> {
        let OptionsBody {
            temperature,
            top_p,
            max_output_tokens,
            stop,
            seed,
        } = self;
        if temperature.is_some_and(|t| !(0.0..=2.0).contains(&t)) {
            return Err(Problem::at(
                "/options/temperature",
                "The temperature lies between 0 and 2.",
            ));
        }
        if top_p.is_some_and(|p| !(0.0..=1.0).contains(&p)) {
            return Err(Problem::at(
                "/options/top_p",
                "The probability lies between 0 and 1.",
            ));
        }
        if max_output_tokens == Some(0) {
            return Err(Problem::at(
                "/options/max_output_tokens",
                "At least 1 token is needed for an answer.",
            ));
        }
        if stop.len() > 4 {
            return Err(Problem::at(
                "/options/stop",
                "At most 4 texts can end the answer.",
            ));
        }
        Ok(ModelOptions {
            model: None,
            temperature,
            top_p,
            max_output_tokens,
            stop,
            seed,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::read;

    fn check(body: &str) -> Result<CheckedTurn, Problem> {
        read::json::<TurnBody>(body.as_bytes())?.check()
    }

    #[test]
    fn a_message_is_a_text_or_parts() {
        assert_eq!(
            check(r#"{"message": "hello"}"#).unwrap().message,
            [message::text("hello")]
        );
        let parts = r#"{"message": [{"type": "text", "text": "what is this?"},
            {"type": "image", "url": "https://x.example/a.png"}], "timezone": "Europe/Berlin",
            "options": {"temperature": 0.5, "stop": ["."]}, "title": "T"}"#;
        let turn = check(parts).unwrap();
        assert_eq!(turn.message.len(), 2);
        assert_eq!(turn.options.temperature, Some(0.5));
        assert_eq!(
            (turn.title.as_deref(), turn.timezone.as_deref()),
            (Some("T"), Some("Europe/Berlin"))
        );
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let long = format!(r#"{{"message": "a", "title": "{}"}}"#, "t".repeat(201));
        for (body, pointer, says) in [
            (r#"{"message": ""}"#, "/message", "The message is empty."),
            (r#"{"message": "  "}"#, "/message", "The message is empty."),
            (r#"{"message": []}"#, "/message", "The message is empty."),
            (
                r#"{"message": 5}"#,
                "/message",
                "Invalid type: integer `5`, expected a text or a list of parts.",
            ),
            (
                r#"{"message": null}"#,
                "/message",
                "Invalid type: null, expected a text or a list of parts.",
            ),
            (r#"{}"#, "", "Missing field `message`."),
            (r#"[]"#, "", "Invalid type: sequence, expected struct TurnBody."),
            (
                r#"{"message": "a", "mesage": "b"}"#,
                "/mesage",
                "Unknown field `mesage`, expected one of `message`, `title`, `timezone`, `options`, `on_busy`.",
            ),
            (
                r#"{"message": [{"type": "text", "text": "a"}, {"type": "audio"}]}"#,
                "/message/1/type",
                "Unknown variant `audio`, expected `text` or `image`.",
            ),
            (
                r#"{"message": [{"type": "text"}]}"#,
                "/message",
                "Missing field `text`.",
            ),
            (
                r#"{"message": [{"type": "image", "url": "https://x", "text": "x"}]}"#,
                "/message",
                "Unknown field `text`, expected `type` or `url`.",
            ),
            (
                r#"{"message": [{"type": "image", "url": "http://x"}]}"#,
                "/message/0/url",
                "A picture's address begins with `https://`, or is a `data:` URL in Base64.",
            ),
            (
                r#"{"message": "a", "timezone": "Mars/Olympus"}"#,
                "/timezone",
                "There is no time zone `Mars/Olympus`; IANA names look like `Europe/Berlin`.",
            ),
            (
                r#"{"message": "a", "options": {"temperature": 3}}"#,
                "/options/temperature",
                "The temperature lies between 0 and 2.",
            ),
            (
                r#"{"message": "a", "options": {"temperature": "hot"}}"#,
                "/options/temperature",
                "Invalid type: string \"hot\", expected f32.",
            ),
            (
                r#"{"message": "a", "options": {"top_p": -1}}"#,
                "/options/top_p",
                "The probability lies between 0 and 1.",
            ),
            (
                r#"{"message": "a", "options": {"max_output_tokens": 0}}"#,
                "/options/max_output_tokens",
                "At least 1 token is needed for an answer.",
            ),
            (
                r#"{"message": "a", "options": {"stop": ["1","2","3","4","5"]}}"#,
                "/options/stop",
                "At most 4 texts can end the answer.",
            ),
            (
                r#"{"message": "a", "on_busy": "wait"}"#,
                "/on_busy",
                "Unknown variant `wait`, expected one of `reject`, `enqueue`, `interrupt`, `rollback`.",
            ),
            (&long, "/title", "A title has at most 200 characters."),
        ] {
            let problem = check(body).unwrap_err();
            assert_eq!(problem.kind.status(), 422, "{body}");
            assert_eq!(
                (problem.pointer.as_deref().unwrap(), problem.detail.as_str()),
                (pointer, says),
                "{body}"
            );
        }
    }
}
