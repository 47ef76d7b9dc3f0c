//! `harness plan`.

use super::{print, say, world};
use crate::arguments::Plan;
use crate::exit::{Exit, Failure};

pub(super) fn plan(arguments: &Plan) -> Result<Exit, Failure> {
    let world = world(&arguments.experiment, &arguments.places)?;
    let plan = harness_experiment::Plan::read(&arguments.experiment, &world)?;
    world.save_hashes()?;
    for warning in world.warnings() {
        say(format!("warning: {warning}"));
    }
    match arguments.toml {
        true => print(plan.to_toml()?),
        false => print(plan.listing(arguments.cells)?),
    }
    Ok(Exit::Done)
}
