//! The Terraform files: they parse, and every name that they use is one that they declare.

use crate::homes::Home;
use anyturn_tests::repository;
use hcl::{Block, Body, Expression};
use std::collections::{BTreeMap, BTreeSet};

const FOLDER: &str = "deploy/ecs-fargate";

/// All files as one, as Terraform reads them.
fn body() -> Body {
    let mut structures = Vec::new();
    for entry in std::fs::read_dir(repository().join(FOLDER)).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "tf") {
            let text = std::fs::read_to_string(&path).unwrap();
            let body: Body = hcl::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            structures.extend(body);
        }
    }
    Body::from_iter(structures)
}

fn labels(block: &Block) -> Vec<&str> {
    block
        .labels
        .iter()
        .map(hcl::structure::BlockLabel::as_str)
        .collect()
}

/// The attribute of a block, as Terraform writes it.
fn attribute<'a>(block: &'a Block, name: &str) -> &'a Expression {
    block
        .body
        .attributes()
        .find(|attribute| attribute.key() == name)
        .unwrap_or_else(|| panic!("{} has {name}", labels(block).join(".")))
        .expr()
}

fn resource<'a>(body: &'a Body, kind: &str) -> &'a Block {
    body.blocks()
        .find(|block| labels(block).first() == Some(&kind))
        .unwrap_or_else(|| panic!("there is an {kind}"))
}

fn local<'a>(body: &'a Body, name: &str) -> &'a Expression {
    let locals = body
        .blocks()
        .find(|block| block.identifier() == "locals")
        .unwrap();
    attribute(locals, name)
}

fn texts(expression: &Expression) -> BTreeMap<String, Option<String>> {
    let Expression::Object(object) = expression else {
        panic!("{expression} is a map");
    };
    let value = |expression: &Expression| match expression {
        Expression::String(text) => Some(text.clone()),
        other => panic!("{other} is a text"),
    };
    object
        .iter()
        .map(|(key, expression)| (key.to_string().trim_matches('"').to_owned(), value(expression)))
        .collect()
}

/// What the task of ECS sets.
pub fn home() -> Home {
    let body = body();
    let variable = |name: &str| {
        body.blocks()
            .find(|block| block.identifier() == "variable" && labels(block) == [name])
            .unwrap_or_else(|| panic!("there is a variable {name}"))
    };
    let mut variables = texts(attribute(variable("environment"), "default"));
    let Expression::FuncCall(merge) = local(&body, "environment") else {
        panic!("the environment is merged of the user's and ours");
    };
    variables.extend(texts(merge.args.last().unwrap()));
    // Which secrets there are is the user's; these two are asked for.
    for name in ["REDIS_URL", "JWT_SECRET"] {
        let asked = variable("secrets")
            .body
            .blocks()
            .any(|validation| shown(validation).contains(name));
        assert!(asked, "{name} is asked for");
        variables.insert(name.to_owned(), None);
    }
    let number = |name: &str| local(&body, name).to_string().parse::<u64>().unwrap();
    let health = resource(&body, "aws_lb_target_group")
        .body
        .blocks()
        .find(|block| block.identifier() == "health_check");
    let path = attribute(health.unwrap(), "path").to_string();
    Home {
        name: FOLDER,
        variables,
        port: u16::try_from(number("port")).unwrap(),
        probes: vec![path.trim_matches('"').to_owned()],
        grace: Some(number("stop_timeout")),
    }
}

/// A block as Terraform writes it.
fn shown(block: &Block) -> String {
    hcl::to_string(&Body::from_iter([block.clone()])).unwrap()
}

/// Every name in a text that is like `var.x`, `local.x`, `aws_y.x`, `data.y.x`.
fn references(text: &str) -> BTreeSet<String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    text.split(|c: char| !is_name(c))
        .filter_map(|word| {
            let parts: Vec<&str> = word.split('.').collect();
            let length = match parts.as_slice() {
                ["var" | "local", _, ..] => 2,
                ["data", _, _, ..] => 3,
                [kind, _, ..] if kind.starts_with("aws_") => 2,
                _ => return None,
            };
            Some(parts[..length].join("."))
        })
        .collect()
}

#[test]
fn every_name_that_is_used_is_declared_and_the_other_way_round() {
    let body = body();
    let mut declared = BTreeSet::new();
    for block in body.blocks() {
        let labels = labels(block).join(".");
        match block.identifier() {
            "variable" => declared.insert(format!("var.{labels}")),
            "resource" => declared.insert(labels),
            "data" => declared.insert(format!("data.{labels}")),
            "locals" => {
                declared.extend(
                    block
                        .body
                        .attributes()
                        .map(|attribute| format!("local.{}", attribute.key())),
                );
                true
            }
            "output" | "provider" | "terraform" => true,
            other => panic!("what a block {other} declares is known"),
        };
    }
    let mut used = BTreeSet::new();
    for block in body.blocks() {
        // What the validation of a variable says about itself is no use of it.
        if block.identifier() != "variable" {
            used.extend(references(&shown(block)));
        }
    }
    let unknown: Vec<_> = used.difference(&declared).collect();
    assert!(unknown.is_empty(), "nobody declares {unknown:?}");
    let unused: Vec<_> = declared
        .difference(&used)
        .filter(|name| name.starts_with("var.") || name.starts_with("local.") || name.starts_with("data."))
        .collect();
    assert!(unused.is_empty(), "nobody uses {unused:?}");
}

#[test]
fn tasks_run_on_spot_behind_a_load_balancer_between_one_and_ten() {
    let body = body();
    let service = shown(resource(&body, "aws_ecs_service"));
    assert!(
        service.contains("FARGATE_SPOT") && service.contains("aws_lb_target_group"),
        "{service}"
    );
    let default = |name: &str| {
        let variable = body
            .blocks()
            .find(|block| block.identifier() == "variable" && labels(block) == [name]);
        attribute(variable.unwrap(), "default").to_string()
    };
    assert_eq!(
        (default("minimum"), default("maximum")),
        ("1".to_owned(), "10".to_owned())
    );
    let target = resource(&body, "aws_appautoscaling_target");
    assert_eq!(attribute(target, "min_capacity").to_string(), "var.minimum");
    assert_eq!(attribute(target, "max_capacity").to_string(), "var.maximum");
    // The load balancer's check is quicker than the pause for which the host goes on serving.
    let task = shown(resource(&body, "aws_ecs_task_definition"));
    for wanted in [
        "readonlyRootFilesystem",
        "awslogs-group",
        "65532:65532",
        "/anyturn",
    ] {
        assert!(task.contains(wanted), "{wanted} in {task}");
    }
}
