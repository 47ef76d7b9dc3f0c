//! A backend's session on a device, and the rate of its matrix products.

use harness_backend_abi::host::{Backend, Capability, Session, SessionOptions};
use harness_experiment::Precision;
use harness_records::Class;

use crate::error::Error;

/// The kind of device that is the processor itself, whose rate of products the harness measures.
pub const PROCESSOR: &str = "cpu";

/// The rate of products of a device of its own; `None` where it is the processor or the backend can't tell.
pub(crate) fn gemm_rate(session: &Session, device: &str) -> Option<Result<f64, Error>> {
    let own = device != PROCESSOR && session.backend().has(Capability::Gemm);
    own.then(|| Ok(session.gemm_rate()?))
}

/// A session on a device of some kind.
pub(crate) fn open_session(
    backend: &Backend,
    device: &str,
    threads: Option<usize>,
    precision: Precision,
) -> Result<Session, Error> {
    let devices = &backend.describe().devices;
    let Some(found) = devices.iter().find(|found| found.split(':').next() == Some(device)).cloned() else {
        let message = format!(
            "backend `{}` has no device of kind `{device}` here; it has: {}",
            backend.describe().name,
            if devices.is_empty() { "none".to_owned() } else { devices.join(", ") }
        );
        return Err(Error::Job { class: Class::Input, message });
    };
    Ok(backend.open(&SessionOptions { device: found, threads, tf32: precision == Precision::Tf32 })?)
}
