use super::*;

fn read(variables: &[(&'static str, &str)]) -> Result<Provider, SettingsError> {
    let find = |name| {
        let found = variables.iter().find(|(known, _)| *known == name);
        std::future::ready(found.map(|(_, value)| (*value).to_owned()).unwrap_or_default())
    };
    futures::executor::block_on(Provider::read(find))
}

#[track_caller]
fn connection(variables: &[(&'static str, &str)]) -> Connection {
    match read(variables) {
        Ok(Provider::OpenAi(connection)) => connection,
        other => panic!("{other:?}"),
    }
}

fn address(variables: &[(&'static str, &str)]) -> String {
    let connection = connection(variables);
    connection.uri(&connection.model).unwrap().to_string()
}

#[test]
fn without_any_variable_the_offline_model_answers() {
    assert!(matches!(read(&[]), Ok(Provider::Offline)));
    assert!(matches!(
        read(&[("llm_provider", " AUTO ")]),
        Ok(Provider::Offline)
    ));
    assert!(matches!(
        read(&[("llm_provider", "offline"), ("openai_api_key", "k")]),
        Ok(Provider::Offline)
    ));
}

#[test]
fn auto_takes_the_first_that_is_set_up() {
    for (variables, expected) in [
        (&[("openai_api_key", "k"), ("groq_api_key", "g")][..], "openai"),
        (&[("groq_api_key", "g"), ("gemini_api_key", "m")], "groq"),
        (&[("gemini_api_key", "m")], "gemini"),
        (&[("llm_api_key", "k"), ("groq_api_key", "g")], "openai"),
        (
            &[("llm_base_url", "http://localhost:1/v1"), ("groq_api_key", "g")],
            "openai",
        ),
    ] {
        assert_eq!(connection(variables).preset.name, expected);
    }
}

#[test]
fn every_preset_has_its_address() {
    for (variables, expected) in [
        (
            &[("llm_provider", "openai"), ("openai_api_key", "k")][..],
            "https://api.openai.com/v1/chat/completions",
        ),
        (
            &[("llm_provider", "groq"), ("groq_api_key", "k")],
            "https://api.groq.com/openai/v1/chat/completions",
        ),
        (
            &[("llm_provider", "gemini"), ("llm_api_key", "k")],
            "https://generativelanguage.googleapis.com/v1beta/openai/chat/completions",
        ),
        (
            &[("llm_provider", "ollama")],
            "http://localhost:11434/v1/chat/completions",
        ),
        (
            &[("llm_provider", "vllm"), ("llm_model", "m")],
            "http://localhost:8000/v1/chat/completions",
        ),
        (
            &[("llm_provider", "bedrock"), ("llm_api_key", "k")],
            "https://bedrock-runtime.us-east-1.amazonaws.com/openai/v1/chat/completions",
        ),
    ] {
        assert_eq!(address(variables), expected);
    }
}

#[test]
fn azure_addresses_are_made_from_whatever_part_is_given() {
    let deployment =
        "https://r.openai.azure.com/openai/deployments/d/chat/completions?api-version=2024-10-21";
    for (base, expected) in [
        ("https://r.openai.azure.com", deployment),
        ("https://r.openai.azure.com/openai/", deployment),
        ("https://r.openai.azure.com/openai/deployments/d", deployment),
        (
            "https://r.openai.azure.com/?api-version=2030-01-01",
            "https://r.openai.azure.com/openai/deployments/d/chat/completions?api-version=2030-01-01",
        ),
        (
            "https://r.openai.azure.com/openai/v1",
            "https://r.openai.azure.com/openai/v1/chat/completions",
        ),
    ] {
        let variables = [
            ("llm_provider", "azure"),
            ("llm_base_url", base),
            ("llm_api_key", "k"),
            ("llm_model", "d"),
        ];
        assert_eq!(address(&variables), expected);
    }
}

#[test]
fn an_own_address_needs_no_key_and_may_be_given_whole() {
    let connection = connection(&[("llm_base_url", "http://localhost:1234/v1/chat/completions/")]);
    assert_eq!(connection.key, None);
    let uri = connection.uri("m").unwrap().to_string();
    assert_eq!(uri, "http://localhost:1234/v1/chat/completions");
}

#[test]
fn what_is_wrong_is_told_with_the_variable_and_without_its_secret() {
    for (variables, kind, part) in [
        (
            &[("llm_provider", "gpt")][..],
            ErrorKind::Unavailable,
            "llm_provider is “gpt”",
        ),
        (
            &[("llm_provider", "openai")],
            ErrorKind::Unauthorized,
            "set openai_api_key or llm_api_key",
        ),
        (
            &[("llm_provider", "azure"), ("llm_api_key", "k")],
            ErrorKind::Unavailable,
            "set llm_base_url",
        ),
        (
            &[("llm_provider", "vllm")],
            ErrorKind::UnknownModel,
            "set llm_model",
        ),
        (
            &[("llm_base_url", "localhost:1234")],
            ErrorKind::Unavailable,
            "llm_base_url",
        ),
        (
            &[("llm_base_url", "ftp://x/v1")],
            ErrorKind::Unavailable,
            "must begin with https://",
        ),
        (
            &[("llm_base_url", "https://u:sk-1@x/v1")],
            ErrorKind::Unavailable,
            "credentials belong into",
        ),
        (
            &[("llm_api_key", "sk-1 sk-2")],
            ErrorKind::Unauthorized,
            "holds a character",
        ),
        (
            &[("llm_api_key", "sk-1\n[x]")],
            ErrorKind::Unauthorized,
            "holds a character",
        ),
        (
            &[("llm_api_key", "k"), ("llm_reasoning_effort", "Very High")],
            ErrorKind::Unavailable,
            "llm_reasoning_effort is “Very High”",
        ),
        (
            &[("llm_api_key", "k"), ("llm_timeout_ms", "1s")],
            ErrorKind::Unavailable,
            "llm_timeout_ms is “1s”",
        ),
        (
            &[("llm_api_key", "k"), ("llm_timeout_ms", "0")],
            ErrorKind::Unavailable,
            "from 1 to 3600000",
        ),
    ] {
        let error = Error::from(read(variables).unwrap_err());
        assert_eq!(error.kind, kind, "{}", error.message);
        assert!(error.message.contains(part), "{}", error.message);
        assert!(!error.message.contains("sk-"), "{}", error.message);
    }
}

#[test]
fn a_secret_is_shown_by_nothing() {
    let shown = format!("{:?}", connection(&[("llm_api_key", "sk-very-secret")]));
    assert!(!shown.contains("very"), "{shown}");
}
