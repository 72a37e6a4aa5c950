//! The assistants: each file is right, its prompt is there, and the tools that it names can be reached.

use std::path::{Path, PathBuf};

use anyturn_engine::assistant::{Assistant, AssistantError, Kind, ToolSource};
use anyturn_manifest::{AllowedHosts, Application, Component, Finding, Findings, MountedFile, Place, Values};
use url::Url;

/// Where a component finds its assistants.
const FOLDER: &str = "assistants";

pub(crate) fn check(application: &Application, values: Option<&Values>) -> Findings {
    let mut findings = Findings::default();
    for component in application.triggered() {
        // Mounts that cannot be resolved have been told with the component's files.
        let Ok(files) = component.files().resolve(application.root()) else {
            continue;
        };
        let files: Vec<_> = files
            .into_iter()
            .filter(|file| file.guest.starts_with(FOLDER))
            .collect();
        if files.is_empty() {
            continue;
        }
        let settings = values.and_then(|values| application.settings(component, values).ok());
        let room = Room {
            application,
            component,
            allowed_hosts: settings.map(|settings| settings.allowed_hosts),
            files: &files,
        };
        let mut count = 0;
        for file in files
            .iter()
            .filter(|file| file.guest.extension().is_some_and(|e| e == "toml"))
        {
            count += 1;
            room.check(file)
                .into_iter()
                .for_each(|finding| findings.push(finding));
        }
        if count == 0 {
            let place = Place::file(application.manifest());
            let key = format!("component.{}.files", component.id());
            findings.push(
                Finding::warning(
                    place,
                    key,
                    format!("there is no assistant among the files in /{FOLDER}"),
                )
                .advise(format!("add one, such as {FOLDER}/chat.toml")),
            );
        }
    }
    findings
}

/// What an assistant's file is checked against.
struct Room<'a> {
    application: &'a Application,
    component: &'a Component,
    /// Unknown when the variables' values are wrong, which is told elsewhere.
    allowed_hosts: Option<AllowedHosts>,
    files: &'a [MountedFile],
}

impl Room<'_> {
    fn check(&self, file: &MountedFile) -> Vec<Finding> {
        let shown = self.shown(&file.source);
        let text = match std::fs::read_to_string(&file.source) {
            Ok(text) => text,
            Err(error) => {
                return vec![Finding::error(
                    Place::file(shown),
                    "",
                    format!("cannot be read: {error}"),
                )];
            }
        };
        let mut assistant = match Assistant::parse(&shown.display().to_string(), &text) {
            Ok(assistant) => assistant,
            Err(error) => return told(error),
        };
        let mut findings = Vec::new();
        for (key, name) in assistant.prompt_files() {
            findings.extend(self.prompt(file, &mut assistant, &key, &name));
        }
        for (index, tools) in assistant.tools.iter().enumerate() {
            findings.extend(self.tools(&shown, &format!("tools[{index}]"), tools));
        }
        if let Kind::FourPrompt(flow) = &assistant.kind {
            for (number, agent) in flow.agents.iter().enumerate() {
                for (index, tools) in agent.tools.iter().enumerate() {
                    findings.extend(self.tools(&shown, &format!("agents[{number}].tools[{index}]"), tools));
                }
            }
        }
        findings
    }

    /// A file of a prompt.
    fn prompt(&self, file: &MountedFile, assistant: &mut Assistant, key: &str, name: &str) -> Vec<Finding> {
        let guest = file.guest.with_file_name(name);
        let place = || Place::file(self.shown(&file.source));
        let Some(found) = self.files.iter().find(|other| other.guest == guest) else {
            let reason = format!("`{name}` is not there");
            let advice = format!("put it beside {}", self.shown(&file.source).display());
            return vec![Finding::error(place(), key, reason).advise(advice)];
        };
        match std::fs::read_to_string(&found.source) {
            Err(error) => {
                vec![Finding::error(
                    place(),
                    key,
                    format!("`{name}` cannot be read: {error}"),
                )]
            }
            Ok(text) => {
                match assistant.set_prompt(name, &self.shown(&found.source).display().to_string(), &text) {
                    Ok(()) => Vec::new(),
                    Err(error) => told(error),
                }
            }
        }
    }

    /// Whether a tool server can be reached.
    fn tools(&self, file: &Path, table: &str, tools: &ToolSource) -> Option<Finding> {
        let id = self.component.id();
        let key = |name: &str| format!("{table}.{name}");
        let entry = |host: &str| {
            format!("add \"{host}\" to allowed_outbound_hosts of component.{id} in the manifest")
        };
        let error = |key: String, reason: String| Finding::error(Place::file(file), key, reason);
        if tools.external {
            let Ok(url) = Url::parse(&tools.server) else {
                return Some(error(key("url"), format!("`{}` is not a URL", tools.server)));
            };
            let (scheme, host) = (url.scheme(), url.host_str().unwrap_or_default());
            let denied = self
                .allowed_hosts
                .as_ref()
                .is_some_and(|hosts| !hosts.allows(scheme, host, url.port()));
            return denied.then(|| {
                let origin = url.origin().ascii_serialization();
                error(key("url"), format!("`{id}` may not connect to {origin}")).advise(entry(&origin))
            });
        }
        let server = &tools.server;
        if !self.application.is_reachable(server) {
            return Some(
                error(
                    key("server"),
                    format!("the application has no component `{server}` with an http trigger"),
                )
                .advise("name a component of the manifest, or give the `url` of an MCP server"),
            );
        }
        let host = format!("{server}{}", anyturn_manifest::SERVICE_CHAINING_SUFFIX);
        let denied = self
            .allowed_hosts
            .as_ref()
            .is_some_and(|hosts| !hosts.allows("http", &host, None));
        denied.then(|| {
            error(key("server"), format!("`{id}` may not connect to `{server}`"))
                .advise(entry(&format!("http://{host}")))
        })
    }

    /// A file as a person names it: relative to the manifest, in front of which the manifest's own directory stands as
    /// it was given.
    fn shown(&self, file: &Path) -> PathBuf {
        let directory = self.application.manifest().parent().unwrap_or(Path::new(""));
        directory.join(file.strip_prefix(self.application.root()).unwrap_or(file))
    }
}

fn told(error: AssistantError) -> Vec<Finding> {
    let file = PathBuf::from(error.file);
    error
        .findings
        .into_iter()
        .map(|finding| {
            Finding::error(
                Place::line(file.clone(), finding.line),
                finding.key,
                finding.problem,
            )
        })
        .collect()
}

#[cfg(test)]
mod tests;
