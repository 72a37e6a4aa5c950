//! Which calls of an assistant's tools run by themselves, and who decides on the others.

use crate::port::{Effect, EffectClass};

/// Stands for all tools of a server that change something.
pub(super) const ALL: &str = "*";

/// How long a risky call waits for a decision if the assistant does not say: 15 minutes, in milliseconds.
pub(super) const EXPIRE_AFTER: u64 = 15 * 60 * 1000;

/// How long risky calls wait for a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GateSettings {
    /// Milliseconds after which a call that nobody has decided on counts as denied.
    pub expire_after: u64,
}

/// Which calls of a server's tools somebody must decide on. Names are those of the server; `*` stands for all
/// of its tools that change something, and yields to a tool's name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gating {
    /// The user of the conversation decides on these.
    pub confirm: Vec<String>,
    /// Somebody else decides on these.
    pub approve: Vec<Approver>,
    /// Of those that the user decides on, these may be allowed for the rest of a conversation.
    pub allow_always: Vec<String>,
    /// These run, even if they may destroy something.
    pub trusted: Vec<String>,
}

/// Who decides on a tool's calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approver {
    /// The tool.
    pub tool: String,
    /// The role that whoever decides must have.
    pub role: String,
}

/// Whether a call runs by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// It does.
    Run,
    /// The user of the conversation decides.
    Confirm {
        /// Whether they may allow the tool for the rest of the conversation.
        allow_always: bool,
    },
    /// Somebody else decides.
    Approve {
        /// Who has this role.
        role: String,
    },
}

impl Gating {
    /// What holds for a call of a tool. What is not told of a tool counts as the worst case, as its
    /// [`Effect`] says already.
    pub fn rule(&self, tool: &str, effect: Effect) -> Rule {
        let lists = |list: &[String], name: &str| list.iter().any(|listed| listed == name);
        let confirm = || Rule::Confirm {
            allow_always: lists(&self.allow_always, tool) || lists(&self.allow_always, ALL),
        };
        let reads = effect.class == EffectClass::Read;
        let names = if reads { &[tool][..] } else { &[tool, ALL] };
        for name in names {
            if let Some(approver) = self.approve.iter().find(|approver| approver.tool == *name) {
                return Rule::Approve {
                    role: approver.role.clone(),
                };
            }
            if lists(&self.confirm, name) {
                return confirm();
            }
            if lists(&self.trusted, name) {
                return Rule::Run;
            }
        }
        if effect.destructive && !reads {
            confirm()
        } else {
            Rule::Run
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const READS: Effect = Effect {
        class: EffectClass::Read,
        destructive: false,
    };
    const ADDS: Effect = Effect {
        class: EffectClass::Idempotent,
        destructive: false,
    };
    /// Also what a tool gets that says nothing of itself.
    const DESTROYS: Effect = Effect {
        class: EffectClass::Unprotected,
        destructive: true,
    };

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn without_a_word_what_may_destroy_is_confirmed_and_nothing_else() {
        let gating = Gating::default();
        assert_eq!(gating.rule("a", READS), Rule::Run);
        assert_eq!(gating.rule("a", ADDS), Rule::Run);
        assert_eq!(gating.rule("a", DESTROYS), Rule::Confirm { allow_always: false });
        // A server that contradicts itself: what only reads destroys nothing.
        assert_eq!(
            gating.rule(
                "a",
                Effect {
                    destructive: true,
                    ..READS
                }
            ),
            Rule::Run
        );
    }

    #[test]
    fn a_name_goes_before_all_and_all_before_what_a_tool_says() {
        let manager = || Rule::Approve {
            role: "manager".into(),
        };
        let gating = Gating {
            confirm: names(&["*"]),
            approve: vec![Approver {
                tool: "pay".into(),
                role: "manager".into(),
            }],
            allow_always: names(&["note"]),
            trusted: names(&["edit"]),
        };
        assert_eq!(gating.rule("pay", ADDS), manager());
        assert_eq!(gating.rule("edit", DESTROYS), Rule::Run);
        assert_eq!(gating.rule("note", ADDS), Rule::Confirm { allow_always: true });
        assert_eq!(gating.rule("other", ADDS), Rule::Confirm { allow_always: false });
        assert_eq!(gating.rule("look", READS), Rule::Run);
        let all = Gating {
            approve: vec![Approver {
                tool: "*".into(),
                role: "manager".into(),
            }],
            trusted: names(&["add"]),
            ..Gating::default()
        };
        assert_eq!(
            (all.rule("add", ADDS), all.rule("pay", ADDS)),
            (Rule::Run, manager())
        );
    }

    #[test]
    fn what_only_reads_is_decided_on_if_it_is_named() {
        let gating = Gating {
            confirm: names(&["salaries"]),
            ..Gating::default()
        };
        assert_eq!(
            gating.rule("salaries", READS),
            Rule::Confirm { allow_always: false }
        );
    }
}
