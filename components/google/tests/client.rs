//! How a client fares with Google as it is: tokens that expire, quotas, answers that are lost.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test that is wrong should panic"
)]

use std::time::Duration;

use anyturn_google::network::native::Native;
use anyturn_google::{Accounts, Client, Error, Request};
use anyturn_google_fake::{Failure, FakeGoogle};

const NOW: Duration = Duration::from_secs(1_795_168_800);
const EMAIL: &str = "ada@northwind.example";
/// Nothing lies there, so that Google's last word is 404.
const NOTHING: &str = "/gmail/v1/nothing";

struct World {
    google: FakeGoogle,
    network: Native,
}

impl World {
    async fn new() -> World {
        let google = FakeGoogle::start().await.unwrap();
        google.connect("ada", EMAIL);
        let network = Native::at(NOW);
        World { google, network }
    }

    async fn connect(&self, user: &str, not_after: Option<u64>) -> Result<Option<Client<'_, Native>>, Error> {
        let accounts = Accounts::of(user).at(self.google.accounts_url());
        Client::connect(&self.network, accounts, not_after).await
    }

    async fn client(&self) -> Client<'_, Native> {
        self.connect("ada", None).await.unwrap().unwrap()
    }

    fn get(&self) -> Request {
        Request::get(format!("{}{NOTHING}", self.google.url()))
    }

    fn post(&self) -> Request {
        Request::post(format!("{}{NOTHING}", self.google.url())).json(&"x")
    }

    fn fail(&self, failure: Failure, times: u32) {
        self.google.fail(NOTHING, failure, times);
    }

    fn asked(&self) -> usize {
        self.google.count(NOTHING)
    }

    fn seconds_waited(&self) -> Vec<u64> {
        self.network.waits().iter().map(Duration::as_secs).collect()
    }
}

#[tokio::test]
async fn whoever_has_connected_no_account_has_no_client() {
    let world = World::new().await;
    assert!(world.connect("bob", None).await.unwrap().is_none());
    assert!(world.connect("jörg, a%41", None).await.unwrap().is_none());
    world.google.connect("jörg, a%41", EMAIL);
    assert!(world.connect("jörg, a%41", None).await.unwrap().is_some());
}

#[tokio::test]
async fn an_expired_token_is_renewed_once_and_nobody_notices() {
    let world = World::new().await;
    let client = world.client().await;
    world.google.expire(EMAIL);
    assert!(client.send(&world.get()).await.unwrap_err().is_not_found());
    assert_eq!((world.asked(), world.google.count("/token")), (2, 2));
    assert!(world.network.waits().is_empty());
}

#[tokio::test]
async fn access_that_was_taken_back_is_told_and_not_tried_again() {
    let world = World::new().await;
    let client = world.client().await;
    world.google.revoke(EMAIL);
    assert_eq!(client.send(&world.get()).await.unwrap_err(), Error::Reconnect);
    assert_eq!(client.send(&world.post()).await.unwrap_err(), Error::Reconnect);
    assert_eq!(world.connect("ada", None).await.unwrap_err(), Error::Reconnect);
}

#[tokio::test]
async fn a_quota_is_waited_for_longer_each_time() {
    let world = World::new().await;
    let client = world.client().await;
    world.fail(Failure::RateLimited { retry_after: None }, 1);
    world.fail(Failure::UserRateLimited, 1);
    world.fail(Failure::Unavailable, 1);
    // A wait is what the random number leaves when divided by the longest one (in ms) and one.
    world.network.set_random(2000);
    assert!(client.send(&world.get()).await.unwrap_err().is_not_found());
    assert_eq!(world.asked(), 4);
    let waits: Vec<u128> = world.network.waits().iter().map(Duration::as_millis).collect();
    assert_eq!(waits, [497, 999, 2000]);
}

#[tokio::test]
async fn a_client_shows_its_token_to_nobody() {
    let world = World::new().await;
    let shown = format!("{:?}", world.client().await);
    assert!(shown.contains("(secret)") && !shown.contains("ya29"), "{shown}");
}

