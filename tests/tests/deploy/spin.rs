//! What spin.toml declares, and the deployments of the application itself, without our host.

use crate::documents;
use std::collections::BTreeSet;

/// The application's variables.
pub fn variables() -> BTreeSet<String> {
    let manifest = documents::toml("spin.toml");
    manifest["variables"]
        .as_table()
        .unwrap()
        .keys()
        .cloned()
        .collect()
}

/// The variables of the environment by which our host sets them.
pub fn environment_variables() -> BTreeSet<String> {
    variables()
        .iter()
        .flat_map(|name| anyturn_manifest::aliases::environment_names(name))
        .collect()
}

/// The packages that the build commands name.
pub fn packages() -> BTreeSet<String> {
    let manifest = documents::toml("spin.toml");
    let mut packages = BTreeSet::new();
    for component in manifest["component"].as_table().unwrap().values() {
        let commands = component["build"]["command"].to_string();
        let words: Vec<&str> = commands
            .split(|c: char| c.is_whitespace() || "\"',[]".contains(c))
            .collect();
        packages.extend(
            words
                .windows(2)
                .filter(|pair| pair[0] == "-p")
                .map(|pair| pair[1].to_owned()),
        );
    }
    packages
}

#[test]
fn spinkube_sets_variables_that_the_application_has_and_those_that_it_needs() {
    let app = documents::yaml("deploy/spinkube/spinapp.yaml");
    let known = variables();
    let mut set = BTreeSet::new();
    for variable in app["spec"]["variables"].as_array().unwrap() {
        let name = variable["name"].as_str().unwrap();
        assert!(known.contains(name), "{name}");
        set.insert(name);
    }
    for name in ["redis_url", "redis_origin", "jwt_secret", "internal_secret"] {
        assert!(set.contains(name), "{name} is set");
    }
    assert!(!set.contains("development_user"), "strangers can connect");
    // Spin answers what the application routes.
    let path = app["spec"]["checks"]["readiness"]["httpGet"]["path"]
        .as_str()
        .unwrap();
    let manifest = documents::toml("spin.toml");
    let routes = manifest["trigger"]["http"].as_array().unwrap();
    assert!(
        routes.iter().any(|route| route["route"].as_str() == Some(path)),
        "{path}"
    );
}

#[test]
fn the_clock_beside_spinkube_calls_the_tick_with_the_secret_of_the_application() {
    let job = documents::yaml("deploy/spinkube/tick.yaml");
    let container = &job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0];
    let command = container["args"][0].as_str().unwrap();
    assert!(
        command.contains("authorization: Bearer $INTERNAL_SECRET"),
        "{command}"
    );
    assert!(command.ends_with("/internal/tick"), "{command}");
    let app = documents::yaml("deploy/spinkube/spinapp.yaml");
    let variables = app["spec"]["variables"].as_array().unwrap();
    let of_app = variables
        .iter()
        .find(|variable| variable["name"] == "internal_secret")
        .unwrap();
    assert_eq!(container["env"][0]["valueFrom"], of_app["valueFrom"]);
}
