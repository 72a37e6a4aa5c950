//! What listeners hear: live and late, on the turn's instance and on others, before and after a take-over.

use super::world::*;
use crate::event::Event;
use crate::turn::*;
use crate::{EventId, EventKind};
use std::cell::RefCell;
use std::rc::Rc;

/// A listener in a task of its own, on an instance of its own.
struct Listener {
    task: usize,
    heard: Heard,
    outcome: Rc<RefCell<Option<Result<Turn, TurnError>>>>,
}

impl Listener {
    fn start(world: &World, tasks: &mut Tasks, turn: &str, after: Option<EventId>) -> Listener {
        let (heard, outcome) = (Heard::default(), Rc::new(RefCell::new(None)));
        let (all, engine, turn) = (world.clone(), world.engine(), turn.to_owned());
        let (sink, result) = (heard.clone(), outcome.clone());
        let task = tasks.spawn(async move {
            let ended = engine.attach("ada", "s1", &turn, after, &all, &sink).await;
            result.replace(Some(ended));
        });
        Listener { task, heard, outcome }
    }

    fn turn(&self) -> Turn {
        self.outcome
            .borrow()
            .clone()
            .expect("it listens still")
            .expect("it failed")
    }
}

/// Lets everybody go on until nobody can, with time passing in between.
fn finish(world: &World, tasks: &mut Tasks) {
    let mut choice = 0;
    while !tasks.is_empty() {
        choice += 1;
        if !tasks.poll_any(choice) {
            world.clock().advance(10);
        }
    }
}

#[test]
fn a_late_listener_hears_exactly_what_the_first_one_heard() {
    for script in [
        "hello",
        "look read:1|and once:2 sure:3|all well",
        "one two cut",
        "say risky:1|fail",
    ] {
        let world = World::new();
        let (turn, live) = world.turn_with_events(say(script));
        let turn = turn.unwrap();
        let (late, heard) = world.attach(&turn.turn, None);
        assert_eq!(late.unwrap(), turn, "{script}");
        assert_eq!(heard, live, "{script}");
        assert_heard(&heard, &[]);
    }
}

#[test]
fn a_listener_goes_on_after_any_event_with_the_next_one() {
    let world = World::new();
    let (turn, all) = world.turn_with_events(say("look read:1|and once:2|all is well"));
    let turn = turn.unwrap().turn;
    for (index, event) in all.iter().enumerate() {
        let (_, rest) = world.attach(&turn, Some(event.id.clone()));
        assert_eq!(rest, all[index + 1..], "after {}", event.id);
    }
    // What was heard of another turn says nothing of this one.
    let other = EventId {
        turn: "turn_other".into(),
        epoch: 9,
        n: 9,
    };
    assert_eq!(world.attach(&turn, Some(other)).1, all);
}

#[test]
fn listeners_elsewhere_hear_text_while_it_comes_and_all_hear_the_same() {
    let world = World::new();
    let mut tasks = Tasks::default();
    let heard = Heard::default();
    let (all, engine, sink) = (world.clone(), world.engine(), heard.clone());
    tasks.spawn(async move {
        let turn = engine.turn(&all, say("beat:150 one two three once:1|four five"), &sink);
        turn.await.unwrap();
    });
    while heard.0.borrow().is_empty() {
        assert!(tasks.poll_any(0));
    }
    let turn = world.latest();
    let early = Listener::start(&world, &mut tasks, &turn, None);
    while streamed(&heard.0.borrow()) != "one two" {
        if !tasks.poll_any(1) {
            world.clock().advance(10);
        }
    }
    // A word is elsewhere a tenth of a second after it was said, if not sooner.
    world.clock().advance(100);
    while tasks.poll_any(1) {}
    assert_eq!(streamed(&early.heard.0.borrow()), "one two");
    let late = Listener::start(&world, &mut tasks, &turn, None);
    let again = early.heard.0.borrow().last().unwrap().id.clone();
    let again = Listener::start(&world, &mut tasks, &turn, Some(again));
    finish(&world, &mut tasks);
    assert_eq!(*early.heard.0.borrow(), *heard.0.borrow());
    assert_eq!(*late.heard.0.borrow(), *heard.0.borrow());
    assert_heard(&again.heard.0.borrow(), &early.heard.0.borrow()[..3]);
    assert_eq!(early.turn(), late.turn());
    assert_eq!(world.model.requests.borrow().len(), 2);
}

