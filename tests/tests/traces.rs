//! A turn as a trace: through the host, the engine, the store, the model, and tools here and elsewhere.

use anyturn_tests::cluster::{ASSISTANT, Cluster};
use anyturn_tests::effect_server::Class;
use anyturn_tests::fake_collector::metrics::Reading;
use anyturn_tests::fake_collector::{FakeCollector, Span};
use anyturn_tests::fake_provider::{Answer, Completion, FakeProvider};
use anyturn_tests::host::{Host, HostBuilder};
use anyturn_tests::json_of;
use anyturn_tests::plan::Plan;
use anyturn_tests::process::Signal;
use anyturn_tests::redis_server::RedisServer;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use reqwest::StatusCode;
use serde_json::{Value, json};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";
const PLACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const KEY: &str = "sk-test-key-of-nobody";

/// What a host has told of this trace when it has ended: the request's span, and all of them.
async fn told(collector: &FakeCollector, mut host: Host) -> (Span, Vec<Span>) {
    host.signal(Signal::Term);
    assert!(host.end().await.success(), "{}", host.log());
    let all = collector.spans().into_iter();
    let spans: Vec<_> = all.filter(|span| span.trace == TRACE).collect();
    let request = spans.iter().find(|span| span.parent == CALLER);
    (request.expect("the request is told").clone(), spans)
}

fn named<'a>(spans: &'a [Span], name: &str) -> Vec<&'a Span> {
    spans.iter().filter(|span| span.name == name).collect()
}

fn one<'a>(spans: &'a [Span], name: &str) -> &'a Span {
    let [span] = named(spans, name)[..] else {
        panic!("one {name} in {spans:#?}")
    };
    span
}

/// Checks what an attribute of a span says.
fn says(span: &Span, expected: &Value) {
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(span.attribute(name), value, "{name} of {span:#?}");
    }
}

async fn started(collector: &FakeCollector, redis: &RedisServer, provider: &FakeProvider) -> Host {
    provider.require_key(KEY);
    HostBuilder::new()
        .redis(&redis.url())
        .env("OPENAI_BASE_URL", provider.base_url())
        .env("OPENAI_API_KEY", KEY)
        .traced(&collector.endpoint())
        .start()
        .await
}

