//! A client: holds conversations, loses patience, and comes back at another host.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyturn_tests::cluster::{ASSISTANT, Cluster};
use anyturn_tests::effect_server::Class;
use anyturn_tests::plan::{Call, Plan};
use anyturn_tests::screen::Screen;
use anyturn_tests::{sse, users};
use reqwest::header::RETRY_AFTER;
use reqwest::{RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};

use crate::chance::Chance;
use crate::fleet::{Fleet, now};
use crate::tally::Tally;
use crate::verdict;

/// A turn that has no answer after so long is lost.
const LOST: Duration = Duration::from_secs(120);

/// What all clients share.
pub struct World {
    /// Redis, the model and the tools.
    pub cluster: Arc<Cluster>,
    /// The hosts.
    pub fleet: Fleet,
    /// What is counted.
    pub tally: Arc<Tally>,
}

/// A conversation as its client knows it.
pub struct Conversation {
    /// The user's name.
    pub user: String,
    /// The session, once it is known.
    pub session: Option<String>,
    /// The turns that have ended.
    pub turns: Vec<Had>,
}

/// A turn that has ended.
pub struct Had {
    /// What it was to do.
    pub plan: Plan,
    /// What the client was told in the end.
    pub answer: Value,
    /// The host that the first request went to, and when.
    pub first: (usize, u64),
}

/// What came of one request.
enum Came {
    /// The turn's answer.
    Answer(Value),
    /// Nothing yet; another request may bring it, after so long.
    Nothing(Duration),
}

/// Whether turns can be listened to by their ids; found out by the first who tries.
static NO_EVENTS: AtomicBool = AtomicBool::new(false);

/// Talks until the run is closed.
pub async fn live(world: Arc<World>, number: u64, mut chance: Chance) {
    let http = anyturn_tests::client();
    let mut round = 0;
    while world.tally.is_open() {
        round += 1;
        let name = format!("{number}/{round}");
        let user = format!("u{}", number % 16);
        let client = Client {
            world: &world,
            http: &http,
            token: users::token(&user),
            name,
        };
        let mut conversation = Conversation {
            user,
            session: None,
            turns: Vec::new(),
        };
        for turn in 0..chance.among(1..6) {
            let plan = client.plan(turn, &mut chance);
            world.tally.begun(&plan);
            let Some(had) = client.turn(&conversation, turn, plan, &mut chance).await else {
                break;
            };
            conversation.session = had.answer["session"].as_str().map(str::to_owned);
            world.tally.ended();
            conversation.turns.push(had);
            if !world.tally.is_open() {
                break;
            }
        }
        verdict::conversation(&world, &conversation).await;
        client.forget(&conversation).await;
    }
}

struct Client<'a> {
    world: &'a World,
    http: &'a reqwest::Client,
    token: String,
    name: String,
}

