//! Messages that come while another one is answered: each policy, and never an interleaved history.

use super::world::*;
use crate::assistant::OnBusy;
use crate::port::*;
use crate::turn::*;

fn policy(on_busy: OnBusy, text: &str) -> TurnRequest {
    TurnRequest {
        on_busy: Some(on_busy),
        ..say(text)
    }
}

fn once(key: &str, request: TurnRequest) -> TurnRequest {
    TurnRequest {
        idempotency_key: Some(key.into()),
        ..request
    }
}

/// What users said and assistants answered, as the last model call saw it.
fn history(world: &World) -> Vec<String> {
    let request = world.model.requests.borrow().last().unwrap().clone();
    let said = request.messages.iter().skip(1);
    said.filter(|message| message.role != Role::Tool)
        .map(text)
        .collect()
}

#[test]
fn messages_that_wait_are_answered_in_their_order() {
    let world = World::new();
    let mut tasks = Tasks::default();
    let (_, first) = start(&world, &mut tasks, say("wait:1000 one"));
    let mut waiting = Vec::new();
    for word in ["two", "three", "four"] {
        let (_, outcome) = begin(&world, &mut tasks, policy(OnBusy::Enqueue, word));
        for _ in 0..50 {
            tasks.poll_any(1);
        }
        waiting.push((word, outcome));
    }
    let queued = world.run(world.engine().session("ada", "s1", crate::Page::default()));
    assert!(queued.unwrap().unwrap().running);
    world.until(&mut tasks, || first.borrow().is_some());
    // Each is answered when its own turn is done, without being asked about again.
    for (word, outcome) in &waiting {
        world.until(&mut tasks, || outcome.borrow().is_some());
        assert_eq!(ended(outcome).message.content, *word);
    }
    world.until(&mut tasks, || true);
    assert_eq!(
        history(&world),
        ["wait:1000 one", "one", "two", "two", "three", "three", "four"]
    );
    let records = world.records("s1");
    assert_eq!(
        records,
        ["turn-started", "model-called", "turn-finished"].repeat(4)
    );
    world.assert_snapshot_is_replay("s1", "tasks");
    // Nothing is left over: the next one is a quick one again.
    let before = world.store.round_trips();
    world.turn(say("five")).unwrap();
    assert_eq!(world.store.round_trips() - before, 2);
}

#[test]
fn the_assistant_has_a_policy_and_the_request_overrides_it() {
    let world = World::new();
    world.assistant("tasks", "prompt = \"x\"\non_busy = \"enqueue\"");
    let mut tasks = Tasks::default();
    let (_, first) = start(&world, &mut tasks, say("wait:1000 one"));
    let refused = world.turn(policy(OnBusy::Reject, "two"));
    assert!(matches!(refused, Err(TurnError::Busy { .. })), "{refused:?}");
    // A request that leaves the assistant to the session follows it all the same.
    let existing = TurnRequest {
        assistant: None,
        session: SessionTarget::Existing { id: "s1".into() },
        ..say("three")
    };
    let (_, third) = begin(&world, &mut tasks, existing);
    world.until(&mut tasks, || third.borrow().is_some());
    assert_eq!(ended(&first).message.content, "one");
    assert_eq!(ended(&third).message.content, "three");
}

#[test]
fn what_could_not_be_answered_is_refused_before_it_waits() {
    let world = World::new();
    let mut tasks = Tasks::default();
    start(&world, &mut tasks, say("wait:100000 one"));
    let other = TurnRequest {
        assistant: Some("chat".into()),
        ..policy(OnBusy::Enqueue, "two")
    };
    let refused = world.turn(other);
    assert!(
        matches!(refused, Err(TurnError::OtherAssistant { .. })),
        "{refused:?}"
    );
    // And there is no end to what may wait.
    let mut waiting = Vec::new();
    for n in 0..33 {
        waiting.push(begin(&world, &mut tasks, policy(OnBusy::Enqueue, &format!("{n}"))).1);
        for _ in 0..100 {
            tasks.poll_any(n);
        }
    }
    let refused: Vec<_> = waiting.iter().filter_map(|outcome| outcome.take()).collect();
    assert!(
        matches!(refused[..], [Err(TurnError::Busy { .. })]),
        "{refused:?}"
    );
}

#[test]
fn a_message_that_waits_is_answered_although_the_request_that_brought_it_died() {
    let world = World::new();
    let mut tasks = Tasks::default();
    let (running, _) = start(&world, &mut tasks, say("wait:1000 one"));
    let (waiting, _) = begin(&world, &mut tasks, once("k", policy(OnBusy::Enqueue, "two")));
    for _ in 0..60 {
        tasks.poll(waiting);
    }
    tasks.crash(waiting);
    tasks.crash(running);
    world.clock().advance(3_000);
    // The next message sees to both that came before it.
    world.turn(say("three")).unwrap();
    assert_eq!(history(&world), ["wait:1000 one", "one", "two", "two", "three"]);
    // And its key leads to it.
    let turn = world.turn(once("k", policy(OnBusy::Enqueue, "two"))).unwrap();
    assert_eq!(turn.message.content, "two");
    assert_eq!(world.model.requests.borrow().len(), 4);
}

