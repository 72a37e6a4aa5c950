//! What a model does not take of a request, learnt from its refusal.
//!
//! Models behind one address differ in the optional fields that they take: one that reasons takes no
//! `temperature`, one that calls functions does so only without reasoning, an older one knows the limit of the
//! answer's length by its former name. Nothing tells beforehand; the refusal does, in its `param`. What is only a
//! wish (`temperature`, `top_p`, `seed`, `user`) is then left out, and what has another way of being said is said
//! that way; the request is sent again at once. What changes what the answer is (`stop`, `tools`,
//! `response_format`) is never left out: there the refusal stands.

use crate::presets::{Preset, TokenLimit};

/// What a provider is told besides the request.
#[derive(Clone, Copy, Debug)]
pub struct Dialect<'a> {
    /// What is particular about the provider.
    pub preset: &'static Preset,
    /// The model's name.
    pub model: &'a str,
    /// How much to reason, if a setting says it.
    pub reasoning_effort: Option<&'a str>,
    /// What the model has refused.
    pub adjustments: Adjustments,
}

impl<'a> Dialect<'a> {
    /// What is said of how much to reason.
    pub fn effort(&self) -> Option<&'a str> {
        self.reasoning_effort.or(match self.adjustments.effort {
            Effort::Usual if self.preset.model == Some(self.model) => self.preset.reasoning_effort,
            Effort::None => Some("none"),
            Effort::Usual | Effort::Unsaid => None,
        })
    }
}

/// How a request departs from what it would be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Adjustments {
    pub without_temperature: bool,
    pub without_top_p: bool,
    pub without_seed: bool,
    pub without_user: bool,
    /// The other name of the limit of the answer's length.
    pub other_token_limit: bool,
    pub effort: Effort,
}

/// What is said of how much to reason, where no setting says it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Effort {
    /// What the preset says of its own model, else nothing.
    #[default]
    Usual,
    /// `none`.
    None,
    /// Nothing.
    Unsaid,
}

/// What of a request matters here.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    /// Whether it has tools.
    pub tools: bool,
    /// Whether a setting says how much to reason.
    pub effort_configured: bool,
    /// Whether it says how much to reason.
    pub effort: bool,
}

impl Adjustments {
    /// Takes in that `field` was refused; true if there is another way to ask. Never true twice for one thing.
    pub fn learn(&mut self, field: &str, sent: Sent) -> bool {
        let before = *self;
        match field {
            "temperature" => self.without_temperature = true,
            "top_p" => self.without_top_p = true,
            "seed" => self.without_seed = true,
            "user" => self.without_user = true,
            "max_tokens" | "max_completion_tokens" => self.other_token_limit = true,
            "reasoning_effort" if self.effort == Effort::Usual && !sent.effort_configured => {
                if sent.effort {
                    self.effort = Effort::Unsaid;
                } else if sent.tools {
                    self.effort = Effort::None;
                }
            }
            _ => {}
        }
        *self != before
    }

    /// The name of the limit of the answer's length.
    pub fn token_limit(&self, preset: &Preset) -> TokenLimit {
        match (preset.token_limit, self.other_token_limit) {
            (limit, false) => limit,
            (TokenLimit::MaxCompletionTokens, true) => TokenLimit::MaxTokens,
            (TokenLimit::MaxTokens, true) => TokenLimit::MaxCompletionTokens,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Sent = Sent {
        tools: false,
        effort_configured: false,
        effort: false,
    };

    #[test]
    fn a_wish_is_given_up_once() {
        for field in ["temperature", "top_p", "seed", "user", "max_tokens"] {
            let mut adjustments = Adjustments::default();
            assert!(adjustments.learn(field, PLAIN), "{field}");
            assert!(!adjustments.learn(field, PLAIN), "{field}");
        }
    }

    #[test]
    fn what_makes_the_answer_another_is_not_given_up() {
        for field in [
            "stop",
            "tools",
            "messages[0].content",
            "response_format",
            "model",
            "",
        ] {
            assert!(!Adjustments::default().learn(field, PLAIN), "{field}");
        }
    }

    #[test]
    fn reasoning_is_turned_off_for_tools_and_no_setting_is_overruled() {
        let refused = |sent| {
            let mut adjustments = Adjustments::default();
            let first = adjustments.learn("reasoning_effort", sent);
            let again = adjustments.learn("reasoning_effort", Sent { effort: true, ..sent });
            (first, adjustments.effort, again)
        };
        let with_tools = Sent { tools: true, ..PLAIN };
        assert_eq!(refused(with_tools), (true, Effort::None, false));
        let said = Sent {
            effort: true,
            ..with_tools
        };
        assert_eq!(refused(said), (true, Effort::Unsaid, false));
        let configured = Sent {
            effort_configured: true,
            ..said
        };
        assert_eq!(refused(configured), (false, Effort::Usual, false));
    }
}
