//! The values behind a plugin's opaque handles, the guard around every call, and the message it leaves.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use crate::plugin::Failure;
use crate::status;

/// The message of a session's last call; empty after success. Its towers and trainers share it.
pub(super) type Message = Arc<Mutex<String>>;

thread_local! {
    /// The message of this thread's last call without a session.
    static SESSIONLESS: RefCell<String> = const { RefCell::new(String::new()) };
}

/// A value behind a handle.
pub(super) struct Held<T> {
    pub(super) value: T,
    pub(super) message: Message,
}

/// The message of a session, or of this thread's calls without one.
pub(super) fn message(session: Option<&Message>) -> String {
    match session {
        Some(message) => message.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        None => SESSIONLESS.try_with(|message| message.borrow().clone()).unwrap_or_default(),
    }
}

fn keep(session: Option<&Message>, text: String) {
    match session {
        Some(message) => *message.lock().unwrap_or_else(PoisonError::into_inner) = text,
        // A thread that is ending can't keep a message, and nobody will read it.
        None => drop(SESSIONLESS.try_with(|message| message.replace(text))),
    }
}

/// Runs a call: keeps its message, turns a panic into `internal`, gives the status.
pub(super) fn guarded(session: Option<&Message>, call: impl FnOnce() -> Result<(), Failure>) -> i32 {
    // A panic may leave the plugin's own values half changed: the trait asks it to keep the session usable.
    let result = catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|payload| Err(panicked(payload)));
    match result {
        Ok(()) => {
            keep(session, String::new());
            status::OK
        }
        Err(failure) => {
            keep(session, failure.message);
            failure.status.code()
        }
    }
}

fn panicked(payload: Box<dyn Any + Send>) -> Failure {
    let text = match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => match payload.downcast::<&'static str>() {
            Ok(text) => (*text).to_owned(),
            Err(payload) => {
                // Its destructor is unknown code that could panic in turn, outside any guard.
                std::mem::forget(payload);
                "without a message".to_owned()
            }
        },
    };
    Failure::internal(format!("the backend panicked: {text}"))
}

/// Runs a call on the value behind a handle.
///
/// # Safety
/// `handle` is null, or came from [`lend`] for a `Held<T>`, was not freed, and is used by no other thread meanwhile.
pub(super) unsafe fn with<T>(handle: *mut Held<T>, call: impl FnOnce(&mut T, &Message) -> Result<(), Failure>) -> i32 {
    // SAFETY: null or a live `Held<T>`, exclusive, by this function's contract.
    match unsafe { handle.as_mut() } {
        Some(held) => {
            let message = Arc::clone(&held.message);
            guarded(Some(&message), || call(&mut held.value, &message))
        }
        None => guarded(None, || Err(Failure::invalid("the handle is null"))),
    }
}

/// Gives the host a handle through `out`, which is null until then.
///
/// # Safety
/// `out` is null or writable.
pub(super) unsafe fn lend<H, T>(
    out: *mut *mut H,
    message: &Message,
    make: impl FnOnce() -> Result<T, Failure>,
) -> Result<(), Failure> {
    if out.is_null() {
        return Err(Failure::invalid("the pointer for the handle is null"));
    }
    // SAFETY: not null, hence writable.
    unsafe { out.write(std::ptr::null_mut()) };
    let held = Box::new(Held { value: make()?, message: Arc::clone(message) });
    // SAFETY: as above.
    unsafe { out.write(Box::into_raw(held).cast::<H>()) };
    Ok(())
}

/// Takes a handle back and drops its value. Null is ignored.
///
/// # Safety
/// As for [`with`]; the handle is not used again.
pub(super) unsafe fn free<T>(handle: *mut Held<T>) -> i32 {
    if handle.is_null() {
        return status::OK;
    }
    // SAFETY: it came from `Box::into_raw` in `lend`, and the caller gives it up.
    let held = unsafe { Box::from_raw(handle) };
    let message = Arc::clone(&held.message);
    guarded(Some(&message), || {
        drop(held);
        Ok(())
    })
}
