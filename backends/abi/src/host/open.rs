//! An open device's handle, closed with the last that holds it.

use std::ptr::NonNull;

use super::{Backend, BackendError};
use crate::plugin::Failure;
use crate::table::SessionHandle;

/// What a session, its towers and its trainers share.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) backend: Backend,
    pub(super) handle: NonNull<SessionHandle>,
}

impl Drop for Open {
    fn drop(&mut self) {
        // SAFETY: the handle came from `session_open`; towers and trainers hold this value, so they are freed already.
        // Nobody is left to hear of a failure to close.
        unsafe { (self.backend.0.session_close)(self.handle.as_ptr()) };
    }
}

impl Open {
    pub(super) fn check(&self, call: &'static str, code: i32) -> Result<(), BackendError> {
        self.backend.check(call, self.handle.as_ptr(), code)
    }

    pub(super) fn error(&self, call: &'static str, failure: Failure) -> BackendError {
        self.backend.error(call, failure)
    }

    /// A handle that a call gave.
    pub(super) fn handle<T>(&self, call: &'static str, handle: *mut T) -> Result<NonNull<T>, BackendError> {
        NonNull::new(handle).ok_or_else(|| self.backend.no_handle(call))
    }
}
