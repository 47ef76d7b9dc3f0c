//! Ends the process in the middle of writing, for tests of what a power cut leaves. Without the variable nothing
//! happens.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// `harness:N` or `worker:N`: that process aborts the Nth time, from 1, that something is about to become durable or
/// just has become so.
const VARIABLE: &str = "HARNESS_STOP_AT_WRITE";

static WORKER: AtomicBool = AtomicBool::new(false);
static REACHED: AtomicU64 = AtomicU64::new(0);

/// Says that this process is a worker.
pub fn this_is_a_worker() {
    WORKER.store(true, Ordering::Relaxed);
}

/// Marks that something is about to become durable, or just has.
pub fn reached() {
    static STOP: OnceLock<Option<(bool, u64)>> = OnceLock::new();
    let stop = STOP.get_or_init(|| {
        let text = std::env::var(VARIABLE).ok()?;
        let (process, number) = text.split_once(':')?;
        Some((process == "worker", number.parse().ok()?))
    });
    let Some((worker, number)) = *stop else { return };
    if worker == WORKER.load(Ordering::Relaxed) && REACHED.fetch_add(1, Ordering::Relaxed) + 1 == number {
        std::process::abort();
    }
}
