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

    /// Takes in that `field` was refused of a request, with or without tools; true if there is another way to ask.
    /// Never true twice for one thing.
    pub fn learn(&mut self, field: &str, tools: bool) -> bool {
        let before = self.adjustments;
        let said = self.effort().is_some();
        let adjustments = &mut self.adjustments;
        match field {
            "temperature" => adjustments.without_temperature = true,
            "top_p" => adjustments.without_top_p = true,
            "seed" => adjustments.without_seed = true,
            "user" => adjustments.without_user = true,
            "max_tokens" | "max_completion_tokens" => adjustments.other_token_limit = true,
            "reasoning_effort" if adjustments.effort == Effort::Usual && self.reasoning_effort.is_none() => {
                if said {
                    adjustments.effort = Effort::Unsaid;
                } else if tools {
                    adjustments.effort = Effort::None;
                }
            }
            _ => {}
        }
        self.adjustments != before
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

impl Adjustments {
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
    use crate::presets::find;

    fn dialect(model: &str) -> Dialect<'_> {
        Dialect {
            preset: find("openai").unwrap(),
            model,
            reasoning_effort: None,
            adjustments: Adjustments::default(),
        }
    }

    #[test]
    fn a_wish_is_given_up_once() {
        for field in ["temperature", "top_p", "seed", "user", "max_tokens"] {
            let mut dialect = dialect("another");
            assert!(dialect.learn(field, false), "{field}");
            assert!(!dialect.learn(field, false), "{field}");
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
            assert!(!dialect("another").learn(field, false), "{field}");
        }
    }

    #[test]
    fn reasoning_is_turned_off_for_tools_and_no_setting_is_overruled() {
        let refused = |mut dialect: Dialect<'_>| {
            let first = dialect.learn("reasoning_effort", true);
            let again = dialect.learn("reasoning_effort", true);
            (first, dialect.adjustments.effort, again)
        };
        assert_eq!(refused(dialect("another")), (true, Effort::None, false));
        // It is told how much to reason as a rule.
        let own = find("openai").unwrap().model.unwrap();
        assert_eq!(refused(dialect(own)), (true, Effort::Unsaid, false));
        let configured = Dialect {
            reasoning_effort: Some("high"),
            ..dialect("another")
        };
        assert_eq!(refused(configured), (false, Effort::Usual, false));
    }
}
