//! A chat completion as a client asks for it.
//!
//! What would change the meaning of the answer and is not supported is refused: more than one choice, the client's
//! own tools, formats other than text, audio, log probabilities. What does not is ignored: penalties, `logit_bias`,
//! `user`, `store`, `service_tier`, `reasoning_effort`, `verbosity`, cache and safety keys, and whatever OpenAI adds.

use std::collections::BTreeMap;
use std::fmt;

use anyturn_engine::port::{Message, ModelOptions, Part, Role};
use serde::Deserialize;
use serde::de::value::SeqAccessDeserializer;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};
use serde_json::Value;

use super::error::{invalid, unsupported};
use crate::http::Problem;
use crate::native::turns::MAX_SESSION;
use crate::{message, timezone};

/// The body of a chat completion.
#[derive(Debug, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct ChatCompletionRequest {
    /// An assistant's name.
    pub model: String,
    /// The conversation; its last message is the user's. If the request names a conversation, only the last message
    /// counts.
    pub messages: Vec<ChatMessage>,
    /// Whether the answer comes as a stream of chunks.
    pub stream: Option<bool>,
    /// What the stream holds.
    pub stream_options: Option<StreamOptions>,
    /// `session_id` names a conversation that the server keeps; `timezone` is the user's, by its IANA name. Others
    /// are ignored.
    pub metadata: Option<BTreeMap<String, Value>>,
    /// How varied: 0 to 2.
    pub temperature: Option<f32>,
    /// Only the likeliest words that together have this probability: 0 to 1.
    pub top_p: Option<f32>,
    /// Upper limit for the answer, in tokens.
    pub max_completion_tokens: Option<u32>,
    /// The older name of `max_completion_tokens`.
    pub max_tokens: Option<u32>,
    /// Up to 4 texts that end the answer.
    pub stop: Option<Stop>,
    /// For reproducible answers, where the provider can.
    pub seed: Option<i64>,
    /// Only 1.
    pub n: Option<u32>,
    /// Must be empty: tools are the assistant's.
    pub tools: Option<Vec<Value>>,
    /// Only `auto` and `none`.
    pub tool_choice: Option<Value>,
    /// Must be empty, as `tools`.
    pub functions: Option<Vec<Value>>,
    /// Only `auto` and `none`.
    pub function_call: Option<Value>,
    /// Only `{"type": "text"}`.
    pub response_format: Option<Value>,
    /// Only `["text"]`.
    pub modalities: Option<Vec<String>>,
    /// Not supported.
    pub audio: Option<Value>,
    /// Only `false`.
    pub logprobs: Option<bool>,
    /// Not supported.
    pub web_search_options: Option<Value>,
}

/// What a stream holds.
#[derive(Debug, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct StreamOptions {
    /// Whether a last chunk tells how many tokens were used.
    pub include_usage: Option<bool>,
}

/// One text or several.
#[derive(Debug)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema), schemars(untagged))]
pub enum Stop {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

/// Written by hand, as for [`ChatContent`].
impl<'de> Deserialize<'de> for Stop {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextOrTexts;

        impl<'de> Visitor<'de> for TextOrTexts {
            type Value = Stop;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a list of texts")
            }
            fn visit_str<E>(self, text: &str) -> Result<Stop, E> {
                Ok(Stop::One(text.to_owned()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, texts: A) -> Result<Stop, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(texts)).map(Stop::Many)
            }
        }

        deserializer.deserialize_any(TextOrTexts)
    }
}

/// A message.
#[derive(Debug, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct ChatMessage {
    /// Who speaks. Messages of tools are not supported: tools are called by the server.
    pub role: ChatRole,
    /// What they say.
    pub content: Option<ChatContent>,
    /// Must be empty.
    pub tool_calls: Option<Vec<Value>>,
}

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum ChatRole {
    /// Instructions, after the assistant's own.
    System,
    /// The newer name of `system`.
    Developer,
    /// The person.
    User,
    /// The model.
    Assistant,
    /// Not supported.
    Tool,
    /// Not supported.
    Function,
}

/// What a message says.
#[derive(Debug)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema), schemars(untagged))]
pub enum ChatContent {
    /// A text.
    Text(String),
    /// Texts and pictures.
    Parts(Vec<ChatPart>),
}

/// A piece of a message.
#[derive(Debug)]
#[cfg_attr(
    not(target_arch = "wasm32"),
    derive(schemars::JsonSchema),
    schemars(tag = "type", rename_all = "snake_case")
)]
pub enum ChatPart {
    /// Text.
    Text {
        /// The text.
        text: String,
    },
    /// A picture, from a user only.
    ImageUrl {
        /// Where it is.
        image_url: ImageUrl,
    },
}