#[tokio::test]
async fn a_retry_after_is_obeyed() {
    let world = World::new().await;
    let client = world.client().await;
    world.network.set_random(0);
    world.fail(Failure::RateLimited { retry_after: Some(3) }, 2);
    assert!(client.send(&world.get()).await.unwrap_err().is_not_found());
    assert_eq!(world.seconds_waited(), [3, 3]);
}

#[tokio::test]
async fn nobody_waits_past_the_end_of_the_call() {
    let world = World::new().await;
    let end = u64::try_from(NOW.as_millis()).unwrap() + 4000;
    let client = world.connect("ada", Some(end)).await.unwrap().unwrap();
    world.network.set_random(0);
    world.fail(Failure::RateLimited { retry_after: Some(3) }, 9);
    let busy = Error::Busy {
        retry_after: Some(Duration::from_secs(3)),
    };
    assert_eq!(client.send(&world.post()).await.unwrap_err(), busy);
    assert_eq!((world.asked(), world.seconds_waited()), (2, vec![3]));
    let late = world.connect("ada", Some(end - 1000)).await.unwrap_err();
    assert_eq!(late, Error::OutOfTime);
    assert_eq!(world.asked(), 2, "Google is not asked any more");
}

#[tokio::test]
async fn a_post_is_not_made_again_when_nobody_knows_what_came_of_it() {
    for failure in [Failure::Lost, Failure::Internal, Failure::Unavailable] {
        let world = World::new().await;
        let client = world.client().await;
        world.fail(failure, 1);
        let error = client.send(&world.post()).await.unwrap_err();
        assert!(matches!(error, Error::Unknown { .. }), "{error:?}");
        assert_eq!(world.asked(), 1);
        world.fail(failure, 1);
        let error = client.send(&world.post().repeatable()).await.unwrap_err();
        assert!(error.is_not_found(), "{error:?}");
        assert_eq!(world.asked(), 3);
    }
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_not_read() {
    let world = World::new().await;
    let client = world.client().await;
    let error = client.send(&world.get().limit(16)).await.unwrap_err();
    assert!(error.to_string().contains("more than 16 bytes"), "{error}");
}

#[tokio::test]
async fn of_a_batch_only_what_failed_is_made_again() {
    let world = World::new().await;
    let client = world.client().await;
    let url = world.google.url();
    let requests: Vec<Request> = (0..120)
        .map(|number| Request::get(format!("{url}{NOTHING}/{number}")))
        .collect();
    world.google.fail(
        &format!("{NOTHING}/7"),
        Failure::RateLimited { retry_after: Some(1) },
        2,
    );
    world
        .google
        .fail(&format!("{NOTHING}/119"), Failure::Unavailable, 1);
    let endpoint = format!("{url}/batch/gmail/v1");
    let results = client.batch(&endpoint, &requests).await.unwrap();
    assert_eq!(results.len(), 120);
    assert!(
        results
            .iter()
            .all(|result| result.as_ref().is_err_and(Error::is_not_found))
    );
    // Three batches of at most 50; then those that failed: 7 and 70 (its beginning is the same), and 119.
    assert_eq!(world.google.count("/batch/"), 4);
    assert_eq!(world.asked(), 120 + 3);
}

#[tokio::test]
async fn a_batch_renews_its_token_once_for_all() {
    let world = World::new().await;
    let client = world.client().await;
    let url = world.google.url();
    let requests = [Request::get(format!("{url}{NOTHING}/1"))];
    world.google.expire(EMAIL);
    let results = client
        .batch(&format!("{url}/batch/gmail/v1"), &requests)
        .await
        .unwrap();
    assert!(results[0].as_ref().is_err_and(Error::is_not_found));
    world.google.revoke(EMAIL);
    let refused = client.batch(&format!("{url}/batch/gmail/v1"), &requests).await;
    assert_eq!(refused.unwrap_err(), Error::Reconnect);
}

#[tokio::test]
async fn a_server_that_is_not_there_was_not_asked() {
    let network = Native::at(NOW);
    network.set_random(0);
    let accounts = Accounts::of("ada").at("http://127.0.0.1:1");
    let error = Client::connect(&network, accounts, None).await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
}
