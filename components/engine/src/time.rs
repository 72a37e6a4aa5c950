//! Moments, and how people and prompts see them.
//!
//! A [`Timestamp`] is milliseconds since the Unix epoch and is written as RFC 3339 in UTC. Local time comes
//! from the environment as RFC 3339 text with an offset; [`Local`] takes it apart for prompts.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// Milliseconds since the Unix epoch. Serializes to RFC 3339 in UTC, such as `2026-01-31T09:30:00.125Z`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub u64);

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Timestamp(milliseconds) = *self;
        let seconds = milliseconds / 1000;
        let (year, month, day) = civil(seconds / 86_400);
        let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z",
            milliseconds % 1000
        )
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Reads what [`Timestamp`] serializes to, and nothing else.
impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Timestamp::parse(&text)
            .ok_or_else(|| serde::de::Error::custom("a time looks like 2026-01-31T09:30:00.125Z"))
    }
}

impl Timestamp {
    /// The inverse of `Display`.
    fn parse(text: &str) -> Option<Timestamp> {
        let field = |from: usize, to: usize| text.get(from..to)?.parse::<u64>().ok();
        let days = days(field(0, 4)?, field(5, 7)?, field(8, 10)?)?;
        let seconds = field(11, 13)? * 3600 + field(14, 16)? * 60 + field(17, 19)?;
        let moment = Timestamp((days * 86_400 + seconds) * 1000 + field(20, 23)?);
        // Whatever is not written exactly so, such as 31 February, comes out as something else.
        (moment.to_string() == text).then_some(moment)
    }
}

/// The day, counted from 1970-01-01, of a Gregorian date (the inverse of [`civil`], `days_from_civil`).
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    let year = if month <= 2 { year.checked_sub(1)? } else { year };
    let shifted_month = if month > 2 { month - 3 } else { month + 9 };
    let (era, year_of_era) = (year / 400, year % 400);
    let day_of_year = (153 * shifted_month + 2) / 5 + day.checked_sub(1)?;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    (era * 146_097 + day_of_era).checked_sub(719_468)
}

/// The Gregorian date of a day, counted from 1970-01-01 (after H. Hinnant, "chrono-compatible low-level date
/// algorithms", `civil_from_days`).
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year, month, day)
}

/// A local time as prompts show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Local {
    /// Such as `2026-01-31`.
    pub date: String,
    /// Such as `09:30`.
    pub time: String,
    /// Such as `Saturday`.
    pub weekday: &'static str,
    /// Such as `+01:00`; `Z` is UTC.
    pub offset: String,
}

impl Local {
    /// Takes an RFC 3339 time apart, which may name its zone (RFC 9557); what is missing in a malformed one stays empty.
    pub fn parse(text: &str) -> Local {
        let rfc3339 = text.split_once('[').map_or(text, |(time, _)| time);
        let date = rfc3339.get(..10).unwrap_or_default();
        let time = rfc3339.get(11..16).unwrap_or_default();
        let rest = rfc3339.get(16..).unwrap_or_default();
        let offset = rest
            .find(['+', '-', 'Z', 'z'])
            .and_then(|at| rest.get(at..))
            .unwrap_or_default();
        Local {
            date: date.to_owned(),
            time: time.to_owned(),
            weekday: weekday(date).unwrap_or_default(),
            offset: offset.to_owned(),
        }
    }
}

/// The weekday of a date `YYYY-MM-DD` (Sakamoto's method).
fn weekday(date: &str) -> Option<&'static str> {
    const OFFSETS: [u32; 12] = [0, 3, 2, 5, 0, 3, 5, 1, 4, 6, 2, 4];
    const NAMES: [&str; 7] = [
        "Sunday",
        "Monday",
        "Tuesday",
        "Wednesday",
        "Thursday",
        "Friday",
        "Saturday",
    ];
    let mut fields = date.splitn(3, '-').map(|field| field.parse::<u32>().ok());
    let (year, month, day) = (fields.next()??, fields.next()??, fields.next()??);
    let offset = OFFSETS.get(usize::try_from(month.checked_sub(1)?).ok()?)?;
    let year = if month < 3 { year.checked_sub(1)? } else { year };
    NAMES
        .get(usize::try_from((year + year / 4 - year / 100 + year / 400 + offset + day) % 7).ok()?)
        .copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_rfc_3339_in_utc() {
        assert_eq!(Timestamp(0).to_string(), "1970-01-01T00:00:00.000Z");
        assert_eq!(Timestamp(951_827_696_789).to_string(), "2000-02-29T12:34:56.789Z");
        assert_eq!(
            Timestamp(1_798_761_599_999).to_string(),
            "2026-12-31T23:59:59.999Z"
        );
    }

    #[test]
    fn timestamps_read_as_they_were_written_and_nothing_else_does() {
        for moment in [
            0,
            951_827_696_789,
            951_782_400_000,
            1_709_164_800_000,
            1_798_761_599_999,
        ] {
            assert_eq!(
                Timestamp::parse(&Timestamp(moment).to_string()),
                Some(Timestamp(moment))
            );
        }
        for wrong in [
            "",
            "2026-02-31T00:00:00.000Z",
            "2026-01-31T09:30:00Z",
            "2026-00-01T00:00:00.000Z",
            "1969-12-31T23:59:59.999Z",
        ] {
            assert_eq!(Timestamp::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_local_time_is_taken_apart() {
        let local = Local::parse("2026-11-20T04:57:42.120+01:00");
        assert_eq!(
            (
                local.date.as_str(),
                local.time.as_str(),
                local.weekday,
                local.offset.as_str()
            ),
            ("2026-11-20", "04:57", "Friday", "+01:00")
        );
        assert_eq!(Local::parse("2024-02-29T00:00:00Z").weekday, "Thursday");
        assert_eq!(Local::parse("2024-02-29T00:00:00-08:00").offset, "-08:00");
        let named = Local::parse("2024-02-29T00:00:00-05:00[America/Port-au-Prince]");
        assert_eq!(named.offset, "-05:00");
        assert_eq!(Local::parse("nonsense").weekday, "");
    }
}