/// Everything that any piece has.
#[derive(Deserialize)]
struct ChatPartMembers {
    #[serde(rename = "type")]
    kind: ChatPartKind,
    text: Option<String>,
    image_url: Option<ImageUrl>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum ChatPartKind {
    Text,
    ImageUrl,
}

/// Written by hand, as for [`ChatContent`].
impl<'de> Deserialize<'de> for ChatPart {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let ChatPartMembers {
            kind,
            text,
            image_url,
        } = ChatPartMembers::deserialize(deserializer)?;
        match kind {
            ChatPartKind::Text => text.map(|text| ChatPart::Text { text }).ok_or("text"),
            ChatPartKind::ImageUrl => image_url
                .map(|image_url| ChatPart::ImageUrl { image_url })
                .ok_or("image_url"),
        }
        .map_err(D::Error::missing_field)
    }
}

/// Where a picture is.
#[derive(Debug, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct ImageUrl {
    /// Its `https:` address, or a `data:` URL in Base64.
    pub url: String,
}

/// Written by hand so that a mistake in a part is told with the part's place.
impl<'de> Deserialize<'de> for ChatContent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextOrParts;

        impl<'de> Visitor<'de> for TextOrParts {
            type Value = ChatContent;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a list of parts")
            }
            fn visit_str<E>(self, text: &str) -> Result<ChatContent, E> {
                Ok(ChatContent::Text(text.to_owned()))
            }
            fn visit_string<E>(self, text: String) -> Result<ChatContent, E> {
                Ok(ChatContent::Text(text))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, parts: A) -> Result<ChatContent, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(parts)).map(ChatContent::Parts)
            }
        }

        deserializer.deserialize_any(TextOrParts)
    }
}

/// What is wanted, checked.
#[derive(Debug, PartialEq)]
pub struct Wanted {
    /// The assistant's name.
    pub model: String,
    /// What went before.
    pub conversation: Conversation,
    /// What the user says.
    pub message: Vec<Part>,
    /// What the answer should look like.
    pub options: ModelOptions,
    /// The user's time zone.
    pub timezone: Option<String>,
    /// Whether the answer is a stream.
    pub stream: bool,
    /// Whether the stream tells what was used.
    pub include_usage: bool,
}

/// What went before the last message.
#[derive(Debug, PartialEq)]
pub enum Conversation {
    /// What the server keeps under this name.
    Named(String),
    /// What the request holds.
    Whole(Vec<Message>),
}

impl ChatCompletionRequest {
    /// Checks what the types do not say. `session` is the header that names a conversation.
    ///
    /// # Errors
    /// The first parameter that is wrong or not supported.
    pub fn check(mut self, session: Option<&str>) -> Result<Wanted, Problem> {
        self.refuse_unsupported()?;
        let session = named(self.metadata.as_ref(), "session_id")?.or(session);
        let session = session.filter(|name| !name.is_empty()).map(ToOwned::to_owned);
        if session.as_ref().is_some_and(|name| name.len() > MAX_SESSION) {
            return Err(invalid(
                "metadata.session_id",
                format!("The name of a conversation has at most {MAX_SESSION} bytes."),
            ));
        }
        let timezone = named(self.metadata.as_ref(), "timezone")?.map(ToOwned::to_owned);
        if let Some(name) = &timezone {
            timezone::check(name).map_err(|reason| invalid("metadata.timezone", reason))?;
        }
        let options = self.options()?;
        let last = self.messages.len().saturating_sub(1);
        let message = match self.messages.pop() {
            Some(ChatMessage {
                role: ChatRole::User,
                content,
                ..
            }) => parts(content, last, true)?,
            Some(_) => {
                return Err(invalid(
                    &format!("messages[{last}].role"),
                    "The last message must be the user's.",
                ));
            }
            None => return Err(invalid("messages", "At least one message is needed.")),
        };
        if message::is_empty(&message) {
            return Err(invalid(
                &format!("messages[{last}].content"),
                "The message is empty.",
            ));
        }
        let conversation = match session {
            Some(name) => Conversation::Named(name),
            None => Conversation::Whole(history(self.messages)?),
        };
        let stream = self.stream.unwrap_or(false);
        let include_usage = self
            .stream_options
            .and_then(|options| options.include_usage)
            .unwrap_or(false);
        Ok(Wanted {
            model: self.model,
            conversation,
            message,
            options,
            timezone,
            stream,
            include_usage,
        })
    }

