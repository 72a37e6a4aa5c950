//! The files under `deploy/`, `docker-compose.yml` and the Dockerfile say what the host understands: variables that it
//! has, values that it takes, ports that it listens on, pages that it answers, and times that are long enough for it to
//! stop.
//!
//! Whether they are what each platform takes is checked by the platforms' own schemas: `cargo xtask deploy-check`.

mod context;
mod documents;
mod fermyon;
mod homes;
mod spin;
mod terraform;

use anyturn_tests::dockerfile;
use anyturn_tests::host::{Host, binary};
use anyturn_tests::users::SECRET;
use homes::Home;
use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Output};

/// The port of the image, which every home has to know.
const PORT: u16 = 3000;

/// How long load balancers may go on sending after SIGTERM, in seconds, unless a home says otherwise: the default of
/// `ANYTURN_DRAIN_PAUSE`.
const PAUSE: u64 = 5;

/// What a variable could be whose value a home has from elsewhere.
fn plausible(name: &str) -> &'static str {
    match name {
        "REDIS_URL" => "rediss://anyturn:secret@redis.example:6380",
        "JWT_SECRET" => SECRET,
        "API_KEYS" => "b7a46f66a4866beabc765d34ea089f0f2849ce3a020a893059edf3c92633e1ad:ada",
        "LLM_API_KEY" | "OPENAI_API_KEY" | "GROQ_API_KEY" | "GEMINI_API_KEY" => "sk-0",
        "LLM_BASE_URL" => "https://model.example/v1",
        "LLM_MODEL" => "large",
        "LLM_PROVIDER" => "auto",
        "CORS_ORIGINS" => "https://page.example",
        "GOOGLE_CLIENT_ID" | "GOOGLE_SIGN_IN_CLIENT_IDS" => "anyturn.apps.googleusercontent.com",
        "GOOGLE_CLIENT_SECRET" => "GOCSPX-0",
        "GOOGLE_HOSTED_DOMAINS" => "northwind.example",
        "GOOGLE_REDIRECT_URI" => "https://anyturn.example/api/auth/google/callback",
        "GOOGLE_RETURN_URLS" => "https://page.example/",
        "TOKEN_KEYS" => "k1:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
        "OTEL_EXPORTER_OTLP_ENDPOINT" => "http://otel-collector:4318",
        "OTEL_EXPORTER_OTLP_HEADERS" => "authorization=Bearer%20secret",
        "OTEL_METRICS_EXPORTER" => "otlp",
        "OTEL_METRIC_EXPORT_INTERVAL" => "60000",
        "OTEL_RESOURCE_ATTRIBUTES" => "deployment.environment.name=production",
        "OTEL_SERVICE_NAME" => "anyturn",
        "OTEL_TRACES_SAMPLER" => "parentbased_traceidratio",
        "OTEL_TRACES_SAMPLER_ARG" => "0.1",
        other => panic!("what {other} could be is known"),
    }
}

/// The variables that a home's host has: the image's, and the home's own.
fn environment(home: &Home) -> BTreeMap<String, String> {
    let mut environment = dockerfile::read().environment;
    for (name, value) in &home.variables {
        let value = value.clone().unwrap_or_else(|| plausible(name).to_owned());
        environment.insert(name.clone(), value);
    }
    let manifest = anyturn_tests::repository().join("spin.toml");
    environment.insert("ANYTURN_MANIFEST".to_owned(), manifest.display().to_string());
    environment
}

fn run(home: &Home, arguments: &[&str]) -> Output {
    Command::new(binary())
        .args(arguments)
        .env_clear()
        .envs(environment(home))
        .output()
        .unwrap()
}

/// The variables that the host's options are set by, as the host itself says.
fn options() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for command in ["up", "check", "compile"] {
        let output = Command::new(binary()).args([command, "--help"]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        names.extend(
            text.split("[env: ")
                .skip(1)
                .filter_map(|rest| Some(rest.split_once('=')?.0.to_owned())),
        );
    }
    assert!(names.contains("ANYTURN_LISTEN"), "{names:?}");
    names
}

/// The variables of OpenTelemetry that the documentation promises; each is read by the host or by its SDK.
fn of_opentelemetry() -> BTreeSet<String> {
    let page = std::fs::read_to_string(anyturn_tests::repository().join("docs/operating.md")).unwrap();
    let names: BTreeSet<String> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `OTEL_")?.split_once(" |"))
        .flat_map(|(names, _)| {
            format!("`OTEL_{names}")
                .split(", ")
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .map(|name| name.trim_matches('`').to_owned())
        .collect();
    assert!(names.contains("OTEL_TRACES_SAMPLER_ARG"), "{names:?}");
    names
}

#[test]
fn the_collector_takes_what_hosts_send_and_counts_nothing_twice() {
    let collector = documents::yaml("deploy/otel/collector.yaml");
    let address = collector["receivers"]["otlp"]["protocols"]["http"]["endpoint"]
        .as_str()
        .unwrap();
    let port = |address: &str| address.rsplit(':').next().map(str::to_owned);
    assert_eq!(port(address), port(plausible("OTEL_EXPORTER_OTLP_ENDPOINT")));
    // Metrics that came by OTLP would be there again if the host were scraped as well.
    for signal in ["metrics", "traces"] {
        assert_eq!(
            collector["service"]["pipelines"][signal]["receivers"],
            serde_json::json!(["otlp"])
        );
    }
}

