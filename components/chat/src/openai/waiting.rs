//! A turn that waits for decisions, in words: a client of OpenAI knows text and nothing else, so the text says what is
//! to be decided and how.

use anyturn_engine::{Gate, GateKind, GateState, Turn, TurnState};

/// What there is to say besides the turn's text: nothing, unless it waits. Only conversations that the server keeps
/// do.
#[must_use]
pub fn text(state: TurnState, gates: &[Gate]) -> String {
    if state != TurnState::Waiting {
        return String::new();
    }
    let open = || gates.iter().filter(|gate| gate.state == GateState::Open);
    let mut text = String::new();
    for gate in open() {
        text.push_str(&gate.question);
        if gate.kind == GateKind::Approve {
            text.push_str(&approver(gate));
        }
        text.push('\n');
    }
    text.push_str(if open().any(|gate| gate.kind == GateKind::Confirm) {
        "Answer “yes” to confirm, or “no” to refuse."
    } else {
        "It goes on when that is decided."
    });
    text
}

fn approver(gate: &Gate) -> String {
    match &gate.role {
        Some(role) => format!(" Somebody with the role “{role}” decides."),
        None => " Somebody else decides.".to_owned(),
    }
}

/// The whole answer: the turn's text, and what there is to decide after it.
#[must_use]
pub fn whole(turn: &Turn) -> String {
    let mut content = turn.message.content.clone();
    add(&mut content, &text(turn.state, &turn.gates));
    content
}

/// Puts a text after another one.
pub fn add(content: &mut String, text: &str) {
    if !content.is_empty() && !text.is_empty() {
        content.push_str("\n\n");
    }
    content.push_str(text);
}
