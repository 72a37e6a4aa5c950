//! The providers that are known by name: addresses, credentials and what is particular about each.
//!
//! All of them serve OpenAI's Chat Completions; a provider that is not here is `openai` with an
//! `llm_base_url`.

/// What is particular about a provider.
#[derive(Debug, PartialEq)]
pub struct Preset {
    /// As in `llm_provider`.
    pub name: &'static str,
    /// Address up to and without `/chat/completions`; none where everybody has their own.
    pub base: Option<&'static str>,
    /// What an own address looks like.
    pub base_example: &'static str,
    /// How its addresses are made.
    pub addressing: Addressing,
    /// How it wants the key.
    pub authentication: Authentication,
    /// The variable of its key, besides `llm_api_key`.
    pub key_variable: Option<&'static str>,
    /// The model when none is configured; none where it depends on the installation.
    pub model: Option<&'static str>,
    /// What to set `llm_model` to where there is no default.
    pub model_hint: &'static str,
    /// Its name for the limit of the answer's length.
    pub token_limit: TokenLimit,
    /// Whether it knows `seed`.
    pub seed: bool,
    /// Whether it knows `user`.
    pub user: bool,
    /// What to say to its own `model` of how much to reason.
    pub reasoning_effort: Option<&'static str>,
    /// Whether tool calls must carry a signature when they are told to it again.
    pub signed_calls: bool,
}

/// How a provider's addresses are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addressing {
    /// The base and the dialect's path.
    Plain,
    /// With the deployment in the path and the API's version in the query.
    Azure,
}

/// How a provider wants the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authentication {
    /// `authorization: Bearer …`
    Bearer,
    /// `api-key: …`
    ApiKey,
    /// Like `Bearer`, and only if there is a key.
    Optional,
}

/// The name of the field that limits the answer's length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenLimit {
    /// `max_completion_tokens`: the present name, which counts reasoning too.
    MaxCompletionTokens,
    /// `max_tokens`: the former name.
    MaxTokens,
}

const OPENAI: Preset = Preset {
    name: "openai",
    base: Some("https://api.openai.com/v1"),
    base_example: "https://api.openai.com/v1",
    addressing: Addressing::Plain,
    authentication: Authentication::Bearer,
    key_variable: Some("openai_api_key"),
    // https://developers.openai.com/api/docs/deprecations names it for those who used a small GPT-4.
    model: Some("gpt-6-luna"),
    model_hint: "a model's name",
    token_limit: TokenLimit::MaxCompletionTokens,
    seed: true,
    user: true,
    // In this dialect it calls functions only without reasoning.
    reasoning_effort: Some("none"),
    signed_calls: false,
};

/// Every known provider.
pub static PRESETS: [Preset; 7] = [
    OPENAI,
    Preset {
        name: "groq",
        base: Some("https://api.groq.com/openai/v1"),
        key_variable: Some("groq_api_key"),
        // https://console.groq.com/docs/models: a production model that calls tools.
        model: Some("openai/gpt-oss-120b"),
        reasoning_effort: None,
        ..OPENAI
    },
    // https://ai.google.dev/gemini-api/docs/openai; it refuses fields that it does not know.
    Preset {
        name: "gemini",
        base: Some("https://generativelanguage.googleapis.com/v1beta/openai"),
        key_variable: Some("gemini_api_key"),
        // https://ai.google.dev/gemini-api/docs/deprecations names it for those who used Gemini 2.5 Flash.
        model: Some("gemini-3.5-flash-lite"),
        token_limit: TokenLimit::MaxTokens,
        seed: false,
        user: false,
        reasoning_effort: None,
        // https://ai.google.dev/gemini-api/docs/thought-signatures
        signed_calls: true,
        ..OPENAI
    },
    Preset {
        name: "azure",
        base: None,
        base_example: "https://<resource>.openai.azure.com",
        addressing: Addressing::Azure,
        authentication: Authentication::ApiKey,
        key_variable: None,
        model: None,
        model_hint: "the name of your deployment",
        ..OPENAI
    },
    Preset {
        name: "ollama",
        base: Some("http://localhost:11434/v1"),
        authentication: Authentication::Optional,
        key_variable: None,
        model: Some("llama3.2"),
        token_limit: TokenLimit::MaxTokens,
        user: false,
        reasoning_effort: None,
        ..OPENAI
    },
    Preset {
        name: "vllm",
        base: Some("http://localhost:8000/v1"),
        authentication: Authentication::Optional,
        key_variable: None,
        model: None,
        model_hint: "the name of the model that it serves",
        token_limit: TokenLimit::MaxTokens,
        ..OPENAI
    },
    // https://docs.aws.amazon.com/bedrock/latest/userguide/inference-chat-completions.html, with an API key
    // of Bedrock; another region is an address of one's own.
    Preset {
        name: "bedrock",
        base: Some("https://bedrock-runtime.us-east-1.amazonaws.com/openai/v1"),
        key_variable: None,
        model: Some("openai.gpt-oss-20b-1:0"),
        user: false,
        reasoning_effort: None,
        ..OPENAI
    },
];

/// The provider of this name.
pub fn find(name: &str) -> Option<&'static Preset> {
    PRESETS.iter().find(|preset| preset.name == name)
}
