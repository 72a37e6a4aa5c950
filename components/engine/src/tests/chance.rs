//! What chance decides in the interleavings: who asks what, what happens when, and when the store fails.

use crate::assistant::OnBusy;
use anyturn_state::memory::Fault;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// A request of a client.
#[derive(Clone, Debug)]
pub(super) struct Client {
    pub script: &'static str,
    /// Clients of the same key send the same script: they are repetitions of one request.
    pub key: Option<u8>,
    pub on_busy: OnBusy,
    /// Before which scheduling decision it comes.
    pub at: usize,
}

/// What the world does.
#[derive(Clone, Copy, Debug)]
pub(super) enum Act {
    /// Lets a task go on.
    Poll(usize),
    /// Lets time pass, for everybody.
    Wait(u64),
    /// Kills the instance of a task.
    Crash(usize),
    /// Stops the instance of a task from running, as SIGSTOP does.
    Pause(usize),
    /// Lets all of those run again.
    Resume,
    /// Somebody listens to a turn that was heard of, from its beginning.
    Listen(usize),
    /// Somebody goes on listening, elsewhere, after what they have heard.
    Reconnect(usize),
    /// Somebody stops a turn that was heard of.
    Stop(usize),
    /// An instance looks for lost turns.
    Sweep,
}

/// An assistant of several agents makes commands of the parts between semicolons.
const SCRIPTS: [&str; 8] = [
    "hello",
    "risky:1|ok",
    "once:1 read:2|wait:2000 ok then",
    "read:1 read:2|risky:3 sure:4|ok",
    "beat:1500 ok so it is",
    "sure:1|fail",
    "risky:1 ;calendar once:2|wait:2000 so ;email<1> sure:3|ok",
    "read:1|risky:2 ;calendar beat:900 once:3|sure:4 >>email once:5",
];

const POLICIES: [OnBusy; 4] = [
    OnBusy::Reject,
    OnBusy::Enqueue,
    OnBusy::Interrupt,
    OnBusy::Rollback,
];

pub(super) fn clients() -> impl Strategy<Value = Vec<Client>> {
    let client = (
        0..SCRIPTS.len(),
        prop::option::of(0u8..3),
        0..POLICIES.len(),
        0usize..80,
    )
        .prop_map(|(script, key, policy, at)| {
            // The key decides the script, so that repetitions are repetitions.
            let script = key.map_or(script, |key| (script % 2) * 3 + usize::from(key));
            Client {
                script: SCRIPTS[script],
                key: key.map(|key| key + 3 * u8::from(script >= 3)),
                on_busy: POLICIES[policy],
                at,
            }
        });
    prop::collection::vec(client, 1..6)
}

pub(super) fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        60 => any::<usize>().prop_map(Act::Poll),
        4 => (1u64..4_000).prop_map(Act::Wait),
        2 => any::<usize>().prop_map(Act::Crash),
        1 => any::<usize>().prop_map(Act::Pause),
        1 => Just(Act::Resume),
        1 => any::<usize>().prop_map(Act::Listen),
        1 => any::<usize>().prop_map(Act::Reconnect),
        1 => any::<usize>().prop_map(Act::Stop),
        1 => Just(Act::Sweep),
    ];
    prop::collection::vec(act, 1..260)
}

pub(super) fn faults() -> impl Strategy<Value = BTreeMap<u64, Fault>> {
    let fault = prop_oneof![Just(Fault::Before), Just(Fault::After)];
    prop::collection::btree_map(1u64..60, fault, 0..6)
}

/// How long tools take; now and then longer than a lease.
pub(super) fn slow() -> impl Strategy<Value = u64> {
    prop_oneof![4 => Just(0), 1 => Just(3_500)]
}
