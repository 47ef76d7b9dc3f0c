//! The model's errors and a device's panics as statuses of the interface.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use burn::tensor::backend::Backend;
use harness_backend_abi::plugin::Failure;
use madclip::ModelError;

use crate::{BurnBackend, panics};

pub(crate) fn of_model(error: ModelError) -> Failure {
    let message = error.to_string();
    match error {
        ModelError::MissingTensor { .. } | ModelError::Shape { .. } | ModelError::Invalid(_) => {
            Failure::invalid(message)
        }
        ModelError::NotFinite { .. } => Failure::numeric(message),
    }
}

/// Computes on a device. Exhausted memory, which Burn reports by panicking, becomes a status; any other panic
/// continues. On a device with a thread of its own, a panic there becomes a status, too, of this call or, where the
/// device went on with something after the last call, of the next: results can't be trusted then.
pub(crate) fn on_device<D: BurnBackend, R: Send>(
    device: &D,
    call: impl FnOnce() -> Result<R, Failure> + Send,
) -> Result<R, Failure> {
    let done = catch_unwind(AssertUnwindSafe(|| device.run(call)));
    let elsewhere = if D::COMPILES { panics::elsewhere() } else { None };
    match (done, elsewhere) {
        (_, Some(panic)) if D::is_exhaustion(&panic) => Err(Failure::exhausted(panic)),
        (Ok(Err(failure)), Some(panic)) => {
            Err(Failure::new(failure.status, format!("{}; a thread of the device panicked: {panic}", failure.message)))
        }
        (_, Some(panic)) => Err(Failure::internal(format!(
            "a thread of the device panicked, so what it computed can't be trusted: {panic}"
        ))),
        (Ok(done), None) => done,
        (Err(payload), None) => match panics::text(&*payload) {
            Some(panic) if D::is_exhaustion(panic) => Err(Failure::exhausted(panic)),
            _ => resume_unwind(payload),
        },
    }
}

/// Waits for all that a device was asked to do.
pub(crate) fn settled<D: BurnBackend>(device: &D) -> Result<(), Failure> {
    D::Backend::sync(device.device()).map_err(|cause| {
        let cause = format!("{cause:?}");
        if D::is_exhaustion(&cause) { Failure::exhausted(cause) } else { Failure::internal(cause) }
    })
}
