//! A cell of the grid: a conversation that was stopped at a point, and how it goes on.

use anyturn_tests::cluster::{ASSISTANT, Cluster, Redis};
use anyturn_tests::effect_server::{Class, Moment};
use anyturn_tests::hold::Hold;
use anyturn_tests::host::Host;
use anyturn_tests::journal;
use anyturn_tests::plan::Plan;
use anyturn_tests::process::PATIENCE;
use futures::future::join_all;
use reqwest::header::RETRY_AFTER;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// Between which writes of its journal a turn is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// After `turn-started`: the model was asked.
    Admitted,
    /// After `tool-intended`: the tool was called, and nothing is done yet.
    Intended,
    /// After `tool-intended`: it is done, and nobody was told.
    Done,
    /// After `tool-finished`: the model was asked again.
    Told,
}

const POINTS: [Point; 4] = [Point::Admitted, Point::Intended, Point::Done, Point::Told];

/// A turn of one call, of which the test knows everything.
#[derive(Clone, Debug)]
pub struct Cell {
    pub point: Point,
    pub class: Class,
    pub plan: Plan,
}

/// A cell at its point.
pub struct Begun {
    pub cell: Cell,
    pub hold: Hold,
    pub first: Request,
}

/// A cell whose turn has ended.
pub struct Ended {
    pub cell: Cell,
    pub hold: Hold,
    pub first: Request,
    /// What the client was told in the end.
    pub answer: Value,
}

/// A request under way.
pub struct Request(JoinHandle<()>);

impl Request {
    /// Waits until it has some answer, or none will come.
    pub async fn ended(&mut self) {
        tokio::time::timeout(PATIENCE, &mut self.0)
            .await
            .expect("the first host answers what it was asked")
            .unwrap();
    }
}

impl Cell {
    /// A cell whose plan is one call.
    pub fn new(point: Point, class: Class) -> Self {
        let mut cell = Self {
            point,
            class,
            plan: Plan::default(),
        };
        cell.plan = Plan::of_one(class, &cell.label());
        cell
    }

    /// Begins the conversation, and brings it to its point.
    pub async fn begin(self, cluster: &Cluster<impl Redis>, host: &Host) -> Begun {
        let hold = self.hold(cluster);
        let request = self.request(host);
        let first = Request(tokio::spawn(async move {
            // Whatever comes of it: the host may die.
            if let Ok(response) = request.send().await {
                let _ = response.bytes().await;
            }
        }));
        tokio::time::timeout(PATIENCE, hold.reached())
            .await
            .unwrap_or_else(|_| panic!("{} comes to its point:\n{}", self.label(), host.log()));
        Begun {
            cell: self,
            hold,
            first,
        }
    }

    /// What everything of the cell is called.
    pub fn label(&self) -> String {
        format!("{:?}-{}", self.point, self.class.tool())
    }

    /// The turn's request; the same for every try.
    pub fn request(&self, host: &Host) -> reqwest::RequestBuilder {
        host.post(
            &format!("/v1/assistants/{ASSISTANT}/turns"),
            &json!({ "message": self.plan.message() }),
        )
        .header("idempotency-key", self.label())
    }

    /// Whether it is the model that the turn waits for at its point, and not a tool.
    pub fn waits_for_the_model(&self) -> bool {
        matches!(self.point, Point::Admitted | Point::Told)
    }

    fn hold(&self, cluster: &Cluster<impl Redis>) -> Hold {
        match self.point {
            Point::Admitted => cluster.holds.place(self.plan.asking(0)),
            Point::Intended => cluster.effects.hold(&self.label(), Moment::BeforeEffect),
            Point::Done => cluster.effects.hold(&self.label(), Moment::AfterEffect),
            Point::Told => cluster.holds.place(self.plan.asking(1)),
        }
    }
}

/// Begins a conversation for each point and class, and brings each to its point.
pub async fn begin_all(cluster: &Cluster<impl Redis>, host: &Host) -> Vec<Begun> {
    let cells = POINTS
        .into_iter()
        .flat_map(|point| Class::ALL.map(|class| (point, class)));
    let begun = cells.map(async |(point, class)| Cell::new(point, class).begin(cluster, host).await);
    join_all(begun).await
}

/// Repeats all requests on another host, each until it has the turn's answer.
pub async fn repeat_all(begun: Vec<Begun>, host: &Host) -> Vec<Ended> {
    join_all(begun.into_iter().map(async |begun| {
        let Begun { cell, hold, first } = begun;
        let answer = repeat(&cell, host).await;
        Ended {
            cell,
            hold,
            first,
            answer,
        }
    }))
    .await
}

/// Asks for nothing: waits until all turns have ended by themselves, and reads what their conversations say then.
pub async fn left_alone(cluster: &Cluster, begun: Vec<Begun>, host: &Host) -> Vec<Ended> {
    let deadline = Instant::now() + PATIENCE;
    let redis = cluster.redis.url();
    let mut answers = Vec::new();
    for session in journal::sessions(&redis, "local").await {
        // Past anyturn, so that asking is not what makes it go on.
        let finished = async || {
            let journal = journal::read(&redis, "local", &session).await;
            journal
                .iter()
                .any(|entry| journal::kind(entry) == "turn-finished")
        };
        while !finished().await {
            assert!(Instant::now() < deadline, "{session} ends within {PATIENCE:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let view = host.get(&format!("/v1/sessions/{session}")).send().await.unwrap();
        let view: Value = view.json().await.unwrap();
        let mut answer = view["turns"][0].clone();
        answer["session"] = json!(session);
        answers.push(answer);
    }
    let ended = begun.into_iter().map(|Begun { cell, hold, first }| {
        let own = |answer: &&Value| answer["input"] == cell.plan.message();
        let answer = answers.iter().find(own).cloned();
        let answer = answer.unwrap_or_else(|| panic!("{} has a conversation", cell.label()));
        Ended {
            cell,
            hold,
            first,
            answer,
        }
    });
    ended.collect()
}

/// Repeats a request until it has the turn's answer.
pub async fn repeat(cell: &Cell, host: &Host) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let response = cell.request(host).send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let answer: Value = response.json().await.unwrap();
        if status.is_success() {
            return answer;
        }
        // Told to come again, and when: what a client does then.
        let again = headers
            .get(RETRY_AFTER)
            .and_then(|after| after.to_str().ok()?.parse().ok());
        let again: u64 = again.unwrap_or_else(|| panic!("{}: {status} {answer}", cell.label()));
        assert!(
            Instant::now() < deadline,
            "{} has an answer within {PATIENCE:?}; last {status} {answer}",
            cell.label()
        );
        tokio::time::sleep(Duration::from_secs(again)).await;
    }
}
