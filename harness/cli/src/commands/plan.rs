//! `harness plan`.

use harness_run::Pace;

use super::{planned, print, say};
use crate::arguments::Plan;
use crate::exit::{Exit, Failure};
use crate::paths;

pub(super) fn plan(arguments: &Plan) -> Result<Exit, Failure> {
    let (plan, world) = planned(&arguments.experiment, arguments.smoke, &arguments.places)?;
    for warning in world.warnings() {
        say(format!("warning: {warning}"));
    }
    match arguments.toml {
        true => print(plan.to_toml()?),
        false => {
            let mut listing = plan.listing(arguments.cells);
            let mut pace = Pace::open(&paths::pace(&paths::cache(arguments.places.cache.as_deref())?));
            let threads = arguments.threads.map(usize::from);
            match pace.estimate(&plan, threads, world.program()) {
                Ok(time) => listing = listing.with_time(time),
                Err(error) => say(format!("warning: how long it takes is not known: {error}")),
            }
            print(listing);
        }
    }
    Ok(Exit::Done)
}
