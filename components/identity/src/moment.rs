//! RFC 3339 times, as entries of API keys name them.
//!
//! Written here because a library for calendars would be a tenth of the component that links this crate; tests hold it
//! to one.

/// Milliseconds since the Unix epoch of a time such as `2027-01-31T00:00:00Z`; `None` if it is none (RFC 3339, section
/// 5.6). Fractions of a second count down to milliseconds, and a leap second as the second after it.
pub(crate) fn parse(text: &str) -> Option<i64> {
    let (date, rest) = text.split_at_checked(10)?;
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let (time, rest) = rest.split_at_checked(8)?;
    let [year, month, day] = numbers(date, b'-', [4, 2, 2])?;
    let [hour, minute, second] = numbers(time, b':', [2, 2, 2])?;
    let (millisecond, zone) = match rest.strip_prefix('.') {
        None => (0, rest),
        Some(rest) => {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let (fraction, zone) = rest
                .split_at_checked(digits)
                .filter(|(fraction, _)| !fraction.is_empty())?;
            (format!("{fraction:0<3}").get(..3)?.parse().ok()?, zone)
        }
    };
    let offset = match zone {
        "Z" | "z" => 0,
        zone => {
            let sign = if zone.starts_with('-') { -1 } else { 1 };
            let [hours, minutes] = numbers(zone.strip_prefix(['+', '-'])?, b':', [2, 2])?;
            (hours < 24 && minutes < 60).then_some(sign * (hours * 60 + minutes))?
        }
    };
    let valid = (1..=12).contains(&month)
        && (1..=days_in(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    let minutes = (days(year, month, day) * 24 + hour) * 60 + minute - offset;
    valid.then_some((minutes * 60 + second) * 1000 + millisecond)
}

/// Numbers of so many digits with a separator between them.
fn numbers<const N: usize>(text: &str, separator: u8, digits: [usize; N]) -> Option<[i64; N]> {
    let mut numbers = [0; N];
    let mut fields = text.split(char::from(separator));
    for (number, digits) in numbers.iter_mut().zip(digits) {
        let field = fields.next()?;
        let well = field.len() == digits && field.bytes().all(|byte| byte.is_ascii_digit());
        *number = well.then(|| field.parse().ok())??;
    }
    fields.next().is_none().then_some(numbers)
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 (after H. Hinnant, "chrono-compatible low-level date algorithms", `days_from_civil`).
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_what_a_library_for_calendars_writes() {
        for step in -1_000..4_000_i64 {
            let moment = jiff::Timestamp::from_millisecond(step * 31_556_952_123).unwrap();
            assert_eq!(
                parse(&moment.to_string()),
                Some(moment.as_millisecond()),
                "{moment}"
            );
        }
    }

    #[test]
    fn offsets_fractions_and_leap_seconds_count() {
        for (text, same) in [
            ("2027-01-31T01:30:00+01:30", "2027-01-31T00:00:00Z"),
            ("2027-01-30t16:00:00-08:00", "2027-01-31T00:00:00Z"),
            ("2027-01-31 00:00:00.1239z", "2027-01-31T00:00:00.123Z"),
            ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"),
            ("2028-02-29T00:00:00Z", "2028-02-29T00:00:00Z"),
        ] {
            let same: jiff::Timestamp = same.parse().unwrap();
            assert_eq!(parse(text), Some(same.as_millisecond()), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "tomorrow",
            "2027-01-31",
            "2027-01-31T00:00:00",
            "2027-02-29T00:00:00Z",
            "2027-13-01T00:00:00Z",
            "2027-00-01T00:00:00Z",
            "2027-01-00T00:00:00Z",
            "2027-01-31T24:00:00Z",
            "2027-01-31T00:60:00Z",
            "2027-01-31T00:00:61Z",
            "2027-01-31T00:00:00+24:00",
            "2027-01-31T00:00:00.Z",
            "2027-01-31T00:00:00Zx",
            "2027-1-31T00:00:00Z",
            "+027-01-31T00:00:00Z",
            "2027-01-31T00:00:00+1:00",
            "2027-01-é1T00:00:00Z",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