#[tokio::test]
async fn a_turn_is_one_trace_through_engine_store_model_and_tools() {
    let collector = FakeCollector::start().await;
    let redis = RedisServer::start_without_log().await;
    let provider = FakeProvider::start().await.unwrap();
    provider.script([
        Answer::tool_call("add_task", r#"{"title":"buy zucchini"}"#)
            .and_tool_call("add_task", r#"{"title":"sell quinces"}"#)
            .usage(40, 8, 12),
        Answer::text("Both are noted, Wilhelmina.").usage(50, 10, 4),
    ]);
    let host = started(&collector, &redis, &provider).await;
    let request = host
        .post(
            "/v1/assistants/tasks/turns",
            &json!({ "message": "zucchini in, quinces out" }),
        )
        .header("traceparent", PLACE)
        .header("tracestate", "vendor=1");
    let (status, turn) = json_of(request).await;
    assert_eq!(
        (status, &turn["state"]),
        (StatusCode::OK, &json!("finished")),
        "{turn}"
    );
    let (request, spans) = told(&collector, host).await;

    assert_eq!(request.kind, SpanKind::Server);
    says(
        &request,
        &json!({
            "http.request.method": "POST", "http.route": "/v1/...", "http.response.status_code": 200,
            "url.path": "/v1/assistants/tasks/turns", "anyturn.component": "chat",
        }),
    );
    let agent = one(&spans, "invoke_agent tasks");
    assert!(agent.lies_within(&request), "{agent:#?} in {request:#?}");
    assert!(agent.links.is_empty() && !agent.failed && !request.failed);
    says(
        agent,
        &json!({
            "gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "tasks",
            "gen_ai.conversation.id": turn["session"], "anyturn.turn.id": turn["turn"], "anyturn.turn.state": "finished",
        }),
    );
    the_model_is_asked_within(agent, &spans, &provider, &turn);
    the_tools_are_called_within(agent, &spans);
    the_store_is_asked_within_those(&request, agent, &spans);
    the_same_is_counted(&collector, &request);

    for span in &spans {
        let parents = spans.iter().filter(|other| span.is_part_of(other)).count();
        assert_eq!(
            parents,
            usize::from(span.parent != CALLER),
            "the parent of {span:#?}"
        );
    }
    let bodies = collector.bodies();
    let body = bodies.concat();
    for secret in ["zucchini", "quinces", "Wilhelmina", KEY] {
        assert!(
            !body
                .windows(secret.len())
                .any(|window| window == secret.as_bytes()),
            "{secret} is exported"
        );
    }
    assert_eq!(collector.wrong(), Vec::<String>::new());
}

fn the_model_is_asked_within(agent: &Span, spans: &[Span], provider: &FakeProvider, turn: &Value) {
    let calls = named(spans, "chat gpt-6-luna");
    let [first, second] = calls[..] else {
        panic!("two calls of the model in {spans:#?}")
    };
    for (call, step, reason, usage) in [
        (first, "model/0", "tool_call", [40, 8, 12]),
        (second, "model/1", "stop", [50, 10, 4]),
    ] {
        assert!(call.lies_within(agent) && !call.failed, "{call:#?}");
        assert_eq!(call.kind, SpanKind::Client);
        says(
            call,
            &json!({
                "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai",
                "gen_ai.request.model": "gpt-6-luna", "gen_ai.response.model": "gpt-6-luna",
                "gen_ai.response.finish_reasons": [reason], "gen_ai.conversation.id": turn["session"],
                "gen_ai.usage.input_tokens": usage[0], "gen_ai.usage.cache_read.input_tokens": usage[1],
                "gen_ai.usage.output_tokens": usage[2], "anyturn.step": step,
            }),
        );
        assert!(
            call.attribute("gen_ai.response.time_to_first_chunk").is_number(),
            "{call:#?}"
        );
        let sent =
            |span: &&Span| span.is_part_of(call) && span.attributes.contains_key("http.request.method");
        let sent: Vec<_> = spans.iter().filter(sent).collect();
        let [sent] = sent[..] else {
            panic!("one request to the provider: {sent:#?}")
        };
        assert_eq!((sent.name.as_str(), sent.kind), ("POST", SpanKind::Client));
        says(
            sent,
            &json!({
                "http.request.method": "POST", "http.response.status_code": 200,
                "server.address": provider.address().ip().to_string(), "server.port": provider.address().port(),
            }),
        );
        let place = format!("00-{TRACE}-{}-01", sent.id);
        let requests = provider.requests();
        let received = requests
            .iter()
            .find(|request| request.headers.get("traceparent").is_some_and(|at| *at == *place));
        let received = received.unwrap_or_else(|| panic!("the provider knows {place}: {requests:#?}"));
        assert_eq!(received.headers["tracestate"], "vendor=1");
    }
}

fn the_tools_are_called_within(agent: &Span, spans: &[Span]) {
    let calls = named(spans, "execute_tool add_task");
    assert_eq!(calls.len(), 2, "{spans:#?}");
    for call in calls {
        assert!(call.lies_within(agent) && !call.failed, "{call:#?}");
        assert_eq!(call.kind, SpanKind::Internal);
        says(
            call,
            &json!({
                "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "add_task",
                "gen_ai.tool.type": "function", "anyturn.tool.server": "tasks",
            }),
        );
        // Side by side, and each has the work that was done for it, once: a tool is asked again only if its store fails.
        // Nothing here waits for a disk, which on a busy machine may take longer than an operation has.
        let served = |span: &&Span| span.is_part_of(call) && span.kind == SpanKind::Server;
        let within: Vec<_> = spans.iter().filter(served).collect();
        let [served] = within[..] else {
            panic!("one call of the component: {within:#?}")
        };
        assert_eq!(
            (served.name.as_str(), served.kind),
            ("POST tasks", SpanKind::Server)
        );
        says(
            served,
            &json!({
                "url.path": "/mcp", "server.address": "tasks.spin.internal", "http.response.status_code": 200,
                "anyturn.component": "tasks",
            }),
        );
        let stores = spans
            .iter()
            .any(|span| span.is_part_of(served) && span.name == "commit");
        assert!(stores, "the tool keeps the task: {spans:#?}");
    }
}

fn the_store_is_asked_within_those(request: &Span, agent: &Span, spans: &[Span]) {
    let operations: Vec<_> = spans
        .iter()
        .filter(|span| span.attributes.contains_key("db.system.name"))
        .collect();
    for operation in &operations {
        assert_eq!(operation.kind, SpanKind::Client);
        let expected = json!({ "db.system.name": "redis", "db.operation.name": operation.name });
        assert_eq!(json!(operation.attributes), expected);
        // Neither the model nor a call of a tool has asked for it, but who records them, or the tool.
        let whose = spans.iter().find(|span| operation.is_part_of(span)).unwrap();
        assert!(
            ["POST /v1/...", "invoke_agent tasks", "POST tasks"].contains(&whose.name.as_str()),
            "{operation:#?} in {whose:#?}"
        );
    }
    // The turn is admitted before there is any work on it, and recorded by that.
    for (name, of) in [("commit", request), ("commit", agent)] {
        let found = operations
            .iter()
            .any(|span| span.name == name && span.is_part_of(of));
        assert!(found, "{name} in {}: {operations:#?}", of.name);
    }
}

/// A model that has e-mails searched and the calendar read for whatever it is told.
fn look(request: &Completion) -> Answer {
    let said = Value::from(request.messages().to_vec()).to_string();
    let offered = request.tools();
    if offered.contains(&"calendar") && !said.contains("Answer: ") {
        let command = |words: &str| json!({ "command": words }).to_string();
        return Answer::tool_call("email", &command("find the mail about quinces"))
            .and_tool_call("calendar", &command("show the days of zucchini"));
    }
    let looks = [
        ("search_emails", "{}"),
        ("list_events", r#"{"from":"2030-01-01","to":"2030-01-03"}"#),
    ];
    let unasked =
        |(tool, _): &(&str, &str)| offered.contains(tool) && !said.contains(&format!("\"name\":\"{tool}\""));
    match looks.into_iter().find(unasked) {
        Some((tool, arguments)) => Answer::tool_call(tool, arguments),
        None => Answer::text("That is all, Wilhelmina."),
    }
}

#[tokio::test]
async fn agents_of_an_assistant_stand_side_by_side_in_the_turn_with_their_own_calls() {
    let collector = FakeCollector::start().await;
    let redis = RedisServer::start_without_log().await;
    let provider = FakeProvider::start().await.unwrap();
    provider.answer_by(look);
    let host = started(&collector, &redis, &provider).await;
    let message = json!({ "message": "what is there about quinces and zucchini?" });
    let request = host
        .post("/v1/assistants/inbox/turns", &message)
        .header("traceparent", PLACE);
    let (_, turn) = json_of(request).await;
    assert_eq!(turn["state"], "finished", "{turn}");
    let metrics = host.get("/metrics").send().await.unwrap().text().await.unwrap();
    let (_, spans) = told(&collector, host).await;

    let master = one(&spans, "invoke_agent inbox");
    let agents = ["email", "calendar"].map(|name| one(&spans, &format!("invoke_agent {name}")));
    for (number, (agent, tool)) in agents
        .into_iter()
        .zip(["search_emails", "list_events"])
        .enumerate()
    {
        assert!(
            agent.lies_within(master) && !agent.failed,
            "{agent:#?} in {master:#?}"
        );
        assert_eq!(agent.kind, SpanKind::Internal);
        let name = agent.name.trim_start_matches("invoke_agent ");
        says(
            agent,
            &json!({
                "gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": name,
                "gen_ai.conversation.id": turn["session"], "anyturn.step": format!("{name}/{number}"),
                "anyturn.agent.state": "finished",
            }),
        );
        let call = one(&spans, &format!("execute_tool {tool}"));
        assert!(call.lies_within(agent), "{call:#?} in {agent:#?}");
        // It was asked for its tools before, by the turn.
        let component = format!("POST {name}");
        let served = |span: &&Span| span.is_part_of(call) && span.name == component;
        assert_eq!(spans.iter().filter(served).count(), 1, "{component} in {call:#?}");
        let asked = steps_of(&spans, agent);
        let step = |which: &str| format!("{name}/{number}/{which}");
        assert_eq!(asked, [step("interpret"), step("reassess/1")]);
    }
    let [one, other] = agents;
    assert!(
        one.time.0 < other.time.1 && other.time.0 < one.time.1,
        "{agents:#?}"
    );
    assert_eq!(steps_of(&spans, master), ["understand", "update/0"]);
    // Agents are no turns.
    let turns = r#"anyturn_turns_total{assistant="inbox",state="finished"} 1"#;
    assert!(
        metrics.contains(turns) && metrics.contains("anyturn_turns_running 0"),
        "{metrics}"
    );
    assert!(!metrics.contains(r#"assistant="email""#), "{metrics}");
    let body = collector.bodies().concat();
    for secret in ["zucchini", "quinces", "Wilhelmina"] {
        let mut windows = body.windows(secret.len());
        assert!(
            !windows.any(|window| window == secret.as_bytes()),
            "{secret} is exported"
        );
    }
}

/// The steps of the calls of models that are a part of a span, each with a request of its own to the provider.
fn steps_of(spans: &[Span], whole: &Span) -> Vec<String> {
    let mut calls = named(spans, "chat gpt-6-luna");
    calls.retain(|call| call.lies_within(whole));
    calls.sort_by_key(|call| call.time);
    let step = |call: &&Span| {
        let sent = |span: &&Span| span.is_part_of(call) && span.name == "POST";
        assert_eq!(spans.iter().filter(sent).count(), 1, "{call:#?}");
        call.attribute("anyturn.step").as_str().unwrap().to_owned()
    };
    calls.iter().map(step).collect()
}

/// The metrics that go to the same collector say what the trace says, by the same resource.
fn the_same_is_counted(collector: &FakeCollector, request: &Span) {
    let exports = collector.metrics();
    let last = exports.last().expect("the last metrics are exported");
    let of = |name: &str, labels: &[(&str, &str)]| {
        let series = last.iter().find(|series| series.is(name, labels));
        let series = series.unwrap_or_else(|| panic!("{name} {labels:?} is in {last:#?}"));
        assert_eq!(series.resource, request.resource);
        series.reading.clone()
    };
    let model = ("model", "gpt-6-luna");
    for (name, labels, count) in [
        ("turns", &[("assistant", "tasks"), ("state", "finished")][..], 1),
        ("model_calls", &[model, ("outcome", "ok")], 2),
        ("model_tokens", &[model, ("type", "input")], 90),
        ("model_tokens", &[model, ("type", "cached")], 18),
        ("model_tokens", &[model, ("type", "output")], 16),
        ("tool_calls", &[("tool", "add_task"), ("outcome", "ok")], 2),
        ("http_requests", &[("component", "chat"), ("status", "200")], 1),
    ] {
        assert_eq!(
            of(&format!("anyturn_{name}_total"), labels),
            Reading::Count(json!(count)),
            "{name} {labels:?}"
        );
    }
    assert_eq!(of("anyturn_turns_running", &[]), Reading::Gauge(json!(0)));
    for (name, labels, count) in [
        ("turn", ("assistant", "tasks"), 1),
        ("model_call", model, 2),
        ("tool_call", ("tool", "add_task"), 2),
    ] {
        match of(&format!("anyturn_{name}_duration_seconds"), &[labels]) {
            Reading::Histogram { counts, .. } => assert_eq!(counts.iter().sum::<u64>(), count, "{name}"),
            other => panic!("{name} is no histogram: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_turn_whose_instance_was_killed_goes_on_in_a_trace_that_is_linked_to_its_own() {
    let collector = FakeCollector::start().await;
    let cluster = Cluster::start()
        .await
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.endpoint())
        .env("OTEL_BSP_SCHEDULE_DELAY", "20")
        .env("TURN_LEASE_MS", "1000");
    let first = cluster.instance().await;
    let plan = Plan::of_one(Class::Read, "left behind");
    let hold = cluster.holds.place(plan.asking(0));
    let request = first
        .post(
            &format!("/v1/assistants/{ASSISTANT}/turns"),
            &json!({ "message": plan.message() }),
        )
        .header("traceparent", PLACE);
    let sending = tokio::spawn(request.send());
    hold.reached().await;
    first.kill().await;
    assert!(sending.await.unwrap().is_err());

    // Nobody asks for it: another host finds it when its time has come.
    let _second = cluster.instance().await;
    let agent = format!("invoke_agent {ASSISTANT}");
    let agent = collector
        .span("the turn goes on", |span| {
            span.name == agent && span.trace != TRACE
        })
        .await;
    says(
        &agent,
        &json!({ "anyturn.turn.taken_up": "left-behind", "anyturn.turn.state": "finished" }),
    );
    let [(trace, span)] = &agent.links[..] else {
        panic!("one link of {agent:#?}")
    };
    assert_eq!(trace, TRACE);
    assert_ne!(span, CALLER, "the request that began the turn, not who sent it");
    let tick = collector
        .span("what found it", |span| agent.is_part_of(span))
        .await;
    assert_eq!(
        (tick.name.as_str(), tick.kind, tick.parent.as_str()),
        ("tick chat", SpanKind::Internal, "")
    );
    says(
        &tick,
        &json!({ "anyturn.component": "chat", "http.response.status_code": 200 }),
    );
    // Ticks that find nothing to do are not told.
    let spans = collector.spans();
    for tick in spans.iter().filter(|span| span.name == "tick chat") {
        assert!(spans.iter().any(|span| span.is_part_of(tick)), "{tick:#?}");
    }
}

#[tokio::test]
async fn a_decision_is_linked_to_the_trace_of_the_turn_that_waited_for_it() {
    let collector = FakeCollector::start().await;
    let redis = RedisServer::start_without_log().await;
    let provider = FakeProvider::start().await.unwrap();
    provider.script([
        Answer::tool_call("delete_task", r#"{"task":"water the plants"}"#),
        Answer::text("Gone."),
    ]);
    let host = started(&collector, &redis, &provider).await;
    let asking = host
        .post("/v1/assistants/tasks/turns", &json!({ "message": "no plants" }))
        .header("traceparent", PLACE);
    let (_, turn) = json_of(asking).await;
    assert_eq!(turn["state"], "waiting", "{turn}");
    let gate = turn["gates"][0]["gate"].as_str().unwrap();
    let session = turn["session"].as_str().unwrap();
    let path = format!("/v1/sessions/{session}/gates/{gate}");
    let deciding = host.post(&path, &json!({ "decision": "approve" }));
    let (status, decided) = json_of(deciding).await;
    assert_eq!(
        (status, &decided["turn"]["state"]),
        (StatusCode::OK, &json!("finished")),
        "{decided}"
    );

    let (_, spans) = told(&collector, host).await;
    let opened = one(&spans, "open_gate");
    assert!(opened.is_part_of(one(&spans, "invoke_agent tasks")));
    says(
        opened,
        &json!({ "anyturn.gate.id": gate, "anyturn.gate.kind": "confirm" }),
    );
    let elsewhere = |name| move |span: &Span| span.name == name && !span.links.is_empty();
    let decided = collector.span("the decision", elsewhere("decide_gate")).await;
    let agent = collector
        .span("what it led to", elsewhere("invoke_agent tasks"))
        .await;
    assert_ne!(decided.trace, TRACE);
    assert_eq!(agent.trace, decided.trace);
    says(&decided, &json!({ "anyturn.gate.verdict": "approved" }));
    says(&agent, &json!({ "anyturn.turn.taken_up": "decided" }));
    for span in [&decided, &agent] {
        assert_eq!(span.links[0].0, TRACE, "{span:#?}");
    }
}
