//! What makes a type a tool.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::{Caller, Failure, Reply};

/// A tool of the toolbox `A`. The type's fields are the arguments.
///
/// Arguments are read by serde: `deny_unknown_fields` is advised, since models invent arguments. The JSON
/// Schema that models see comes from the same type; the type's doc comment is the tool's description.
#[allow(async_fn_in_trait)]
pub trait Tool<A>: DeserializeOwned + JsonSchema {
    /// 1 to 64 ASCII letters, digits, `_` and `-`; unique within the toolbox.
    const NAME: &'static str;
    /// The name for people.
    const TITLE: &'static str;
    /// What a call can do to the world.
    const EFFECT: Effect;
    /// Whether it deals with an open world of things outside, such as the web.
    const OPEN_WORLD: bool = false;
    /// How risky a call is, for whoever is asked whether it may run.
    const RISK: Risk = Self::EFFECT.risk();
    /// The argument, a list, whose elements are the things that a call affects.
    const COUNTED: Option<&'static str> = None;
    /// A call that affects more things than this is confirmed by the user before it runs, as is one that does not say
    /// how many, and no other call is. Without it, calls are confirmed if the tool is
    /// [destructive](Effect::destructive).
    const CONFIRM_ABOVE: Option<u32> = None;
    /// What people say when they want this: 4 to 8, worded differently.
    const EXAMPLES: &'static [Example] = &[];

    /// Carries a call out.
    async fn call(self, toolbox: &A, call: &Call<'_>) -> Result<Reply, Failure>;
}

/// What surrounds one call.
#[derive(Clone, Debug)]
pub struct Call<'a> {
    /// On whose behalf.
    pub caller: &'a Caller,
    /// The same key takes effect once.
    pub idempotency_key: Option<&'a str>,
    /// What the key stands for; another call with the same key is a mistake.
    pub fingerprint: u64,
    /// The moment after which the call must not take effect any more, in milliseconds since the Unix epoch by
    /// the store's clock: until then, nobody else goes on with the turn that it belongs to. Not to be compared
    /// with [`Call::now`], which is another clock's; [`Once`](crate::Once) makes it a condition of the effect.
    pub not_after: Option<u64>,
    /// Milliseconds since the Unix epoch.
    pub now: u64,
}

/// What a person says, and the arguments (a JSON object) that the tool is called with for it.
///
/// A value that also stands in the utterance is a slot, so a date reads `"due":"tomorrow"` where the
/// utterance says "tomorrow".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Example(pub &'static str, pub &'static str);

/// How risky a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Risk {
    /// It can do little harm, which is easily put right.
    Low,
    /// It can do some.
    Medium,
    /// It can do much, or what cannot be put right.
    High,
}

impl Risk {
    /// As it is published.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Risk::Low => "low",
            Risk::Medium => "medium",
            Risk::High => "high",
        }
    }
}

/// What a call can do to the world, and so what a crash in the middle of it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effect {
    pub(crate) read_only: bool,
    pub(crate) idempotent: bool,
    pub(crate) destructive: bool,
    pub(crate) verifiable: bool,
    pub(crate) reversible: bool,
}

impl Effect {
    /// It changes nothing.
    pub const READ: Effect = Effect {
        read_only: true,
        idempotent: true,
        destructive: false,
        verifiable: false,
        reversible: false,
    };
    /// The same idempotency key takes effect once.
    pub const IDEMPOTENT: Effect = Effect {
        read_only: false,
        idempotent: true,
        destructive: false,
        verifiable: false,
        reversible: false,
    };
    /// Each call takes effect again.
    pub const UNPROTECTED: Effect = Effect {
        read_only: false,
        idempotent: false,
        destructive: false,
        verifiable: false,
        reversible: false,
    };

    /// It may also destroy or overwrite something.
    ///
    /// ```
    /// # use anyturn_tool_sdk::Effect;
    /// const EFFECT: Effect = Effect::IDEMPOTENT.verifiable().destructive();
    /// ```
    #[must_use]
    pub const fn destructive(self) -> Effect {
        Effect {
            destructive: true,
            ..self
        }
    }

    /// How risky a call is if nothing else is said: reading low, destroying high, anything else medium.
    pub const fn risk(self) -> Risk {
        match self {
            Effect { read_only: true, .. } => Risk::Low,
            Effect {
                destructive: true, ..
            } => Risk::High,
            _ => Risk::Medium,
        }
    }

    /// What it does can be undone: every reply that says that something was done names the inverse. People are
    /// told so before they let a call run.
    #[must_use]
    pub const fn reversible(self) -> Effect {
        Effect {
            reversible: true,
            ..self
        }
    }

    /// Whether a call with an idempotency key took effect can be asked: the toolbox implements
    /// [`Toolbox::check`](crate::Toolbox::check).
    #[must_use]
    pub const fn verifiable(self) -> Effect {
        Effect {
            verifiable: true,
            ..self
        }
    }
}
