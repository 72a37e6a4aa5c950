//! What a turn costs, says and leaves behind.

use super::world::*;
use crate::event::EventKind;
use crate::journal::FailureKind;
use crate::port::*;
use crate::turn::*;

#[test]
fn a_turn_without_tools_takes_two_round_trips_and_with_one_tool_four() {
    // With the front's commit on the user's scope (rate limit, list of sessions) that is 3 and 5.
    let world = World::new();
    for (message, expected) in [
        ("hello", 2),
        ("read:1", 4),
        ("once:1", 4),
        ("read:1 read:2", 4),
        ("hello", 2),
    ] {
        let before = world.store.round_trips();
        let turn = world
            .turn(say_once(&format!("{message}{before}"), message))
            .unwrap();
        assert_eq!(turn.state, TurnState::Finished);
        assert_eq!(world.store.round_trips() - before, expected, "{message}");
    }
    let before = world.store.round_trips();
    let existing = SessionTarget::Existing { id: "s1".into() };
    let turn = world
        .turn(TurnRequest {
            assistant: None,
            session: existing,
            ..say("hello")
        })
        .unwrap();
    assert_eq!(
        (turn.assistant.as_str(), world.store.round_trips() - before),
        ("tasks", 2)
    );
}

#[test]
fn a_turn_whose_model_answers_at_once_sets_no_timer() {
    let world = World::new();
    let say = |text: &str| TurnRequest {
        assistant: Some("chat".into()),
        ..say(text)
    };
    world.model.at_once.set(true);
    for message in ["hello", "hello again"] {
        assert_eq!(world.turn(say(message)).unwrap().message.content, message);
        assert_eq!(world.timers.get(), 0, "{message}");
    }
    // One that waits has to be kept.
    assert_eq!(world.turn(say("wait:1 hello")).unwrap().message.content, "hello");
    assert!(world.timers.get() > 0);
}

#[test]
fn the_thousandth_turn_costs_what_the_tenth_does() {
    let world = World::new();
    let mut costs = Vec::new();
    for n in 0..300 {
        let before = world.store.round_trips();
        world.turn(say(&format!("message number {n}"))).unwrap();
        let request = world.model.requests.borrow_mut().pop().unwrap();
        let (snapshot, _) = world.snapshot("s1");
        costs.push((
            world.store.round_trips() - before - 1,
            request.messages.len(),
            snapshot.unwrap().encode().len() / 100,
        ));
    }
    assert_eq!(costs[150], costs[299]);
    assert_eq!(costs[299].1, 1 + 2 * 20 + 1);
}

#[test]
fn the_report_holds_everything_the_turn_was() {
    let world = World::new();
    let (turn, events) = world.turn_with_events(say("look read:1|and once:2|all well"));
    let turn = turn.unwrap();
    assert_eq!(turn.message.content, "look\n\nand\n\nall well");
    assert_eq!(streamed(&events), turn.message.content);
    assert_eq!(
        turn.usage,
        Usage {
            input_tokens: 30,
            cached_tokens: 3,
            output_tokens: 6
        }
    );
    assert_eq!((turn.model.as_str(), turn.session.as_str()), ("scripted", "s1"));
    let json = serde_json::to_value(&turn).unwrap();
    assert_eq!(json["state"], "finished");
    assert_eq!(json["message"]["role"], "assistant");
    assert_eq!(json["created_at"], "2023-11-14T22:13:20.000Z");
    let call = &json["tool_calls"][1];
    assert_eq!((&call["tool"], &call["server"]), (&"once".into(), &"s".into()));
    assert_eq!(
        (&call["arguments"]["n"], &call["result"]),
        (&2.into(), &"once 2 is done".into())
    );
    assert_eq!(call["is_error"], false);
    let names: Vec<&str> = events.iter().map(|event| event.kind.name()).collect();
    assert_eq!(
        names,
        [
            "turn.started",
            "text.delta",
            "tool.started",
            "tool.finished",
            "text.delta",
            "tool.started",
            "tool.finished",
            "text.delta",
            "text.delta",
            "turn.finished"
        ]
    );
    for (n, event) in events.iter().enumerate() {
        let epoch = u8::from(n > 0);
        assert_eq!(event.id.to_string(), format!("{}.{epoch}.{n}", turn.turn));
    }
    assert_eq!(
        events.last().unwrap().kind,
        EventKind::TurnFinished(Box::new(turn))
    );
}

