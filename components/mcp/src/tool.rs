//! Tools, calls and results: what both sides share.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

/// The key in a call's `_meta` of the key under which the call takes effect once.
pub const IDEMPOTENCY_KEY_KEY: &str = "anyturn.dev/idempotency-key";
/// The key in a call's `_meta` of the moment after which it must not take effect any more: milliseconds since
/// the Unix epoch, by the clock of the store that this project's components share.
pub const NOT_AFTER_KEY: &str = "anyturn.dev/not-after";
/// The key in a call's `_meta` that, with `true`, makes it a question: did the call with this idempotency key
/// take effect, and what did it come to? The answer's `_meta` holds a [`Checked`] under the same key.
pub const CHECK_KEY: &str = "anyturn.dev/check";
/// The key in a tool's `_meta` that, with `true`, says that the tool answers checks.
pub const VERIFIABLE_KEY: &str = "anyturn.dev/verifiable";
/// The key in a tool's `_meta` of its [`Example`]s.
pub const EXAMPLES_KEY: &str = "anyturn.dev/examples";
/// The key in a tool's `_meta` of whether what it does can be undone.
pub const REVERSIBLE_KEY: &str = "anyturn.dev/reversible";
/// The key in a tool's `_meta` of how risky its calls are: `low`, `medium` or `high`.
pub const RISK_KEY: &str = "anyturn.dev/risk";
/// The key in a tool's `_meta` of the name of the argument whose elements are the things that a call affects.
pub const COUNTED_KEY: &str = "anyturn.dev/counted";
/// The key in a tool's `_meta` of the number of things above which a call is confirmed.
pub const CONFIRM_ABOVE_KEY: &str = "anyturn.dev/confirm-above";
/// The key in a result's `_meta` of its [`Inverse`].
pub const INVERSE_KEY: &str = "anyturn.dev/inverse";
/// The key in a result's `_meta` of several [`Inverse`]s.
pub const INVERSES_KEY: &str = "anyturn.dev/inverses";

/// The name and version of a program that speaks the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Implementation {
    /// For programs.
    pub name: &'static str,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<&'static str>,
    /// Its version.
    pub version: &'static str,
}

/// A tool as its server describes it. `Schema` is whatever holds JSON: [`Box<RawValue>`] keeps the text as it
/// came, [`Value`] parses it on the way in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Tool<Schema = Box<RawValue>> {
    /// Unique within its server.
    pub name: String,
    /// For people; falls back to the annotations' title and then to the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// For the model.
    #[serde(default)]
    pub description: String,
    /// The arguments' JSON Schema.
    #[serde(rename = "inputSchema")]
    pub input_schema: Schema,
    /// What a call can do to the world.
    #[serde(default)]
    pub annotations: Annotations,
    /// What this project adds.
    #[serde(default, rename = "_meta", skip_serializing_if = "ToolMeta::is_empty")]
    pub meta: ToolMeta,
    /// Arguments that a call repeats in headers, besides the body.
    #[serde(skip)]
    pub mirrored: Vec<crate::client::MirroredHeader>,
}

/// What a call of a tool can do to the world. What is missing counts as the worst case, as the
/// specification says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Annotations {
    /// The title of earlier revisions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// It changes nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_only_hint: Option<bool>,
    /// It may destroy or overwrite something.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destructive_hint: Option<bool>,
    /// Calling it again with the same arguments changes nothing more. On this project's own tools:
    /// calling it again with the same idempotency key takes effect once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idempotent_hint: Option<bool>,
    /// It deals with an open world of things outside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_world_hint: Option<bool>,
}

impl Annotations {
    /// Whether it changes nothing.
    pub fn is_read_only(&self) -> bool {
        self.read_only_hint.unwrap_or(false)
    }

    /// Whether it may destroy or overwrite something.
    pub fn is_destructive(&self) -> bool {
        !self.is_read_only() && self.destructive_hint.unwrap_or(true)
    }

    /// Whether it may be called again.
    pub fn is_idempotent(&self) -> bool {
        self.is_read_only() || self.idempotent_hint.unwrap_or(false)
    }
}