impl Client<'_> {
    /// A turn of up to three steps with up to two calls each.
    fn plan(&self, turn: u64, chance: &mut Chance) -> Plan {
        let mut number = 0;
        let steps = (0..chance.one_of(&[0, 1, 1, 1, 2, 3]))
            .map(|_| {
                let calls = 0..chance.one_of(&[1, 1, 2]);
                calls
                    .map(|_| {
                        number += 1;
                        let class = chance.one_of(&Class::ALL);
                        Call {
                            class,
                            label: format!("{}/{}/{turn}/{number}", class.tool(), self.name),
                            before: lasting(chance),
                            after: chance.among(0..60),
                        }
                    })
                    .collect()
            })
            .collect();
        let words = " and so on".repeat(chance.among(0..8) as usize);
        Plan {
            steps,
            answer: format!("This answers {}/{turn}{words}.", self.name),
            thinking: chance.among(0..200),
            pause: chance.among(0..15),
        }
    }

    /// Asks until there is an answer; `None` if the turn is lost.
    async fn turn(
        &self,
        conversation: &Conversation,
        number: u64,
        plan: Plan,
        chance: &mut Chance,
    ) -> Option<Had> {
        let deadline = Instant::now() + LOST;
        let streams = chance.percent(60);
        let path = match &conversation.session {
            None => format!("/v1/assistants/{ASSISTANT}/turns"),
            Some(session) => format!("/v1/sessions/{session}/turns"),
        };
        let key = format!("{}/{number}", self.name);
        let mut place = self.any(chance);
        let first = (place, now());
        let mut screen = Screen::default();
        let mut last = String::new();
        while Instant::now() < deadline {
            let patience = Duration::from_millis(chance.among(500..12_000));
            let attempt = async {
                if !streams {
                    let post = self.post(place, &path, &key, &plan);
                    return self.read(post.send().await, &mut last).await;
                }
                let attach =
                    !screen.turn.is_empty() && !NO_EVENTS.load(Ordering::Relaxed) && chance.percent(80);
                if attach {
                    let events = format!("/v1/sessions/{}/turns/{}/events", screen.session, screen.turn);
                    let get = self.http.get(self.world.fleet.url(place, &events));
                    let get = get.bearer_auth(&self.token).header("last-event-id", &screen.last);
                    return self.listen(get.send().await, &mut screen, &mut last).await;
                }
                // A new request tells the turn from its beginning.
                screen = Screen::default();
                let post = self.post(place, &path, &key, &plan);
                let post = post.header("accept", "text/event-stream");
                self.listen(post.send().await, &mut screen, &mut last).await
            };
            match tokio::time::timeout(patience, attempt).await {
                Ok(Came::Answer(answer)) => return Some(Had { plan, answer, first }),
                Ok(Came::Nothing(pause)) => tokio::time::sleep(pause).await,
                Err(_) => "the client lost patience".clone_into(&mut last),
            }
            place = self.any(chance);
        }
        let problem = format!("no answer to {key} within {LOST:?}; last: {last}");
        self.world.tally.lost(&problem);
        None
    }

    fn any(&self, chance: &mut Chance) -> usize {
        chance.among(0..self.world.fleet.len() as u64) as usize
    }

    fn post(&self, place: usize, path: &str, key: &str, plan: &Plan) -> RequestBuilder {
        self.http
            .post(self.world.fleet.url(place, path))
            .bearer_auth(&self.token)
            .header("idempotency-key", key)
            .json(&json!({ "message": plan.message() }))
    }

    /// Reads a whole answer.
    async fn read(&self, sent: Result<Response, reqwest::Error>, last: &mut String) -> Came {
        let response = match sent {
            Ok(response) => response,
            Err(error) => return nothing(&error, last),
        };
        if !response.status().is_success() {
            return self.refused(response, last).await;
        }
        match response.json::<Value>().await {
            Ok(answer) => Came::Answer(answer),
            Err(error) => nothing(&error, last),
        }
    }

    /// Listens to a stream to its end.
    async fn listen(
        &self,
        sent: Result<Response, reqwest::Error>,
        screen: &mut Screen,
        last: &mut String,
    ) -> Came {
        let response = match sent {
            Ok(response) => response,
            Err(error) => return nothing(&error, last),
        };
        if !response.status().is_success() {
            if response.status() == StatusCode::NOT_FOUND && !screen.turn.is_empty() {
                let answer = response.text().await.unwrap_or_default();
                if answer.contains("problems/not-found") {
                    NO_EVENTS.store(true, Ordering::Relaxed);
                } else {
                    self.world.tally.wrong(&format!("{}: {answer}", screen.turn));
                }
                return Came::Nothing(Duration::ZERO);
            }
            return self.refused(response, last).await;
        }
        let mut stream = sse::Stream::new(response);
        loop {
            match stream.try_next().await {
                Ok(Some(event)) if event.event == "error" => {
                    *last = event.data;
                    return Came::Nothing(Duration::from_millis(100));
                }
                Ok(Some(event)) => {
                    if let Err(problem) = screen.show(&event) {
                        let problem = format!("{}, turn {}: {problem}", self.name, screen.turn);
                        self.world.tally.wrong(&problem);
                        // What is on the screen is of no use any more.
                        *screen = Screen::default();
                        return Came::Nothing(Duration::ZERO);
                    }
                    if let Some(end) = &screen.end {
                        return Came::Answer(end.clone());
                    }
                }
                Ok(None) => {
                    "the stream ended before the turn".clone_into(last);
                    return Came::Nothing(Duration::from_millis(100));
                }
                Err(error) => return nothing(&error, last),
            }
        }
    }

    /// A status that says to come again, or one that should not be.
    async fn refused(&self, response: Response, last: &mut String) -> Came {
        let status = response.status();
        let again = response.headers().get(RETRY_AFTER);
        let again = again.and_then(|after| after.to_str().ok()?.parse::<u64>().ok());
        let answer = response.text().await.unwrap_or_default();
        *last = format!("{status} {answer}");
        // A turn that failed for good is an answer, if a bad one; any other failure is for the same key to mend.
        if let Ok(turn) = serde_json::from_str::<Value>(&answer)
            && turn["state"] == "failed"
            && turn["error"]["retryable"] == false
        {
            return Came::Answer(turn);
        }
        match again {
            Some(seconds) => Came::Nothing(Duration::from_millis((seconds * 1000).min(1000))),
            None => {
                self.world.tally.wrong(&format!("{}: {last}", self.name));
                Came::Nothing(Duration::from_secs(1))
            }
        }
    }

    /// Deletes the conversation, so that a long run needs no more memory than a short one.
    async fn forget(&self, conversation: &Conversation) {
        let Some(session) = &conversation.session else {
            return;
        };
        let deadline = Instant::now() + LOST;
        let mut place = 0;
        while Instant::now() < deadline {
            let url = self.world.fleet.url(place, &format!("/v1/sessions/{session}"));
            let delete = self.http.delete(url).bearer_auth(&self.token).send();
            if let Ok(Ok(response)) = tokio::time::timeout(Duration::from_secs(5), delete).await
                && (response.status().is_success() || response.status() == StatusCode::NOT_FOUND)
            {
                self.world.tally.forgotten(&conversation.user, session);
                return;
            }
            place = (place + 1) % self.world.fleet.len();
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// Mostly short, sometimes as long as some hosts live on.
fn lasting(chance: &mut Chance) -> u64 {
    match chance.among(0..20) {
        0 => chance.among(300..800),
        1..5 => chance.among(50..300),
        _ => chance.among(0..50),
    }
}

fn nothing(error: &reqwest::Error, last: &mut String) -> Came {
    *last = error.to_string();
    Came::Nothing(Duration::from_millis(20))
}
