//! What goes over the wire, for both revisions, as the specification words it.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test that is wrong should panic"
)]

mod support;

use anyturn_mcp::server::{Answer, handle};
use futures::executor::block_on;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};
use support::Echo;

const STATELESS: &str = "2026-07-28";

fn post_raw(headers: &[(&'static str, &str)], body: &[u8]) -> (u16, Value) {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.insert(
            HeaderName::from_static(name),
            HeaderValue::from_bytes(value.as_bytes()).unwrap(),
        );
    }
    let Answer { status, body } = block_on(handle(&Echo::default(), &map, body));
    (
        status.as_u16(),
        body.map_or(Value::Null, |body| serde_json::from_slice(&body).unwrap()),
    )
}

fn post(headers: &[(&'static str, &str)], body: Value) -> (u16, Value) {
    post_raw(headers, body.to_string().as_bytes())
}

/// A complete request of 2026-07-28.
fn stateless(method: &str, params: Value) -> (Vec<(&'static str, String)>, Value) {
    let mut params = params;
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": STATELESS,
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let mut headers = vec![
        ("mcp-protocol-version", STATELESS.to_owned()),
        ("mcp-method", method.to_owned()),
    ];
    if let Some(name) = params["name"].as_str() {
        headers.push(("mcp-name", name.to_owned()));
    }
    (
        headers,
        json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params}),
    )
}

fn post_stateless(method: &str, params: Value) -> (u16, Value) {
    let (headers, body) = stateless(method, params);
    let headers: Vec<_> = headers
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    post(&headers, body)
}

fn without(headers: &[(&'static str, String)], name: &str) -> Vec<(&'static str, String)> {
    headers
        .iter()
        .filter(|(found, _)| *found != name)
        .cloned()
        .collect()
}

fn error_of((status, body): (u16, Value)) -> (u16, i64, String) {
    assert_eq!(body["jsonrpc"], "2.0");
    assert!(body.get("result").is_none());
    let message = body["error"]["message"].as_str().unwrap().to_owned();
    (status, body["error"]["code"].as_i64().unwrap(), message)
}

#[test]
fn the_stateless_revision_lists_tools_with_cache_hints_and_its_name() {
    let (status, body) = post_stateless("tools/list", json!({}));
    assert_eq!(status, 200);
    assert_eq!(body["id"], 7);
    let result = &body["result"];
    assert_eq!(result["resultType"], "complete");
    assert_eq!(result["tools"][0]["name"], "echo");
    assert_eq!(result["ttlMs"], 300_000);
    assert_eq!(result["cacheScope"], "public");
    assert_eq!(
        result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"],
        "echo"
    );
    assert!(result.get("nextCursor").is_none());
}

#[test]
fn the_stateless_revision_calls_a_tool_in_one_post() {
    let (status, body) = post_stateless("tools/call", json!({"name": "echo", "arguments": {"text": "hi"}}));
    assert_eq!(status, 200);
    assert_eq!(
        body["result"],
        json!({
            "resultType": "complete",
            "content": [{"type": "text", "text": "{\"text\":\"hi\"}"}],
            "structuredContent": {"said": {"text": "hi"}},
            "isError": false,
            "_meta": {
                "io.modelcontextprotocol/serverInfo": {"name": "echo", "title": "Echo", "version": "1.2.3"},
                "anyturn.dev/inverse": {"tool": "unsay", "arguments": {"all": true}, "title": "Take it back", "destructiveHint": false},
            },
        })
    );
}

#[test]
fn discovery_tells_the_versions() {
    let (status, body) = post_stateless("server/discover", json!({}));
    assert_eq!(status, 200);
    let result = &body["result"];
    assert_eq!(
        result["supportedVersions"],
        json!(["2026-07-28", "2025-11-25", "2025-06-18"])
    );
    assert_eq!(result["capabilities"], json!({"tools": {}}));
    assert_eq!(result["instructions"], "Say something.");
    assert_eq!(result["resultType"], "complete");
    assert_eq!(result["cacheScope"], "public");
    assert!(result["ttlMs"].is_u64());
}

#[test]
fn a_handshake_is_answered_and_forgotten() {
    let initialize = |version: &str| {
        post(
            &[],
            json!({"jsonrpc": "2.0", "id": "a", "method": "initialize", "params": {
                "protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}}),
        )
    };
    let (status, body) = initialize("2025-11-25");
    assert_eq!(status, 200);
    assert_eq!(
        body,
        json!({"jsonrpc": "2.0", "id": "a", "result": {
            "protocolVersion": "2025-11-25",
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "echo", "title": "Echo", "version": "1.2.3"},
            "instructions": "Say something.",
        }})
    );
    assert_eq!(
        initialize("2025-06-18").1["result"]["protocolVersion"],
        "2025-06-18"
    );
    for unknown in ["1.0.0", "2024-11-05", "2026-07-28"] {
        assert_eq!(
            initialize(unknown).1["result"]["protocolVersion"],
            "2025-11-25",
            "{unknown}"
        );
    }
    let (status, body) = post(
        &[("mcp-protocol-version", "2025-11-25")],
        json!({"jsonrpc": "2.0", "method": "notifications/initialized"}),
    );
    assert_eq!((status, body), (202, Value::Null));
}

#[test]
fn the_revision_with_a_handshake_is_served_without_the_newer_members() {
    let headers = [("mcp-protocol-version", "2025-11-25")];
    let (status, body) = post(
        &headers,
        json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}),
    );
    assert_eq!(status, 200);
    let members: Vec<_> = body["result"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(members, ["tools"]);
    let call = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "echo", "arguments": {}}});
    let (_, body) = post(&headers, call.clone());
    assert_eq!(body["result"]["content"][0]["text"], "{}");
    assert!(body["result"].get("resultType").is_none());
    assert!(
        body["result"]["_meta"]
            .get("io.modelcontextprotocol/serverInfo")
            .is_none()
    );
    // Clients of old send no header at all.
    assert_eq!(post(&[], call).1["result"]["content"][0]["text"], "{}");
    assert_eq!(
        post(&headers, json!({"jsonrpc": "2.0", "id": 3, "method": "ping"})),
        (200, json!({"jsonrpc": "2.0", "id": 3, "result": {}}))
    );
}

#[test]
fn structured_content_that_is_no_object_is_only_for_the_revision_that_allows_it() {
    let call = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "list"}});
    assert!(post(&[], call).1["result"].get("structuredContent").is_none());
    assert_eq!(
        post_stateless("tools/call", json!({"name": "list"})).1["result"]["structuredContent"],
        json!([1])
    );
}

