//! The harness's side: a backend from its table, checked, and safe handles on what it opens. Every length is checked
//! before a call, and a function that may be null is never called.
//!
//! Nothing here can be sent to another thread; a session outlives its towers and trainers, which are freed when
//! dropped.

mod discover;
mod error;
mod held;
mod library;
mod open;
mod raw;
mod session;
mod towers;
mod trainer;

use std::ffi::c_char;
use std::mem::{MaybeUninit, offset_of, size_of};
use std::rc::Rc;

pub use discover::{DiscoverError, PluginFile, PluginFolder, discover, file_name};
pub use error::{BackendError, LoadError, Version};
pub use held::HeldTaps;
pub use library::{HELP_MARK, LibraryError};
pub use session::Session;
pub use towers::{ImageTower, TextTower};
pub use trainer::{Moments, Scores, Trainer};

pub use crate::options::{
    Capability, Description, ImageTowerOptions, Model, Precision, SessionOptions, TextTowerOptions, TrainerOptions,
};
pub use crate::plugin::{ImageTowerShape, Memory, TextTowerShape, TrainerShape};
pub use crate::status::Status;
pub use crate::tensor::{DType, NamedTensor, OwnedTensor, TensorRef};

use crate::plugin::{Failure, Plugin};
use crate::status;
use crate::table::{self, SessionHandle, Table};

/// Longest text a backend may hand over, in bytes: a longer one is a stray number.
const MAX_TEXT: usize = 1 << 20;

/// A backend: its functions and its description. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Backend(Rc<Inner>);

#[derive(Debug)]
struct Inner {
    table: Table,
    last_error: table::LastError,
    session_open: table::SessionOpen,
    session_close: table::SessionClose,
    version: Version,
    description: Description,
    capabilities: Vec<Capability>,
}

impl Backend {
    /// A backend that is linked statically. It is called through the same table as a loaded one.
    ///
    /// # Errors
    /// The table is refused.
    pub fn built_in<P: Plugin>() -> Result<Self, LoadError> {
        // SAFETY: `table_of` gives a table for the whole process, whose functions this crate wrote.
        unsafe { Self::from_table(crate::table_of::<P>()) }
    }

    /// A backend from the table that its library gave.
    ///
    /// # Errors
    /// [`LoadError`]: magic, major version, size, null functions, or a description that is not understood.
    ///
    /// # Safety
    /// `table` is null, or readable for as long as this process runs: at least 24 bytes, and, where magic and major
    /// version are this crate's, `size` bytes that hold functions which keep the promises of
    /// `include/harness_backend.h`.
    pub unsafe fn from_table(table: *const Table) -> Result<Self, LoadError> {
        if table.is_null() || !table.is_aligned() {
            return Err(LoadError::NoTable { address: table.addr() });
        }
        // SAFETY: not null, aligned, and 24 bytes are readable by this function's contract.
        let (size, magic, major, minor) = unsafe {
            (
                table.cast::<usize>().read(),
                table.byte_add(offset_of!(Table, magic)).cast::<u64>().read(),
                table.byte_add(offset_of!(Table, major)).cast::<u32>().read(),
                table.byte_add(offset_of!(Table, minor)).cast::<u32>().read(),
            )
        };
        let plugin = Version { major, minor };
        if magic != table::MAGIC {
            return Err(LoadError::Magic { found: magic, plugin });
        }
        if major != table::MAJOR {
            return Err(LoadError::Major { plugin });
        }
        if size < table::REQUIRED_SIZE {
            return Err(LoadError::Size { found: size, plugin });
        }
        let mut known = MaybeUninit::<Table>::zeroed();
        // SAFETY: `size` bytes are readable by this function's contract; what a shorter table lacks stays zero, and a
        // zero function is null.
        let table = unsafe {
            let bytes = size.min(size_of::<Table>());
            std::ptr::copy_nonoverlapping(table.cast::<u8>(), known.as_mut_ptr().cast::<u8>(), bytes);
            known.assume_init()
        };
        let describe = table.describe.ok_or(LoadError::NoFunction { function: "describe" })?;
        let last_error = table.last_error.ok_or(LoadError::NoFunction { function: "last_error" })?;
        let session_open = table.session_open.ok_or(LoadError::NoFunction { function: "session_open" })?;
        let session_close = table.session_close.ok_or(LoadError::NoFunction { function: "session_close" })?;
        // SAFETY: the function keeps the header's promises by this function's contract; `text` hands it a buffer and
        // its length.
        let json = text(|buffer, capacity, length| unsafe { describe(buffer, capacity, length) }).map_err(|code| {
            let Failure { status, message } = failure(last_error, std::ptr::null(), code);
            LoadError::Describe { status, message }
        })?;
        let said: Description = serde_json::from_str(&json).map_err(LoadError::Description)?;
        let description = Description { interface: plugin.to_string(), ..said };
        // Capabilities of a newer minor version are ignored.
        let has = |known: &Capability| description.capabilities.iter().any(|name| name == known.name());
        let capabilities: Vec<Capability> =
            Capability::ALL.into_iter().chain([Capability::Compiles]).filter(has).collect();
        for capability in &capabilities {
            if let Some(function) = capability.missing(&table) {
                let (backend, capability) = (description.name, capability.name());
                return Err(LoadError::EmptyCapability { backend, capability, function });
            }
        }
        Ok(Self(Rc::new(Inner {
            table,
            last_error,
            session_open,
            session_close,
            version: plugin,
            description,
            capabilities,
        })))
    }

