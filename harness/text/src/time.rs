//! Durations and dates.

use std::time::Duration;

use jiff::fmt::friendly::{Designator, SpanPrinter};
use jiff::{Span, SpanRound, Timestamp, Unit};

/// Like `2h 3m` for people who wait.
const PRINTER: SpanPrinter = SpanPrinter::new().designator(Designator::Compact);

/// A duration in the two units that matter: `42s`, `3m 5s`, `2h 30m`, `3d 4h`.
pub fn duration(time: Duration) -> String {
    seconds(time.as_secs_f64())
}

/// [`duration`] of a number of seconds. Seconds that are not finite or beyond any calendar are shown as a number.
pub fn seconds(secs: f64) -> String {
    // Rounding to a unit first would print 59.6 s as `60s`.
    let whole = secs.round();
    let smallest = match whole {
        ..3600.0 => Unit::Second,
        ..86_400.0 => Unit::Minute,
        _ => Unit::Hour,
    };
    let round = SpanRound::new().largest(Unit::Day).smallest(smallest).days_are_24_hours();
    match Span::new().try_seconds(whole as i64).and_then(|span| span.round(round)) {
        Ok(span) if secs.is_finite() => PRINTER.span_to_string(&span),
        _ => format!("{secs}s"),
    }
}

/// A moment in seconds since 1970: `2026-11-25 03:14:54 UTC`.
pub fn date(secs: u64) -> String {
    let moment = i64::try_from(secs).ok().and_then(|secs| Timestamp::from_second(secs).ok());
    moment.map_or_else(|| format!("{secs} s after 1970"), |moment| moment.strftime("%F %T UTC").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_the_two_units_that_matter() {
        let shown = [0.0, 0.2, 41.7, 59.6, 185.0, 3600.0, 9030.0, 273_600.0].map(seconds);
        assert_eq!(shown, ["0s", "0s", "42s", "1m", "3m 5s", "1h", "2h 31m", "3d 4h"]);
    }

    #[test]
    fn a_duration_beyond_reason_is_still_text() {
        assert_eq!(seconds(f64::INFINITY), "infs");
        assert_eq!(seconds(f64::NAN), "NaNs");
        assert!(duration(Duration::MAX).ends_with('s'));
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(date(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(date(951_827_696), "2000-02-29 12:34:56 UTC");
        assert_eq!(date(1_795_576_494), "2026-11-25 03:14:54 UTC");
        assert_eq!(date(4_107_542_400), "2100-03-01 00:00:00 UTC");
        assert_eq!(date(u64::MAX), "18446744073709551615 s after 1970");
    }
}