#[test]
fn a_listener_goes_on_with_a_turn_whose_instance_died() {
    let world = World::new();
    let mut tasks = Tasks::default();
    let heard = Heard::default();
    let (all, engine, sink) = (world.clone(), world.engine(), heard.clone());
    let task = tasks.spawn(async move {
        let script = "on it risky:1|beat:300 and now some words";
        let _ = engine.turn(&all, say(script), &sink).await;
    });
    while streamed(&heard.0.borrow()) != "on it\n\nand now" {
        if !tasks.poll_any(1) {
            world.clock().advance(10);
        }
    }
    assert!(tasks.crash(task));
    // The client comes back, elsewhere, with the last event it has heard.
    let before = heard.0.take();
    let last = before.last().unwrap().id.clone();
    let began = world.clock().now();
    let (turn, rest) = world.attach(&last.turn, Some(last.clone()));
    let turn = turn.unwrap();
    assert_eq!(
        (turn.state, turn.message.content.as_str()),
        (TurnState::Finished, "on it\n\nand now some words")
    );
    // At first it is told what stands; the tool is neither called nor told of again.
    assert_eq!(rest[0].kind, EventKind::TurnResumed { text: "on it".into() });
    assert!(rest[0].id.epoch > last.epoch);
    assert_heard(&rest, &before);
    assert_eq!(world.tools.calls.borrow().len(), 1);
    let took = world.clock().now() - began;
    assert!((2_500..6_500).contains(&took), "{took}");
    // Somebody new hears the same, with what the dead instance had said.
    let (_, all) = world.attach(&turn.turn, None);
    assert_heard(&all, &[]);
    assert!(names(&all).contains(&"turn.resumed"));
}

#[test]
fn a_turn_that_died_before_anything_was_told_begins_for_its_listeners_all_the_same() {
    let world = World::new();
    let mut tasks = Tasks::default();
    let (task, _) = start(&world, &mut tasks, say("wait:50 hello"));
    tasks.crash(task);
    let (turn, heard) = world.attach(&world.latest(), None);
    assert_eq!(turn.unwrap().message.content, "hello");
    assert_eq!(
        names(&heard),
        ["turn.started", "turn.resumed", "text.delta", "turn.finished"]
    );
    assert_heard(&heard, &[]);
}

#[test]
fn of_several_who_find_a_turn_without_an_instance_one_goes_on_with_it() {
    for seed in 0..40 {
        let world = World::new();
        let mut tasks = Tasks::default();
        let (task, _) = start(&world, &mut tasks, say("once:1 sure:2|beat:50 so it is"));
        for _ in 0..seed {
            tasks.poll(task);
        }
        tasks.crash(task);
        world.clock().advance(3_000);
        let turn = world.latest();
        let listeners: Vec<Listener> = (0..4)
            .map(|_| Listener::start(&world, &mut tasks, &turn, None))
            .collect();
        let mut choice = seed;
        while !tasks.is_empty() {
            choice += 7;
            if !tasks.poll_any(choice) {
                world.clock().advance(10);
            }
        }
        for listener in &listeners {
            assert!(listener.task > 0);
            assert_heard(&listener.heard.0.borrow(), &[]);
            assert_eq!(
                *listener.heard.0.borrow(),
                *listeners[0].heard.0.borrow(),
                "{seed}"
            );
            assert_eq!(listener.turn(), listeners[0].turn());
        }
        assert!(world.tools.effects.borrow().values().all(|count| *count == 1));
        let resumed = world
            .records("s1")
            .iter()
            .filter(|name| **name == "turn-resumed")
            .count();
        assert!(resumed <= 1, "{seed}: {resumed}");
    }
}

#[test]
fn events_are_kept_for_ten_minutes_and_then_the_turn_is_retold() {
    let world = World::new();
    world.assistant(
        "tasks",
        "prompt = \"x\"\n[session]\nttl = \"24h\"\n[[tools]]\nserver = \"s\"",
    );
    let (turn, live) = world.turn_with_events(say("look once:1|all well"));
    let turn = turn.unwrap();
    let text = live
        .iter()
        .find(|event| event.kind.name() == "text.delta")
        .unwrap();
    world.clock().advance(10 * 60 * 1000 - 10);
    assert_eq!(world.attach(&turn.turn, None).1, live);
    world.clock().advance(20);
    let (again, retold) = world.attach(&turn.turn, None);
    assert_eq!(again.unwrap(), turn);
    assert_heard(&retold, &[]);
    assert_eq!(
        names(&retold),
        [
            "turn.started",
            "tool.started",
            "tool.finished",
            "text.delta",
            "turn.finished"
        ]
    );
    // Who had heard a part of it sees the whole text as well.
    let (_, rest) = world.attach(&turn.turn, Some(text.id.clone()));
    assert_eq!(names(&rest), ["turn.resumed", "turn.finished"]);
    assert!(rest.iter().all(|event| event.id > text.id));
    assert_eq!(streamed(&rest), turn.message.content);
    // Many turns later it is found still.
    for n in 0..60 {
        world.turn(say(&format!("message {n}"))).unwrap();
    }
    world.clock().advance(11 * 60 * 1000);
    assert_eq!(world.attach(&turn.turn, None).0.unwrap(), turn);
    assert_eq!(
        world.run(world.engine().report("ada", "s1", &turn.turn)).unwrap(),
        turn
    );
}

