//! Dividing what is too large for one commit of the store.
//!
//! One commit takes 4 MiB. What several tools have answered at the same time can be more than that, and so can an
//! answer with its events and the snapshot. It is written in several commits then, each on the same conditions, in an
//! order in which the turn can be gone on with after each of them: entries come before the events that tell of them,
//! both before the end of the turn, and changes that belong to entries stay with them.

use anyturn_state::Write;
use anyturn_state::limits::MAX_OPERATION;

/// The most bytes of one commit: the store's limit, less what names and numbers take.
const ROOM: usize = MAX_OPERATION - (64 << 10);

/// What goes into one commit.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Part {
    /// Entries of the conversation's journal.
    pub entries: Vec<Vec<u8>>,
    /// Entries of the log of events.
    pub batches: Vec<Vec<u8>>,
    /// Other changes.
    pub writes: Vec<Write>,
    /// Whether nothing comes after it.
    pub last: bool,
}

/// The commits that write `entries`, the log's `batches`, the changes that belong to the entries, and the `end`: what
/// is written with the last entry, when a turn ends.
pub(super) fn divide(
    mut entries: Vec<Vec<u8>>,
    mut batches: Vec<Vec<u8>>,
    writes: Vec<Write>,
    end: Vec<Write>,
) -> Vec<Part> {
    let size = bytes(&entries) + bytes(&batches) + weight(&writes) + weight(&end);
    let mut parts = Vec::with_capacity(1);
    let mut final_part = Part {
        last: true,
        ..Part::default()
    };
    if size <= ROOM {
        final_part.writes = writes;
    } else {
        // The end goes with the entry and the event that tell of it.
        let tail = |list: &mut Vec<Vec<u8>>| {
            let keeps = usize::from(!end.is_empty()).min(list.len());
            list.split_off(list.len() - keeps)
        };
        let (ending, told) = (tail(&mut entries), tail(&mut batches));
        if writes.is_empty() {
            parts.extend(chunks(entries).map(|entries| Part {
                entries,
                ..Part::default()
            }));
        } else {
            parts.push(Part {
                entries,
                writes,
                ..Part::default()
            });
        }
        parts.extend(chunks(batches).map(|batches| Part {
            batches,
            ..Part::default()
        }));
        (entries, batches) = (ending, told);
        if entries.is_empty() && batches.is_empty() && end.is_empty() {
            if let Some(last) = parts.last_mut() {
                last.last = true;
            }
            return parts;
        }
    }
    final_part.entries = entries;
    final_part.batches = batches;
    final_part.writes.extend(end);
    parts.push(final_part);
    parts
}

/// Divides a list into lists that each fit into a commit.
fn chunks(list: Vec<Vec<u8>>) -> impl Iterator<Item = Vec<Vec<u8>>> {
    let mut chunks: Vec<Vec<Vec<u8>>> = Vec::new();
    let mut room = 0;
    for item in list {
        match chunks.last_mut().filter(|_| item.len() <= room) {
            Some(chunk) => {
                room -= item.len();
                chunk.push(item);
            }
            None => {
                room = ROOM.saturating_sub(item.len());
                chunks.push(vec![item]);
            }
        }
    }
    chunks.into_iter()
}

fn bytes(list: &[Vec<u8>]) -> usize {
    list.iter().map(Vec::len).sum()
}

/// How many bytes changes take, without their names.
fn weight(writes: &[Write]) -> usize {
    let weight = |write: &Write| match write {
        Write::Append { entries, .. } => bytes(entries),
        Write::Put { value, .. } | Write::IndexPut { value, .. } => value.len(),
        Write::SetCheckpoint { .. }
        | Write::DeleteJournal(_)
        | Write::Delete { .. }
        | Write::Add { .. }
        | Write::IndexRemove { .. }
        | Write::IndexTrim { .. }
        | Write::Acquire { .. }
        | Write::Hold { .. }
        | Write::Release { .. }
        | Write::NotAfter(_) => 0,
    };
    writes.iter().map(weight).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyturn_state::ExpectedVersion;

    /// Lists of so many items, of one mebibyte each, that can be told apart.
    fn large(from: u8, count: u8) -> Vec<Vec<u8>> {
        (from..from + count).map(|byte| vec![byte; 1 << 20]).collect()
    }

    fn put(kibibytes: usize) -> Vec<Write> {
        vec![Write::Put {
            document: "d".into(),
            expected: ExpectedVersion::Any,
            value: vec![0; kibibytes << 10],
            ttl: None,
        }]
    }

    /// How many entries, batches and changes are in each part.
    fn counts(parts: &[Part]) -> Vec<(usize, usize, usize)> {
        let count = |part: &Part| (part.entries.len(), part.batches.len(), part.writes.len());
        parts.iter().map(count).collect()
    }

    fn assert_fits(parts: &[Part]) {
        for part in parts {
            assert!(bytes(&part.entries) + bytes(&part.batches) + weight(&part.writes) <= ROOM);
        }
        let last: Vec<bool> = parts.iter().map(|part| part.last).collect();
        assert_eq!(last.iter().filter(|last| **last).count(), 1);
        assert_eq!(last.last(), Some(&true));
    }

    #[test]
    fn what_fits_is_one_commit() {
        for (entries, batches) in [(0, 0), (1, 1), (2, 1)] {
            let parts = divide(large(0, entries), large(9, batches), put(100), put(100));
            assert_eq!(counts(&parts), [(entries.into(), batches.into(), 2)]);
            assert_fits(&parts);
        }
    }

    #[test]
    fn entries_come_before_the_events_that_tell_of_them() {
        let parts = divide(large(0, 7), large(50, 5), Vec::new(), Vec::new());
        assert_eq!(
            counts(&parts),
            [(3, 0, 0), (3, 0, 0), (1, 0, 0), (0, 3, 0), (0, 2, 0)]
        );
        assert_fits(&parts);
        let order: Vec<u8> = parts
            .iter()
            .flat_map(|part| part.entries.iter().chain(&part.batches))
            .map(|item| item[0])
            .collect();
        assert_eq!(order, [0, 1, 2, 3, 4, 5, 6, 50, 51, 52, 53, 54]);
    }

    #[test]
    fn changes_stay_with_their_entries_and_the_end_with_what_tells_of_it() {
        let parts = divide(large(0, 3), large(50, 2), put(10), put(900));
        assert_eq!(counts(&parts), [(2, 0, 1), (0, 1, 0), (1, 1, 1)]);
        assert_eq!(parts[2].entries[0][0], 2);
        assert_eq!(parts[2].batches[0][0], 51);
        assert_fits(&parts);
    }
}
