//! Reading files of the repository.

use serde_json::Value;

pub fn text(path: &str) -> String {
    std::fs::read_to_string(anyturn_tests::repository().join(path))
        .unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A YAML file. Its tags, such as CloudFormation's `!Ref`, are left out: `!Ref x` reads as `x`.
pub fn yaml(path: &str) -> Value {
    serde_saphyr::from_str(&text(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

pub fn json(path: &str) -> Value {
    serde_json::from_str(&text(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

pub fn toml(path: &str) -> toml::Table {
    text(path)
        .parse()
        .unwrap_or_else(|error| panic!("{path}: {error}"))
}