#[test]
fn events_outlive_a_conversation_that_is_kept_for_a_shorter_time() {
    let world = World::new();
    let (turn, live) = world.turn_with_events(say("hello"));
    let turn = turn.unwrap();
    world.clock().advance(6 * 60 * 1000);
    assert_eq!(world.journal("s1"), []);
    assert_eq!(world.attach(&turn.turn, None), (Ok(turn.clone()), live));
    assert_eq!(
        world.run(world.engine().report("ada", "s1", &turn.turn)),
        Ok(turn.clone())
    );
    // But not one that was deleted.
    let world = World::new();
    let turn = world.turn(say("secret")).unwrap();
    world.run(world.engine().delete_session("ada", "s1")).unwrap();
    assert_eq!(
        world.attach(&turn.turn, None),
        (Err(TurnError::UnknownSession), vec![])
    );
}

#[test]
fn there_is_nothing_to_hear_of_a_turn_that_there_is_not() {
    let world = World::new();
    assert_eq!(world.attach("turn_x", None).0, Err(TurnError::UnknownSession));
    let turn = world.turn(say("hello")).unwrap();
    assert_eq!(world.attach("turn_x", None).0, Err(TurnError::UnknownTurn));
    let report = |user: &str| world.run(world.engine().report(user, "s1", &turn.turn));
    assert_eq!(report("ada"), Ok(turn.clone()));
    assert_eq!(report("bob"), Err(TurnError::UnknownSession));
}

#[test]
fn a_running_turn_is_reported_as_far_as_it_has_come() {
    let world = World::new();
    let mut tasks = Tasks::default();
    let (task, _) = start(&world, &mut tasks, say("on it once:1|wait:1000 done"));
    while world.model.requests.borrow().len() < 2 {
        tasks.poll(task);
    }
    let turn = world.latest();
    let report = world.run(world.engine().report("ada", "s1", &turn)).unwrap();
    assert_eq!(
        (report.state, report.message.content.as_str()),
        (TurnState::Running, "on it")
    );
    assert_eq!(report.tool_calls.len(), 1);
}

#[test]
fn a_failed_turn_that_is_tried_again_goes_on_for_late_listeners() {
    let world = World::new();
    let (failed, first) = world.turn_with_events(say_once("k", "risky:1|so fail"));
    assert_eq!(failed.unwrap().state, TurnState::Failed);
    assert_eq!(names(&first).last(), Some(&"turn.failed"));
    // A listener does not try it again; a repeated request does.
    let turn = first[0].id.turn.clone();
    assert_eq!(
        world.attach(&turn, None),
        (Ok(world.attach(&turn, None).0.unwrap()), first.clone())
    );
    assert_eq!(world.model.requests.borrow().len(), 2);
    let (_, second) = world.turn_with_events(say_once("k", "risky:1|so fail"));
    assert_eq!(world.model.requests.borrow().len(), 3);
    assert_heard(&second, &[]);
    // Heard as one: the first end is told to those only for whom it was the end.
    let resumed = second
        .iter()
        .position(|event| event.kind.name() == "turn.resumed")
        .unwrap();
    assert_eq!(second[..resumed], first[..first.len() - 1]);
    assert_eq!(world.attach(&turn, None).1, second);
    assert_eq!(world.tools.calls.borrow().len(), 1);
}

#[test]
fn nothing_is_told_of_a_tool_before_it_is_durable() {
    // The instance dies before each operation of the store.
    let script = "say once:1 sure:2|and risky:3|so it is";
    for fatal in 1..9 {
        let world = World::new();
        let mut tasks = Tasks::default();
        let heard = Heard::default();
        let (all, engine, sink) = (world.clone(), world.engine(), heard.clone());
        let task = tasks.spawn(async move {
            let _ = engine.turn(&all, say(script), &sink).await;
        });
        while world.store.round_trips() < fatal && !tasks.is_empty() {
            tasks.poll(task);
        }
        tasks.crash(task);
        let before: Vec<Event> = heard.0.take();
        let turn = world.latest();
        if before.iter().any(|event| event.kind.end().is_some()) {
            continue;
        }
        let after = before.last().map(|event| event.id.clone());
        let (ended, rest) = world.attach(&turn, after);
        assert_eq!(ended.unwrap().state, TurnState::Finished);
        assert_heard(&rest, &before);
    }
}

#[test]
fn an_event_too_large_for_the_log_is_told_from_the_journal() {
    let world = World::new();
    world.assistant(
        "tasks",
        "prompt = \"x\"\n[limits]\ntool_calls = 64\ntool_result_chars = 100000\n[[tools]]\nserver = \"s\"",
    );
    let outcome = crate::port::ToolOutcome {
        content: "x".repeat(90_000),
        ..Default::default()
    };
    world.tools.answer.replace(Some(outcome));
    let script = ["once:1"; 7].join(" ");
    let (turn, live) = world.turn_with_events(say(&format!("{script}|{script}|well")));
    let turn = turn.unwrap();
    assert!(serde_json::to_vec(&turn).unwrap().len() > 1 << 20);
    let (late, heard) = world.attach(&turn.turn, None);
    assert_eq!(late.unwrap(), turn);
    assert_eq!(heard, live);
}
