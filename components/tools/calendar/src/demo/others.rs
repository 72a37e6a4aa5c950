//! When the user's colleagues are busy besides the meetings that they have with the user. Every week is the same one.
//! Clients and relatives share no calendar.

use anyturn_people::cast::{MARCUS, PRIYA, SARAH};
use jiff::ToSpan;
use jiff::civil::Weekday::{self, Friday, Monday, Thursday, Tuesday, Wednesday};

use crate::diary::overlaps;
use crate::free::Stretch;
use crate::moment::Clock;

/// A day of the week, and from and until when, in hours and minutes of the user's clock.
type Usual = (Weekday, (i8, i8), (i8, i8));

const SARAHS: [Usual; 12] = [
    (Monday, (9, 0), (10, 30)),
    (Monday, (13, 0), (14, 0)),
    (Tuesday, (10, 0), (11, 30)),
    (Tuesday, (15, 0), (17, 0)),
    (Wednesday, (9, 0), (9, 30)),
    (Wednesday, (13, 30), (15, 0)),
    (Thursday, (9, 30), (10, 30)),
    (Thursday, (12, 0), (13, 0)),
    (Thursday, (13, 30), (14, 0)),
    (Thursday, (15, 0), (16, 30)),
    (Friday, (10, 0), (11, 0)),
    (Friday, (13, 0), (14, 30)),
];
const MARCUSS: [Usual; 7] = [
    (Monday, (10, 0), (12, 0)),
    (Tuesday, (13, 0), (15, 0)),
    (Wednesday, (10, 0), (12, 0)),
    (Wednesday, (16, 0), (17, 0)),
    (Thursday, (14, 0), (15, 30)),
    (Friday, (9, 45), (11, 0)),
    (Friday, (15, 0), (16, 0)),
];
const PRIYAS: [Usual; 6] = [
    (Monday, (14, 0), (15, 30)),
    (Tuesday, (9, 45), (11, 0)),
    (Wednesday, (11, 0), (12, 0)),
    (Thursday, (10, 0), (12, 0)),
    (Thursday, (16, 0), (17, 0)),
    (Friday, (11, 0), (12, 30)),
];

/// When somebody is busy between two moments; none if their calendar is not shared.
pub(super) fn busy(address: &str, between: Stretch, clock: &Clock) -> Option<Vec<Stretch>> {
    let week: &[Usual] = match address {
        address if address == SARAH.address => &SARAHS,
        address if address == MARCUS.address => &MARCUSS,
        address if address == PRIYA.address => &PRIYAS,
        _ => return None,
    };
    let last = clock.local(between.1).date();
    let days = clock
        .local(between.0)
        .date()
        .series(1.day())
        .take_while(|day| *day <= last);
    let stretches = days.flat_map(|day| {
        week.iter()
            .filter(move |(weekday, ..)| *weekday == day.weekday())
            .map(move |(_, from, to)| (day.at(from.0, from.1, 0, 0), day.at(to.0, to.1, 0, 0)))
    });
    Some(
        stretches
            .map(|(from, to)| (clock.moment(from), clock.moment(to)))
            .filter(|stretch| overlaps(*stretch, between))
            .collect(),
    )
}
