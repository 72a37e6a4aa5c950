//! Decisions with other arguments.

use super::*;

#[test]
fn edited_arguments_are_checked_recorded_and_what_runs() {
    let world = world();
    let (_, gate) = open(&world, "burn:1|fine");
    let edited = |arguments| Decision {
        arguments: Some(arguments),
        ..approve()
    };
    let Err(DecideError::InvalidDecision(problem)) = decide(&world, ada(), &gate, edited(json!({"n": 2000})))
    else {
        panic!()
    };
    assert!(problem.contains("n must be at most 1000, not 2000"), "{problem}");
    assert_eq!(world.records("s1").len(), 4);
    let outcome = decide(&world, ada(), &gate, edited(json!({"n": 2}))).unwrap();
    assert!(outcome.gate.decided.as_ref().unwrap().edited);
    assert_eq!(
        (&outcome.gate.arguments, &outcome.gate.hash),
        (&json!({"n": 2}), &canonical::hash(&json!({"n": 2})))
    );
    assert_eq!(world.tools.arguments.borrow()[0].1, json!({"n": 2}));
    assert_eq!(outcome.turn.unwrap().tool_calls[0].arguments, json!({"n": 2}));
    assert_eq!(told(&world), ["burn 2 is done"]);
    // That they are others is for the model only, and no part of what the tool has answered.
    let note = world
        .model
        .requests
        .borrow()
        .last()
        .unwrap()
        .messages
        .last()
        .map(text);
    let told = "(This call was allowed with other arguments than yours: {\"n\":2})";
    assert_eq!(note.as_deref(), Some(told));
    let [entry] = &audit(&world)[..] else { panic!() };
    assert_eq!(
        (entry.hash.as_str(), entry.proposed.as_deref()),
        (outcome.gate.hash.as_str(), Some(gate.hash.as_str()))
    );
    // The same edit again is the same decision; none, or another, is not.
    assert!(decide(&world, ada(), &gate, edited(json!({"n": 2}))).is_ok());
    for other in [approve(), edited(json!({"n": 3}))] {
        assert!(matches!(
            decide(&world, ada(), &gate, other),
            Err(DecideError::AlreadyDecided { .. })
        ));
    }
}