#[test]
fn what_is_not_json_is_a_parse_error_without_an_id() {
    for body in [
        &b"{"[..],
        b"",
        b"\xff",
        b"{} x",
        br#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":01}}"#,
    ] {
        let (status, answer) = post_raw(&[], body);
        assert_eq!(
            (status, answer["error"]["code"].as_i64()),
            (400, Some(-32700)),
            "{body:?}"
        );
        assert!(answer.get("id").is_none());
    }
}

#[test]
fn what_is_json_but_no_message_is_an_invalid_request() {
    for (body, id) in [
        (
            json!([{"jsonrpc": "2.0", "id": 1, "method": "ping"}]),
            Value::Null,
        ),
        (json!("ping"), Value::Null),
        (json!({}), Value::Null),
        (json!({"jsonrpc": "1.0", "id": 1, "method": "ping"}), json!(1)),
        (json!({"jsonrpc": "2.0", "id": 1}), json!(1)),
        (json!({"jsonrpc": "2.0", "id": "x", "method": 5}), json!("x")),
        (
            json!({"jsonrpc": "2.0", "id": null, "method": "ping"}),
            Value::Null,
        ),
        (
            json!({"jsonrpc": "2.0", "id": 1.5, "method": "ping"}),
            Value::Null,
        ),
        (json!({"jsonrpc": "2.0", "id": {}, "method": "ping"}), Value::Null),
    ] {
        let answer = post(&[], body.clone());
        assert_eq!(answer.1.get("id").cloned().unwrap_or_default(), id, "{body}");
        let (status, code, _) = error_of(answer);
        assert_eq!((status, code), (400, -32600), "{body}");
    }
}

#[test]
fn an_unknown_method_is_not_found() {
    let (status, code, message) = error_of(post_stateless("resources/list", json!({})));
    assert_eq!((status, code), (404, -32601));
    assert!(message.contains("resources/list"));
    assert_eq!(error_of(post_stateless("ping", json!({}))).0, 404);
    assert_eq!(error_of(post_stateless("initialize", json!({}))).0, 404);
    let legacy = post(
        &[],
        json!({"jsonrpc": "2.0", "id": 1, "method": "logging/setLevel"}),
    );
    assert_eq!(error_of(legacy).1, -32601);
}

