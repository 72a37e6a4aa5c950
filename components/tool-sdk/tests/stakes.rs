//! What a tool says of how much is at stake in its calls reaches whoever decides on them.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test that is wrong should panic"
)]

use anyturn_tool_sdk::{Call, Effect, Failure, Implementation, Reply, Risk, Tool, Toolbox, Tools, testing};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

/// Sweeps things away.
#[derive(Deserialize, JsonSchema)]
struct Sweep {
    #[expect(dead_code, reason = "only its schema matters")]
    ids: Vec<String>,
}

/// Sweeps one thing away.
#[derive(Deserialize, JsonSchema)]
struct SweepOne {
    #[expect(dead_code, reason = "only its schema matters")]
    id: String,
}

impl<A> Tool<A> for Sweep {
    const NAME: &'static str = "sweep";
    const TITLE: &'static str = "Sweep";
    const EFFECT: Effect = Effect::IDEMPOTENT;
    const RISK: Risk = Risk::Low;
    const COUNTED: Option<&'static str> = Some("ids");
    const CONFIRM_ABOVE: Option<u32> = Some(5);

    async fn call(self, _: &A, _: &Call<'_>) -> Result<Reply, Failure> {
        Ok(Reply::new("Swept."))
    }
}

impl<A> Tool<A> for SweepOne {
    const NAME: &'static str = "sweep_one";
    const TITLE: &'static str = "Sweep one";
    const EFFECT: Effect = Effect::IDEMPOTENT.destructive();
    // As its effect says already.
    const RISK: Risk = Risk::High;

    async fn call(self, _: &A, _: &Call<'_>) -> Result<Reply, Failure> {
        Ok(Reply::new("Swept."))
    }
}

struct Broom;

impl Toolbox for Broom {
    const IDENTITY: Implementation = Implementation {
        name: "broom",
        title: None,
        version: "1",
    };
    type Tools = (Sweep, SweepOne);
}

#[test]
fn a_tool_publishes_its_risk_and_what_it_counts() {
    let tools: Value = serde_json::from_str(&Broom::list()).unwrap();
    assert_eq!(
        tools[0]["_meta"],
        json!({"anyturn.dev/risk": "low", "anyturn.dev/counted": "ids", "anyturn.dev/confirm-above": 5})
    );
    assert_eq!(tools[1].get("_meta"), None);
}

#[test]
fn without_a_word_the_effect_tells_the_risk() {
    assert_eq!(Effect::READ.risk(), Risk::Low);
    assert_eq!(Effect::IDEMPOTENT.risk(), Risk::Medium);
    assert_eq!(Effect::UNPROTECTED.destructive().risk(), Risk::High);
}

/// Counts an argument that is no list.
#[derive(Deserialize, JsonSchema)]
struct Miscounted {
    #[expect(dead_code, reason = "only its schema matters")]
    id: String,
}

impl<A> Tool<A> for Miscounted {
    const NAME: &'static str = "miscounted";
    const TITLE: &'static str = "Miscounted";
    const EFFECT: Effect = Effect::READ;
    const COUNTED: Option<&'static str> = Some("id");

    async fn call(self, _: &A, _: &Call<'_>) -> Result<Reply, Failure> {
        Ok(Reply::new(""))
    }
}

struct Wrong;

impl Toolbox for Wrong {
    const IDENTITY: Implementation = Implementation {
        name: "wrong",
        title: None,
        version: "1",
    };
    type Tools = (Miscounted,);
}

#[test]
fn a_tool_that_counts_what_is_no_list_is_a_mistake() {
    assert_eq!(
        <(Miscounted,) as Tools<Wrong>>::mistakes(),
        ["miscounted: COUNTED names the argument \"id\", which is no list"]
    );
    let nowhere = std::env::temp_dir().join("no-such-folder/tools.json");
    assert!(
        testing::check_list::<Wrong>(nowhere)
            .unwrap_err()
            .contains("no list")
    );
    assert_eq!(
        <(Sweep, SweepOne) as Tools<Broom>>::mistakes(),
        Vec::<String>::new()
    );
}
