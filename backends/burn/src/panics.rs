//! Panics on other threads than a caller's. A device's own thread catches what a task panics with, logs it and goes on,
//! and what the task should have computed is whatever was in memory; so each is noted here as it begins.

use std::any::Any;
use std::panic::{self, PanicHookInfo};
use std::sync::{Mutex, Once, PoisonError};
use std::thread::{self, ThreadId};

/// Most panics whose words are kept between two looks.
const KEPT: usize = 8;

/// A panic: on which thread, and in which words.
static SEEN: Mutex<Vec<(ThreadId, String)>> = Mutex::new(Vec::new());

/// Begins to note panics of this library's threads. What was done with them before is done still.
pub(crate) fn watch() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            note(info);
            before(info);
        }));
    });
}

fn note(info: &PanicHookInfo<'_>) {
    let place = info.location().map(|place| format!(" ({}:{})", place.file(), place.line())).unwrap_or_default();
    let words = text(info.payload()).unwrap_or("a panic without words");
    let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    if seen.len() < KEPT {
        seen.push((thread::current().id(), format!("{words}{place}")));
    }
}

/// What another thread panicked with since this was last asked.
pub(crate) fn elsewhere() -> Option<String> {
    let here = thread::current().id();
    let seen = std::mem::take(&mut *SEEN.lock().unwrap_or_else(PoisonError::into_inner));
    seen.into_iter().find(|(thread, _)| *thread != here).map(|(_, words)| words)
}

/// The words of a panic, where it has some.
pub(crate) fn text(payload: &(dyn Any + Send)) -> Option<&str> {
    payload.downcast_ref::<String>().map(String::as_str).or_else(|| payload.downcast_ref::<&'static str>().copied())
}
