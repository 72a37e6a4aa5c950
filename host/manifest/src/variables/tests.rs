use super::*;

fn declared(entries: &[(&str, Option<&str>, bool)]) -> BTreeMap<VariableName, Declaration> {
    entries
        .iter()
        .map(|(name, default, secret)| {
            let default = default.map(str::to_owned);
            let place = Place::line("spin.toml", 7);
            (
                name.parse().unwrap(),
                Declaration {
                    default,
                    secret: *secret,
                    description: None,
                    place,
                },
            )
        })
        .collect()
}

fn environment(entries: &[(&str, &str)]) -> Inputs {
    Inputs::from_environment(
        entries
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
    )
}

fn text(declared: &BTreeMap<VariableName, Declaration>, inputs: &Inputs, name: &str) -> String {
    Values::resolve(declared, inputs).unwrap().0.text(name).to_owned()
}

#[test]
fn a_flag_beats_spins_variable_beats_an_alias_beats_the_default() {
    let declared = declared(&[("redis_url", Some("default"), false)]);
    let mut inputs = environment(&[]);
    assert_eq!(text(&declared, &inputs, "redis_url"), "default");
    inputs = environment(&[("REDIS_URL", "alias")]);
    assert_eq!(text(&declared, &inputs, "redis_url"), "alias");
    inputs = environment(&[("REDIS_URL", "alias"), ("SPIN_VARIABLE_REDIS_URL", "spin")]);
    assert_eq!(text(&declared, &inputs, "redis_url"), "spin");
    inputs.flag("redis_url=flag");
    assert_eq!(text(&declared, &inputs, "redis_url"), "flag");
    inputs.flag("redis_url=a=b");
    assert_eq!(
        text(&declared, &inputs, "redis_url"),
        "a=b",
        "the last flag counts, and values may contain `=`"
    );
}

#[test]
fn an_empty_alias_is_not_set_but_an_empty_spin_variable_is() {
    let declared = declared(&[("redis_url", Some("default"), false)]);
    assert_eq!(
        text(&declared, &environment(&[("REDIS_URL", "")]), "redis_url"),
        "default"
    );
    assert_eq!(
        text(
            &declared,
            &environment(&[("SPIN_VARIABLE_REDIS_URL", "")]),
            "redis_url"
        ),
        ""
    );
}

#[test]
fn of_two_aliases_the_one_spelled_like_the_variable_counts() {
    let declared = declared(&[("llm_base_url", Some(""), false)]);
    let both = environment(&[
        ("OPENAI_BASE_URL", "https://two.test"),
        ("LLM_BASE_URL", "https://one.test"),
    ]);
    assert_eq!(text(&declared, &both, "llm_base_url"), "https://one.test");
    let one = environment(&[("OPENAI_BASE_URL", "https://two.test")]);
    assert_eq!(text(&declared, &one, "llm_base_url"), "https://two.test");
}

#[test]
fn an_origin_follows_from_its_url_unless_it_is_given() {
    let declared = declared(&[("llm_base_url", Some(""), false), ("llm_origin", Some(""), false)]);
    let derived = environment(&[("LLM_BASE_URL", "http://localhost:11434/v1")]);
    assert_eq!(text(&declared, &derived, "llm_origin"), "http://localhost:11434");
    let mut given = derived;
    given.flag("llm_origin=https://gateway.test");
    assert_eq!(text(&declared, &given, "llm_origin"), "https://gateway.test");
    assert_eq!(text(&declared, &environment(&[]), "llm_origin"), "");
}

#[test]
fn a_required_variable_without_a_value_is_named_with_its_line() {
    let findings = Values::resolve(&declared(&[("api_key", None, true)]), &Inputs::default()).unwrap_err();
    assert_eq!(
        findings.to_string(),
        "error: spin.toml:7: variables.api_key: required, and has no value\n    \
         set SPIN_VARIABLE_API_KEY or give --variable api_key=…"
    );
}

#[test]
fn an_input_that_fits_no_variable_is_told() {
    let declared = declared(&[("redis_url", Some(""), false)]);
    let mut inputs = environment(&[("SPIN_VARIABLE_REDIS_ULR", "redis://x")]);
    let (_, warnings) = Values::resolve(&declared, &inputs).unwrap();
    assert_eq!(
        warnings.to_string(),
        "warning: environment: SPIN_VARIABLE_REDIS_ULR: the application has no variable `redis_ulr`\n    \
         did you mean `redis_url`?"
    );
    inputs.flag("redis_ulr=redis://x");
    inputs.flag("nonsense");
    let findings = Values::resolve(&declared, &inputs).unwrap_err();
    assert_eq!(findings.errors(), 2, "{findings}");
}

#[test]
fn files_of_variables_are_read() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let declared = declared(&[
        ("a", Some(""), false),
        ("b", Some(""), false),
        ("c", Some(""), false),
    ]);
    let mut inputs = Inputs::default();
    inputs.flag(&format!("@{}", write("v.json", r#"{"a": "from json"}"#)));
    inputs.flag(&format!("@{}", write("v.toml", "b = 'from toml'")));
    inputs.flag(&format!("c=@{}", write("c.txt", "from file")));
    let (values, _) = Values::resolve(&declared, &inputs).unwrap();
    assert_eq!(
        [values.text("a"), values.text("b"), values.text("c")],
        ["from json", "from toml", "from file"]
    );

    for bad in [
        write("bad.json", "[]"),
        write("bad.toml", "a = 1"),
        write("bad.yaml", "a: b"),
        "missing.json".into(),
    ] {
        let mut inputs = Inputs::default();
        inputs.flag(&format!("@{bad}"));
        assert_eq!(
            Values::resolve(&declared, &inputs).unwrap_err().errors(),
            1,
            "{bad}"
        );
    }
}

#[test]
fn secrets_are_never_printed() {
    const SECRET: &str = "hunter2";
    let declared = declared(&[("key", Some(SECRET), true), ("open", Some("visible"), false)]);
    let mut inputs = environment(&[("SPIN_VARIABLE_KEY", SECRET)]);
    inputs.flag(&format!("key={SECRET}"));
    inputs.flag(SECRET);
    let debug = format!("{inputs:?} {declared:?}");
    assert!(!debug.contains(SECRET), "{debug}");
    let findings = Values::resolve(&declared, &inputs).unwrap_err();
    assert!(
        !format!("{findings} {findings:?}").contains(SECRET),
        "{findings:?}"
    );

    let (values, _) = Values::resolve(&declared, &environment(&[])).unwrap();
    let shown = format!("{values:?} {}", values.get("key").unwrap());
    assert!(!shown.contains(SECRET) && shown.contains("visible"), "{shown}");
    let both: Template = "{{ open }}:{{ key }}".parse().unwrap();
    let rendered = values.render(&both).unwrap();
    assert_eq!(rendered.expose(), "visible:hunter2");
    assert_eq!(rendered.to_string(), "(secret)", "what contains a secret is one");
}

#[cfg(unix)]
#[test]
fn a_value_that_is_no_text_is_told_only_where_it_matters() {
    use std::os::unix::ffi::OsStringExt as _;
    let broken = || OsString::from_vec(vec![0xff]);
    let declared = declared(&[("redis_url", Some(""), false)]);
    let inputs = Inputs::from_os([
        ("REDIS_URL".into(), broken()),
        ("OTHER".into(), broken()),
        (broken(), "x".into()),
    ]);
    let findings = Values::resolve(&declared, &inputs).unwrap_err();
    assert_eq!(
        findings.to_string(),
        "error: environment: REDIS_URL: is not UTF-8"
    );
}
