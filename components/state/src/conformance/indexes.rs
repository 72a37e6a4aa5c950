//! Indexes: order, pages, changes.

use super::Fixture;
use super::trial::*;
use crate::port::*;

/// Members with ties, negative scores, and names that only bytes can order.
const MEMBERS: &[(&str, i64)] = &[
    ("b", 0),
    ("a", 0),
    ("B", 0),
    ("a.b", 0),
    ("least", -MAX),
    ("most", MAX),
    ("minus", -10),
    ("two", 2),
    ("ten", 10),
];

/// They, by score and then by bytes.
const ORDER: [&str; 9] = ["least", "minus", "B", "a", "a.b", "b", "two", "ten", "most"];

async fn fill<F: Fixture>(trial: &Trial<'_, F>) {
    trial
        .write(
            MEMBERS
                .iter()
                .map(|(name, score)| member("i", name, *score))
                .collect(),
        )
        .await;
}

fn names(members: &[Member]) -> Vec<&str> {
    members.iter().map(|member| member.member.as_str()).collect()
}

pub(super) async fn members_come_by_score_then_by_bytes<F: Fixture>(trial: &Trial<'_, F>) {
    fill(trial).await;
    let members = trial.members("i").await;
    assert_eq!(names(&members), ORDER);
    for found in members {
        let (_, score) = MEMBERS.iter().find(|(name, _)| *name == found.member).unwrap();
        assert_eq!((found.score, found.value), (*score, VALUE.to_vec()));
    }
}

pub(super) async fn descending_reverses_scores_and_ties<F: Fixture>(trial: &Trial<'_, F>) {
    fill(trial).await;
    let members = trial.index(range("i", -MAX, MAX, true, 0, 100)).await;
    let reversed: Vec<&str> = ORDER.iter().rev().copied().collect();
    assert_eq!(names(&members), reversed);
}

pub(super) async fn bounds_are_inclusive<F: Fixture>(trial: &Trial<'_, F>) {
    fill(trial).await;
    for descending in [false, true] {
        for (min, max, expected) in [
            (-10, 2, &ORDER[1..7]),
            (-9, 1, &ORDER[2..6]),
            (0, 0, &ORDER[2..6]),
            (MAX, MAX, &ORDER[8..]),
            (-MAX, -MAX, &ORDER[..1]),
            (3, 9, &[]),
            (2, -10, &[]),
        ] {
            let mut expected = expected.to_vec();
            if descending {
                expected.reverse();
            }
            let members = trial.index(range("i", min, max, descending, 0, 100)).await;
            assert_eq!(names(&members), expected, "{min}..={max}");
        }
    }
}

pub(super) async fn bounds_beyond_the_range_of_scores_exclude_nothing<F: Fixture>(trial: &Trial<'_, F>) {
    fill(trial).await;
    for descending in [false, true] {
        let members = trial
            .index(range("i", i64::MIN, i64::MAX, descending, 0, 100))
            .await;
        assert_eq!(members.len(), ORDER.len());
    }
}

pub(super) async fn offset_and_limit_choose_a_page<F: Fixture>(trial: &Trial<'_, F>) {
    fill(trial).await;
    for (offset, limit, expected) in [
        (0, 3, &ORDER[..3]),
        (3, 3, &ORDER[3..6]),
        (8, 3, &ORDER[8..]),
        (9, 3, &[]),
        (100, 3, &[]),
        (2, 0, &[]),
        (1, u32::MAX, &ORDER[1..]),
        (u32::MAX, u32::MAX, &[]),
    ] {
        let members = trial.index(range("i", -MAX, MAX, false, offset, limit)).await;
        assert_eq!(names(&members), expected, "offset {offset}, limit {limit}");
    }
    let members = trial.index(range("i", -MAX, MAX, true, 1, 2)).await;
    assert_eq!(names(&members), ["ten", "two"]);
    let members = trial.index(range("i", 0, 0, true, 1, 2)).await;
    assert_eq!(names(&members), ["a.b", "a"]);
}

pub(super) async fn a_put_replaces_score_and_value<F: Fixture>(trial: &Trial<'_, F>) {
    trial.write(vec![member("i", "a", 1), member("i", "b", 2)]).await;
    let all: Vec<u8> = (0..=255).collect();
    assert_eq!(
        trial.write(vec![member_with("i", "a", 3, &all, false)]).await,
        [Written::Done]
    );
    assert_eq!(
        trial.members("i").await,
        [
            Member {
                member: "b".into(),
                score: 2,
                value: VALUE.into()
            },
            Member {
                member: "a".into(),
                score: 3,
                value: all
            },
        ]
    );
    trial.write(vec![member_with("i", "a", 3, b"", false)]).await;
    assert_eq!(trial.members("i").await[1].value, b"");
}

/// Members with their values, where scores do not matter.
fn values(members: &[Member]) -> Vec<(&str, &[u8])> {
    members
        .iter()
        .map(|member| (member.member.as_str(), member.value.as_slice()))
        .collect()
}

