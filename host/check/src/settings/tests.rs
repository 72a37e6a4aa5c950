use std::path::Path;

use anyturn_manifest::{Inputs, parse};

use super::*;

const LOOPBACK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
const ANYWHERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED);
const KEY: &str = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae:ann";

/// The project's own application: its variables are what is configured.
fn application() -> Application {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spin.toml");
    let text = std::fs::read_to_string(path).unwrap();
    parse(Path::new("spin.toml"), &text).unwrap().0
}

fn values(environment: &[(&str, &str)], listen: IpAddr) -> (Application, Values) {
    let application = application();
    let pairs = environment
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let (mut values, _) = application.values(&Inputs::from_environment(pairs)).unwrap();
    choose(&mut values, listen);
    (application, values)
}

/// What is told, one line per finding.
fn told(environment: &[(&str, &str)], listen: IpAddr) -> Vec<String> {
    let (application, values) = values(environment, listen);
    check(&application, &values, listen)
        .iter()
        .map(|f| format!("{}: {}: {}", f.place(), f.key(), f.reason()))
        .collect()
}

#[test]
fn nothing_is_wrong_with_no_settings_on_a_machine_of_ones_own() {
    assert_eq!(told(&[], LOOPBACK), Vec::<String>::new());
    assert_eq!(values(&[], LOOPBACK).1.text("development_user"), "local");
}

#[test]
fn strangers_are_not_served_without_a_way_to_tell_who_they_are() {
    let told_without = told(&[], ANYWHERE);
    assert_eq!(told_without.len(), 1, "{told_without:?}");
    assert!(
        told_without[0].contains("strangers can connect to 0.0.0.0"),
        "{told_without:?}"
    );
    let named = told(&[("SPIN_VARIABLE_DEVELOPMENT_USER", "ann")], ANYWHERE);
    assert_eq!(named.len(), 1, "a development user is no way to tell: {named:?}");
    for enough in [
        ("API_KEYS", KEY),
        ("JWT_SECRET", "0123456789abcdef0123456789abcdef"),
    ] {
        assert_eq!(told(&[enough], ANYWHERE), Vec::<String>::new(), "{enough:?}");
        assert_eq!(
            values(&[enough], LOOPBACK).1.text("development_user"),
            "",
            "nobody is let in by default then"
        );
    }
}

#[test]
fn every_wrong_variable_is_told_with_the_name_it_was_set_by() {
    let told = told(
        &[
            ("JWT_SECRET", "short"),
            ("API_KEYS", "not-a-hash:ann"),
            ("RATE_LIMIT_PER_MINUTE", "many"),
            ("LLM_PROVIDER", "opnai"),
            ("REDIS_URL", "http://cache"),
            (
                "CORS_ORIGINS",
                "https://ok.example.com, nonsense, https://example.com/path, *",
            ),
        ],
        LOOPBACK,
    );
    for beginning in [
        "environment: JWT_SECRET: ",
        "environment: API_KEYS: ",
        "environment: RATE_LIMIT_PER_MINUTE: ",
        "environment: LLM_PROVIDER: ",
        "environment: REDIS_URL: ",
        "environment: CORS_ORIGINS: `nonsense`",
        "environment: CORS_ORIGINS: `https://example.com/path`",
    ] {
        assert_eq!(
            told.iter().filter(|line| line.starts_with(beginning)).count(),
            1,
            "{beginning}: {told:#?}"
        );
    }
    assert_eq!(told.len(), 7, "{told:#?}");
}

#[test]
fn a_jwt_secret_has_at_least_32_bytes() {
    assert_eq!(told(&[("JWT_SECRET", &"x".repeat(31))], LOOPBACK).len(), 1);
    assert_eq!(told(&[("JWT_SECRET", &"x".repeat(32))], LOOPBACK).len(), 0);
}

#[test]
fn a_provider_without_its_key_or_model_is_told() {
    for (environment, key) in [
        (&[("LLM_PROVIDER", "groq")] as &[_], "LLM_PROVIDER"),
        (&[("LLM_PROVIDER", "vllm")], "LLM_PROVIDER"),
        (&[("LLM_PROVIDER", "azure"), ("LLM_API_KEY", "k")], "LLM_PROVIDER"),
        (&[("LLM_BASE_URL", "ftp://x")], "LLM_BASE_URL"),
        (
            &[("LLM_PROVIDER", "ollama"), ("LLM_TIMEOUT_MS", "soon")],
            "LLM_TIMEOUT_MS",
        ),
        (&[("LLM_TIMEOUT_MS", "soon")], "LLM_TIMEOUT_MS"),
    ] {
        let told = told(environment, LOOPBACK);
        assert!(
            told.iter()
                .any(|line| line.starts_with(&format!("environment: {key}: "))),
            "{environment:?}: {told:?}"
        );
    }
    assert_eq!(
        told(&[("LLM_PROVIDER", "groq"), ("GROQ_API_KEY", "k")], LOOPBACK).len(),
        0
    );
}

