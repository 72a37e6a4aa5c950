//! What time it is somewhere, by the IANA names of time zones.
//!
//! The zones are compiled in without their history (`build.rs`); a zone is looked up when it is needed, and nothing
//! is loaded.

use anyturn_engine::Timestamp;
use jiff::tz::TimeZone;

include!(concat!(env!("OUT_DIR"), "/zones.rs"));

/// Finds a time zone by its name, in whatever case.
#[must_use]
pub fn find(name: &str) -> Option<TimeZone> {
    let wanted = || name.bytes().map(|byte| byte.to_ascii_lowercase());
    let at = ZONES
        .binary_search_by(|(known, ..)| known.bytes().map(|b| b.to_ascii_lowercase()).cmp(wanted()))
        .ok()?;
    let (known, begin, end) = ZONES.get(at)?;
    TimeZone::tzif(known, DATA.get(usize::from(*begin)..usize::from(*end))?).ok()
}

/// Checks that a time zone exists.
///
/// # Errors
/// A sentence for people.
pub fn check(name: &str) -> Result<(), String> {
    match find(name) {
        Some(_) => Ok(()),
        None => Err(format!(
            "There is no time zone `{name}`; IANA names look like `Europe/Berlin`."
        )),
    }
}

/// Local time as RFC 3339 with an offset; UTC when the zone is unknown or none.
#[must_use]
pub fn local_time(milliseconds: u64, timezone: Option<&str>) -> String {
    let offset = timezone.and_then(find).and_then(|zone| {
        let now = jiff::Timestamp::from_millisecond(i64::try_from(milliseconds).ok()?).ok()?;
        Some(zone.to_offset(now).seconds())
    });
    let Some(seconds) = offset else {
        return Timestamp(milliseconds).to_string();
    };
    // The clock on the wall, written as if it were UTC, and then its distance from UTC.
    let mut text = Timestamp(milliseconds.saturating_add_signed(i64::from(seconds) * 1000)).to_string();
    text.pop();
    let (sign, minutes) = (if seconds < 0 { '-' } else { '+' }, seconds.unsigned_abs() / 60);
    text.push_str(&format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::TimeZoneDatabase;

    #[test]
    fn local_time_has_the_offset_of_its_day() {
        assert_eq!(
            local_time(1_763_614_800_000, Some("Europe/Berlin")),
            "2025-11-20T06:00:00.000+01:00"
        );
        assert_eq!(
            local_time(1_751_349_600_000, Some("europe/berlin")),
            "2025-07-01T08:00:00.000+02:00"
        );
        assert_eq!(
            local_time(1_763_614_800_000, Some("America/St_Johns")),
            "2025-11-20T01:30:00.000-03:30"
        );
        assert_eq!(local_time(1_763_614_800_000, None), "2025-11-20T05:00:00.000Z");
        assert_eq!(
            local_time(1_763_614_800_000, Some("Mars/Olympus")),
            "2025-11-20T05:00:00.000Z"
        );
    }

    #[test]
    fn from_now_on_every_zone_is_what_the_whole_database_says() {
        let whole = TimeZoneDatabase::bundled();
        let mut zones = 0;
        for name in whole.available() {
            let (ours, theirs) = (find(name.as_str()).unwrap(), whole.get(name.as_str()).unwrap());
            // Every month or so, for a hundred years.
            for step in 0..1_200_i64 {
                let moment = jiff::Timestamp::from_second(1_704_067_200 + step * 2_629_629).unwrap();
                assert_eq!(
                    ours.to_offset(moment),
                    theirs.to_offset(moment),
                    "{name} {moment}"
                );
            }
            zones += 1;
        }
        assert!(zones > 400, "{zones}");
    }
}
