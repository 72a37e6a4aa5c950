//! Sessions as their user sees them.

use super::world::*;
use crate::port::Role;
use crate::session::{Page, index};
use crate::turn::*;
use anyturn_state::Store;

fn list(world: &World, offset: u32, limit: u32) -> (Vec<String>, Option<u32>) {
    let (heads, next) = world.run(world.engine().sessions("ada", offset, limit)).unwrap();
    (heads.into_iter().map(|head| head.session).collect(), next)
}

/// What the front does before a turn: it lists the session as used.
fn touch(world: &World, session: &str, new: bool) {
    let writes = index::touch("ada", session, world.clock().now(), 3_000, new);
    world
        .run(
            world
                .store
                .commit(&crate::scope::shard("ada"), writes, Vec::new()),
        )
        .unwrap();
}

#[test]
fn a_session_shows_what_was_said() {
    let world = World::new();
    world
        .turn(TurnRequest {
            title: Some("Shopping".into()),
            ..say("once:1|bought")
        })
        .unwrap();
    world.clock().advance(1000);
    world.turn(say("thanks cut")).unwrap();
    let before = world.store.round_trips();
    let session = world
        .run(world.engine().session("ada", "s1", Page::default()))
        .unwrap()
        .unwrap();
    assert_eq!(world.store.round_trips() - before, 1);
    assert_eq!(
        (session.head.title.as_str(), session.head.assistant.as_str()),
        ("Shopping", "tasks")
    );
    assert_eq!(session.head.updated_at.0 - session.head.created_at.0, 1000);
    assert_eq!(
        session.expires_at.unwrap().0,
        session.head.updated_at.0 + 5 * 60 * 1000
    );
    assert!(!session.running && session.before.is_none());
    let shown: Vec<(Role, &str)> = session
        .messages
        .iter()
        .map(|message| (message.role, message.content.as_str()))
        .collect();
    assert_eq!(
        shown,
        [
            (Role::User, "once:1|bought"),
            (Role::Assistant, "bought"),
            (Role::User, "thanks cut"),
            (Role::Assistant, "thanks"),
        ]
    );
    assert_eq!(session.messages[1].tool_calls[0].tool, "once");
    assert!(session.messages[3].error.is_some());
    for (user, id) in [("bob", "s1"), ("ada", "s2")] {
        assert_eq!(
            world
                .run(world.engine().session(user, id, Page::default()))
                .unwrap(),
            None
        );
    }
}

#[test]
fn a_long_session_is_shown_page_by_page_without_gaps_or_repeats() {
    let world = World::new();
    for n in 0..120 {
        world.turn(say(&format!("message {n}"))).unwrap();
    }
    let mut pages = Vec::new();
    let mut page = Page {
        before: None,
        limit: 25,
    };
    loop {
        let session = world
            .run(world.engine().session("ada", "s1", page))
            .unwrap()
            .unwrap();
        assert!(session.messages.len() <= 50);
        pages.push(session.messages);
        match session.before {
            Some(before) => page.before = Some(before),
            None => break,
        }
    }
    let said: Vec<String> = pages
        .into_iter()
        .rev()
        .flatten()
        .filter(|message| message.role == Role::User)
        .map(|message| message.content)
        .collect();
    let expected: Vec<String> = (0..120).map(|n| format!("message {n}")).collect();
    assert_eq!(said, expected);
}

#[test]
fn a_turn_longer_than_a_page_is_shown_whole() {
    let world = World::new();
    world.assistant(
        "tasks",
        "prompt = \"x\"\n[limits]\nsteps = 64\ntool_calls = 64\n[[tools]]\nserver = \"s\"",
    );
    let script = vec!["once:1"; 60].join("|");
    world.turn(say("before")).unwrap();
    world.turn(say(&script)).unwrap();
    assert!(world.journal("s1").len() > 180);
    let latest = Page {
        before: None,
        limit: 1,
    };
    let session = world
        .run(world.engine().session("ada", "s1", latest))
        .unwrap()
        .unwrap();
    assert_eq!(session.messages.last().unwrap().tool_calls.len(), 60);
    let earlier = Page {
        before: session.before,
        limit: 0,
    };
    let session = world
        .run(world.engine().session("ada", "s1", earlier))
        .unwrap()
        .unwrap();
    assert_eq!((session.messages.len(), session.before), (2, None));
}

#[test]
fn the_list_has_the_latest_first_and_forgets_what_expired() {
    let world = World::new();
    for n in 0..5 {
        let id = format!("ses {n}/ü");
        touch(&world, &id, true);
        world
            .turn(TurnRequest {
                session: SessionTarget::New { id },
                ..say(&format!("about {n}"))
            })
            .unwrap();
        world.clock().advance(60_000);
    }
    touch(&world, "ses 1/ü", false);
    let names = |numbers: &[u32]| numbers.iter().map(|n| format!("ses {n}/ü")).collect::<Vec<_>>();
    assert_eq!(list(&world, 0, 3), (names(&[1, 4, 3]), Some(3)));
    assert_eq!(list(&world, 3, 3), (names(&[2]), None));
    let (heads, _) = world.run(world.engine().sessions("ada", 0, 1)).unwrap();
    assert_eq!(heads[0].title, "about 1");
    // The first one, and the second one in which nothing was said after all, are over by now.
    world.clock().advance(60_000);
    assert_eq!(list(&world, 0, 2), (names(&[4, 3]), Some(2)));
    assert_eq!(list(&world, 2, 2), (names(&[2]), None));
    assert_eq!(world.run(world.engine().sessions("bob", 0, 9)).unwrap().0, []);
}

#[test]
fn a_session_that_was_not_made_after_all_is_not_listed() {
    let world = World::new();
    touch(&world, "s1", false);
    assert_eq!(list(&world, 0, 9).0, [""; 0]);
    touch(&world, "s2", true);
    world
        .run(world.store.commit(
            &crate::scope::shard("ada"),
            vec![index::remove("ada", "s2")],
            Vec::new(),
        ))
        .unwrap();
    assert_eq!(list(&world, 0, 9).0, [""; 0]);
}

#[test]
fn a_deleted_session_is_gone_and_its_running_turn_writes_nothing_more() {
    let world = World::new();
    touch(&world, "s1", true);
    world.turn(say("first")).unwrap();
    let mut tasks = Tasks::default();
    let (all, engine) = (world.clone(), world.engine());
    let task = tasks.spawn(async move {
        let lost = engine.turn(&all, say("wait:500 once:1"), &Heard::default()).await;
        assert!(matches!(lost, Err(TurnError::Fenced { .. })), "{lost:?}");
    });
    while world.model.requests.borrow().len() < 2 {
        tasks.poll(task);
    }
    assert!(world.run(world.engine().delete_session("ada", "s1")).unwrap());
    assert!(!world.run(world.engine().delete_session("ada", "s1")).unwrap());
    while !tasks.is_empty() {
        if !tasks.poll(task) {
            world.clock().advance(10);
        }
    }
    assert_eq!(world.journal("s1"), []);
    assert!(world.tools.calls.borrow().is_empty());
    assert_eq!(list(&world, 0, 9).0, [""; 0]);
}
