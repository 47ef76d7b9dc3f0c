//! The model's errors and a device's panics as statuses of the interface.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use burn::tensor::backend::Backend;
use harness_backend_abi::plugin::Failure;
use madclip::ModelError;

use crate::BurnBackend;

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
/// continues.
pub(crate) fn on_device<D: BurnBackend, R: Send>(
    device: &D,
    call: impl FnOnce() -> Result<R, Failure> + Send,
) -> Result<R, Failure> {
    catch_unwind(AssertUnwindSafe(|| device.run(call))).unwrap_or_else(|payload| match text(&*payload) {
        Some(panic) if D::is_exhaustion(panic) => Err(Failure::exhausted(panic)),
        _ => resume_unwind(payload),
    })
}

/// Waits for all that a device was asked to do.
pub(crate) fn settled<D: BurnBackend>(device: &D) -> Result<(), Failure> {
    D::Backend::sync(device.device()).map_err(|cause| {
        let cause = format!("{cause:?}");
        if D::is_exhaustion(&cause) { Failure::exhausted(cause) } else { Failure::internal(cause) }
    })
}

fn text(payload: &(dyn Any + Send)) -> Option<&str> {
    payload.downcast_ref::<String>().map(String::as_str).or_else(|| payload.downcast_ref::<&'static str>().copied())
}