#[test]
fn what_is_recorded_is_durable_before_the_next_thing_runs() {
    let world = World::new();
    world.turn(say("risky:1|once:2 risky:3|end")).unwrap();
    assert_eq!(
        world.records("s1"),
        [
            "turn-started",
            "model-called",
            "tool-intended",
            "tool-finished",
            "model-called",
            "tool-intended",
            "tool-intended",
            "tool-finished",
            "tool-finished",
            "model-called",
            "turn-finished"
        ]
    );
}

#[test]
fn the_model_sees_the_prompt_the_window_and_the_message() {
    let world = World::new();
    world.assistant(
        "tasks",
        "prompt = \"{{weekday}} {{date}} {{time}} {{timezone}}\"\n[model]\npurpose = \"p\"\ntemperature = 0.5\n\
         [session]\nwindow_turns = 1\n[[tools]]\nserver = \"s\"",
    );
    world.turn(say("first")).unwrap();
    world.turn(say("once:1|second")).unwrap();
    let options = ModelOptions {
        seed: Some(4),
        ..ModelOptions::default()
    };
    let timezone = Some("Europe/Berlin".to_owned());
    world
        .turn(TurnRequest {
            options,
            timezone,
            ..say("third")
        })
        .unwrap();
    let request = world.model.requests.borrow().last().unwrap().clone();
    let roles: Vec<Role> = request.messages.iter().map(|message| message.role).collect();
    use Role::*;
    assert_eq!(roles, [System, User, Assistant, Tool, Assistant, User]);
    assert!(
        text(&request.messages[0]).starts_with("Tuesday 2023-11-14 22:13 Europe/Berlin\n\nWhat tools return")
    );
    assert_eq!(text(&request.messages[5]), "third");
    assert_eq!(
        (request.purpose.as_str(), request.options.temperature),
        ("p", Some(0.5))
    );
    assert_eq!(request.options.seed, Some(4));
    assert_eq!(
        request.local_time.as_deref(),
        Some("2023-11-14T22:13:20.000+01:00")
    );
    assert_eq!(request.tools.len(), 4);
    let user = request.user.unwrap();
    assert!(user.len() == 32 && !user.contains("ada"));
}

#[test]
fn a_failed_turn_says_why_and_the_same_key_goes_on_with_it() {
    let world = World::new();
    world.turn(say("before")).unwrap();
    world
        .model
        .failures
        .borrow_mut()
        .push_back(model_error(ModelErrorKind::RateLimited));
    let failed = world.turn(say_once("k", "hello")).unwrap();
    assert_eq!(failed.state, TurnState::Failed);
    let error = failed.error.unwrap();
    assert_eq!(
        (error.kind, error.retryable, error.retry_after),
        (FailureKind::RateLimited, true, Some(7))
    );
    let turn = world.turn(say_once("k", "hello")).unwrap();
    assert_eq!((turn.turn, turn.state), (failed.turn, TurnState::Finished));
    assert_eq!(turn.message.content, "hello");
    assert_eq!(
        world.records("s1")[3..],
        [
            "turn-started",
            "turn-failed",
            "turn-resumed",
            "model-called",
            "turn-finished"
        ]
    );
    world.assert_snapshot_is_replay("s1", "tasks");
}

