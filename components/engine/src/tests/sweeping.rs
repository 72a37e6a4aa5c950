//! Turns whose instance died while nobody asks for them.

use super::world::*;
use crate::Swept;
use crate::assistant::OnBusy;
use crate::turn::*;
use anyturn_state::memory::Fault;
use anyturn_state::{Found, Query, Store};

/// How many conversations are in the register.
fn registered(world: &World) -> usize {
    let query = Query::Index {
        index: "running".into(),
        min: 0,
        max: i64::MAX >> 11,
        descending: false,
        offset: 0,
        limit: 1000,
    };
    let found = world
        .run(world.store.read(&crate::scope::shard("ada"), vec![query]))
        .unwrap();
    let Found::Index(members) = &found[0] else {
        panic!()
    };
    members.len()
}

fn in_session(session: &str, text: &str) -> TurnRequest {
    TurnRequest {
        session: SessionTarget::Either { id: session.into() },
        ..say(text)
    }
}

#[test]
fn a_turn_whose_instance_died_is_finished_although_nobody_asks() {
    let world = World::new();
    let mut tasks = Tasks::default();
    world.enter("s1");
    let (task, _) = start(&world, &mut tasks, say("once:1|wait:10 well"));
    tasks.crash(task);
    let began = world.clock().now();
    let turn = world.latest();
    while world.holder("s1").is_empty()
        || world
            .run(world.engine().report("ada", "s1", &turn))
            .unwrap()
            .state
            == TurnState::Running
    {
        world.clock().advance(1_000);
        world.sweep();
        assert!(world.clock().now() - began < 10_000);
        if world
            .run(world.engine().report("ada", "s1", &turn))
            .unwrap()
            .state
            .has_ended()
        {
            break;
        }
    }
    let (ended, heard) = world.attach(&turn, None);
    assert_eq!(ended.unwrap().message.content, "well");
    assert_heard(&heard, &[]);
    // And then it is forgotten, after one more look.
    world.clock().advance(10_000);
    let looked = Swept {
        looked: 1,
        settled: 1,
        ..Swept::default()
    };
    assert_eq!((world.sweep(), world.sweep()), (looked, Swept::default()));
    assert_eq!(registered(&world), 0);
}

#[test]
fn what_has_ended_is_dropped_after_one_look_and_what_lives_is_left_alone() {
    let world = World::new();
    let mut tasks = Tasks::default();
    for n in 0..150 {
        let session = format!("done {n}");
        world.enter(&session);
        world.turn(in_session(&session, "hello")).unwrap();
    }
    world.clock().advance(1);
    world.enter("s1");
    let (_, running) = start(&world, &mut tasks, say("wait:20000 slow"));
    assert_eq!(registered(&world), 151);
    assert_eq!(world.sweep(), Swept::default());
    let limit = world.elapsed() + 6_000;
    world.until(&mut tasks, || world.elapsed() >= limit);
    let before = world.store.round_trips();
    let swept = world.sweep();
    assert_eq!((swept.looked, swept.settled), (100, 100));
    // Sixteen shards, one read for each conversation, one commit.
    assert_eq!(world.store.round_trips() - before, 16 + 100 + 1);
    // Others may be due at the very moment of the last one; it is looked at again with them.
    assert_eq!(registered(&world), 52);
    let swept = world.sweep();
    assert_eq!((swept.settled, swept.running, swept.taken_over), (51, 1, 0));
    // It is looked at again when its lease could have run out.
    assert_eq!((registered(&world), world.sweep()), (1, Swept::default()));
    world.until(&mut tasks, || running.borrow().is_some());
    assert_eq!(ended(&running).message.content, "slow");
    assert_eq!(world.records("s1").len(), 3);
}

#[test]
fn a_conversation_that_is_used_again_while_it_is_looked_at_stays_registered() {
    for polls in 0..400 {
        let world = World::new();
        world.enter("s1");
        world.turn(say("hello")).unwrap();
        world.clock().advance(6_000);
        let mut tasks = Tasks::default();
        let (all, engine) = (world.clone(), world.engine());
        let task = tasks.spawn(async move {
            engine.sweep(&all, 10).await.unwrap();
        });
        for _ in 0..polls {
            tasks.poll(task);
        }
        let swept = tasks.is_empty();
        world.enter("s1");
        while tasks.poll(task) {}
        assert_eq!(registered(&world), 1, "{polls}");
        if swept {
            return;
        }
    }
    panic!("the sweep never ends");
}

#[test]
fn several_sweepers_at_once_do_no_harm() {
    for seed in 0..30usize {
        let world = World::new();
        let mut tasks = Tasks::default();
        for session in ["s1", "s2", "s3"] {
            world.enter(session);
            let (task, _) = start(
                &world,
                &mut tasks,
                in_session(session, "once:1 risky:2|beat:100 well"),
            );
            for _ in 0..seed % 11 {
                tasks.poll(task);
            }
            tasks.crash(task);
        }
        world.clock().advance(6_000);
        for _ in 0..4 {
            let (all, engine) = (world.clone(), world.engine());
            tasks.spawn(async move {
                engine.sweep(&all, 10).await.unwrap();
            });
        }
        let mut choice = seed;
        while !tasks.is_empty() {
            choice = choice.wrapping_mul(31).wrapping_add(7);
            if !tasks.poll_any(choice) {
                world.clock().advance(10);
            }
        }
        for session in ["s1", "s2", "s3"] {
            let records = world.records(session);
            assert_eq!(records.last(), Some(&"turn-finished"), "{seed}");
            assert_eq!(records.iter().filter(|name| **name == "turn-resumed").count(), 1);
        }
        let calls = world.tools.calls.borrow();
        assert!(calls.iter().filter(|(tool, _)| tool == "risky").count() <= 3);
        assert!(world.tools.effects.borrow().values().all(|count| *count == 1));
    }
}

