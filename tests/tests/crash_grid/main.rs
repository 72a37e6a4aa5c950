//! Turns are neither lost nor done twice: every point of a turn × every effect class × every failure.
//!
//! Two real hosts on one real Redis. Sixteen conversations, one for each point and effect class, begin on the
//! first host and are stopped exactly at their points; then the failure comes, and the client repeats its
//! requests, with the same idempotency keys, on the second host. What tools did is counted outside of
//! anyturn.

mod cell;
mod failover;
mod promises;
mod streams;

use anyturn_tests::cluster::Cluster;
use anyturn_tests::process::Signal;
use cell::{Begun, begin_all};

/// A host on which nothing was begun, and the conversations on the other one.
async fn begun() -> (
    Cluster,
    Vec<Begun>,
    anyturn_tests::cluster::Member,
    anyturn_tests::cluster::Member,
) {
    let cluster = Cluster::start().await;
    let (first, second) = (cluster.member().await, cluster.member().await);
    let begun = begin_all(&cluster, &first.host).await;
    (cluster, begun, first, second)
}

#[tokio::test]
async fn a_killed_instance_loses_no_turn_and_does_none_twice() {
    let (cluster, begun, first, second) = begun().await;
    first.host.kill().await;
    let ended = cell::repeat_all(begun, &second.host).await;
    // The calls that the dead instance had made arrive late.
    ended.iter().for_each(|ended| ended.hold.release());
    cluster.effects.idle().await;
    promises::kept(&cluster, &second.host, &ended).await;
}

#[tokio::test]
async fn turns_whose_clients_never_come_back_are_finished_by_another_host() {
    let (cluster, begun, first, second) = begun().await;
    first.host.kill().await;
    let ended = cell::left_alone(&cluster, begun, &second.host).await;
    ended.iter().for_each(|ended| ended.hold.release());
    cluster.effects.idle().await;
    promises::kept(&cluster, &second.host, &ended).await;
}

#[tokio::test]
async fn an_instance_that_was_paused_and_taken_over_changes_nothing_when_it_wakes_up() {
    let (cluster, begun, first, second) = begun().await;
    first.host.signal(Signal::Stop);
    let mut ended = cell::repeat_all(begun, &second.host).await;
    ended.iter().for_each(|ended| ended.hold.release());
    cluster.effects.idle().await;
    let before = promises::picture(&cluster, &ended).await;

    first.host.signal(Signal::Continue);
    // It finds the answers that it waited for, tries to go on, and ends the requests.
    for ended in &mut ended {
        ended.first.ended().await;
    }
    cluster.effects.idle().await;
    assert_eq!(promises::picture(&cluster, &ended).await, before);
    promises::kept(&cluster, &second.host, &ended).await;
}

#[tokio::test]
async fn an_instance_that_lost_its_line_to_the_store_changes_nothing_when_it_has_it_again() {
    let (cluster, begun, first, second) = begun().await;
    first.line.cut();
    let mut ended = cell::repeat_all(begun, &second.host).await;
    let before = promises::picture(&cluster, &ended).await;

    first.line.heal();
    ended.iter().for_each(|ended| ended.hold.release());
    for ended in &mut ended {
        ended.first.ended().await;
    }
    cluster.effects.idle().await;
    let after = promises::picture(&cluster, &ended).await;
    assert_eq!(after.journals, before.journals);
    promises::kept(&cluster, &second.host, &ended).await;
}

#[tokio::test]
async fn a_store_that_is_killed_and_restarted_loses_no_turn_and_does_none_twice() {
    let (mut cluster, begun, first, second) = begun().await;
    cluster.redis.kill().await;
    // The instance goes on while the store is down, and may or may not be done with that when it is back.
    begun.iter().for_each(|begun| begun.hold.release());
    cluster.redis.restart().await;
    let ended = cell::repeat_all(begun, &second.host).await;
    cluster.effects.idle().await;
    promises::kept(&cluster, &second.host, &ended).await;
    drop(first);
}

#[tokio::test]
async fn a_call_whose_connection_breaks_is_made_again_as_its_class_allows() {
    let (cluster, begun, first, _second) = begun().await;
    cluster.tools.cut();
    cluster.tools.heal();
    // The tools know nothing of that: what they had begun goes on when all is over.
    let held_by_the_model = begun.iter().filter(|begun| begun.cell.waits_for_the_model());
    held_by_the_model.for_each(|begun| begun.hold.release());
    let ended = cell::repeat_all(begun, &first.host).await;
    ended.iter().for_each(|ended| ended.hold.release());
    cluster.effects.idle().await;
    promises::kept(&cluster, &first.host, &ended).await;
}
