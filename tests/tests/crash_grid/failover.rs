//! The primary of the store dies, and a replica takes its place; or a part of the data moves to another node.
//!
//! What a replica had when its primary died is there, and turns go on from it. What it did not have is lost: the
//! window that the documentation speaks of, shown by cutting the replicas off first.

use anyturn_tests::cluster::{Cluster, Redis};
use anyturn_tests::effect_server::Class;
use anyturn_tests::host::Host;
use anyturn_tests::redis_cluster::RedisCluster;
use anyturn_tests::redis_sentinel::RedisSentinel;
use anyturn_tests::redis_server::RedisServer;

use crate::cell::{self, Begun, Cell, Point};
use crate::promises;

/// Two hosts on a store, and the conversations that were begun on the first one.
async fn begun<R: Redis>(redis: R) -> (Cluster<R>, Vec<Begun>, Host, Host) {
    let cluster = Cluster::on(redis).await;
    let (first, second) = (cluster.instance().await, cluster.instance().await);
    let begun = cell::begin_all(&cluster, &first).await;
    (cluster, begun, first, second)
}

/// Lets the first host go on, repeats all requests on the second, and asserts that nothing was lost or done twice.
async fn goes_on<R: Redis>(cluster: &Cluster<R>, begun: Vec<Begun>, second: &Host) {
    begun.iter().for_each(|begun| begun.hold.release());
    let ended = cell::repeat_all(begun, second).await;
    cluster.effects.idle().await;
    promises::kept(cluster, second, &ended).await;
}

#[tokio::test]
async fn a_primary_that_sentinels_replace_loses_no_turn_and_does_none_twice() {
    let (mut cluster, begun, first, second) = begun(RedisSentinel::start().await).await;
    cluster.redis.primary().replicated(2).await;
    cluster.redis.kill_primary().await;
    goes_on(&cluster, begun, &second).await;
    drop(first);
}

#[tokio::test]
async fn a_primary_of_a_cluster_that_is_replaced_loses_no_turn_and_does_none_twice() {
    let (mut cluster, begun, first, second) = begun(RedisCluster::start().await).await;
    for primary in &cluster.redis.nodes()[..3] {
        primary.replicated(1).await;
    }
    let key = conversations(&cluster.redis).pop().unwrap();
    let dying = cluster.redis.owner(cluster.redis.slot(&key));
    cluster.redis.kill(dying).await;
    goes_on(&cluster, begun, &second).await;
    drop(first);
}

#[tokio::test]
async fn conversations_that_move_to_another_node_while_turns_run_are_gone_on_with() {
    let (cluster, begun, first, second) = begun(RedisCluster::start().await).await;
    let keys = conversations(&cluster.redis);
    assert_eq!(keys.len(), begun.len());
    let mut slots: Vec<u16> = keys.iter().map(|key| cluster.redis.slot(key)).collect();
    slots.sort_unstable();
    slots.dedup();
    let moves: Vec<(u16, usize)> = slots
        .into_iter()
        .map(|slot| (slot, (cluster.redis.owner(slot) + 1) % 3))
        .collect();
    for (slot, to) in &moves {
        cluster.redis.begin_move(*slot, *to);
    }
    // The turns go on while their keys are on their way.
    begun.iter().for_each(|begun| begun.hold.release());
    for (slot, to) in &moves {
        cluster.redis.move_keys(*slot, *to);
        cluster.redis.end_move(*slot, *to);
    }
    goes_on(&cluster, begun, &second).await;
    drop(first);
}

/// The keys of all conversations' journals.
fn conversations(cluster: &RedisCluster) -> Vec<String> {
    let of = |node: &RedisServer| {
        let keys = node.command(&["KEYS", "anyturn:?chat/conversation/local/*:j:turns"]);
        let keys = keys.split("\r\n").filter(|line| line.contains('{'));
        keys.map(str::to_owned).collect::<Vec<_>>()
    };
    cluster.nodes()[..3].iter().flat_map(of).collect()
}

#[tokio::test]
async fn what_a_dead_primary_had_not_passed_on_is_lost_and_nothing_else() {
    let mut cluster = Cluster::on(RedisSentinel::start().await).await;
    let host = cluster.instance().await;
    // One turn has done its work, and waits for the model's last word.
    let worked = Cell::new(Point::Told, Class::Idempotent);
    let begun = worked.clone().begin(&cluster, &host).await;
    cluster.redis.primary().replicated(2).await;
    cluster.redis.primary().hold_back_replicas();
    // Its end, and another turn from its beginning on, reach the primary only.
    begun.hold.release();
    let told = cell::repeat(&worked, &host).await;
    let unseen = Cell::new(Point::Done, Class::Idempotent);
    let told_unseen = cell::repeat(&unseen, &host).await;
    assert_eq!([done(&cluster, &worked), done(&cluster, &unseen)], [1, 1]);
    cluster.redis.kill_primary().await;

    // The end is found again, in the same conversation, and what was done is not done again.
    let again = cell::repeat(&worked, &host).await;
    assert_eq!(done(&cluster, &worked), 1);
    for same in ["session", "turn", "message"] {
        assert_eq!(again[same], told[same], "{same}");
    }
    // A turn of which even the beginning is lost never was: it is begun anew, with a new key.
    let anew = cell::repeat(&unseen, &host).await;
    assert_eq!(done(&cluster, &unseen), 2);
    assert_ne!(anew["turn"], told_unseen["turn"]);
    let keys = keys(&cluster, &unseen);
    assert_ne!(keys[0], keys[1]);
}

fn done(cluster: &Cluster<RedisSentinel>, cell: &Cell) -> usize {
    cluster.effects.count(&cell.label())
}

/// The idempotency keys that the effects of a cell came with.
fn keys(cluster: &Cluster<RedisSentinel>, cell: &Cell) -> Vec<Option<String>> {
    let effects = cluster.effects.effects().into_iter();
    effects
        .filter(|effect| effect.label == cell.label())
        .map(|effect| effect.key)
        .collect()
}
