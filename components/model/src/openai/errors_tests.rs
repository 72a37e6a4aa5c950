use super::*;

fn told(code: u16, body: &str) -> Failure {
    status(code, body.as_bytes(), "api.example", None)
}

#[test]
fn errors_are_read_in_every_providers_shape() {
    for (code, body, kind) in [
        // OpenAI
        (
            400,
            r#"{"error":{"message":"Too long","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}"#,
            ErrorKind::ContextTooLong,
        ),
        // Azure
        (
            404,
            r#"{"error":{"code":"DeploymentNotFound","message":"The API deployment for this resource does not exist."}}"#,
            ErrorKind::UnknownModel,
        ),
        (
            400,
            r#"{"error":{"message":"Filtered","type":null,"param":"prompt","code":"content_filter","status":400}}"#,
            ErrorKind::ContentRefused,
        ),
        // Gemini
        (
            400,
            r#"[{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT"}}]"#,
            ErrorKind::Unauthorized,
        ),
        (
            429,
            r#"[{"error":{"code":429,"message":"Quota exceeded","status":"RESOURCE_EXHAUSTED"}}]"#,
            ErrorKind::RateLimited,
        ),
        // vLLM
        (
            400,
            r#"{"object":"error","message":"This model's maximum context length is 4096 tokens.","type":"BadRequestError","param":null,"code":400}"#,
            ErrorKind::ContextTooLong,
        ),
        (
            404,
            r#"{"error":{"message":"The model `x` does not exist.","type":"NotFoundError","param":null,"code":404}}"#,
            ErrorKind::UnknownModel,
        ),
        // Ollama
        (
            404,
            r#"{"error":"model \"x\" not found, try pulling it first"}"#,
            ErrorKind::UnknownModel,
        ),
        // Not theirs at all
        (502, "<html>Bad gateway</html>", ErrorKind::Unavailable),
        (529, "", ErrorKind::Unavailable),
        (301, "", ErrorKind::Protocol),
        (400, "{}", ErrorKind::InvalidRequest),
    ] {
        assert_eq!(
            told(code, body).error.kind,
            kind,
            "{code} {body}: {}",
            told(code, body).error.message
        );
    }
}

#[test]
fn only_what_may_pass_is_tried_again() {
    for code in [408, 409, 425, 429, 500, 502, 503, 504, 529] {
        assert!(told(code, "").retry, "{code}");
    }
    for code in [301, 400, 401, 403, 404, 413, 422] {
        assert!(!told(code, "").retry, "{code}");
    }
}

#[test]
fn a_message_keeps_identifiers_and_loses_content() {
    for (message, expected) in [
        (
            "Invalid type for 'messages[0].content': expected one of a string.",
            "Invalid type for 'messages[0].content': expected one of a string.",
        ),
        (
            "The model `gpt-9` does not exist",
            "The model `gpt-9` does not exist",
        ),
        (
            "You said 'my secret plan', which is bad",
            "You said '…', which is bad",
        ),
        ("Don't say \"hello world\" again", "Don't say \"…\" again"),
        ("Input: {\"messages\": [\"private\"]}", "Input: …"),
        ("Unclosed 'quote of something private", "Unclosed …"),
        (
            "Incorrect key sk-abcdef and (gsk_x) and ab***yz",
            "Incorrect key … and … and …",
        ),
        ("Wrong “API key”", "Wrong “…”"),
        ("  two\n lines ", "two lines"),
        ("", ""),
    ] {
        assert_eq!(without_content(message), expected);
    }
    let long = without_content(&"wörd ".repeat(200));
    assert_eq!(long.chars().count(), 301);
}