#[test]
fn a_provider_may_be_connected_to_where_it_usually_is() {
    for (environment, scheme, host, port) in [
        (&[("LLM_PROVIDER", "ollama")] as &[_], "http", "localhost", 11434),
        (
            &[("LLM_BASE_URL", "http://127.0.0.1:4000/v1")],
            "http",
            "127.0.0.1",
            4000,
        ),
        (&[("OPENAI_API_KEY", "k")], "https", "api.openai.com", 443),
    ] {
        let (application, values) = values(environment, LOOPBACK);
        let chat = application.component("chat").unwrap();
        let hosts = application.settings(chat, &values).unwrap().allowed_hosts;
        assert!(
            hosts.allows(scheme, host, Some(port)),
            "{environment:?}: {hosts:?}"
        );
        assert!(!hosts.allows("http", "localhost", Some(22)));
    }
}

#[test]
fn no_secret_is_repeated() {
    const SECRET: &str = "hunter2";
    let all = [
        ("JWT_SECRET", SECRET),
        ("API_KEYS", SECRET),
        ("REDIS_URL", SECRET),
        ("LLM_API_KEY", "hunter2 with a space"),
        ("OPENAI_API_KEY", "hunter2\n"),
    ];
    let (application, values) = values(&all, LOOPBACK);
    let findings = check(&application, &values, LOOPBACK);
    assert!(findings.len() >= 4, "{findings}");
    assert!(
        !format!("{findings} {findings:?} {values:?}").contains(SECRET),
        "{findings}"
    );
}

#[test]
fn accounts_that_are_half_configured_are_told() {
    const JWT: (&str, &str) = ("JWT_SECRET", "0123456789abcdef0123456789abcdef");
    const ID: (&str, &str) = ("GOOGLE_CLIENT_ID", "web.example");
    const OAUTH: (&str, &str) = ("GOOGLE_CLIENT_SECRET", "hunter2");
    const REDIRECT: (&str, &str) = (
        "GOOGLE_REDIRECT_URI",
        "https://a.example/api/auth/google/callback",
    );
    const KEYS: (&str, &str) = ("TOKEN_KEYS", "a:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=");
    for (environment, place) in [
        (&[JWT, ID] as &[_], None),
        (&[JWT, ID, OAUTH, REDIRECT, KEYS], None),
        (&[ID, OAUTH, REDIRECT, KEYS], None),
        (&[ID], Some("variables.jwt_secret")),
        (&[JWT, ID, OAUTH, REDIRECT], Some("variables.token_keys")),
        (&[JWT, ID, OAUTH, KEYS], Some("variables.google_redirect_uri")),
        (&[JWT, KEYS], Some("variables.google_client_id")),
        (
            &[JWT, ID, ("TOKEN_KEYS", "a:hunter2"), OAUTH, REDIRECT],
            Some("TOKEN_KEYS"),
        ),
    ] {
        let told = told(environment, LOOPBACK);
        assert_eq!(
            told.len(),
            usize::from(place.is_some()),
            "{environment:?}: {told:?}"
        );
        assert!(
            told.iter().all(|line| line.contains(place.unwrap_or_default())),
            "{told:?}"
        );
        assert!(told.iter().all(|line| !line.contains("hunter2")), "{told:?}");
    }
    let short = told(&[("JWT_SECRET", "short"), ID], LOOPBACK);
    assert_eq!(short.len(), 1, "once: {short:?}");
}

#[test]
fn a_line_break_at_the_end_is_told() {
    let told = told(&[("JWT_SECRET", "0123456789abcdef0123456789abcdef\n")], LOOPBACK);
    assert_eq!(
        told,
        ["environment: JWT_SECRET: ends in a line break, which is part of the value"]
    );
}

#[test]
fn an_application_without_our_variables_is_left_alone() {
    let manifest = "spin_manifest_version = 2\n[application]\nname = 'a'\n[[trigger.http]]\nroute = '/...'\n\
                    component = 'a'\n[component.a]\nsource = 'a.wasm'\n";
    let (application, _) = parse(Path::new("spin.toml"), manifest).unwrap();
    let inputs = Inputs::from_environment([("JWT_SECRET".to_owned(), "short".to_owned())]);
    let (mut values, warnings) = application.values(&inputs).unwrap();
    choose(&mut values, ANYWHERE);
    assert!(warnings.is_empty() && check(&application, &values, ANYWHERE).is_empty());
}

#[test]
fn the_chosen_model_is_told() {
    for (environment, provider, name) in [
        (&[] as &[_], "offline", ""),
        (&[("OPENAI_API_KEY", "k")], "openai", "gpt-6-luna"),
        (&[("LLM_PROVIDER", "vllm"), ("LLM_MODEL", "mine")], "vllm", "mine"),
    ] {
        let chosen = model(&values(environment, LOOPBACK).1);
        assert_eq!(
            chosen,
            Some(Model {
                provider,
                name: name.to_owned()
            }),
            "{environment:?}"
        );
    }
    assert_eq!(model(&values(&[("LLM_PROVIDER", "opnai")], LOOPBACK).1), None);
}
