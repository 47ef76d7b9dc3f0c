//! `harness cache list` and `clear`.

use std::time::{Duration, SystemTime};

use clap::Subcommand;
use harness_features::{Filter, clear, list, summarize};
use harness_text::{bytes, count, duration};

use crate::exit::{Exit, Failure};
use crate::flags::CacheFolder;
use crate::output::print;
use crate::paths;

/// List or clear cached images: what the encoder made of them
#[derive(Debug, Subcommand)]
pub(crate) enum Cache {
    /// List what is stored
    #[command(after_help = "Example:\n  harness cache list")]
    List {
        #[command(flatten)]
        cache: CacheFolder,
    },
    /// Remove what is stored; a run encodes its images again
    #[command(after_help = "Example:\n  harness cache clear --older-than 30")]
    Clear {
        #[command(flatten)]
        cache: CacheFolder,
        /// Remove only what was not used for so many days
        #[arg(long, value_name = "DAYS")]
        older_than: Option<u64>,
    },
}

pub(super) fn cache(arguments: &Cache) -> Result<Exit, Failure> {
    match arguments {
        Cache::List { cache } => print_list(cache),
        Cache::Clear { cache, older_than } => {
            let taps = paths::taps(&paths::cache(cache)?);
            let filter = match older_than {
                Some(days) => Filter::OlderThan(Duration::from_secs(days.saturating_mul(86_400))),
                None => Filter::All,
            };
            let cleared = clear(&taps, filter)?;
            print(format!("removed {}, {}\n", count(cleared.chunks as u64, "chunk"), bytes(cleared.bytes)));
            if cleared.bytes_in_use > 0 {
                let later = bytes(cleared.bytes_in_use);
                print(format!("{later} of that are in use and become free when those processes end\n"));
            }
            Ok(Exit::Done)
        }
    }
}

fn print_list(cache: &CacheFolder) -> Result<Exit, Failure> {
    let taps = paths::taps(&paths::cache(cache)?);
    let encodings = summarize(&list(&taps)?);
    for encoding in &encodings {
        let idle = SystemTime::now().duration_since(encoding.last_used).unwrap_or_default();
        print(format!(
            "{}, {}: {} in {}, {}, last used {} ago\n",
            encoding.label,
            encoding.shape,
            count(encoding.images as u64, "image"),
            count(encoding.chunks as u64, "chunk"),
            bytes(encoding.bytes),
            duration(idle)
        ));
    }
    let total: u64 = encodings.iter().map(|encoding| encoding.bytes).sum();
    print(format!("{} in {}\n", bytes(total), taps.display()));
    Ok(Exit::Done)
}
