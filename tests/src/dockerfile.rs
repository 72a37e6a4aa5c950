//! The Dockerfile, as far as its last stage says how the image is to be run.

use std::collections::BTreeMap;

/// What the last stage of a Dockerfile sets.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Stage {
    /// What it starts from.
    pub from: String,
    /// What it copies from other stages, and to where.
    pub copies: Vec<String>,
    /// Environment variables.
    pub environment: BTreeMap<String, String>,
    /// Who runs it.
    pub user: String,
    /// Ports that are listened on.
    pub ports: Vec<u16>,
    /// The program, and its arguments unless others are given.
    pub command: Vec<String>,
    /// What tells whether it is well.
    pub health: Vec<String>,
    /// What asks it to stop.
    pub stop_signal: String,
}

/// Reads the repository's Dockerfile.
pub fn read() -> Stage {
    let path = crate::repository().join("Dockerfile");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    last_stage(&text)
}

/// Reads the last stage. What is written in another way than ours is a failure, so that nothing is passed over.
fn last_stage(text: &str) -> Stage {
    let mut stage = Stage::default();
    let mut entrypoint = Vec::new();
    for line in instructions(text) {
        let (name, rest) = line
            .split_once(' ')
            .unwrap_or_else(|| panic!("{line:?} has an argument"));
        if name == "FROM" {
            stage = Stage {
                from: rest.to_owned(),
                ..Stage::default()
            };
            entrypoint.clear();
            continue;
        }
        match name {
            "COPY" => stage.copies.push(rest.to_owned()),
            "ENV" => stage.environment.extend(rest.split_whitespace().map(|pair| {
                let (name, value) = pair
                    .split_once('=')
                    .unwrap_or_else(|| panic!("{pair:?} is NAME=value"));
                (name.to_owned(), value.to_owned())
            })),
            "USER" => stage.user = rest.to_owned(),
            "EXPOSE" => stage
                .ports
                .push(rest.parse().unwrap_or_else(|_| panic!("{rest:?} is a port"))),
            "STOPSIGNAL" => stage.stop_signal = rest.to_owned(),
            "ENTRYPOINT" => entrypoint = list(rest),
            "CMD" => stage.command = list(rest),
            "HEALTHCHECK" => {
                let (_, command) = rest
                    .split_once(" CMD ")
                    .unwrap_or_else(|| panic!("{rest:?} has a command"));
                stage.health = list(command);
            }
            // They matter to the stages that build.
            "RUN" | "WORKDIR" => {}
            other => panic!("what {other} does is known"),
        }
    }
    stage.command = [entrypoint, stage.command].concat();
    stage
}

/// Instructions without comments, each on one line.
fn instructions(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .collect();
    lines
        .join("\n")
        .replace("\\\n", " ")
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect()
}

/// The form that needs no shell.
fn list(text: &str) -> Vec<String> {
    serde_json::from_str(text).unwrap_or_else(|_| panic!("{text:?} is a JSON list, which needs no shell"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_stage_is_read_and_the_others_are_not() {
        let stage = last_stage(
            "# A comment.\nFROM rust AS build\nUSER root\nENV A=0\nCMD [\"/bin/sh\"]\n\
             FROM scratch\nENV A=1 \\\n    # Another comment.\n    B=two\nUSER 7\nEXPOSE 80\n\
             HEALTHCHECK --interval=1s CMD [\"/x\", \"health\"]\nENTRYPOINT [\"/x\"]\nCMD [\"up\"]\n",
        );
        let environment = [("A", "1"), ("B", "two")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        let expected = Stage {
            from: "scratch".to_owned(),
            environment: environment.into(),
            user: "7".to_owned(),
            ports: vec![80],
            command: vec!["/x".to_owned(), "up".to_owned()],
            health: vec!["/x".to_owned(), "health".to_owned()],
            ..Stage::default()
        };
        assert_eq!(stage, expected);
    }
}
