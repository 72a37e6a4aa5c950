//! Redis for components that bring their own store.

use crate::{application, told, with_redis, with_redis_as};
use anyturn_tests::fake_collector::FakeCollector;
use anyturn_tests::host::Host;

/// Runs commands on a connection of a component's.
async fn on(host: &Host, component: &str, redis: &str, commands: &str) -> String {
    told(host, &format!("/{component}/redis?{redis}&{commands}")).await
}

#[tokio::test]
async fn every_command_is_answered_by_both_versions() {
    let (host, redis) = with_redis().await;
    let commands = "get&none&;&set&k&v&;&get&k&;&incr&n&;&incr&n&;&sadd&s&a&b&a&;&sadd&s&a&;&smembers&one&;\
                    &srem&s&b&c&;&smembers&s&;&del&k&n&none&;&publish&nobody&hi";
    for component in ["new", "old"] {
        redis.command(&["FLUSHALL"]);
        let answers = on(&host, component, &redis.url(), commands).await;
        assert_eq!(
            answers.lines().collect::<Vec<_>>(),
            [
                "Ok(None)",
                "Ok(())",
                "Ok(Some([118]))",
                "Ok(1)",
                "Ok(2)",
                "Ok(2)",
                "Ok(0)",
                "Ok([])",
                "Ok(1)",
                r#"Ok(["a"])"#,
                "Ok(2)",
                "Ok(())",
            ],
            "{component}"
        );
    }
}

#[tokio::test]
async fn any_command_can_be_run_and_a_nested_answer_comes_out_flat() {
    let (host, redis) = with_redis().await;
    for component in ["new", "old"] {
        redis.command(&["FLUSHALL"]);
        let commands = "execute&SET&a&7&;&execute&GET&a&;&execute&GET&none&;&execute&INCRBY&a&3&;\
                        &execute&EVAL&return{1,{2,{3}}}&0&;&execute&NOSUCH";
        let answers = on(&host, component, &redis.url(), commands).await;
        let lines: Vec<&str> = answers.lines().collect();
        assert!(lines[0].ends_with(r#"Status("OK")])"#), "{answers}");
        assert!(lines[1].ends_with("Binary([55])])"), "{answers}");
        assert!(lines[2].ends_with("Nil])"), "{answers}");
        assert!(lines[3].ends_with("Int64(10)])"), "{answers}");
        assert_eq!(lines[4].matches("Int64(").count(), 3, "{answers}");
        assert!(
            lines[5].starts_with("Err(Error::Other(") && lines[5].contains("unknown command"),
            "{answers}"
        );
    }
}

#[tokio::test]
async fn errors_are_the_servers_own() {
    let (host, redis) = with_redis().await;
    redis.command(&["SET", "text", "x"]);
    for component in ["new", "old"] {
        for commands in ["incr&text", "sadd&text&a", "smembers&text"] {
            let answer = on(&host, component, &redis.url(), commands).await;
            assert!(
                answer.starts_with("Err(Error::Other("),
                "{component} {commands}: {answer}"
            );
        }
    }
}

#[tokio::test]
async fn only_addresses_that_the_manifest_lists_are_reached() {
    let (host, redis) = with_redis().await;
    let url = redis.url();
    for component in ["new", "old"] {
        for address in [
            "redis://127.0.0.1:1",
            "redis://example.com",
            "http://127.0.0.1:80",
            "nothing",
        ] {
            let answer = on(&host, component, address, "get&k").await;
            assert_eq!(answer, "Error::InvalidAddress", "{component} {address}");
        }
    }
    assert_eq!(on(&host, "other", &url, "get&k").await, "Error::InvalidAddress");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_an_error_and_not_an_invalid_address() {
    let port = anyturn_tests::process::free_port();
    let address = format!("redis://127.0.0.1:{port}");
    let host = application()
        .args(["--variable", &format!("redis={address}")])
        .start()
        .await;
    for component in ["new", "old"] {
        let answer = on(&host, component, &address, "get&k").await;
        assert!(answer.starts_with("Error::Other("), "{component}: {answer}");
    }
}

#[tokio::test]
async fn connections_are_used_again_and_what_changes_them_stays_with_its_request() {
    let (host, redis) = with_redis().await;
    let url = redis.url();
    let id = |answer: String| {
        answer
            .trim_start_matches(|c: char| !c.is_ascii_digit())
            .to_owned()
    };
    // Not CLIENT ID, which counts as a change: the server's own count of connections tells.
    let connections = || {
        let info = redis.command(&["INFO", "stats"]);
        let line = info
            .lines()
            .find(|line| line.starts_with("total_connections_received"))
            .unwrap()
            .to_owned();
        id(line).trim().parse::<u64>().unwrap()
    };
    on(&host, "new", &url, "set&k&0").await;
    let before = connections();
    for _ in 0..10 {
        assert_eq!(on(&host, "new", &url, "get&k").await, "Ok(Some([48]))");
    }
    // Each time that the count is asked for is a connection of the test's own.
    assert_eq!(connections() - before, 1, "ten requests opened no connection");

    on(&host, "new", &url, "execute&SELECT&1&;&set&k&1&;&execute&MULTI").await;
    for _ in 0..3 {
        assert_eq!(
            on(&host, "new", &url, "get&k").await,
            "Ok(Some([48]))",
            "the first database, no transaction"
        );
    }
}

#[tokio::test]
async fn a_server_that_was_restarted_is_reached_again() {
    let (host, mut redis) = with_redis().await;
    let url = redis.url();
    on(&host, "new", &url, "set&k&v").await;
    redis.kill().await;
    redis.restart().await;
    // A connection that lay idle is tried before it is used, and this one may not have: then the first request tells.
    let _ = host.get(&format!("/new/redis?{url}&get&k")).send().await;
    let answer = on(&host, "new", &url, "set&k&v&;&get&k").await;
    assert_eq!(answer, "Ok(())\nOk(Some([118]))");
}

#[tokio::test]
async fn commands_are_told_to_a_collector_without_what_they_are_about() {
    let collector = FakeCollector::start().await;
    let (host, redis) = with_redis_as(|host| host.traced(&collector.endpoint())).await;
    for component in ["new", "old"] {
        let commands = "set&zucchini&quinces&;&incr&zucchini&;&execute&strlen&zucchini";
        on(&host, component, &redis.url(), commands).await;
        let request = collector
            .span("the request", |span| {
                span.attribute("anyturn.component") == component
            })
            .await;
        let spans = collector.spans();
        let mut commands: Vec<_> = spans.iter().filter(|span| span.is_part_of(&request)).collect();
        commands.sort_by_key(|span| span.time);
        let told: Vec<_> = commands
            .iter()
            .map(|span| {
                let of = |name| span.attribute(name).as_str().unwrap_or("-");
                (
                    span.name.as_str(),
                    of("db.system.name"),
                    of("db.operation.name"),
                    of("error.type"),
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                ("SET", "redis", "SET", "-"),
                ("INCRBY", "redis", "INCRBY", "ERR"),
                ("STRLEN", "redis", "STRLEN", "-"),
            ],
            "{component}"
        );
    }
    let body = collector.bodies().concat();
    for secret in ["zucchini", "quinces"] {
        let mut windows = body.windows(secret.len());
        assert!(
            !windows.any(|window| window == secret.as_bytes()),
            "{secret} is exported"
        );
    }
}