#[test]
fn wrong_parameters_are_told() {
    let unknown = error_of(post_stateless("tools/call", json!({"name": "nope"})));
    assert_eq!(unknown, (200, -32602, "Unknown tool: nope".into()));
    assert_eq!(error_of(post_stateless("tools/call", json!({}))).1, -32602);
    assert_eq!(
        error_of(post_stateless("tools/list", json!({"cursor": "x"}))).1,
        -32602
    );
    for params in [
        json!([1]),
        json!({"name": 5}),
        json!({"name": "echo", "arguments": [1]}),
    ] {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
        assert_eq!(error_of(post(&[], body)).1, -32602, "{params}");
    }
}

#[test]
fn a_version_that_is_not_served_is_refused_with_the_list_of_those_that_are() {
    let (mut headers, mut body) = stateless("tools/list", json!({}));
    headers[0].1 = "1900-01-01".into();
    body["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!("1900-01-01");
    let headers: Vec<_> = headers
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let expected = json!({
        "code": -32022,
        "message": "Unsupported protocol version",
        "data": {"supported": ["2026-07-28", "2025-11-25", "2025-06-18"], "requested": "1900-01-01"},
    });
    assert_eq!(
        post(&headers, body.clone()),
        (400, json!({"jsonrpc": "2.0", "id": 7, "error": expected}))
    );
    let old = post(
        &[("mcp-protocol-version", "2024-11-05")],
        json!({"jsonrpc": "2.0", "id": 1, "method": "ping"}),
    );
    assert_eq!(error_of(old).1, -32022);
}

#[test]
fn headers_must_say_what_the_body_says() {
    let (good, body) = stateless("tools/call", json!({"name": "echo"}));
    let with = |name: &'static str, value: &str| {
        let mut headers = without(&good, name);
        headers.push((name, value.to_owned()));
        headers
    };
    let cases = [
        (
            without(&good, "mcp-protocol-version"),
            "the MCP-Protocol-Version header is missing",
        ),
        (
            with("mcp-protocol-version", "2025-11-25"),
            "MCP-Protocol-Version header value '2025-11-25' does not",
        ),
        (without(&good, "mcp-method"), "the Mcp-Method header is missing"),
        (
            with("mcp-method", "tools/list"),
            "Mcp-Method header value 'tools/list' does not match",
        ),
        (without(&good, "mcp-name"), "the Mcp-Name header is missing"),
        (
            with("mcp-name", "Echo"),
            "Mcp-Name header value 'Echo' does not match body value 'echo'",
        ),
        (
            with("mcp-name", "écho"),
            "the Mcp-Name header holds invalid characters",
        ),
        (
            with("mcp-name", "=?base64?!?="),
            "the Mcp-Name header holds invalid characters",
        ),
    ];
    for (headers, expected) in cases {
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let (status, code, message) = error_of(post(&headers, body.clone()));
        assert_eq!((status, code), (400, -32020), "{message}");
        assert!(message.contains(expected), "{message}");
    }
    let encoded = with("mcp-name", "=?base64?ZWNobw==?=");
    let encoded: Vec<_> = encoded
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    assert_eq!(post(&encoded, body).0, 200);
}

#[test]
fn a_stateless_request_must_carry_its_version_and_the_clients_capabilities() {
    for key in [
        "io.modelcontextprotocol/protocolVersion",
        "io.modelcontextprotocol/clientCapabilities",
    ] {
        let (headers, mut body) = stateless("tools/list", json!({}));
        body["params"]["_meta"].as_object_mut().unwrap().remove(key);
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let (status, code, message) = error_of(post(&headers, body));
        assert_eq!((status, code), (400, -32602));
        assert!(message.contains(key), "{message}");
    }
}

#[test]
fn a_server_that_fails_says_so_with_503() {
    let (status, code, message) = error_of(post_stateless("tools/call", json!({"name": "broken"})));
    assert_eq!(
        (status, code, message.as_str()),
        (503, -32603, "the store is down")
    );
}

#[test]
fn responses_are_taken_from_older_clients_only() {
    let body = json!({"jsonrpc": "2.0", "id": 1, "result": {}});
    assert_eq!(post(&[], body.clone()).0, 202);
    assert_eq!(
        post(&[("mcp-protocol-version", "2025-11-25")], body.clone()).0,
        202
    );
    assert_eq!(
        error_of(post(&[("mcp-protocol-version", STATELESS)], body)).1,
        -32600
    );
}

#[test]
fn deep_json_is_no_danger() {
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"nope","x":{deep},"arguments":{{"a":{deep}}}}}}}"#
    );
    assert_eq!(error_of(post_raw(&[], body.as_bytes())).1, -32602);
}