    fn refuse_unsupported(&self) -> Result<(), Problem> {
        let is_given = |value: &Option<Value>| value.as_ref().is_some_and(|value| !value.is_null());
        let is_choice = |value: &Option<Value>| {
            value
                .as_ref()
                .is_some_and(|value| !matches!(value.as_str(), Some("auto" | "none")) && !value.is_null())
        };
        let has_any = |list: &Option<Vec<Value>>| list.as_ref().is_some_and(|list| !list.is_empty());
        let tools = "Tools are the assistant's own and are called by the server; a client cannot bring any.";
        let refused = [
            (
                self.n.is_some_and(|n| n != 1),
                "n",
                "Only one choice is made: leave `n` out, or set it to 1.",
            ),
            (has_any(&self.tools), "tools", tools),
            (has_any(&self.functions), "functions", tools),
            (is_choice(&self.tool_choice), "tool_choice", tools),
            (is_choice(&self.function_call), "function_call", tools),
            (
                is_given(&self.response_format)
                    && self
                        .response_format
                        .as_ref()
                        .and_then(|format| format.get("type"))
                        != Some(&"text".into()),
                "response_format",
                "Answers are text: leave `response_format` out, or set its type to `text`.",
            ),
            (
                self.modalities
                    .as_ref()
                    .is_some_and(|list| list.iter().any(|modality| modality != "text")),
                "modalities",
                "Answers are text only.",
            ),
            (is_given(&self.audio), "audio", "Answers are text only."),
            (
                self.logprobs == Some(true),
                "logprobs",
                "Log probabilities are not told.",
            ),
            (is_given(&self.web_search_options), "web_search_options", tools),
        ];
        match refused.into_iter().find(|(refused, ..)| *refused) {
            Some((_, param, detail)) => Err(unsupported(param, detail)),
            None => Ok(()),
        }
    }

    fn options(&mut self) -> Result<ModelOptions, Problem> {
        if self.temperature.is_some_and(|t| !(0.0..=2.0).contains(&t)) {
            return Err(invalid("temperature", "The temperature lies between 0 and 2."));
        }
        if self.top_p.is_some_and(|p| !(0.0..=1.0).contains(&p)) {
            return Err(invalid("top_p", "The probability lies between 0 and 1."));
        }
        let (tokens, name) = match self.max_completion_tokens {
            Some(tokens) => (Some(tokens), "max_completion_tokens"),
            None => (self.max_tokens, "max_tokens"),
        };
        if tokens == Some(0) {
            return Err(invalid(name, "At least 1 token is needed for an answer."));
        }
        let stop = match self.stop.take() {
            None => Vec::new(),
            Some(Stop::One(text)) => vec![text],
            Some(Stop::Many(texts)) => texts,
        };
        if stop.len() > 4 {
            return Err(invalid("stop", "At most 4 texts can end the answer."));
        }
        Ok(ModelOptions {
            model: None,
            temperature: self.temperature,
            top_p: self.top_p,
            max_output_tokens: tokens,
            stop,
            seed: self.seed,
        })
    }
}

fn named<'a>(metadata: Option<&'a BTreeMap<String, Value>>, key: &str) -> Result<Option<&'a str>, Problem> {
    match metadata.and_then(|metadata| metadata.get(key)) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(invalid(&format!("metadata.{key}"), "Metadata are texts.")),
    }
}

fn history(messages: Vec<ChatMessage>) -> Result<Vec<Message>, Problem> {
    let mut history = Vec::with_capacity(messages.len());
    for (
        i,
        ChatMessage {
            role,
            content,
            tool_calls,
        },
    ) in messages.into_iter().enumerate()
    {
        if tool_calls.is_some_and(|calls| !calls.is_empty()) {
            return Err(unsupported(
                &format!("messages[{i}].tool_calls"),
                "Tools are called by the server, so a conversation that is brought along has no tool calls.",
            ));
        }
        let role = match role {
            ChatRole::System | ChatRole::Developer => Role::System,
            ChatRole::User => Role::User,
            ChatRole::Assistant => Role::Assistant,
            ChatRole::Tool | ChatRole::Function => {
                return Err(unsupported(
                    &format!("messages[{i}].role"),
                    "Tools are called by the server, so a conversation that is brought along has no messages of tools.",
                ));
            }
        };
        let parts = parts(content, i, role == Role::User)?;
        // An assistant that said nothing is nothing to remember.
        if !message::is_empty(&parts) {
            history.push(Message { role, parts });
        }
    }
    Ok(history)
}

fn parts(content: Option<ChatContent>, at: usize, pictures: bool) -> Result<Vec<Part>, Problem> {
    match content {
        None => Ok(Vec::new()),
        Some(ChatContent::Text(text)) => Ok(vec![message::text(text)]),
        Some(ChatContent::Parts(parts)) => parts
            .into_iter()
            .enumerate()
            .map(|(i, part)| match part {
                ChatPart::Text { text } => Ok(message::text(text)),
                ChatPart::ImageUrl { .. } if !pictures => Err(invalid(
                    &format!("messages[{at}].content[{i}]"),
                    "Pictures come from users only.",
                )),
                ChatPart::ImageUrl { image_url } => message::image(&image_url.url)
                    .map_err(|reason| invalid(&format!("messages[{at}].content[{i}].image_url.url"), reason)),
            })
            .collect(),
    }
}
