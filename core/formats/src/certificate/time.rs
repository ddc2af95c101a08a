//! ASN.1 times as Unix seconds.

use time::{Date, Month, Time};

use super::DerError;

/// UTCTime content in the one form of RFC 5280 section 4.1.2.5.1: `YYMMDDHHMMSSZ`, years 1950 to
/// 2049.
pub(crate) fn utc_time(content: &[u8]) -> Result<i64, DerError> {
    let (year, rest) = content.split_at_checked(2).ok_or(DerError::BadTime)?;
    let year = digits(year)?;
    let century = if year < 50 { 2000 } else { 1900 };
    seconds(century + year, rest)
}

/// GeneralizedTime content in the one form of RFC 5280 section 4.1.2.5.2: `YYYYMMDDHHMMSSZ`.
pub(crate) fn generalized_time(content: &[u8]) -> Result<i64, DerError> {
    let (year, rest) = content.split_at_checked(4).ok_or(DerError::BadTime)?;
    seconds(digits(year)?, rest)
}

/// `MMDDHHMMSSZ` of a year.
fn seconds(year: u16, rest: &[u8]) -> Result<i64, DerError> {
    let Some((rest, [])) = rest.split_at_checked(11) else { return Err(DerError::BadTime) };
    let (pairs, [b'Z']) = rest.as_chunks::<2>() else { return Err(DerError::BadTime) };
    let [month, day, hour, minute, second] = pairs else { return Err(DerError::BadTime) };
    let part = |pair: &[u8; 2]| {
        digits(pair).and_then(|value| u8::try_from(value).map_err(|_| DerError::BadTime))
    };
    let month = Month::try_from(part(month)?).map_err(|_| DerError::BadTime)?;
    let date = Date::from_calendar_date(i32::from(year), month, part(day)?);
    let time = Time::from_hms(part(hour)?, part(minute)?, part(second)?);
    match (date, time) {
        (Ok(date), Ok(time)) => Ok(date.with_time(time).assume_utc().unix_timestamp()),
        _ => Err(DerError::BadTime),
    }
}

fn digits(text: &[u8]) -> Result<u16, DerError> {
    text.iter().try_fold(0_u16, |value, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit < 10).ok_or(DerError::BadTime)?;
        Ok(value * 10 + u16::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_instants() {
        assert_eq!(utc_time(b"700101000000Z"), Ok(0));
        assert_eq!(utc_time(b"500101000000Z"), Ok(-631_152_000));
        assert_eq!(utc_time(b"491231235959Z"), Ok(2_524_607_999));
        assert_eq!(generalized_time(b"20500101000000Z"), Ok(2_524_608_000));
        assert_eq!(generalized_time(b"20240229120000Z"), Ok(1_709_208_000));
    }

    #[test]
    fn only_the_profiled_form() {
        for bad in [
            &b""[..],
            b"2402291200Z",
            b"240229120000",
            b"240229120000+0000",
            b"240229120060Z",
            b"240229240000Z",
            b"230229120000Z",
            b"241301120000Z",
            b"24022912000 Z",
            b"240229120000ZZ",
            b"240229120000z",
            b"2402291200-1Z",
        ] {
            assert_eq!(utc_time(bad), Err(DerError::BadTime), "{bad:?}");
        }
        assert_eq!(generalized_time(b"20240229120000.5Z"), Err(DerError::BadTime));
        assert_eq!(generalized_time(b"240229120000Z"), Err(DerError::BadTime));
    }
}