/// What this project adds to a tool's description.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ToolMeta {
    /// What people say when they want this.
    #[serde(
        default,
        rename = "anyturn.dev/examples",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub examples: Vec<Example>,
    /// Whether the tool answers checks; see [`CHECK_KEY`].
    #[serde(
        default,
        rename = "anyturn.dev/verifiable",
        skip_serializing_if = "std::ops::Not::not"
    )]
    pub verifiable: bool,
    /// Whether what the tool does can be undone: its results name their inverses. People are told so before
    /// they let it run.
    #[serde(
        default,
        rename = "anyturn.dev/reversible",
        skip_serializing_if = "std::ops::Not::not"
    )]
    pub reversible: bool,
    /// How risky its calls are: `low`, `medium` or `high`. If it is missing, or anything else, its effect tells.
    #[serde(default, rename = "anyturn.dev/risk", skip_serializing_if = "Option::is_none")]
    pub risk: Option<String>,
    /// The argument whose elements are the things that a call affects.
    #[serde(
        default,
        rename = "anyturn.dev/counted",
        skip_serializing_if = "Option::is_none"
    )]
    pub counted: Option<String>,
    /// A call that affects more things than this is confirmed, as is one that does not say how many; any other is not.
    #[serde(
        default,
        rename = "anyturn.dev/confirm-above",
        skip_serializing_if = "Option::is_none"
    )]
    pub confirm_above: Option<u64>,
}

impl ToolMeta {
    fn is_empty(&self) -> bool {
        let ToolMeta {
            examples,
            verifiable,
            reversible,
            risk,
            counted,
            confirm_above,
        } = self;
        examples.is_empty()
            && !verifiable
            && !reversible
            && risk.is_none()
            && counted.is_none()
            && confirm_above.is_none()
    }
}

/// A model sentence for a tool.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Example {
    /// What a person says.
    pub utterance: String,
    /// The object that the tool is called with for it, as its server wrote it. A value that also stands in the
    /// utterance is a slot.
    pub arguments: Box<RawValue>,
}

/// What a tool answered.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct CallResult {
    /// For the model and for people.
    #[serde(default)]
    pub content: Vec<Content>,
    /// The same for programs.
    #[serde(
        default,
        rename = "structuredContent",
        skip_serializing_if = "Option::is_none"
    )]
    pub structured: Option<Box<RawValue>>,
    /// Whether the tool reports that it failed.
    #[serde(default, rename = "isError", skip_serializing_if = "std::ops::Not::not")]
    pub is_error: bool,
    /// What this project adds.
    #[serde(default, rename = "_meta", skip_serializing_if = "ResultMeta::is_empty")]
    pub meta: ResultMeta,
}

impl CallResult {
    /// A result of one text.
    pub fn from_text(text: impl Into<String>) -> CallResult {
        CallResult {
            content: vec![Content::Text { text: text.into() }],
            ..CallResult::default()
        }
    }

    /// A tool's report that it failed, in words that a model can act on.
    pub fn from_error(text: impl Into<String>) -> CallResult {
        CallResult {
            is_error: true,
            ..CallResult::from_text(text)
        }
    }

    /// All of the content as one text: texts as they are, other things named.
    pub fn text(&self) -> String {
        let mut all = String::new();
        for content in &self.content {
            if !all.is_empty() {
                all.push('\n');
            }
            content.write_text(&mut all);
        }
        all
    }
}

/// What this project adds to a result.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ResultMeta {
    /// The call that undoes this one.
    #[serde(
        default,
        rename = "anyturn.dev/inverse",
        skip_serializing_if = "Option::is_none"
    )]
    pub inverse: Option<Inverse>,
    /// The calls that undo this one, in their order, where it did several things.
    #[serde(
        default,
        rename = "anyturn.dev/inverses",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub inverses: Vec<Inverse>,
    /// What a check has found.
    #[serde(
        default,
        rename = "anyturn.dev/check",
        skip_serializing_if = "Option::is_none"
    )]
    pub check: Option<Checked>,
}

