//! What is told to whoever watches.

use super::world::*;
use crate::port::EffectClass;
use crate::turn::TurnState;
use crate::watch::{Attribute, Span, Traceparent, Value, Watched};
use futures::future::join;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::pin::pin;
use std::rc::Rc;

/// Spans in the order in which they began, and those that are entered now.
#[derive(Clone, Default)]
pub(super) struct Watching(Rc<RefCell<Vec<Seen>>>, Rc<RefCell<Vec<usize>>>);

#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    name: String,
    parent: Option<usize>,
    attributes: BTreeMap<&'static str, String>,
    failed: Option<String>,
    pub links: Vec<Traceparent>,
    ended: bool,
}

struct Watcher {
    all: Watching,
    index: usize,
}

impl Watching {
    pub(super) fn begin(&self, name: &str, parent: Option<usize>, attributes: &[Attribute<'_>]) -> Span {
        let mut all = self.0.borrow_mut();
        all.push(Seen {
            name: name.to_owned(),
            parent,
            ..Seen::default()
        });
        let index = all.len() - 1;
        drop(all);
        let watcher = Watcher {
            all: self.clone(),
            index,
        };
        watcher.set(attributes);
        Span::watched(watcher)
    }

    /// The spans of a name, which must all have ended.
    pub(super) fn named(&self, name: &str) -> Vec<Seen> {
        let all = self.0.borrow();
        assert!(all.iter().all(|seen| seen.ended), "{all:#?}");
        all.iter().filter(|seen| seen.name == name).cloned().collect()
    }
}

impl Watched for Watcher {
    fn begin(&self, name: &str, attributes: &[Attribute<'_>]) -> Span {
        self.all.begin(name, Some(self.index), attributes)
    }

    fn set(&self, attributes: &[Attribute<'_>]) {
        let mut all = self.all.0.borrow_mut();
        all[self.index]
            .attributes
            .extend(attributes.iter().map(|(name, value)| {
                let value = match value {
                    Value::Text(text) => (*text).to_owned(),
                    Value::Whole(number) => number.to_string(),
                    Value::Number(number) => number.to_string(),
                    Value::Truth(truth) => truth.to_string(),
                };
                (*name, value)
            }));
    }

    fn fail(&self, kind: &str) {
        self.all.0.borrow_mut()[self.index].failed = Some(kind.to_owned());
    }

    fn link(&self, began: &Traceparent) {
        self.all.0.borrow_mut()[self.index].links.push(began.clone());
    }

    fn traced(&self) -> bool {
        true
    }

    fn enter(&self) {
        self.all.1.borrow_mut().push(self.index);
    }

    fn leave(&self) {
        assert_eq!(self.all.1.borrow_mut().pop(), Some(self.index));
    }
}

/// A place in the trace of this number.
pub(super) fn place(trace: u128) -> Traceparent {
    Traceparent::parse(&format!("00-{trace:032x}-00000000000000b7-01")).unwrap()
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.all.0.borrow_mut()[self.index].ended = true;
    }
}

#[test]
fn a_turn_its_model_calls_and_its_tool_calls_are_told_and_nothing_of_what_was_said() {
    let world = World::new();
    let turn = world.turn(say("read:1|the answer is secret")).unwrap();
    let watching = &world.watching;
    let [agent] = &watching.named("invoke_agent tasks")[..] else {
        panic!("one turn")
    };
    for (name, value) in [
        ("gen_ai.operation.name", "invoke_agent"),
        ("gen_ai.agent.name", "tasks"),
        ("gen_ai.conversation.id", turn.session.as_str()),
        ("anyturn.turn.id", turn.turn.as_str()),
        ("anyturn.turn.state", "finished"),
    ] {
        assert_eq!(agent.attributes[name], value, "{name}");
    }
    assert!(!agent.attributes.contains_key("anyturn.turn.taken_up"));
    let models = watching.named("chat");
    assert_eq!(models.len(), 2);
    let steps: Vec<_> = models
        .iter()
        .map(|model| &model.attributes["anyturn.step"])
        .collect();
    assert_eq!(steps, ["model/0", "model/1"]);
    let tokens: u32 = models
        .iter()
        .map(|model| {
            model.attributes["gen_ai.usage.output_tokens"]
                .parse::<u32>()
                .unwrap()
        })
        .sum();
    assert_eq!(tokens, turn.usage.output_tokens);
    let [tool] = &watching.named("execute_tool read")[..] else {
        panic!("one call of a tool")
    };
    assert_eq!(tool.attributes["gen_ai.tool.name"], "read");
    assert_eq!(tool.attributes["anyturn.step"], "tool/0/0");
    assert!(tool.failed.is_none());
    let all = watching.0.borrow();
    assert!(all.iter().skip(1).all(|seen| seen.parent == Some(0)), "{all:#?}");
    assert!(!format!("{all:?}").contains("secret"));
}

#[test]
fn what_each_agent_of_several_does_is_a_part_of_the_turn_and_has_its_own_calls() {
    let world = super::flow::lasting();
    world.tools.add("erase", EffectClass::Idempotent, true);
    let said = say("email read:1|found it ;calendar erase:2|gone");
    let turn = world.turn(said).unwrap();
    assert_eq!(turn.state, TurnState::Waiting);
    let watching = &world.watching;
    assert_eq!(watching.named("invoke_agent tasks").len(), 1);
    for (name, step, state) in [
        ("email", "email/0", "finished"),
        ("calendar", "calendar/1", "waiting"),
    ] {
        let [agent] = &watching.named(&format!("invoke_agent {name}"))[..] else {
            panic!("one stretch of work of {name}")
        };
        assert_eq!((agent.parent, &agent.failed), (Some(0), &None));
        for (attribute, value) in [
            ("gen_ai.operation.name", "invoke_agent"),
            ("gen_ai.agent.name", name),
            ("gen_ai.conversation.id", turn.session.as_str()),
            ("anyturn.step", step),
            ("anyturn.agent.state", state),
        ] {
            assert_eq!(agent.attributes[attribute], value, "{attribute}");
        }
        // A turn is counted by its id, and an agent's work is none.
        assert!(!agent.attributes.contains_key("anyturn.turn.id"));
    }
    let all = watching.0.borrow();
    let of = |seen: &Seen| seen.parent.map_or("", |parent| all[parent].name.as_str());
    for seen in all
        .iter()
        .filter(|seen| seen.name.starts_with("chat") || seen.name.contains("tool"))
    {
        let expected = match seen.attributes["anyturn.step"].split('/').next() {
            Some("email") => "invoke_agent email",
            Some("calendar") => "invoke_agent calendar",
            _ => "invoke_agent tasks",
        };
        assert_eq!(of(seen), expected, "{seen:?}");
    }
    let gate = all.iter().find(|seen| seen.name == "open_gate").unwrap();
    assert_eq!(of(gate), "invoke_agent calendar");
    let named = |name: &str| all.iter().any(|seen| seen.name == name);
    assert!(named("chat") && named("execute_tool read"));
}

#[test]
fn an_agent_that_fails_says_how() {
    let world = super::flow::lasting();
    let turn = world.turn(say("email fail"));
    let [agent] = &world.watching.named("invoke_agent email")[..] else {
        panic!("one agent: {turn:?}")
    };
    assert_eq!(agent.attributes["anyturn.agent.state"], "failed", "{turn:?}");
    assert!(agent.failed.is_some());
}

#[test]
fn a_call_that_was_refused_is_no_call_of_a_tool() {
    let world = World::new();
    world.turn(say("dance:1|never mind")).unwrap();
    assert!(world.watching.named("execute_tool dance").is_empty());
}

#[test]
fn a_turn_that_another_instance_goes_on_with_is_told_as_left_behind() {
    let world = World::new();
    let mut tasks = Tasks::default();
    let (task, _) = start(&world, &mut tasks, say_once("k", "read:1|wait:1000 done"));
    while world.model.requests.borrow().len() < 2 {
        tasks.poll(task);
    }
    assert!(tasks.crash(task));
    world.turn(say_once("k", "read:1|wait:1000 done")).unwrap();
    let turns = world.watching.named("invoke_agent tasks");
    let told: Vec<_> = turns
        .iter()
        .map(|turn| {
            let of = |name| turn.attributes.get(name).map(String::as_str);
            (of("anyturn.turn.taken_up"), of("anyturn.turn.state"))
        })
        .collect();
    assert_eq!(
        told,
        [(None, None), (Some("left-behind"), Some("finished"))],
        "the instance that died could not say how it ended"
    );
}

#[test]
fn a_turn_that_another_instance_goes_on_with_is_linked_to_the_trace_in_which_it_began() {
    let world = World::new();
    let mut tasks = Tasks::default();
    world.trace.replace(Some(place(1)));
    let (task, _) = start(&world, &mut tasks, say_once("k", "wait:1000 done"));
    while world.model.requests.borrow().is_empty() {
        tasks.poll(task);
    }
    assert!(tasks.crash(task));
    world.trace.replace(Some(place(2)));
    world.turn(say_once("k", "wait:1000 done")).unwrap();
    let links: Vec<_> = world
        .watching
        .named("invoke_agent tasks")
        .into_iter()
        .map(|turn| turn.links)
        .collect();
    assert_eq!(links, [vec![], vec![place(1)]]);
}

#[test]
fn what_is_asked_of_others_belongs_to_the_span_whose_work_asks_though_several_are_at_work() {
    let watching = Watching::default();
    let (one, other) = (
        watching.begin("one", None, &[]),
        watching.begin("other", None, &[]),
    );
    let entered = || watching.1.borrow().clone();
    let asks = async || {
        let first = entered();
        yield_once().await;
        (first, entered())
    };
    let inner = async {
        let within = other.around(pin!(asks())).await;
        (within, entered())
    };
    let (asked, inner) = (pin!(asks()), pin!(inner));
    let both = join(one.around(asked), one.around(inner));
    let (alone, (within, afterwards)) = World::new().run(both);
    assert_eq!(alone, (vec![0], vec![0]));
    assert_eq!(within, (vec![0, 1], vec![0, 1]));
    assert_eq!(afterwards, [0]);
    assert!(entered().is_empty());
}

#[test]
fn only_what_is_a_traceparent_is_taken_for_one() {
    let sane = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let read = Traceparent::parse(sane).unwrap();
    assert_eq!(read.as_str(), sane);
    assert!(read.is_sampled());
    let unsampled = sane.replace("-01", "-02");
    assert!(!Traceparent::parse(&unsampled).unwrap().is_sampled());
    for wrong in [
        "",
        "secret",
        "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0é",
    ] {
        assert!(Traceparent::parse(wrong).is_none(), "{wrong}");
    }
}
