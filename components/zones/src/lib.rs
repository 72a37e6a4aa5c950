//! Time zones from now on, by their IANA names, in little room: for components that tell what time it is or will be
//! somewhere, and never what time it was.
//!
//! The zones are compiled in without their history (`build.rs`); a zone is looked up when it is needed, and nothing
//! is loaded.

use jiff::tz::{Offset, TimeZone};

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

/// A distance from UTC as RFC 3339 writes it, such as `+01:00`.
#[must_use]
pub fn written(offset: Offset) -> String {
    let seconds = offset.seconds();
    let (sign, minutes) = (if seconds < 0 { '-' } else { '+' }, seconds.unsigned_abs() / 60);
    format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::TimeZoneDatabase;

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
