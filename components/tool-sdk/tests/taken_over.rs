//! What a toolbox promises to turns that change hands: no effect comes late, and what became of a call can be asked.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that is wrong should panic"
)]

use std::convert::Infallible;

use anyturn_mcp::client::{CallTool, Client, ClientError, Transport};
use anyturn_mcp::{CallResult, Checked, RpcError, Tool as Described};
use anyturn_state::memory::{Fault, MemoryStore};
use anyturn_state::{Error as StateError, ExpectedVersion, Found, Query, Store, Write};
use anyturn_tool_sdk::{
    Call, Caller, Effect, Failure, Implementation, Once, OnceError, Reply, Response, Tool, Toolbox, serve,
};
use bytes::Bytes;
use futures::executor::block_on;
use http::{HeaderName, HeaderValue, Request, Uri};
use http_body_util::Full;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::to_raw_value;

/// Books an amount.
#[derive(Deserialize, JsonSchema)]
struct Book {
    amount: i64,
}

impl Tool<Ledger> for Book {
    const NAME: &'static str = "book";
    const TITLE: &'static str = "Book";
    const EFFECT: Effect = Effect::IDEMPOTENT.verifiable();

    async fn call(self, ledger: &Ledger, call: &Call<'_>) -> Result<Reply, Failure> {
        let writes = vec![add(self.amount)];
        let reply = Reply::new(format!("Booked {}.", self.amount)).with_inverse(
            "book",
            json!({"amount": -self.amount}),
            "Take it back",
        );
        Ok(Once::of(call)?
            .apply(&ledger.store, &call.caller.scope()?, writes, reply)
            .await?)
    }
}

/// Rings a bell.
#[derive(Deserialize, JsonSchema)]
struct Ring {}

impl Tool<Ledger> for Ring {
    const NAME: &'static str = "ring";
    const TITLE: &'static str = "Ring";
    const EFFECT: Effect = Effect::UNPROTECTED;

    async fn call(self, _: &Ledger, _: &Call<'_>) -> Result<Reply, Failure> {
        panic!("it was only asked about")
    }
}

#[derive(Default)]
struct Ledger {
    store: MemoryStore,
}

impl Toolbox for Ledger {
    const IDENTITY: Implementation = Implementation {
        name: "ledger",
        title: None,
        version: "1",
    };
    type Tools = (Book, Ring);

    async fn check(&self, _: &str, call: &Call<'_>) -> Result<Option<Reply>, Failure> {
        Ok(Once::of(call)?
            .outcome(&self.store, &call.caller.scope()?)
            .await?)
    }
}

impl Transport for Ledger {
    type Body = Full<Bytes>;
    type Error = Infallible;

    async fn send(&self, request: Request<Bytes>) -> Result<Response, Infallible> {
        Ok(serve(self, request.map(Full::new)).await)
    }
}

fn add(delta: i64) -> Write {
    Write::Add {
        counter: "sum".into(),
        delta,
        ttl: None,
    }
}

type Answer = Result<CallResult, ClientError<Infallible>>;

impl Ledger {
    fn sum(&self) -> i64 {
        match block_on(self.store.read("user/ann", vec![Query::Counter("sum".into())])).unwrap()[..] {
            [Found::Counter(counter)] => counter.value,
            ref other => panic!("{other:?}"),
        }
    }

    /// Calls a tool as Ann, with a key unless it is empty.
    fn ask(&self, tool: &str, amount: i64, key: &str, not_after: Option<u64>) -> Answer {
        self.send(tool, amount, key, |call| match not_after {
            Some(moment) => call.with_not_after(moment),
            None => call,
        })
    }

    /// Asks what became of such a call.
    fn look(&self, tool: &str, amount: i64, key: &str) -> Answer {
        self.send(tool, amount, key, |call| call.as_check())
    }

    fn send(
        &self,
        tool: &str,
        amount: i64,
        key: &str,
        how: impl for<'a> Fn(CallTool<'a>) -> CallTool<'a>,
    ) -> Answer {
        let client = Client::new(Self::IDENTITY, Uri::from_static("/mcp"))
            .stateless_only()
            .with_header(
                HeaderName::from_static("anyturn-user"),
                HeaderValue::from_static("ann"),
            );
        let arguments = to_raw_value(&json!({"amount": amount})).unwrap();
        let call = how(CallTool::new(tool, &arguments));
        block_on(client.call_tool(
            self,
            match key {
                "" => call,
                key => call.with_idempotency_key(key),
            },
        ))
    }

    fn now(&self) -> u64 {
        self.store.clock().now()
    }
}

/// The moment named and the time, of a call that came too late.
fn too_late(result: Answer) -> (u64, u64) {
    let error = result.unwrap_err();
    assert!(error.proves_not_run());
    let ClientError::Rpc(RpcError {
        code: RpcError::TOO_LATE,
        message,
        data: Some(data),
    }) = error
    else {
        panic!("{error:?}");
    };
    assert!(
        message.contains("another instance may have taken the turn over")
            && message.contains("Nothing was done"),
        "{message}"
    );
    let number = |name: &str| data.get(name).and_then(|value| value.as_u64()).unwrap();
    (number("notAfter"), number("now"))
}