    /// Its description of itself, asked for once when it was loaded.
    pub fn describe(&self) -> &Description {
        &self.0.description
    }

    /// The interface it was built for.
    pub fn interface(&self) -> Version {
        self.0.version
    }

    /// Whether it can do this.
    pub fn has(&self, capability: Capability) -> bool {
        self.0.capabilities.contains(&capability)
    }

    /// What it can do.
    pub fn capabilities(&self) -> &[Capability] {
        &self.0.capabilities
    }

    /// An error of the host's own making.
    fn error(&self, call: &'static str, failure: Failure) -> BackendError {
        BackendError::new(&self.0.description.name, call, failure)
    }

    fn no_handle(&self, call: &'static str) -> BackendError {
        self.error(call, Failure::internal("the call succeeded and gave no handle"))
    }

    /// A function that may be null, called only where its capability is there.
    fn function<F: Copy>(
        &self,
        call: &'static str,
        capability: Capability,
        select: impl FnOnce(&Table) -> Option<F>,
    ) -> Result<F, BackendError> {
        let function = if self.has(capability) { select(&self.0.table) } else { None };
        function.ok_or_else(|| {
            let message = format!("the backend lacks the capability `{}`", capability.name());
            self.error(call, Failure::unsupported(message))
        })
    }

    fn json(&self, call: &'static str, options: &impl serde::Serialize) -> Result<String, BackendError> {
        serde_json::to_string(options)
            .map_err(|cause| self.error(call, Failure::invalid(format!("options can't be written as JSON: {cause}"))))
    }

    fn check(&self, call: &'static str, session: *const SessionHandle, code: i32) -> Result<(), BackendError> {
        match code {
            status::OK => Ok(()),
            code => Err(self.error(call, failure(self.0.last_error, session, code))),
        }
    }
}

/// What a status other than ok means, with the message that goes with it.
fn failure(last_error: table::LastError, session: *const SessionHandle, code: i32) -> Failure {
    // SAFETY: the session is null or live; `text` hands over a buffer and its length.
    let message = text(|buffer, capacity, length| unsafe { last_error(session, buffer, capacity, length) });
    let message = message.unwrap_or_else(|code| format!("its message can't be read (status {code})"));
    match Status::from_code(code) {
        Some(status) => Failure::new(status, message),
        None => Failure::internal(format!("unknown status {code}: {message}")),
    }
}

/// The two calls that fetch a text: how long, then what. Text that is not UTF-8 is made so.
fn text(mut call: impl FnMut(*mut c_char, usize, *mut usize) -> i32) -> Result<String, i32> {
    let mut length = 0;
    let code = call(std::ptr::null_mut(), 0, &raw mut length);
    if code != status::OK {
        return Err(code);
    }
    let mut buffer = vec![0_u8; length.min(MAX_TEXT)];
    let code = call(buffer.as_mut_ptr().cast(), buffer.len(), &raw mut length);
    if code != status::OK {
        return Err(code);
    }
    buffer.truncate(length);
    Ok(String::from_utf8_lossy(&buffer).into_owned())
}