#[test]
fn a_message_that_waits_can_be_attached_to_and_stopped() {
    let world = World::new();
    let mut tasks = Tasks::default();
    let (_, first) = start(&world, &mut tasks, say("wait:1000 one"));
    let (waiting, outcome) = begin(&world, &mut tasks, policy(OnBusy::Enqueue, "two"));
    for _ in 0..60 {
        tasks.poll(waiting);
    }
    let queue = world.run(
        world
            .engine()
            .state(&crate::address::Address::new("ada", "s1"), None),
    );
    let turn = crate::queue::Waiting::decode(&queue.unwrap().queue.entries[0])
        .unwrap()
        .turn;
    let report = world.run(world.engine().report("ada", "s1", &turn)).unwrap();
    assert_eq!(report.state, TurnState::Queued);
    assert_eq!(world.stop(&turn), Ok(crate::Stopping::Asked));
    world.until(&mut tasks, || outcome.borrow().is_some());
    assert_eq!(ended(&first).state, TurnState::Finished);
    assert_eq!(
        (ended(&outcome).turn, ended(&outcome).state),
        (turn.clone(), TurnState::Stopped)
    );
    assert_eq!(world.model.requests.borrow().len(), 1);
    assert_heard(&world.attach(&turn, None).1, &[]);
}

#[test]
fn an_interrupting_message_stops_what_runs_and_then_is_answered() {
    let world = World::new();
    let mut tasks = Tasks::default();
    let (_, first) = start(&world, &mut tasks, say("once:1|beat:300 one two three four"));
    world.until(&mut tasks, || world.elapsed() >= 1_000);
    let (_, second) = begin(&world, &mut tasks, policy(OnBusy::Interrupt, "no, wait"));
    world.until(&mut tasks, || second.borrow().is_some());
    assert_eq!(ended(&first).state, TurnState::Stopped);
    assert_eq!(ended(&second).state, TurnState::Finished);
    assert_eq!(
        history(&world)[1..],
        ["", "one two three\n\n(The user stopped this answer.)", "no, wait"]
    );
    // What it did stands.
    assert_eq!(world.tools.effects.borrow().len(), 1);
    // One whose instance is dead is stopped as well.
    let (dead, _) = start(&world, &mut tasks, say("wait:9000 never"));
    tasks.crash(dead);
    assert_eq!(
        world
            .turn(policy(OnBusy::Interrupt, "and now"))
            .unwrap()
            .message
            .content,
        "and now"
    );
    assert_eq!(
        history(&world)[5..],
        ["wait:9000 never", "(The user stopped this answer.)", "and now"]
    );
}

#[test]
fn a_rollback_undoes_what_can_be_undone_once_and_says_what_cannot() {
    for crash in [
        None,
        Some(20),
        Some(24),
        Some(28),
        Some(32),
        Some(36),
        Some(40),
        Some(44),
    ] {
        let world = World::new();
        let mut tasks = Tasks::default();
        let (_, first) = start(
            &world,
            &mut tasks,
            say("read:1 once:2 risky:3 sure:4|beat:300 one two"),
        );
        world.until(&mut tasks, || world.model.requests.borrow().len() == 2);
        let (task, second) = begin(
            &world,
            &mut tasks,
            once("k", policy(OnBusy::Rollback, "never mind")),
        );
        world.until(&mut tasks, || first.borrow().is_some());
        let turn = if let Some(polls) = crash {
            for _ in 0..polls {
                tasks.poll(task);
            }
            tasks.crash(task);
            world
                .turn(once("k", policy(OnBusy::Rollback, "never mind")))
                .unwrap()
        } else {
            world.until(&mut tasks, || second.borrow().is_some());
            ended(&second)
        };
        assert_eq!(ended(&first).state, TurnState::Stopped);
        let told = "Undone: SURE; ONCE. Could not be undone: RISKY.";
        assert_eq!(turn.message.content, format!("{told}\n\nnever mind"), "{crash:?}");
        assert_heard(&world.attach(&turn.turn, None).1, &[]);
        // The last first, each once, with keys of their own.
        let effects = world.tools.effects.borrow();
        let undone: Vec<_> = effects.iter().filter(|(key, _)| key.contains("/undo/")).collect();
        assert_eq!(undone.len(), 2);
        assert!(effects.values().all(|count| *count == 1));
        world.assert_snapshot_is_replay("s1", "tasks");
        drop(effects);
        // The model knows it too, now and later.
        assert!(
            history(&world).contains(&told.to_owned()),
            "{:?}",
            history(&world)
        );
        world.turn(say("so?")).unwrap();
        assert!(
            history(&world).contains(&told.to_owned()),
            "{:?}",
            history(&world)
        );
    }
}

#[test]
fn many_messages_at_once_never_mix() {
    let policies = [
        OnBusy::Enqueue,
        OnBusy::Interrupt,
        OnBusy::Rollback,
        OnBusy::Reject,
    ];
    for seed in 0..60usize {
        let world = World::new();
        let mut tasks = Tasks::default();
        let outcomes: Vec<Outcome> = (0..8)
            .map(|n| {
                let request = policy(
                    policies[(seed + n * n) % 4],
                    &format!("once:{n} say|beat:30 word{n} word{n}"),
                );
                begin(&world, &mut tasks, request).1
            })
            .collect();
        let mut choice = seed;
        while !tasks.is_empty() {
            choice = choice.wrapping_mul(31).wrapping_add(7);
            if !tasks.poll_any(choice) {
                world.clock().advance(10);
            }
        }
        let mut running: Option<String> = None;
        for entry in world.journal("s1") {
            match name(&entry.what) {
                "turn-started" => assert_eq!(running.replace(entry.turn), None, "{seed}"),
                "turn-finished" | "turn-stopped" => assert_eq!(running.take(), Some(entry.turn), "{seed}"),
                _ => assert_eq!(running.as_ref(), Some(&entry.turn), "{seed}"),
            }
        }
        assert_eq!(running, None);
        for outcome in &outcomes {
            let outcome = outcome.borrow().clone().unwrap();
            assert!(
                matches!(outcome, Ok(_) | Err(TurnError::Busy { .. })),
                "{outcome:?}"
            );
        }
        world.assert_snapshot_is_replay("s1", "tasks");
    }
}
