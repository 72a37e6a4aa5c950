//! A turn that waits for decisions, in words: a client of OpenAI knows text and nothing else, so the text says what is
//! to be decided and how.

use anyturn_engine::{Gate, GateKind, GateState, Reply, Turn, TurnState};

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

/// What of the turn's text was not told before its last decision.
#[must_use]
pub fn said(turn: &Turn) -> &str {
    let Reply {
        content,
        since_decision,
        ..
    } = &turn.message;
    since_decision.as_ref().unwrap_or(content)
}

/// The answer: what of the turn's text was not told before, and what there is to decide after it.
#[must_use]
pub fn answer(turn: &Turn) -> String {
    let mut answer = said(turn).to_owned();
    add(&mut answer, &asked(turn));
    answer
}

/// What there is to say besides the turn's text, unless that asks already.
#[must_use]
pub fn asked(turn: &Turn) -> String {
    if turn.message.asks {
        return String::new();
    }
    text(turn.state, &turn.gates)
}

/// Puts a text after another one.
pub fn add(content: &mut String, text: &str) {
    if !content.is_empty() && !text.is_empty() {
        content.push_str("\n\n");
    }
    content.push_str(text);
}
