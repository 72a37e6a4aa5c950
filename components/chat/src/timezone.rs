//! Time zones by their IANA names, from the database that is compiled in: it is looked up, never loaded.

use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};

/// Finds a time zone.
#[must_use]
pub fn find(name: &str) -> Option<TimeZone> {
    TimeZoneDatabase::bundled().get(name).ok()
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
    let now = i64::try_from(milliseconds)
        .ok()
        .and_then(|ms| Timestamp::from_millisecond(ms).ok())
        .unwrap_or_default();
    match timezone.and_then(find) {
        Some(zone) => now.display_with_offset(zone.to_offset(now)).to_string(),
        None => now.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_time_has_the_offset_of_its_day() {
        assert_eq!(
            local_time(1_763_614_800_000, Some("Europe/Berlin")),
            "2025-11-20T06:00:00+01:00"
        );
        assert_eq!(
            local_time(1_751_349_600_000, Some("Europe/Berlin")),
            "2025-07-01T08:00:00+02:00"
        );
        assert_eq!(local_time(1_763_614_800_000, None), "2025-11-20T05:00:00Z");
        assert_eq!(
            local_time(1_763_614_800_000, Some("Mars/Olympus")),
            "2025-11-20T05:00:00Z"
        );
    }
}