impl ResultMeta {
    fn is_empty(&self) -> bool {
        let ResultMeta {
            inverse,
            inverses,
            check,
        } = self;
        inverse.is_none() && inverses.is_empty() && check.is_none()
    }
}

/// What a check has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Checked {
    /// The call took effect. The rest of the result is what it answered then.
    Recorded,
    /// It has not taken effect. Whether it still may depends on its [`NOT_AFTER_KEY`]: once that moment has
    /// passed, it never will.
    NotFound,
}

/// A call that undoes another one of the same server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Inverse {
    /// The tool's name.
    pub tool: String,
    /// Its arguments.
    pub arguments: Value,
    /// What it does, for people: "Restore “buy milk”".
    pub title: String,
    /// Whether this very call may destroy more than what the call has made that it undoes. What is missing is left to
    /// the tool's own [`Annotations`].
    #[serde(default, rename = "destructiveHint", skip_serializing_if = "Option::is_none")]
    pub destructive: Option<bool>,
}

/// A piece of a result.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Content {
    /// Text.
    Text {
        /// The text.
        text: String,
    },
    /// A picture.
    Image {
        /// In Base64.
        data: String,
        /// Its media type.
        #[serde(rename = "mimeType")]
        mime_type: String,
    },
    /// A recording.
    Audio {
        /// In Base64.
        data: String,
        /// Its media type.
        #[serde(rename = "mimeType")]
        mime_type: String,
    },
    /// Something that lies elsewhere.
    ResourceLink {
        /// Where it lies.
        uri: String,
        /// Its name.
        name: String,
    },
    /// Something that came along.
    Resource {
        /// What it is.
        resource: EmbeddedResource,
    },
    /// Something that this version does not know.
    Unknown,
}

/// Everything that any piece has.
#[derive(Deserialize)]
struct Members<'a> {
    #[serde(rename = "type", borrow)]
    kind: std::borrow::Cow<'a, str>,
    text: Option<String>,
    data: Option<String>,
    #[serde(rename = "mimeType")]
    mime_type: Option<String>,
    uri: Option<String>,
    name: Option<String>,
    resource: Option<EmbeddedResource>,
}

/// Written by hand: a derived one would bring a second way of reading everything into every component.
impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let members = Members::deserialize(deserializer)?;
        let needs = D::Error::missing_field;
        Ok(match members.kind.as_ref() {
            "text" => Content::Text {
                text: members.text.ok_or_else(|| needs("text"))?,
            },
            kind @ ("image" | "audio") => {
                let data = members.data.ok_or_else(|| needs("data"))?;
                let mime_type = members.mime_type.ok_or_else(|| needs("mimeType"))?;
                if kind == "image" {
                    Content::Image { data, mime_type }
                } else {
                    Content::Audio { data, mime_type }
                }
            }
            "resource_link" => Content::ResourceLink {
                uri: members.uri.ok_or_else(|| needs("uri"))?,
                name: members.name.unwrap_or_default(),
            },
            "resource" => Content::Resource {
                resource: members.resource.ok_or_else(|| needs("resource"))?,
            },
            _ => Content::Unknown,
        })
    }
}

/// Something that came along with a result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EmbeddedResource {
    /// Its address.
    pub uri: String,
    /// Its text, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

impl Content {
    fn write_text(&self, all: &mut String) {
        match self {
            Content::Text { text } => all.push_str(text),
            Content::Image { mime_type, .. } => all.extend(["[image: ", mime_type, "]"]),
            Content::Audio { mime_type, .. } => all.extend(["[audio: ", mime_type, "]"]),
            Content::ResourceLink { uri, name } if name.is_empty() => all.push_str(uri),
            Content::ResourceLink { uri, name } => all.extend([name, ": ", uri]),
            Content::Resource { resource } => all.push_str(resource.text.as_deref().unwrap_or(&resource.uri)),
            Content::Unknown => all.push_str("[content of an unknown kind]"),
        }
    }
}