#[test]
fn a_call_that_comes_late_has_no_effect() {
    let ledger = Ledger::default();
    let until = ledger.now() + 5000;
    ledger.ask("book", 1, "a", Some(until)).unwrap();
    ledger.ask("book", 1, "", Some(until)).unwrap();
    ledger.store.clock().advance(5000);
    // The last moment is still in time.
    ledger.ask("book", 1, "b", Some(until)).unwrap();
    assert_eq!(ledger.sum(), 3);
    ledger.store.clock().advance(1);
    for key in ["c", ""] {
        assert_eq!(
            too_late(ledger.ask("book", 1, key, Some(until))),
            (until, until + 1)
        );
    }
    assert_eq!(ledger.sum(), 3);
    // What could not happen did not use up the key.
    ledger.ask("book", 1, "c", Some(ledger.now())).unwrap();
    assert_eq!(ledger.sum(), 4);
}

#[test]
fn what_happened_in_time_is_told_later_too() {
    let ledger = Ledger::default();
    let until = ledger.now() + 10;
    ledger.ask("book", 1, "a", Some(until)).unwrap();
    ledger.store.clock().advance(60_000);
    assert_eq!(
        ledger.ask("book", 1, "a", Some(until)).unwrap().text(),
        "Booked 1."
    );
    assert_eq!(ledger.sum(), 1);
}

#[test]
fn a_moment_beyond_all_time_never_passes() {
    let ledger = Ledger::default();
    ledger.ask("book", 1, "", Some(u64::MAX)).unwrap();
    assert_eq!(ledger.sum(), 1);
}

#[test]
fn a_check_tells_what_a_call_came_to_and_has_no_effect() {
    let ledger = Ledger::default();
    let nothing = ledger.look("book", 7, "a").unwrap();
    assert_eq!(nothing.meta.check, Some(Checked::NotFound));
    assert!(!nothing.is_error && nothing.meta.inverse.is_none());
    assert_eq!(ledger.sum(), 0);

    // The call takes effect, but its answer is lost.
    ledger.store.fail(1, Fault::After);
    ledger.ask("book", 7, "a", None).unwrap_err();
    let done = ledger.look("book", 7, "a").unwrap();
    assert_eq!(done.meta.check, Some(Checked::Recorded));
    assert_eq!(done.text(), "Booked 7.");
    assert_eq!(done.meta.inverse.unwrap().arguments, json!({"amount": -7}));
    let other = ledger.look("book", 7, "b").unwrap();
    assert_eq!(other.meta.check, Some(Checked::NotFound));
    assert_eq!(ledger.sum(), 7);
}

#[test]
fn after_a_calls_last_moment_a_check_is_final() {
    let ledger = Ledger::default();
    let until = ledger.now() + 10;
    ledger.store.clock().advance(11);
    let check = ledger.look("book", 7, "a").unwrap();
    assert_eq!(check.meta.check, Some(Checked::NotFound));
    // The call had been on its way all the time.
    too_late(ledger.ask("book", 7, "a", Some(until)));
    assert_eq!(ledger.sum(), 0);
}

#[test]
fn a_check_that_cannot_be_answered_says_why() {
    let ledger = Ledger::default();
    let refusal = |tool, amount, key| match ledger.look(tool, amount, key) {
        Err(ClientError::Rpc(error)) => (error.code, error.message),
        Ok(result) if result.is_error => (0, result.text()),
        other => panic!("{other:?}"),
    };
    let invalid = |message: &str| (RpcError::INVALID_PARAMS, message.to_owned());
    assert_eq!(
        refusal("ring", 1, "a"),
        invalid("ring: this tool cannot tell whether a call took effect")
    );
    assert_eq!(
        refusal("book", 1, ""),
        invalid("book: a check needs the idempotency key of the call that it asks about")
    );
    assert_eq!(refusal("fly", 1, "a"), invalid("Unknown tool: fly"));
    // Another call's key is a mistake, as it is for a call.
    ledger.ask("book", 1, "a", None).unwrap();
    let (code, message) = refusal("book", 2, "a");
    assert!(
        code == 0 && message.contains("used for another call"),
        "{message}"
    );
    // Without the store, nobody knows.
    ledger.store.fail(1, Fault::Before);
    assert_eq!(refusal("book", 1, "a").0, RpcError::INTERNAL);
}

#[test]
fn the_list_says_which_tools_answer_checks() {
    let client = Client::new(Ledger::IDENTITY, Uri::from_static("/mcp")).stateless_only();
    let tools: Vec<Described> = block_on(client.list_tools(&Ledger::default())).unwrap();
    let verifiable: Vec<_> = tools
        .iter()
        .map(|tool| (tool.name.as_str(), tool.meta.verifiable))
        .collect();
    assert_eq!(verifiable, [("book", true), ("ring", false)]);
}

#[test]
fn a_lost_condition_is_told_from_a_late_call_and_counts_the_effects_own_writes() {
    let store = MemoryStore::new();
    let now = store.clock().now();
    let caller = Caller::default();
    let put = Write::Put {
        document: "d".into(),
        expected: ExpectedVersion::Present,
        value: Vec::new(),
        ttl: None,
    };
    let commit = |not_after, key| {
        let once = Once::of(&Call {
            caller: &caller,
            idempotency_key: key,
            fingerprint: 1,
            not_after: Some(not_after),
            now: 0,
        })
        .unwrap();
        block_on(once.commit(&store, "user/ann", vec![add(1), put.clone()], 5))
    };
    for key in [Some("k"), None] {
        let lost = commit(now, key);
        assert!(
            matches!(lost, Err(OnceError::State(StateError::Conflict { write: 1, .. }))),
            "{lost:?}"
        );
        let not_after = now - 1;
        assert_eq!(commit(not_after, key), Err(OnceError::TooLate { not_after, now }));
    }
}
