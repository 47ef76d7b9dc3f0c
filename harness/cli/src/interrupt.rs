//! Ctrl-C and termination signals: the first ends the work in a clean state, the second ends the process.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::board;
use crate::exit::{Exit, Failure};
use crate::output::insist;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// From now on the first signal is remembered instead of ending the process.
pub(crate) fn listen() -> Result<(), Failure> {
    let handler = || {
        if INTERRUPTED.swap(true, Ordering::Relaxed) {
            board::clear();
            std::process::exit(Exit::Interrupted as i32);
        }
        insist("\nstopping cleanly; press Ctrl-C again to stop now");
    };
    ctrlc::set_handler(handler)
        .map_err(|error| Failure { exit: Exit::System, message: format!("can't listen for Ctrl-C: {error}") })
}

/// No signal has come so far.
pub(crate) fn go_on() -> bool {
    !INTERRUPTED.load(Ordering::Relaxed)
}