/// A default of `anyturn up`, as it says itself.
fn default_of(variable: &str) -> String {
    let output = Command::new(binary()).args(["up", "--help"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (_, rest) = text.split_once(&format!("[env: {variable}=")).unwrap();
    let (_, rest) = rest.split_once("[default: ").unwrap();
    rest.split_once(']').unwrap().0.to_owned()
}

fn seconds(text: &str) -> u64 {
    text.strip_suffix('s')
        .and_then(|number| number.parse().ok())
        .unwrap_or_else(|| panic!("{text:?} is a number of seconds"))
}

#[test]
fn every_variable_that_is_set_somewhere_is_one_that_the_host_has() {
    let options = options();
    let application = spin::environment_variables();
    let traces = of_opentelemetry();
    for home in homes::all() {
        assert!(!home.variables.is_empty(), "{}", home.name);
        for name in home.variables.keys().chain(dockerfile::read().environment.keys()) {
            let known = [&options, &application, &traces]
                .iter()
                .any(|names| names.contains(name))
                || name == "RUST_LOG";
            assert!(known, "{}: the host knows nothing of {name}", home.name);
        }
    }
}

#[test]
fn the_host_takes_the_variables_of_every_home_without_a_complaint() {
    for home in homes::all() {
        let output = run(&home, &["check"]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(
            output.status.success() && said.is_empty(),
            "{}: {said}",
            home.name
        );
        // Options are read before the manifest: with one that cannot be read, values that are wrong end otherwise.
        let output = run(&home, &["up", "--manifest", "/no/such/spin.toml"]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("/no/such/spin.toml"), "{}: {said}", home.name);
    }
}

#[test]
fn every_home_knows_the_port_of_the_image() {
    let stage = dockerfile::read();
    assert_eq!(stage.ports, [PORT]);
    assert_eq!(stage.environment["ANYTURN_LISTEN"], format!("0.0.0.0:{PORT}"));
    for home in homes::all() {
        assert_eq!(home.port, PORT, "{}", home.name);
    }
}

/// Asked on a host without sign-in: a platform has none.
#[tokio::test]
async fn every_page_that_is_asked_by_a_probe_is_there() {
    let host = Host::start().await;
    for home in homes::all() {
        assert!(!home.probes.is_empty(), "{} asks how the host is", home.name);
        for path in &home.probes {
            let response = host.get(path).send().await.unwrap();
            assert!(response.status().is_success(), "{}: {path}", home.name);
            let kind = response.headers()["content-type"].clone();
            assert_eq!(
                kind, "application/json",
                "{}: {path} is the host's own page",
                home.name
            );
        }
    }
}

#[test]
fn every_home_leaves_the_host_the_time_that_it_takes_to_stop() {
    for home in homes::all() {
        let Some(grace) = home.grace else { continue };
        let of = |name: &str| home.variables.get(name).cloned().flatten();
        let pause = of("ANYTURN_DRAIN_PAUSE").map_or(PAUSE, |text| seconds(&text));
        let timeout = of("ANYTURN_DRAIN_TIMEOUT").unwrap_or_else(|| default_of("ANYTURN_DRAIN_TIMEOUT"));
        let needed = pause + seconds(&timeout);
        assert!(
            needed < grace,
            "{}: {grace} s are less than the {needed} s that stopping takes",
            home.name
        );
    }
}

#[test]
fn every_home_keeps_its_secrets_apart() {
    for home in homes::all() {
        for (name, value) in &home.variables {
            // What compose passes on comes from its user's shell; the Redis beside it has no password.
            if home.name == "docker-compose.yml" {
                continue;
            }
            let secret = name.ends_with("_KEY")
                || name.ends_with("_SECRET")
                || name == "REDIS_URL"
                || name == "API_KEYS";
            assert_eq!(value.is_none(), secret, "{}: {name}", home.name);
        }
    }
}

#[test]
fn the_image_is_built_with_the_toolchain_and_of_the_components_of_the_application() {
    let text = std::fs::read_to_string(anyturn_tests::repository().join("Dockerfile")).unwrap();
    let toolchain: toml::Table = documents::toml("rust-toolchain.toml");
    let channel = toolchain["toolchain"]["channel"].as_str().unwrap();
    assert!(
        text.contains(&format!("docker.io/library/rust:{channel}-")),
        "{channel}"
    );

    let (_, rest) = text.split_once("for package in ").unwrap();
    let (packages, _) = rest.split_once("; do").unwrap();
    // The list goes on in the next line after a backslash.
    let packages: BTreeSet<&str> = packages.split_whitespace().filter(|word| *word != "\\").collect();
    let expected = spin::packages();
    let expected: BTreeSet<&str> = expected.iter().map(String::as_str).collect();
    assert_eq!(
        packages, expected,
        "the dependencies that are built beforehand are those of everything that is built"
    );
}
