use super::*;

fn decode(chunks: &[&str]) -> Result<Vec<Event>, Error> {
    let mut decoder = Decoder::new("asked".into(), None, 0x1234);
    for chunk in chunks {
        decoder.accept(chunk)?;
    }
    decoder.finish()?;
    Ok(std::iter::from_fn(|| decoder.next()).collect())
}

fn started(index: u32, id: &str, name: &str) -> Event {
    Event::ToolCallStarted(ToolCallStart {
        index,
        id: id.into(),
        name: name.into(),
    })
}

fn arguments(index: u32, arguments: &str) -> Event {
    Event::ToolCallArguments(ToolCallDelta {
        index,
        arguments: arguments.into(),
    })
}

fn finish(events: &[Event]) -> &Finish {
    match events.last() {
        Some(Event::Finished(finish)) => finish,
        other => panic!("{other:?}"),
    }
}

#[test]
fn calls_without_index_and_id_are_told_apart_by_their_names() {
    // As Gemini's compatible endpoint sends them, with `stop` as the reason.
    let events = decode(&[
        r#"{"choices":[{"delta":{"tool_calls":[
            {"id":"","function":{"name":"a","arguments":"{\"x\":1}"}},
            {"function":{"name":"b","arguments":"{}"}}]}}]}"#,
        r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#,
    ])
    .unwrap();
    assert_eq!(
        events[..4],
        [
            started(0, "call_00000000000012340", "a"),
            arguments(0, "{\"x\":1}"),
            started(1, "call_00000000000012341", "b"),
            arguments(1, "{}"),
        ]
    );
    assert_eq!(finish(&events).reason, FinishReason::ToolCalls);
}

#[test]
fn interleaved_calls_go_on_by_their_index() {
    let events = decode(&[
        r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"p","function":{"name":"a","arguments":""}}]}}]}"#,
        r#"{"choices":[{"delta":{"tool_calls":[{"index":3,"id":"q","function":{"name":"b"}}]}}]}"#,
        r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{"}},{"index":3,"function":{"arguments":"["}}]}}]}"#,
        r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"p","function":{"arguments":"}"}}]},"finish_reason":"tool_calls"}]}"#,
    ])
    .unwrap();
    assert_eq!(
        events[..5],
        [
            started(0, "p", "a"),
            started(1, "q", "b"),
            arguments(0, "{"),
            arguments(1, "["),
            arguments(0, "}")
        ]
    );
}

#[test]
fn an_index_that_is_used_again_with_another_id_is_another_call() {
    let chunk = |id: &str| {
        format!(
            r#"{{"choices":[{{"delta":{{"tool_calls":[{{"index":0,"id":"{id}","function":{{"name":"a","arguments":"{{}}"}}}}]}}}}]}}"#
        )
    };
    let end = r#"{"choices":[{"delta":{},"finish_reason":"tool_calls"}]}"#;
    let events = decode(&[&chunk("p"), &chunk("q"), end]).unwrap();
    assert_eq!(
        events[..4],
        [
            started(0, "p", "a"),
            arguments(0, "{}"),
            started(1, "q", "a"),
            arguments(1, "{}")
        ]
    );
}

#[test]
fn usage_is_read_wherever_it_stands() {
    let usage = r#"{"prompt_tokens":10,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":8}}"#;
    let stop = r#"{"choices":[{"delta":{"content":"x"},"finish_reason":"stop"}]}"#.to_owned();
    for chunks in [
        vec![stop.clone(), format!(r#"{{"choices":[],"usage":{usage}}}"#)],
        vec![format!(
            r#"{{"choices":[{{"delta":{{}},"finish_reason":"stop"}}],"x_groq":{{"usage":{usage}}}}}"#
        )],
        vec![
            stop,
            format!(r#"{{"choices":null,"usage":{usage}}}"#),
            "[DONE]".into(),
            "{ignored".into(),
        ],
    ] {
        let chunks: Vec<&str> = chunks.iter().map(String::as_str).collect();
        let events = decode(&chunks).unwrap();
        let usage = finish(&events).usage;
        assert_eq!(
            (usage.input_tokens, usage.cached_tokens, usage.output_tokens),
            (10, 8, 2),
            "{chunks:?}"
        );
    }
}

#[test]
fn reasons_are_translated_and_unknown_ones_are_an_end() {
    for (reason, expected) in [
        ("stop", FinishReason::Stop),
        ("length", FinishReason::Length),
        ("tool_calls", FinishReason::ToolCalls),
        ("function_call", FinishReason::ToolCalls),
        ("content_filter", FinishReason::ContentFilter),
        ("eos", FinishReason::Stop),
    ] {
        let chunk =
            format!(r#"{{"model":"served","choices":[{{"delta":{{}},"finish_reason":"{reason}"}}]}}"#);
        let events = decode(&[&chunk]).unwrap();
        assert_eq!(finish(&events).reason, expected);
        assert_eq!(finish(&events).model, "served");
    }
}

#[test]
fn nulls_empty_texts_and_unknown_fields_are_passed_over() {
    let events = decode(&[
        "",
        r#"{"id":"x","model":"","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}"#,
        r#"{"choices":[{"delta":{"content":null,"tool_calls":null,"reasoning":"hm"}}],"usage":null}"#,
        r#"{"choices":[{"delta":{"content":"Hi"},"finish_reason":"stop"}]}"#,
        "[DONE]",
    ])
    .unwrap();
    assert_eq!(events[0], Event::Text("Hi".into()));
    assert_eq!(finish(&events).model, "asked");
    assert_eq!(events.len(), 2);
}

#[test]
fn a_refusal_is_what_the_model_says() {
    let events =
        decode(&[r#"{"choices":[{"delta":{"refusal":"I cannot."},"finish_reason":"stop"}]}"#]).unwrap();
    assert_eq!(events[0], Event::Text("I cannot.".into()));
}

#[test]
fn what_is_no_chunk_is_an_error() {
    for chunks in [
        &["[]"][..],
        &["{\"choices\":7}"],
        &["[DONE]"],
        &[r#"{"choices":[{"delta":{"content":"cut"}}]}"#],
        &[r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]}}]}"#],
    ] {
        assert_eq!(
            decode(chunks).unwrap_err().kind,
            ErrorKind::Protocol,
            "{chunks:?}"
        );
    }
}
