//! What must hold of every journal with decisions, of what the tools did, and of the audit.

use super::super::world::*;
use crate::audit::{AuditAction, Audited};
use crate::gate::*;
use crate::journal::{CallOutcome, GateDecided, GateOpened, Record, Ruling};
use crate::session::Page;
use std::collections::{BTreeMap, BTreeSet};

fn audit(world: &World) -> Vec<Audited> {
    let mut entries = Vec::new();
    let mut before = None;
    loop {
        let page = Page { before, limit: 0 };
        let page = world.run(world.engine().audit("ada", "s1", page)).unwrap();
        entries.extend(page.entries.into_iter().map(|entry| entry.what));
        before = page.before;
        if before.is_none() {
            return entries;
        }
    }
}

/// Whether a decision is one that somebody may take.
pub(super) fn is_allowed(opened: &GateOpened, by: &str) -> bool {
    match opened.kind {
        GateKind::Confirm => by == "ada",
        GateKind::Approve => by == "bob",
    }
}

/// What must hold of every journal, and of what the tools did.
pub(super) fn assert_decided(world: &World) {
    let mut gates: BTreeMap<String, (String, GateOpened, Option<GateDecided>)> = BTreeMap::new();
    let mut calls: BTreeMap<String, String> = BTreeMap::new();
    let mut intended = BTreeSet::new();
    let mut finished = BTreeSet::new();
    let mut made: BTreeMap<String, GateDecided> = BTreeMap::new();
    let mut running: Option<String> = None;
    let mut waiting = BTreeSet::new();
    for entry in world.journal("s1") {
        let turn = entry.turn.clone();
        let own = running.as_ref() == Some(&turn);
        match entry.what {
            Record::TurnStarted(_) => {
                assert!(running.is_none(), "a turn begins while another one runs");
                running = Some(turn);
            }
            Record::TurnResumed { .. } => {
                assert!(own || running.is_none() && waiting.remove(&turn) || running.is_none());
                running = Some(turn);
            }
            Record::GateOpened(opened) => {
                assert!(own, "a gate opens in a turn that does not run");
                assert!(
                    calls.insert(opened.call.clone(), opened.gate.clone()).is_none(),
                    "two gates of one call"
                );
                assert_eq!(opened.hash, canonical::hash(&opened.arguments));
                gates.insert(opened.gate.clone(), (turn, *opened, None));
            }
            Record::GateDecided(decided) => {
                let (of, opened, known) = gates.get_mut(&decided.gate).expect("an unknown gate is decided");
                assert_eq!(*of, turn);
                assert!(known.is_none(), "a gate is decided twice");
                assert!(!own, "a turn decides its own gate");
                match decided.verdict {
                    Ruling::Approved | Ruling::Denied => {
                        assert!(is_allowed(opened, decided.by.as_deref().unwrap()));
                        assert!(entry.at <= opened.expires, "a decision comes too late");
                    }
                    Ruling::Expired | Ruling::Dropped => assert_eq!(decided.by, None),
                }
                *known = Some(*decided);
            }
            Record::ToolIntended(call) => {
                assert!(
                    own && intended.insert(call.call.clone()),
                    "a call is intended twice"
                );
                match (&call.gate, calls.get(&call.call)) {
                    (Some(gate), Some(known)) if gate == known => {
                        let decided = gates[gate]
                            .2
                            .clone()
                            .expect("a call is made before it is decided");
                        assert_eq!(decided.verdict, Ruling::Approved);
                        assert_eq!(decided.hash, canonical::hash(&call.arguments));
                        made.insert(call.call.clone(), decided);
                    }
                    (None, None) => {
                        assert!(!["burn", "erase", "pay"].contains(&call.tool.as_str()), "ungated")
                    }
                    other => panic!("{other:?}"),
                }
            }
            Record::ToolFinished(done) => {
                assert!(own && finished.insert(done.call.clone()), "a call ends twice");
                if matches!(done.outcome, CallOutcome::Answered(_)) {
                    assert!(intended.contains(&done.call));
                }
            }
            Record::TurnWaiting {} => {
                assert!(
                    own && gates
                        .values()
                        .any(|(of, _, decided)| *of == turn && decided.is_none())
                );
                waiting.insert(turn);
                running = None;
            }
            Record::TurnFailed { .. } if waiting.contains(&turn) => {
                assert!(
                    gates
                        .values()
                        .all(|(of, _, decided)| *of != turn || decided.is_some())
                );
                waiting.remove(&turn);
            }
            Record::TurnFinished {} | Record::TurnFailed { .. } | Record::TurnStopped { .. } => {
                assert!(own, "a turn ends that does not run");
                running = None;
            }
            Record::ModelCalled(_) => assert!(own),
            Record::TurnAbandoned {}
            | Record::TurnRefused { .. }
            | Record::Forked(_)
            | Record::PastCopied {} => {
                panic!("{turn}: nothing here is left, refused or forked")
            }
        }
    }

    // Every call of a tool that is gated was intended, with what was decided on; what must not be repeated ran once.
    let hashes: BTreeSet<&str> = made.values().map(|decided| decided.hash.as_str()).collect();
    let reached = world.tools.calls.borrow();
    let arguments = world.tools.arguments.borrow();
    for ((tool, key), (_, arguments)) in reached.iter().zip(arguments.iter()) {
        let gated = ["burn", "erase", "pay"].contains(&tool.as_str());
        assert!(
            !gated || hashes.contains(canonical::hash(arguments).as_str()),
            "{tool} ran with {arguments}"
        );
        let times = reached.iter().filter(|(_, other)| other == key).count();
        assert!(
            !["burn", "pay", "risky"].contains(&tool.as_str()) || times == 1,
            "{key} was called {times} times"
        );
    }
    let gated = reached
        .iter()
        .filter(|(tool, _)| tool == "burn" || tool == "pay")
        .count();
    assert!(gated <= made.len());

    // The audit has each decision, and nothing else was decided.
    let audited = audit(world);
    let decisions: Vec<&Audited> = audited.iter().filter(|entry| entry.gate.is_some()).collect();
    let decided: Vec<_> = gates
        .values()
        .filter_map(|(_, opened, decided)| Some((opened, decided.as_ref()?)))
        .collect();
    assert_eq!(decisions.len(), decided.len());
    for (opened, decided) in decided {
        let entry = decisions
            .iter()
            .find(|entry| entry.gate.as_ref() == Some(&opened.gate))
            .expect("a decision is not in the audit");
        let action = match decided.verdict {
            Ruling::Approved => AuditAction::Approved,
            Ruling::Denied => AuditAction::Denied,
            Ruling::Expired => AuditAction::Expired,
            Ruling::Dropped => AuditAction::Dropped,
        };
        assert_eq!(
            (entry.action, &entry.by, &entry.hash),
            (action, &decided.by, &decided.hash)
        );
    }
    // Nothing is undone twice.
    let undone = audited.iter().filter(|entry| entry.action == AuditAction::Undone);
    let mut seen = BTreeSet::new();
    for entry in undone {
        assert!(
            seen.insert((entry.call.clone(), entry.arguments.to_string())),
            "undone twice"
        );
    }
}
