//! What time it is somewhere, by the IANA names of time zones.
//!
//! A local time names its zone, too (RFC 9557), so that whoever reads it knows the clock of other days as well.

use anyturn_engine::Timestamp;
use anyturn_zones::find;

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

/// Local time as RFC 9557 writes it, with an offset and the name of the zone; UTC when the zone is unknown or none.
#[must_use]
pub fn local_time(milliseconds: u64, timezone: Option<&str>) -> String {
    let here = timezone.and_then(find).and_then(|zone| {
        let now = jiff::Timestamp::from_millisecond(i64::try_from(milliseconds).ok()?).ok()?;
        Some((zone.to_offset(now), zone))
    });
    let Some((offset, zone)) = here else {
        return Timestamp(milliseconds).to_string();
    };
    // The clock on the wall, written as if it were UTC, and then its distance from UTC.
    let mut text =
        Timestamp(milliseconds.saturating_add_signed(i64::from(offset.seconds()) * 1000)).to_string();
    text.pop();
    let name = zone.iana_name().unwrap_or("UTC");
    text.push_str(&format!("{}[{name}]", anyturn_zones::written(offset)));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_time_has_the_offset_of_its_day() {
        assert_eq!(
            local_time(1_763_614_800_000, Some("Europe/Berlin")),
            "2025-11-20T06:00:00.000+01:00[Europe/Berlin]"
        );
        assert_eq!(
            local_time(1_751_349_600_000, Some("europe/berlin")),
            "2025-07-01T08:00:00.000+02:00[Europe/Berlin]"
        );
        assert_eq!(
            local_time(1_763_614_800_000, Some("America/St_Johns")),
            "2025-11-20T01:30:00.000-03:30[America/St_Johns]"
        );
        assert_eq!(local_time(1_763_614_800_000, None), "2025-11-20T05:00:00.000Z");
        assert_eq!(
            local_time(1_763_614_800_000, Some("Mars/Olympus")),
            "2025-11-20T05:00:00.000Z"
        );
    }
}