pub(super) async fn a_put_without_a_value_leaves_none<F: Fixture>(trial: &Trial<'_, F>) {
    let without = |name: &str, score| member_with("i", name, score, b"", false);
    trial.write(vec![without("a", 1), without("b", 2)]).await;
    assert_eq!(values(&trial.members("i").await), [("a", &b""[..]), ("b", b"")]);
    trial
        .write(vec![
            member("i", "a", 1),
            member("i", "b", 2),
            member("i", "c", 3),
        ])
        .await;
    // With the same score, with another one, and for a member of another index too.
    trial
        .write(vec![
            without("a", 1),
            without("b", 4),
            member_with("other", "c", 1, b"", false),
        ])
        .await;
    assert_eq!(
        values(&trial.members("i").await),
        [("a", &b""[..]), ("c", VALUE), ("b", b"")]
    );
    // The last of several counts, whether or not it has a value.
    trial
        .write(vec![
            without("a", 1),
            member("i", "a", 1),
            member("i", "d", 5),
            without("d", 5),
        ])
        .await;
    assert_eq!(
        values(&trial.members("i").await),
        [("a", VALUE), ("c", VALUE), ("b", b""), ("d", b"")]
    );
    // One that comes back has nothing of what it was.
    let remove = Write::IndexRemove {
        index: "i".into(),
        member: "a".into(),
    };
    let trim = Write::IndexTrim {
        index: "i".into(),
        below: 4,
    };
    trial
        .write(vec![
            remove,
            without("a", 1),
            trim,
            without("c", 9),
            without("a", 8),
        ])
        .await;
    assert_eq!(
        values(&trial.members("i").await),
        [("b", &b""[..]), ("d", b""), ("a", b""), ("c", b"")]
    );
}

pub(super) async fn only_existing_replaces_a_value_where_the_score_stays<F: Fixture>(trial: &Trial<'_, F>) {
    let put = |name: &str, score, value: &[u8]| member_with("i", name, score, value, true);
    trial
        .write(vec![
            put("a", 1, b""),
            member_with("i", "a", 1, b"", false),
            put("a", 1, b"new"),
            put("b", 1, b""),
            put("b", 1, b"new"),
        ])
        .await;
    assert_eq!(values(&trial.members("i").await), [("a", &b"new"[..])]);
    trial.write(vec![put("a", 1, b"")]).await;
    assert_eq!(values(&trial.members("i").await), [("a", &b""[..])]);
    trial.write(vec![put("a", 1, b"old"), put("a", 2, b"")]).await;
    assert_eq!(values(&trial.members("i").await), [("a", &b""[..])]);
    assert_eq!(trial.members("i").await[0].score, 2);
}

pub(super) async fn only_existing_changes_members_but_adds_none<F: Fixture>(trial: &Trial<'_, F>) {
    assert_eq!(
        trial.write(vec![member_with("i", "a", 1, VALUE, true)]).await,
        [Written::Done]
    );
    assert_eq!(trial.members("i").await, []);
    trial.write(vec![member("i", "a", 1)]).await;
    trial
        .write(vec![
            member_with("i", "a", 2, b"new", true),
            member_with("i", "b", 2, b"new", true),
        ])
        .await;
    assert_eq!(
        trial.members("i").await,
        [Member {
            member: "a".into(),
            score: 2,
            value: b"new".into()
        }]
    );
}

pub(super) async fn a_removed_member_is_gone_and_removing_nothing_succeeds<F: Fixture>(trial: &Trial<'_, F>) {
    let remove = || Write::IndexRemove {
        index: "i".into(),
        member: "a".into(),
    };
    assert_eq!(trial.write(vec![remove()]).await, [Written::Done]);
    trial.write(vec![member("i", "a", 1), member("i", "b", 1)]).await;
    assert_eq!(trial.write(vec![remove()]).await, [Written::Done]);
    assert_eq!(names(&trial.members("i").await), ["b"]);
    trial.write(vec![member_with("i", "a", 5, b"new", true)]).await;
    assert_eq!(
        names(&trial.members("i").await),
        ["b"],
        "it is not there for `only-existing` either"
    );
    trial.write(vec![member("i", "a", 0)]).await;
    assert_eq!(names(&trial.members("i").await), ["a", "b"]);
}

pub(super) async fn trim_removes_what_is_below_the_limit_only<F: Fixture>(trial: &Trial<'_, F>) {
    let trim = |below| Write::IndexTrim {
        index: "i".into(),
        below,
    };
    assert_eq!(
        trial.write(vec![trim(0)]).await,
        [Written::Done],
        "there is no such index"
    );
    fill(trial).await;
    assert_eq!(trial.write(vec![trim(-MAX)]).await, [Written::Done]);
    assert_eq!(trial.members("i").await.len(), 9);
    trial.write(vec![trim(0)]).await;
    assert_eq!(names(&trial.members("i").await), ORDER[2..]);
    trial.write(vec![trim(1)]).await;
    assert_eq!(names(&trial.members("i").await), ORDER[6..]);
    let written = trial.write(vec![trim(MAX), member("i", "low", -5)]).await;
    assert_eq!(written, [Written::Done, Written::Done]);
    assert_eq!(names(&trial.members("i").await), ["low", "most"]);
    trial.write(vec![member_with("i", "ten", 10, b"new", true)]).await;
    assert_eq!(
        trial.members("i").await.len(),
        2,
        "what was trimmed is not there for `only-existing` either"
    );
}

pub(super) async fn an_index_that_does_not_exist_has_no_members<F: Fixture>(trial: &Trial<'_, F>) {
    assert_eq!(trial.members("i").await, []);
    assert_eq!(trial.index(range("i", -MAX, MAX, true, 3, 3)).await, []);
}
