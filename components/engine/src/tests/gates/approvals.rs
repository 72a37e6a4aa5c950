//! Approvals: somebody else, with a role, and the lists they find them in.

use super::*;

fn approvals(world: &World, decider: &Decider) -> Vec<Approval> {
    world.run(world.engine().approvals(decider, 0, 0)).unwrap().0
}

#[test]
fn somebody_else_with_the_role_approves_and_nobody_their_own() {
    let world = world();
    let (turn, gate) = open(&world, "pay:9|paid");
    assert_eq!(
        (gate.kind, gate.role.as_deref()),
        (GateKind::Approve, Some("manager"))
    );
    assert_eq!(
        decide(&world, ada(), &gate, approve()),
        Err(DecideError::OwnRequest {
            role: "manager".into()
        })
    );
    // A yes of hers is a message.
    assert_eq!(world.turn(say("yes")).unwrap().message.content, "yes");
    let carl = Decider {
        user: "carl".into(),
        roles: vec!["member".into()],
    };
    assert_eq!(
        decide(&world, carl.clone(), &gate, approve()),
        Err(DecideError::OtherRole {
            role: "manager".into()
        })
    );
    assert!(approvals(&world, &carl).is_empty() && approvals(&world, &ada()).is_empty());
    let [listed] = &approvals(&world, &bob())[..] else {
        panic!()
    };
    assert_eq!(
        (
            listed.user.as_str(),
            listed.session.as_str(),
            listed.assistant.as_str()
        ),
        ("ada", "s1", "tasks")
    );
    assert_eq!(listed.gate, gate);
    let sink = Heard::default();
    let outcome = world
        .run(
            world
                .engine()
                .decide(&world, request(bob(), &gate, approve()), &sink),
        )
        .unwrap();
    // What goes on in her conversation is not his to hear.
    assert_eq!((outcome.turn, outcome.gate.state), (None, GateState::Approved));
    assert!(sink.0.borrow().is_empty());
    assert_eq!(world.tools.called(), ["pay"]);
    assert_eq!(world.tools.callers.borrow()[0].user, "ada");
    let done = world.run(world.engine().report("ada", "s1", &turn.turn)).unwrap();
    assert_eq!(
        (done.state, done.message.content.as_str()),
        (TurnState::Finished, "paid")
    );
    assert!(approvals(&world, &bob()).is_empty());
    let [entry] = &audit(&world)[..] else { panic!() };
    assert_eq!(
        (entry.by.as_deref(), entry.role.as_deref()),
        (Some("bob"), Some("manager"))
    );
}

#[test]
fn a_denial_by_role_names_who_denied() {
    let world = world();
    let (_, gate) = open(&world, "pay:9|pity");
    decide(&world, bob(), &gate, deny("too much")).unwrap();
    assert_eq!(
        told(&world),
        ["This call was not made: bob (manager) denied it, saying “too much”."]
    );
}

#[test]
fn a_list_of_approvals_mends_itself() {
    let world = world();
    let (_, gate) = open(&world, "pay:1");
    let list = crate::scope::approvals("manager");
    let members = |world: &World| {
        let all = Query::Index {
            index: "open".into(),
            min: 0,
            max: i64::MAX,
            descending: false,
            offset: 0,
            limit: 100,
        };
        let found = world.run(world.store.read(&list, vec![all])).unwrap();
        let anyturn_state::Found::Index(members) = found.into_iter().next().unwrap() else {
            panic!()
        };
        members
            .into_iter()
            .map(|member| member.member)
            .collect::<Vec<_>>()
    };
    let put = |member: &str, value: &[u8]| Write::IndexPut {
        index: "open".into(),
        member: member.into(),
        score: i64::try_from(gate.expires_at.0).unwrap() - 1,
        value: value.to_vec(),
        only_existing: false,
    };
    // Entries that lead nowhere are harmless, and gone when they are met.
    let stale = vec![
        put("gate_0", br#"{"user":"ada","session":"s1"}"#),
        put("gate_1", br#"{"user":"ada","session":"gone"}"#),
        put("gate_2", b"?"),
    ];
    world.run(world.store.commit(&list, stale, Vec::new())).unwrap();
    assert_eq!(members(&world).len(), 4);
    assert_eq!(approvals(&world, &bob()).len(), 1);
    assert_eq!(members(&world), std::slice::from_ref(&gate.id));
    // One that is missing is back as soon as somebody finds the turn waiting.
    let lost = vec![Write::IndexRemove {
        index: "open".into(),
        member: gate.id.clone(),
    }];
    world.run(world.store.commit(&list, lost, Vec::new())).unwrap();
    assert!(approvals(&world, &bob()).is_empty());
    let turn = world.turn(say("pay:2 burn:3|done")).unwrap();
    let lost = vec![Write::IndexRemove {
        index: "open".into(),
        member: turn.gates[0].id.clone(),
    }];
    world.run(world.store.commit(&list, lost, Vec::new())).unwrap();
    decide(&world, ada(), &turn.gates[1], approve()).unwrap();
    assert_eq!(members(&world), [turn.gates[0].id.clone()]);
    // A decision takes it away.
    decide(&world, bob(), &turn.gates[0], approve()).unwrap();
    assert!(members(&world).is_empty());
}

#[test]
fn a_gate_is_listed_before_its_turn_says_that_it_waits() {
    // The store fails at every point of the turn; whenever the turn waits, its gate is listed.
    for at in 1..14 {
        for fault in [Fault::Before, Fault::After] {
            let world = world();
            let before = world.store.round_trips();
            world.store.on_operation(move |operation| {
                (operation.number >= before + at && operation.number < before + at + 8).then_some(fault)
            });
            let _ = world.turn(say_once("k", "pay:1"));
            let waits = || world.records("s1").contains(&"turn-waiting");
            world.store.heal();
            assert!(!waits() || approvals(&world, &bob()).len() == 1, "{at} {fault:?}");
            world.clock().advance(10_000);
            assert_eq!(
                world.turn(say_once("k", "pay:1")).unwrap().state,
                TurnState::Waiting
            );
            assert_eq!(approvals(&world, &bob()).len(), 1, "{at} {fault:?}");
        }
    }
}

#[test]
fn approvals_come_in_pages_those_that_expire_first_before_others() {
    let world = world();
    let mut gates = Vec::new();
    for n in 0..5 {
        gates.push(open(&world, &format!("pay:{n}")).1.id);
        world.clock().advance(10);
    }
    let page = |offset| {
        let (page, next) = world.run(world.engine().approvals(&bob(), offset, 2)).unwrap();
        (
            page.into_iter()
                .map(|approval| approval.gate.id)
                .collect::<Vec<_>>(),
            next,
        )
    };
    assert_eq!(page(0), (gates[..2].to_vec(), Some(2)));
    assert_eq!(page(2), (gates[2..4].to_vec(), Some(4)));
    assert_eq!(page(4), (gates[4..].to_vec(), None));
}
