//! Holds conversations to the promises: what the client was told, what the journal says, and what was done.

use anyturn_tests::effect_server::Class;
use anyturn_tests::journal;
use anyturn_tests::plan::{ASKS, Call, NOT_MADE};
use serde_json::Value;

use crate::client::{Conversation, Had, World};
use crate::fleet::Failure;

/// What became of a call, as the client was told.
#[derive(Clone, Copy, PartialEq)]
enum Told {
    Done,
    Unknown,
    NotMade,
}

/// Checks a conversation that nobody goes on with.
pub async fn conversation(world: &World, conversation: &Conversation) {
    let Some(session) = &conversation.session else {
        return;
    };
    let redis = world.cluster.redis.url();
    let entries = journal::read(&redis, &conversation.user, session).await;
    let wrong = |problem: String| world.tally.wrong(&format!("{session}: {problem}"));
    if let Err(problem) = journal::well_formed(&entries) {
        wrong(problem);
    }
    let count = |kind: &str| {
        entries
            .iter()
            .filter(|entry| journal::kind(entry) == kind)
            .count()
    };
    let (begun, ended) = (count("turn-started"), count("turn-finished"));
    // A turn that was lost may be there or not; that it was lost is counted already.
    if ended < conversation.turns.len() || begun > conversation.turns.len() + 1 {
        wrong(format!(
            "{} turns were answered, the journal has {begun} that began and {ended} that finished",
            conversation.turns.len()
        ));
    }
    for had in &conversation.turns {
        turn(world, had, &|problem| {
            let turn = journal::summary(&entries, &had.answer["turn"]);
            wrong(format!("{problem}\n{turn}"));
        });
        if let Some(time) = take_over(world, had, &entries) {
            world.tally.taken_over(time);
        }
    }
}

/// Checks what a turn's client was told against what was done.
fn turn(world: &World, had: &Had, wrong: &impl Fn(String)) {
    if had.answer["state"] != "finished" {
        world.tally.failed();
        return wrong(format!("a turn did not finish: {}", had.answer));
    }
    let reports: Vec<&Value> = had.answer["tool_calls"]
        .as_array()
        .into_iter()
        .flatten()
        .collect();
    let mut all = Vec::new();
    for call in had.plan.calls() {
        let of_call: Vec<Told> = reports
            .iter()
            .filter(|report| report["arguments"]["label"] == call.label.as_str())
            .map(|report| told(report))
            .collect();
        let [told] = of_call.as_slice() else {
            wrong(format!("{} is reported {} times", call.label, of_call.len()));
            continue;
        };
        all.push(*told);
        effect(world, call, *told, wrong);
    }
    let expected = if all.contains(&Told::Unknown) {
        ASKS
    } else if all.contains(&Told::NotMade) {
        NOT_MADE
    } else {
        &had.plan.answer
    };
    if had.answer["message"]["content"] != expected {
        wrong(format!("the answer is not {expected:?}: {}", had.answer));
    }
}

fn told(report: &Value) -> Told {
    let result = report["result"].as_str().unwrap_or_default();
    if result.contains("unknown whether") {
        Told::Unknown
    } else if result.starts_with("done: ") {
        Told::Done
    } else {
        Told::NotMade
    }
}

fn effect(world: &World, call: &Call, told: Told, wrong: &impl Fn(String)) {
    let count = world.cluster.effects.count(&call.label);
    let tally = &world.tally;
    match told {
        Told::Done if count == 0 => {
            tally.effect_lost();
            wrong(format!(
                "{} was not done, and the client was told it was",
                call.label
            ));
        }
        Told::Done => {}
        Told::Unknown => {
            tally.asked(call.class);
            if call.class != Class::Unprotected {
                wrong(format!("{} stays unknown", call.label));
            }
        }
        Told::NotMade => {
            tally.not_made(call.class);
            if count > 0 && call.class != Class::Read {
                wrong(format!(
                    "{} was done, and the client was told it was not",
                    call.label
                ));
            }
        }
    }
}

/// Milliseconds from the moment at which the instance of a turn was killed to the first thing that its
/// successor wrote.
fn take_over(world: &World, had: &Had, entries: &[Value]) -> Option<u64> {
    let (place, sent) = had.first;
    // What happened to it before a kill would blur the figure.
    let (killed, Failure::Kill) = world.fleet.struck_since(place, sent)? else {
        return None;
    };
    let turn = had.answer["turn"].as_str()?;
    let started = entries.iter().find(|entry| entry["turn"] == turn)?["at"].as_u64()?;
    let resumed = journal::first_resumed(entries, turn)?;
    (started <= killed && killed <= resumed).then(|| resumed - killed)
}

/// Looks at everything once more when all is quiet: what a call did that came late counts, too.
pub async fn last(world: &World) {
    world.cluster.effects.idle().await;
    for effect in world.cluster.effects.effects() {
        world.tally.executed(effect.class, &effect.label);
    }
    for (user, session) in world.tally.all_forgotten() {
        let entries = journal::read(&world.cluster.redis.url(), &user, &session).await;
        if !entries.is_empty() {
            let problem = format!("{session} was deleted, and somebody wrote to it: {entries:?}");
            world.tally.wrong(&problem);
        }
    }
}
