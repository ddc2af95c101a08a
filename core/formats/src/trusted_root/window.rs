//! Windows of validity (`TimeRange` of protobuf-specs `sigstore_common.proto`).

use serde::{Deserialize, Serialize};
use thiserror::Error;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// When a key, an authority or a service is good, in whole Unix seconds. Both ends belong to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The first second.
    pub start: i64,
    /// The last second; open when `None`.
    pub end: Option<i64>,
}

/// Why a window was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WindowError {
    /// There is no start, and what has no start would always have been trusted.
    #[error("no start")]
    NoStart,
    /// An end of the window is not an RFC 3339 time.
    #[error("{text:?} is not an RFC 3339 time")]
    NotATime {
        /// What was found.
        text: String,
    },
    /// It ends before it starts.
    #[error("it ends before it starts")]
    Reversed,
}

impl Window {
    /// Whether a moment, in Unix seconds, is in the window; both ends are.
    #[must_use]
    pub fn contains(&self, moment: i64) -> bool {
        self.start <= moment && self.end.is_none_or(|end| moment <= end)
    }
}

/// A window on the wire.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct WireWindow {
    start: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end: Option<String>,
}

impl WireWindow {
    /// The window of a `validFor`, which must be there and have a start.
    pub fn required(window: Option<&Self>) -> Result<Window, WindowError> {
        let Some(Self { start: Some(start), end }) = window else {
            return Err(WindowError::NoStart);
        };
        let start = seconds(start)?;
        let end = end.as_deref().map(seconds).transpose()?;
        if end.is_some_and(|end| end < start) {
            return Err(WindowError::Reversed);
        }
        Ok(Window { start, end })
    }
}

impl From<&Window> for WireWindow {
    fn from(window: &Window) -> Self {
        Self { start: Some(rfc3339(window.start)), end: window.end.map(rfc3339) }
    }
}

/// Fractions are cut off at both ends: the moments compared with a window are cut off too, so
/// that a time in the start's own second is in, and one after the end's second is out.
fn seconds(text: &str) -> Result<i64, WindowError> {
    OffsetDateTime::parse(text, &Rfc3339)
        .map(OffsetDateTime::unix_timestamp)
        .map_err(|_| WindowError::NotATime { text: text.to_owned() })
}

/// UTC with a `Z` and whole seconds. Moments outside RFC 3339's four-digit years go to the
/// nearest end of them.
fn rfc3339(seconds: i64) -> String {
    let moment = OffsetDateTime::from_unix_timestamp(seconds.clamp(YEAR_0, YEAR_9999_END))
        .unwrap_or(OffsetDateTime::UNIX_EPOCH);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
        moment.year(),
        u8::from(moment.month()),
        moment.day(),
        moment.hour(),
        moment.minute(),
        moment.second()
    )
}

/// 0000-01-01T00:00:00Z.
const YEAR_0: i64 = -62_167_219_200;
/// 9999-12-31T23:59:59Z.
const YEAR_9999_END: i64 = 253_402_300_799;

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn window(start: &str, end: Option<&str>) -> Result<Window, WindowError> {
        let end = end.map(str::to_owned);
        WireWindow::required(Some(&WireWindow { start: Some(start.to_owned()), end }))
    }

    #[test]
    fn windows_enforced() {
        assert_eq!(WireWindow::required(None), Err(WindowError::NoStart));
        assert_eq!(WireWindow::required(Some(&WireWindow::default())), Err(WindowError::NoStart));
        let only_end = WireWindow { start: None, end: Some("2022-01-01T00:00:00Z".to_owned()) };
        assert_eq!(WireWindow::required(Some(&only_end)), Err(WindowError::NoStart));

        let closed = window("1970-01-01T00:00:10Z", Some("1970-01-01T00:00:20Z")).unwrap();
        assert!(closed.contains(10) && closed.contains(20));
        assert!(!closed.contains(9) && !closed.contains(21));
        let open = window("1970-01-01T00:00:10Z", None).unwrap();
        assert!(open.contains(i64::MAX) && !open.contains(9));
        let moment = window("1970-01-01T00:00:10Z", Some("1970-01-01T00:00:10Z")).unwrap();
        assert!(moment.contains(10));
    }

    #[test]
    fn fractions_are_cut_off_at_both_ends() {
        let parsed = window("2022-10-31T23:59:58.5Z", Some("2022-10-31T23:59:59.999Z")).unwrap();
        assert_eq!(parsed, Window { start: 1_667_260_798, end: Some(1_667_260_799) });
        let before_1970 = window("1969-12-31T23:59:58.5Z", None).unwrap();
        assert_eq!(before_1970.start, -2);
    }

    #[test]
    fn offsets_count() {
        assert_eq!(window("2024-01-01T01:00:00+01:00", None), window("2024-01-01T00:00:00Z", None));
    }

    #[test]
    fn other_times_are_refused() {
        for text in ["", "2024-01-01", "2024-01-01T00:00:00", "1704067200", "2024-13-01T00:00:00Z"]
        {
            assert_eq!(window(text, None), Err(WindowError::NotATime { text: text.to_owned() }));
            assert_eq!(
                window("2020-01-01T00:00:00Z", Some(text)),
                Err(WindowError::NotATime { text: text.to_owned() })
            );
        }
    }

    #[test]
    fn a_window_does_not_end_before_it_starts() {
        assert_eq!(
            window("2024-01-01T00:00:01Z", Some("2024-01-01T00:00:00Z")),
            Err(WindowError::Reversed)
        );
    }

    #[test]
    fn extreme_moments_are_written_as_times() {
        assert_eq!(rfc3339(i64::MIN), "0000-01-01T00:00:00Z");
        assert_eq!(rfc3339(i64::MAX), "9999-12-31T23:59:59Z");
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
    }

    proptest! {
        #[test]
        fn written_times_read_back(start in YEAR_0..=YEAR_9999_END, length in proptest::option::of(0..=1_000_000_i64)) {
            let end = length.map(|length| start.saturating_add(length).min(YEAR_9999_END));
            let window = Window { start, end };
            let wire = WireWindow::from(&window);
            prop_assert_eq!(WireWindow::required(Some(&wire)), Ok(window));
        }
    }
}
