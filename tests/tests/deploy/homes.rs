//! What each platform's file says about the host, read into one shape.

use crate::documents::{json, text, yaml};
use crate::terraform;
use serde_json::Value;
use std::collections::BTreeMap;

/// A place that the image runs in.
#[derive(Debug)]
pub struct Home {
    /// The file that says it.
    pub name: &'static str,
    /// Variables of the environment; the values of secrets lie elsewhere.
    pub variables: BTreeMap<String, Option<String>>,
    /// The port that requests are sent to.
    pub port: u16,
    /// The pages that are asked how the host is.
    pub probes: Vec<String>,
    /// Seconds between SIGTERM and SIGKILL, where the file says it.
    pub grace: Option<u64>,
}

/// All of them.
pub fn all() -> Vec<Home> {
    vec![
        compose(),
        cloud_run(),
        terraform::home(),
        app_runner(),
        container_apps(),
        kubernetes(),
        railway(),
        render(),
    ]
}

fn compose() -> Home {
    let file = yaml("docker-compose.yml");
    let service = &file["services"]["anyturn"];
    let mapping = string(&service["ports"][0]);
    let variables = service["environment"].as_object().unwrap();
    Home {
        name: "docker-compose.yml",
        // Names without a value are passed on from the shell.
        variables: variables
            .iter()
            .map(|(name, value)| (name.clone(), value.as_str().map(str::to_owned)))
            .collect(),
        port: mapping.rsplit(':').next().unwrap().parse().unwrap(),
        // The health check is the image's own.
        probes: vec!["/ready".to_owned()],
        grace: Some(crate::seconds(&string(&service["stop_grace_period"]))),
    }
}

fn cloud_run() -> Home {
    let file = yaml("deploy/cloud-run/service.yaml");
    let container = &file["spec"]["template"]["spec"]["containers"][0];
    Home {
        name: "deploy/cloud-run",
        variables: named(&container["env"], "name", "value"),
        port: number(&container["ports"][0]["containerPort"]),
        probes: probes(container, &["startupProbe", "livenessProbe"]),
        // The platform's own, which is not to be changed.
        grace: Some(10),
    }
}

fn app_runner() -> Home {
    let file = yaml("deploy/app-runner/service.yaml");
    let service = &file["Resources"]["Service"]["Properties"];
    let image = &service["SourceConfiguration"]["ImageRepository"]["ImageConfiguration"];
    let mut variables = named(&image["RuntimeEnvironmentVariables"], "Name", "Value");
    let secrets = named(&image["RuntimeEnvironmentSecrets"], "Name", "Value");
    variables.extend(secrets.into_keys().map(|name| (name, None)));
    Home {
        name: "deploy/app-runner",
        variables,
        port: string(&image["Port"]).parse().unwrap(),
        probes: vec![string(&service["HealthCheckConfiguration"]["Path"])],
        grace: None,
    }
}

fn container_apps() -> Home {
    let file = yaml("deploy/azure-container-apps/app.yaml");
    let properties = &file["properties"];
    let template = &properties["template"];
    let container = &template["containers"][0];
    let secrets = properties["configuration"]["secrets"].as_array().unwrap();
    for variable in container["env"].as_array().unwrap() {
        if let Some(secret) = variable["secretRef"].as_str() {
            assert!(
                secrets.iter().any(|each| each["name"] == secret),
                "{secret} is declared"
            );
        }
    }
    let probes = container["probes"].as_array().unwrap();
    Home {
        name: "deploy/azure-container-apps",
        variables: named(&container["env"], "name", "value"),
        port: number(&properties["configuration"]["ingress"]["targetPort"]),
        probes: probes
            .iter()
            .map(|probe| string(&probe["httpGet"]["path"]))
            .collect(),
        grace: template["terminationGracePeriodSeconds"].as_u64(),
    }
}

fn kubernetes() -> Home {
    let file = yaml("deploy/kubernetes/deployment.yaml");
    let pod = &file["spec"]["template"]["spec"];
    let container = &pod["containers"][0];
    let mut variables = named(&container["env"], "name", "value");
    // The secret is made by a command, which the README has.
    let secret = string(&container["envFrom"][0]["secretRef"]["name"]);
    let readme = text("deploy/kubernetes/README.md");
    let (_, command) = readme
        .split_once(&format!("create secret generic {secret} "))
        .unwrap();
    let (command, _) = command.split_once("```").unwrap();
    let literals = command.split("--from-literal=").skip(1);
    variables.extend(literals.map(|rest| (rest.split_once('=').unwrap().0.to_owned(), None)));
    let port = &container["ports"][0];
    for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
        assert_eq!(container[probe]["httpGet"]["port"], port["name"], "{probe}");
    }
    Home {
        name: "deploy/kubernetes",
        variables,
        port: number(&port["containerPort"]),
        probes: probes(container, &["startupProbe", "readinessProbe", "livenessProbe"]),
        grace: pod["terminationGracePeriodSeconds"].as_u64(),
    }
}

/// Its variables are the service's, set by the command that the README has.
fn railway() -> Home {
    let file = json("deploy/railway/railway.json");
    let readme = text("deploy/railway/README.md");
    let set = readme
        .split("--set \"")
        .skip(1)
        .filter_map(|rest| rest.split_once('"'));
    let mut variables: BTreeMap<String, Option<String>> = set
        .map(|(pair, _)| pair.split_once('=').unwrap())
        .map(|(name, value)| (name.to_owned(), (!value.contains('$')).then(|| value.to_owned())))
        .collect();
    // What Railway sends requests to.
    let port = variables.remove("PORT").flatten().unwrap();
    Home {
        name: "deploy/railway",
        variables,
        port: port.parse().unwrap(),
        probes: vec![string(&file["deploy"]["healthcheckPath"])],
        grace: Some(string(&file["deploy"]["drainingSeconds"]).parse().unwrap()),
    }
}

fn render() -> Home {
    let file = yaml("deploy/render/render.yaml");
    let service = &file["services"][0];
    let mut variables = named(&service["envVars"], "key", "value");
    // What Render sends requests to.
    let port = variables.remove("PORT").flatten().unwrap();
    let store = &file["services"][1];
    assert_eq!(
        store["maxmemoryPolicy"], "noeviction",
        "no conversation is deleted for want of memory"
    );
    let referred = service["envVars"]
        .as_array()
        .unwrap()
        .iter()
        .find(|variable| variable["key"] == "REDIS_URL");
    assert_eq!(referred.unwrap()["fromService"]["name"], store["name"]);
    Home {
        name: "deploy/render",
        variables,
        port: port.parse().unwrap(),
        probes: vec![string(&service["healthCheckPath"])],
        grace: service["maxShutdownDelaySeconds"].as_u64(),
    }
}

/// A list of variables, each an object with a name and, unless its value lies elsewhere, a value.
fn named(list: &Value, name: &str, value: &str) -> BTreeMap<String, Option<String>> {
    let list = list.as_array().unwrap_or_else(|| panic!("{list} is a list"));
    list.iter()
        .map(|each| (string(&each[name]), each[value].as_str().map(str::to_owned)))
        .collect()
}

fn probes(container: &Value, names: &[&str]) -> Vec<String> {
    names
        .iter()
        .map(|name| string(&container[*name]["httpGet"]["path"]))
        .collect()
}

fn string(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is a text"))
        .to_owned()
}

fn number(value: &Value) -> u16 {
    let number = value.as_u64().unwrap_or_else(|| panic!("{value} is a number"));
    u16::try_from(number).unwrap()
}