#[test]
fn tools_that_ran_before_a_failure_do_not_run_again() {
    let world = World::new();
    // The second model call breaks off; the first one and its tool are recorded.
    let failed = world.turn(say_once("k", "risky:1|so fail")).unwrap();
    assert_eq!(
        (failed.state, failed.message.content.as_str()),
        (TurnState::Failed, "so")
    );
    let again = world.turn(say_once("k", "risky:1|so fail")).unwrap();
    assert_eq!((&again.turn, again.state), (&failed.turn, TurnState::Failed));
    assert_eq!(world.tools.calls.borrow().len(), 1);
    let asked = world.model.requests.borrow();
    assert_eq!(asked.len(), 3);
    assert_eq!(asked[1].messages, asked[2].messages);
}

#[test]
fn a_failure_that_lasts_is_answered_from_the_journal() {
    let world = World::new();
    world
        .model
        .failures
        .borrow_mut()
        .push_back(model_error(ModelErrorKind::ContentRefused));
    let (failed, live) = world.turn_with_events(say_once("k", "hello"));
    let (again, retold) = world.turn_with_events(say_once("k", "hello"));
    assert_eq!(failed.unwrap(), again.unwrap());
    assert_eq!(live, retold);
    assert_eq!(world.model.requests.borrow().len(), 1);
}

#[test]
fn an_answer_that_is_cut_off_is_a_failure() {
    let world = World::new();
    let (turn, events) = world.turn_with_events(say("one two cut"));
    let turn = turn.unwrap();
    assert_eq!(turn.error.as_ref().unwrap().kind, FailureKind::Protocol);
    assert_eq!(
        (turn.message.content.as_str(), streamed(&events).as_str()),
        ("one two", "one two")
    );
    assert_eq!(events.last().unwrap().kind.name(), "turn.failed");
    // The next turn sees that it was not completed.
    world.turn(say("next")).unwrap();
    let request = world.model.requests.borrow().last().unwrap().clone();
    assert_eq!(
        text(&request.messages[2]),
        "one two\n\n(This answer could not be completed.)"
    );
}

#[test]
fn a_turn_with_failures_before_it_stays_cheap() {
    let world = World::new();
    for _ in 0..100 {
        world
            .model
            .failures
            .borrow_mut()
            .push_back(model_error(ModelErrorKind::Unavailable));
        world.turn(say("hello")).unwrap();
    }
    let (_, checkpoint) = world.snapshot("s1");
    assert_eq!(checkpoint, 198);
    world.assert_snapshot_is_replay("s1", "tasks");
    let before = world.store.round_trips();
    world.turn(say("hello")).unwrap();
    assert_eq!(world.store.round_trips() - before, 2);
}

#[test]
fn a_long_model_call_keeps_its_lease() {
    let world = World::new();
    let turn = world.turn(say("wait:20000 slow")).unwrap();
    assert_eq!(turn.message.content, "slow");
    assert_eq!(
        world.records("s1"),
        ["turn-started", "model-called", "turn-finished"]
    );
}

#[test]
fn a_listener_hears_the_text_as_it_comes() {
    let world = World::new();
    let (engine, sink, heard) = (world.engine(), Heard::default(), Heard::default());
    let mut tasks = Tasks::default();
    let (in_task, all) = (sink.clone(), world.clone());
    tasks.spawn(async move {
        engine.turn(&all, say("one two three"), &in_task).await.unwrap();
    });
    while !sink
        .0
        .borrow()
        .iter()
        .any(|event| matches!(event.kind, EventKind::TextDelta { .. }))
    {
        assert!(tasks.poll(0));
    }
    heard.0.replace(sink.0.borrow().clone());
    assert_eq!(streamed(&heard.0.borrow()), "one");
}

#[test]
fn a_failed_turn_is_not_tried_again_once_the_conversation_has_gone_on() {
    let world = World::new();
    world
        .model
        .failures
        .borrow_mut()
        .push_back(model_error(ModelErrorKind::Timeout));
    let failed = world.turn(say_once("k", "hello")).unwrap();
    world.turn(say("never mind")).unwrap();
    let again = world.turn(say_once("k", "hello")).unwrap();
    assert_eq!((again.turn, again.state), (failed.turn, TurnState::Failed));
    assert!(failed.error.unwrap().retryable && !again.error.unwrap().retryable);
}