#[test]
fn messages_that_wait_for_nobody_are_answered() {
    let world = World::new();
    let mut tasks = Tasks::default();
    world.enter("s1");
    let (running, _) = start(&world, &mut tasks, say("wait:1000 one"));
    for word in ["two", "three"] {
        let request = TurnRequest {
            on_busy: Some(OnBusy::Enqueue),
            ..say(word)
        };
        let (waiting, _) = begin(&world, &mut tasks, request);
        for _ in 0..60 {
            tasks.poll(waiting);
        }
        tasks.crash(waiting);
    }
    tasks.crash(running);
    world.clock().advance(6_000);
    assert_eq!(world.sweep().taken_over, 1);
    let records = world.records("s1");
    assert_eq!(records.iter().filter(|name| **name == "turn-finished").count(), 3);
    world.assert_snapshot_is_replay("s1", "tasks");
}

#[test]
fn what_cannot_be_seen_to_now_is_looked_at_again() {
    let world = World::new();
    let mut tasks = Tasks::default();
    world.enter("s1");
    let (task, _) = start(&world, &mut tasks, say("wait:10 well"));
    tasks.crash(task);
    world.clock().advance(6_000);
    let assistant = world.assistants.borrow_mut().remove("tasks").unwrap();
    let swept = world.sweep();
    assert_eq!((swept.looked, swept.failed), (1, 1));
    world.assistants.borrow_mut().insert("tasks".into(), assistant);
    assert_eq!(world.sweep(), Swept::default());
    world.clock().advance(5_000);
    assert_eq!(world.sweep().taken_over, 1);
    assert_eq!(world.records("s1").last(), Some(&"turn-finished"));
    // A store that fails is an error, and nothing is dropped.
    world.enter("s1");
    world.clock().advance(6_000);
    world
        .store
        .on_operation(|operation| (operation.number % 2 == 0).then_some(Fault::Before));
    assert!(world.run(world.engine().sweep(&world, 10)).is_err());
    world.store.heal();
    assert_eq!(registered(&world), 1);
}

#[test]
fn a_turn_that_kills_every_instance_is_given_up() {
    let world = World::new();
    let mut tasks = Tasks::default();
    let (task, _) = start(&world, &mut tasks, say_once("k", "wait:10 well"));
    tasks.crash(task);
    let mut deaths = 1;
    loop {
        world.clock().advance(3_000);
        let asked = world.model.requests.borrow().len();
        let (task, outcome) = begin(&world, &mut tasks, say_once("k", "wait:10 well"));
        world.until(&mut tasks, || {
            outcome.borrow().is_some() || world.model.requests.borrow().len() > asked
        });
        if outcome.borrow().is_some() {
            let turn = ended(&outcome);
            let error = turn.error.unwrap();
            assert_eq!(
                (error.kind, error.retryable),
                (crate::FailureKind::Interrupted, false)
            );
            break;
        }
        tasks.crash(task);
        deaths += 1;
        assert!(deaths < 20);
    }
    assert_eq!(deaths, 6);
    // The conversation goes on.
    assert_eq!(world.turn(say("hello")).unwrap().message.content, "hello");
    world.assert_snapshot_is_replay("s1", "tasks");
}

#[test]
fn what_is_left_of_an_expired_conversation_stands_in_nobodys_way() {
    let world = World::new();
    let mut tasks = Tasks::default();
    world.enter("s1");
    let (running, _) = start(&world, &mut tasks, say("wait:1000 one"));
    let request = TurnRequest {
        on_busy: Some(OnBusy::Enqueue),
        ..say("two")
    };
    let (waiting, _) = begin(&world, &mut tasks, request);
    for _ in 0..60 {
        tasks.poll(waiting);
    }
    tasks.crash(waiting);
    tasks.crash(running);
    world.clock().advance(6 * 60 * 1000);
    assert_eq!(world.journal("s1"), []);
    assert_eq!(world.turn(say("three")).unwrap().message.content, "three");
    assert_eq!(
        world.records("s1"),
        ["turn-started", "model-called", "turn-finished"]
    );
    world.clock().advance(10_000);
    assert_eq!(world.sweep().settled, 1);
}

#[test]
fn a_turn_is_taken_over_within_five_seconds_of_its_leases_end_whatever_the_lease_is() {
    for lease in [500, 1_000, 3_000, 5_000, 20_000, 600_000] {
        // It dies at once, or after its lease was renewed.
        for lives in [0, lease / 2, lease * 2] {
            let world = World::lasting();
            world.lease.set(lease);
            let mut tasks = Tasks::default();
            world.enter("s1");
            let (task, _) = start(&world, &mut tasks, say(&format!("wait:{} well", lease * 3 + 100)));
            let limit = world.clock().now() + lives;
            let mut next = world.clock().now() + 1_000;
            // A tick each second, as the host makes them.
            let mut tick = |world: &World| {
                if world.clock().now() >= next {
                    next += 1_000;
                    return world.sweep().taken_over > 0;
                }
                false
            };
            while world.clock().now() < limit {
                if !tasks.poll(task) {
                    world.clock().advance(100);
                }
                assert!(
                    !tick(&world),
                    "{lease} {lives}: it is taken over although it lives"
                );
            }
            tasks.crash(task);
            while !world.holder("s1").is_empty() {
                world.clock().advance(100);
                tick(&world);
            }
            let over = world.clock().now();
            while !tick(&world) {
                world.clock().advance(100);
            }
            let took = world.clock().now() - over - (lease * 3 + 100);
            assert!(took <= 5_000, "{lease} {lives}: {took} ms after the lease's end");
        }
    }
}
