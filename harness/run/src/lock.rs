//! Waiting for a results folder that another process writes to.

use std::time::Duration;

use harness_records::{Folder, Lock};

use crate::error::Error;
use crate::notice::{Notice, Observer};

/// Waits for the right to write records and reports, which lasts as long as what is returned. `observer` hears who has
/// it.
///
/// # Errors
/// The system's, and a file system that can't lock; `Interrupted` where `go_on` says no while waiting.
pub fn lock(folder: &Folder, observer: &mut dyn Observer, go_on: &dyn Fn() -> bool) -> Result<Lock, Error> {
    let mut said = false;
    loop {
        if let Some(lock) = folder.try_lock()? {
            return Ok(lock);
        }
        if !said {
            observer.notice(&Notice::Waiting { holder: &folder.lock_holder() });
            said = true;
        }
        if !go_on() {
            return Err(Error::Interrupted);
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}
