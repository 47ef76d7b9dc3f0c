//! `harness cache list` and `clear`.

use std::path::Path;
use std::time::{Duration, SystemTime};

use harness_features::{Filter, clear, list, summarize};

use super::print;
use crate::arguments::Cache;
use crate::exit::{Exit, Failure};
use crate::paths;
use crate::terminal::duration;

pub(super) fn cache(arguments: &Cache) -> Result<Exit, Failure> {
    match arguments {
        Cache::List { cache } => print_list(cache.as_deref()),
        Cache::Clear { cache, older_than } => {
            let taps = paths::taps(&paths::cache(cache.as_deref())?);
            let filter = match older_than {
                Some(days) => Filter::OlderThan(Duration::from_secs(days.saturating_mul(86_400))),
                None => Filter::All,
            };
            let cleared = clear(&taps, filter)?;
            print(format!("removed {} chunks, {}\n", cleared.chunks, bytes(cleared.bytes)));
            if cleared.bytes_in_use > 0 {
                let later = bytes(cleared.bytes_in_use);
                print(format!("{later} of that come free when the processes that read them end\n"));
            }
            Ok(Exit::Done)
        }
    }
}

fn print_list(asked: Option<&Path>) -> Result<Exit, Failure> {
    let taps = paths::taps(&paths::cache(asked)?);
    let encodings = summarize(&list(&taps)?);
    for encoding in &encodings {
        let idle = SystemTime::now().duration_since(encoding.last_used).unwrap_or_default();
        print(format!(
            "{}, {}: {} images in {} chunks, {}, last used {} ago\n",
            encoding.label,
            encoding.shape,
            encoding.images,
            encoding.chunks,
            bytes(encoding.bytes),
            duration(idle)
        ));
    }
    let total: u64 = encodings.iter().map(|encoding| encoding.bytes).sum();
    print(format!("{} in {}\n", bytes(total), taps.display()));
    Ok(Exit::Done)
}

/// Decimal units, as disks are sold.
pub(super) fn bytes(number: u64) -> String {
    let units = [("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)];
    let fitting = units.iter().find(|(_, size)| number as f64 >= *size);
    fitting.map_or_else(|| format!("{number} bytes"), |(unit, size)| format!("{:.1} {unit}", number as f64 / size))
}
