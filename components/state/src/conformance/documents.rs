//! Documents and their versions.

use super::Fixture;
use super::trial::*;
use crate::port::ExpectedVersion::{Absent, Any, Exactly, Present};
use crate::port::*;

pub(super) async fn a_document_that_was_never_put_is_none<F: Fixture>(trial: &Trial<'_, F>) {
    assert_eq!(trial.document("d").await, None);
}

pub(super) async fn versions_start_at_1_and_grow_by_1_with_every_put<F: Fixture>(trial: &Trial<'_, F>) {
    for version in 1..=5 {
        let value = [b'v', version as u8];
        assert_eq!(
            trial.write(vec![put("d", Any, &value)]).await,
            [Written::Version(version)]
        );
        assert_eq!(
            trial.document("d").await,
            Some(Document {
                version,
                value: value.into()
            })
        );
    }
}

pub(super) async fn a_document_keeps_any_bytes<F: Fixture>(trial: &Trial<'_, F>) {
    let all: Vec<u8> = (0..=255).collect();
    for value in [&all[..], b"", b"\0", b"\r\n", "日本".as_bytes(), b"\xff\xfe"] {
        trial.write(vec![put("d", Any, value)]).await;
        assert_eq!(
            trial.document("d").await.map(|document| document.value),
            Some(value.to_vec())
        );
    }
}

pub(super) async fn a_document_is_the_same_whatever_its_size<F: Fixture>(trial: &Trial<'_, F>) {
    let sizes = [0, 1023, 1024, 1025, 50_000, 1024, 1];
    for (version, size) in (1..).zip(sizes) {
        let value: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
        let condition = if version == 1 {
            Absent
        } else {
            Exactly(version - 1)
        };
        assert_eq!(
            trial.write(vec![put("d", condition, &value)]).await,
            [Written::Version(version)]
        );
        assert_eq!(
            trial
                .conflict(vec![put("d", Exactly(version + 1), b"other")])
                .await,
            (0, Actual::Version(version))
        );
        assert_eq!(trial.document("d").await, Some(Document { version, value }));
    }
}

pub(super) async fn puts_of_one_commit_leave_the_last_value_whatever_their_sizes<F: Fixture>(
    trial: &Trial<'_, F>,
) {
    let large = vec![b'l'; 5000];
    let mut version = 0;
    for (first, last) in [(&large[..], &b"small"[..]), (b"small", &large)] {
        version += 2;
        assert_eq!(
            trial
                .write(vec![put("d", Any, first), put("d", Exactly(version - 1), last)])
                .await,
            [Written::Version(version - 1), Written::Version(version)]
        );
        let value = last.to_vec();
        assert_eq!(trial.document("d").await, Some(Document { version, value }));
    }
}

pub(super) async fn put_if_absent_refuses_a_document_that_is_there<F: Fixture>(trial: &Trial<'_, F>) {
    assert_eq!(
        trial.write(vec![put("d", Absent, b"first")]).await,
        [Written::Version(1)]
    );
    assert_eq!(
        trial.conflict(vec![put("d", Absent, b"second")]).await,
        (0, Actual::Version(1))
    );
    trial.write(vec![put("d", Any, b"third")]).await;
    assert_eq!(
        trial.conflict(vec![put("d", Absent, b"fourth")]).await,
        (0, Actual::Version(2))
    );
    assert_eq!(
        trial.document("d").await,
        Some(Document {
            version: 2,
            value: b"third".into()
        })
    );
}

pub(super) async fn put_if_present_refuses_a_document_that_is_not_there<F: Fixture>(trial: &Trial<'_, F>) {
    assert_eq!(
        trial.conflict(vec![put("d", Present, VALUE)]).await,
        (0, Actual::Version(0))
    );
    assert_eq!(trial.document("d").await, None);
    trial.write(vec![put("d", Any, VALUE)]).await;
    assert_eq!(
        trial.write(vec![put("d", Present, VALUE)]).await,
        [Written::Version(2)]
    );
}

pub(super) async fn put_if_exactly_refuses_every_other_version<F: Fixture>(trial: &Trial<'_, F>) {
    assert_eq!(
        trial.conflict(vec![put("d", Exactly(1), VALUE)]).await,
        (0, Actual::Version(0))
    );
    trial.write(vec![put("d", Any, b"1"), put("d", Any, b"2")]).await;
    for wrong in [1, 3, MAX as u64] {
        assert_eq!(
            trial.conflict(vec![put("d", Exactly(wrong), VALUE)]).await,
            (0, Actual::Version(2))
        );
    }
    assert_eq!(
        trial.document("d").await,
        Some(Document {
            version: 2,
            value: b"2".into()
        })
    );
    assert_eq!(
        trial.write(vec![put("d", Exactly(2), VALUE)]).await,
        [Written::Version(3)]
    );
}

pub(super) async fn delete_obeys_its_condition<F: Fixture>(trial: &Trial<'_, F>) {
    assert_eq!(
        trial.conflict(vec![delete("d", Present)]).await,
        (0, Actual::Version(0))
    );
    assert_eq!(
        trial.conflict(vec![delete("d", Exactly(1))]).await,
        (0, Actual::Version(0))
    );
    assert_eq!(trial.write(vec![delete("d", Absent)]).await, [Written::Done]);
    trial
        .write(vec![put("d", Any, VALUE), put("d", Any, VALUE)])
        .await;
    assert_eq!(
        trial.conflict(vec![delete("d", Absent)]).await,
        (0, Actual::Version(2))
    );
    assert_eq!(
        trial.conflict(vec![delete("d", Exactly(1))]).await,
        (0, Actual::Version(2))
    );
    assert_eq!(trial.version("d").await, 2);
    assert_eq!(trial.write(vec![delete("d", Exactly(2))]).await, [Written::Done]);
    assert_eq!(trial.document("d").await, None);
    trial.write(vec![put("d", Any, VALUE)]).await;
    assert_eq!(trial.write(vec![delete("d", Present)]).await, [Written::Done]);
    assert_eq!(trial.document("d").await, None);
}

pub(super) async fn deleting_without_a_condition_always_succeeds<F: Fixture>(trial: &Trial<'_, F>) {
    assert_eq!(trial.write(vec![delete("d", Any)]).await, [Written::Done]);
    trial.write(vec![put("d", Any, VALUE)]).await;
    assert_eq!(trial.write(vec![delete("d", Any)]).await, [Written::Done]);
    assert_eq!(trial.document("d").await, None);
}

pub(super) async fn a_deleted_document_starts_over_at_version_1<F: Fixture>(trial: &Trial<'_, F>) {
    trial
        .write(vec![put("d", Any, VALUE), put("d", Any, VALUE)])
        .await;
    trial.write(vec![delete("d", Any)]).await;
    assert_eq!(
        trial.write(vec![put("d", Absent, VALUE)]).await,
        [Written::Version(1)]
    );
}
