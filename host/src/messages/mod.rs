//! Redis triggers: components that are called with the messages of a channel.
//!
//! A trigger has a connection of its own and subscribes to its channel. Its messages are handled one after the other, in
//! the order in which they were published, as in Spin; the triggers of an application run side by side. Messages that
//! arrive meanwhile wait, up to [`WAITING`]; when those are too many nothing is read, and they wait at the server, which
//! closes the connection when it is fed up.
//!
//! A connection that is lost, or does not answer any more, is made again, after a pause that grows to [`LONGEST_PAUSE`].
//! Redis keeps no messages for those who are not there, so what was published meanwhile is not seen: that, and an instance
//! that is killed, are why a message is handled at most once.

pub(crate) mod handler;

use crate::drain::Drain;
use crate::guest::{Call, RequestId};
use crate::runtime::{Component, Runtime};
use crate::server::request_id;
use crate::telemetry::conventions;
use crate::telemetry::watch::Watch;
use crate::worker;
use anyturn_manifest::Subscription;
use futures::StreamExt as _;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

/// Messages of a trigger that wait to be handled.
const WAITING: usize = 1_000;
/// The pause before a first attempt to connect again, and the longest one.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How often the server is asked for a sign of life, and how long it may take to give it.
const PING: Duration = Duration::from_secs(10);
const ANSWER: Duration = Duration::from_secs(5);
/// The pause before a message is offered again to a host that is full.
const FULL: Duration = Duration::from_millis(100);

/// A trigger that runs.
struct Trigger {
    component: Arc<Component>,
    runtime: Arc<Runtime>,
    client: redis::Client,
    channel: String,
    /// The server for people, without credentials.
    server: String,
}

/// Starts all triggers. Nothing is waited for: a server that is not there yet is one that was lost.
pub(crate) fn start(subscriptions: Vec<Subscription>, runtime: &Arc<Runtime>, drain: &Drain) {
    for subscription in subscriptions {
        let Subscription {
            trigger,
            component,
            address,
            channel,
        } = subscription;
        let Some(component) = runtime.components.get(component.as_str()) else {
            continue;
        };
        let client = match redis::Client::open(address.expose()) {
            Ok(client) => client,
            Err(error) => {
                tracing::error!(trigger, %error, "the address of a redis trigger cannot be used");
                continue;
            }
        };
        let trigger = Trigger {
            component: Arc::clone(component),
            runtime: Arc::clone(runtime),
            server: client.get_connection_info().addr().to_string(),
            client,
            channel,
        };
        let (messages, waiting) = mpsc::channel(WAITING);
        let trigger = Arc::new(trigger);
        tokio::spawn(handle(Arc::clone(&trigger), waiting, drain.clone()));
        tokio::spawn(listen(trigger, messages, drain.clone()));
    }
}

/// Subscribes, again and again, until the process is told to end.
async fn listen(trigger: Arc<Trigger>, messages: mpsc::Sender<Vec<u8>>, drain: Drain) {
    let mut pause = FIRST_PAUSE;
    loop {
        let subscribed = || pause = FIRST_PAUSE;
        let error = tokio::select! {
            () = drain.begun() => return,
            error = subscribe(&trigger, &messages, subscribed) => error,
        };
        tracing::warn!(
            component = trigger.component.id,
            server = trigger.server,
            channel = trigger.channel,
            "messages cannot be received, trying again: {error}"
        );
        tokio::select! {
            () = drain.begun() => return,
            () = tokio::time::sleep(pause) => {}
        }
        pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
    }
}

/// Receives messages for as long as it can, and says why it cannot.
async fn subscribe(
    trigger: &Trigger,
    messages: &mpsc::Sender<Vec<u8>>,
    mut subscribed: impl FnMut(),
) -> String {
    let connecting = async {
        let mut connection = trigger.client.get_async_pubsub().await?;
        connection.subscribe(&trigger.channel).await?;
        redis::RedisResult::Ok(connection.split())
    };
    let (mut sink, mut stream) = match tokio::time::timeout(ANSWER, connecting).await {
        Ok(Ok(connection)) => connection,
        Ok(Err(error)) => return error.to_string(),
        Err(_) => return "the server does not answer".to_owned(),
    };
    subscribed();
    tracing::info!(
        component = trigger.component.id,
        server = trigger.server,
        channel = trigger.channel,
        "subscribed"
    );
    let mut pings = tokio::time::interval(PING);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            message = stream.next() => match message {
                Some(message) => {
                    if messages.send(message.get_payload_bytes().to_vec()).await.is_err() {
                        return "nobody handles them any more".to_owned();
                    }
                }
                None => return "the connection was closed".to_owned(),
            },
            _ = pings.tick() => match tokio::time::timeout(ANSWER, sink.ping::<redis::Value>()).await {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => return error.to_string(),
                Err(_) => return "the server does not answer any more".to_owned(),
            },
        }
    }
}

/// Handles messages, one after the other. What waits when the process is told to end is not begun.
async fn handle(trigger: Arc<Trigger>, mut waiting: mpsc::Receiver<Vec<u8>>, drain: Drain) {
    let Trigger {
        component, runtime, ..
    } = &*trigger;
    loop {
        let payload = tokio::select! {
            () = drain.begun() => return,
            payload = waiting.recv() => match payload {
                Some(payload) => payload,
                None => return,
            },
        };
        let permit = loop {
            match runtime.admission.admit().await {
                Ok(admitted) => break admitted.permit,
                Err(_) => tokio::time::sleep(FULL).await,
            }
        };
        let span = runtime
            .traces
            .begin(|| conventions::message(&component.id, &trigger.channel));
        let call = Call::new(RequestId::from(&request_id::new()), 0, Watch::of(&span));
        let started = Instant::now();
        let handled = handler::handle(runtime, component, &call, payload).await;
        component.series.handled(handled.is_ok(), started.elapsed());
        if let Err(failure) = handled {
            worker::report(runtime, component, &call, &failure);
            span.fail(failure.kind());
        }
        drop(permit);
    }
}
