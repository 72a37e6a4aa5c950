//! Finds the stretches of a window in which nobody is busy, and puts meetings of one length into them.

use jiff::{SignedDuration, Timestamp};

use crate::moment::Clock;
use crate::window::Window;

/// Meetings begin at full quarters of an hour.
const STEP: SignedDuration = SignedDuration::from_mins(15);
/// How many slots of one day are proposed where the window has several.
const PER_DAY: usize = 2;

/// From a moment to another one, which does not belong to it.
pub type Stretch = (Timestamp, Timestamp);

/// Up to `limit` slots of this length in which nobody is busy, in order; they do not overlap. Where the window has
/// several days, they are spread over them.
pub fn slots(
    window: &Window,
    busy: &[Stretch],
    length: SignedDuration,
    limit: usize,
    clock: &Clock,
) -> Vec<Stretch> {
    let busy = merged(busy);
    let mut slots = Vec::new();
    for &(from, to) in &window.stretches {
        let room = limit.saturating_sub(slots.len());
        let most = if window.several_days {
            room.min(PER_DAY)
        } else {
            room
        };
        slots.extend(
            gaps((from, to), &busy)
                .flat_map(|gap| fitting(gap, length, clock))
                .take(most),
        );
    }
    slots
}

/// Busy stretches in order, those that meet or overlap as one.
fn merged(busy: &[Stretch]) -> Vec<Stretch> {
    let mut sorted: Vec<Stretch> = busy.iter().copied().filter(|(from, to)| from < to).collect();
    sorted.sort_unstable();
    let mut merged: Vec<Stretch> = Vec::with_capacity(sorted.len());
    for (from, to) in sorted {
        match merged.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(to),
            _ => merged.push((from, to)),
        }
    }
    merged
}

/// What is left of a stretch; `busy` is merged.
fn gaps((from, to): Stretch, busy: &[Stretch]) -> impl Iterator<Item = Stretch> {
    let within = busy.iter().filter(move |(start, end)| *start < to && *end > from);
    let starts = std::iter::once(from).chain(within.clone().map(|(_, end)| *end));
    let ends = within.map(|(start, _)| *start).chain([to]);
    starts.zip(ends).filter(|(start, end)| start < end)
}

/// Slots of a length within a gap, one after the other.
fn fitting((from, to): Stretch, length: SignedDuration, clock: &Clock) -> impl Iterator<Item = Stretch> {
    let first = quarter(from, clock);
    std::iter::successors(first, move |start| {
        quarter(start.checked_add(length).ok()?, clock)
    })
    .map_while(move |start| {
        let end = start.checked_add(length).ok()?;
        (end <= to).then_some((start, end))
    })
}

/// The next full quarter of an hour by the user's clock: not all zones are whole hours apart.
fn quarter(moment: Timestamp, clock: &Clock) -> Option<Timestamp> {
    let offset = i64::from(clock.zone.to_offset(moment).seconds());
    let step = STEP.as_secs();
    let local = moment.as_second() + i64::from(moment.subsec_nanosecond() > 0) + offset;
    let ahead = (step - local.rem_euclid(step)) % step;
    Timestamp::from_second(local + ahead - offset).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::window;

    fn clock(zone: &str) -> Clock {
        Clock::new("2026-11-20T10:03:20Z".parse().unwrap(), Some(zone))
    }

    fn found(zone: &str, text: &str, busy: &[(&str, &str)], minutes: i64, limit: usize) -> Vec<String> {
        let clock = clock(zone);
        let at = |text: &str| clock.moment(text.parse().unwrap());
        let busy: Vec<Stretch> = busy.iter().map(|(from, to)| (at(from), at(to))).collect();
        let window = window::parse(text, &clock).unwrap();
        slots(&window, &busy, SignedDuration::from_mins(minutes), limit, &clock)
            .into_iter()
            .map(|(from, to)| {
                format!(
                    "{}-{}",
                    clock.local(from).strftime("%d %H:%M"),
                    clock.local(to).strftime("%H:%M")
                )
            })
            .collect()
    }

    #[test]
    fn slots_lie_where_nobody_is_busy() {
        let busy = [
            ("2026-11-26T12:00", "2026-11-26T13:10"),
            ("2026-11-26T13:00", "2026-11-26T14:00"),
            ("2026-11-26T14:40", "2026-11-26T17:30"),
        ];
        assert_eq!(
            found("Europe/Berlin", "thursday afternoon", &busy, 30, 9),
            ["26 14:00-14:30", "26 17:30-18:00"]
        );
        assert_eq!(
            found("Europe/Berlin", "thursday afternoon", &busy, 60, 9),
            [""; 0]
        );
    }

    #[test]
    fn the_edges_belong_to_nobody() {
        let busy = [
            ("2026-11-26T09:00", "2026-11-26T10:00"),
            ("2026-11-26T10:30", "2026-11-26T12:00"),
        ];
        assert_eq!(
            found("Europe/Berlin", "thursday morning", &busy, 30, 9),
            ["26 10:00-10:30"]
        );
        // One that began the night before, and one that ends the night after.
        let night = [
            ("2026-11-25T20:00", "2026-11-26T11:30"),
            ("2026-11-26T12:00", "2026-11-27T02:00"),
        ];
        assert_eq!(
            found("Europe/Berlin", "thursday", &night, 30, 9),
            ["26 11:30-12:00"]
        );
    }

    #[test]
    fn what_is_over_is_not_proposed_and_slots_begin_at_quarters() {
        assert_eq!(
            found("Europe/Berlin", "today", &[], 45, 2),
            ["20 11:15-12:00", "20 12:00-12:45"]
        );
        // 5 hours and 45 minutes ahead of UTC: 15:48:20 there.
        assert_eq!(found("Asia/Kathmandu", "today", &[], 30, 1), ["20 16:00-16:30"]);
    }

    #[test]
    fn several_days_are_all_proposed() {
        assert_eq!(
            found("Europe/Berlin", "next week", &[], 60, 5),
            [
                "23 09:00-10:00",
                "23 10:00-11:00",
                "24 09:00-10:00",
                "24 10:00-11:00",
                "25 09:00-10:00"
            ]
        );
    }
}
