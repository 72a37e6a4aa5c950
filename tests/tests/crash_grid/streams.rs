//! A stream that breaks goes on at another instance, without a gap and without a repeat.

use anyturn_tests::cluster::{ASSISTANT, Cluster};
use anyturn_tests::effect_server::{Class, Moment};
use anyturn_tests::hold::Hold;
use anyturn_tests::host::Host;
use anyturn_tests::plan::Plan;
use anyturn_tests::screen::Screen;
use anyturn_tests::sse;
use serde_json::json;

/// Shows a stream until it breaks or the turn ends.
async fn show(screen: &mut Screen, response: reqwest::Response) {
    assert!(
        response.status().is_success(),
        "{}",
        response.text().await.unwrap()
    );
    let mut stream = sse::Stream::new(response);
    while let Ok(Some(event)) = stream.try_next().await {
        screen.show(&event).unwrap();
        if screen.end.is_some() {
            return;
        }
    }
}

/// Listens to a turn from after the last event that is on the screen.
async fn listen(screen: &mut Screen, host: &Host) {
    let path = format!("/v1/sessions/{}/turns/{}/events", screen.session, screen.turn);
    let mut request = host.get(&path);
    if !screen.last.is_empty() {
        request = request.header("last-event-id", &screen.last);
    }
    show(screen, request.send().await.unwrap()).await;
}

/// A turn that is streamed, and killed when `hold` is reached.
async fn broken_at(plan: Plan, hold: impl FnOnce(&Cluster) -> Hold) {
    let cluster = Cluster::start().await;
    let (first, second) = (cluster.member().await, cluster.member().await);
    let hold = hold(&cluster);
    let request = first
        .host
        .post(
            &format!("/v1/assistants/{ASSISTANT}/turns"),
            &json!({ "message": plan.message() }),
        )
        .header("accept", "text/event-stream");
    let listening = tokio::spawn(async move {
        let mut screen = Screen::default();
        show(&mut screen, request.send().await.unwrap()).await;
        screen
    });
    hold.reached().await;
    first.host.kill().await;
    let mut screen = listening.await.unwrap();
    assert!(screen.end.is_none(), "the stream breaks before the turn's end");

    listen(&mut screen, &second.host).await;
    assert_eq!(screen.text, plan.answer, "as if nothing had been");
    let mut late = Screen::of(&screen.session, &screen.turn);
    listen(&mut late, &second.host).await;
    assert_eq!(late.end, screen.end, "who comes late hears the same end");
}

#[tokio::test]
async fn a_stream_that_breaks_before_the_first_word_goes_on_at_another_instance() {
    let plan = Plan::of_one(Class::Idempotent, "first");
    let place = plan.asking(0);
    broken_at(plan, |cluster| cluster.holds.place(place)).await;
}

#[tokio::test]
async fn a_stream_that_breaks_during_a_call_goes_on_at_another_instance() {
    let plan = Plan::of_one(Class::Idempotent, "call");
    broken_at(plan, |cluster| cluster.effects.hold("call", Moment::AfterEffect)).await;
}

#[tokio::test]
async fn a_stream_that_breaks_in_the_middle_of_a_sentence_goes_on_at_another_instance() {
    let mut plan = Plan::of_one(Class::Idempotent, "sentence");
    plan.answer = "One two three four five six seven eight nine ten.".to_owned();
    plan.pause = 50;
    let place = plan.midway();
    broken_at(plan, |cluster| cluster.holds.place(place)).await;
}
