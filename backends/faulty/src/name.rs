//! The backend's name: that of the file it was loaded from, so that a test can have several.

use std::ffi::{CStr, c_void};
use std::path::Path;

use harness_backend_abi::host::file_name;

/// The name in this library's file name; `None` where the file isn't a plugin's.
pub(crate) fn of_this_library() -> Option<String> {
    let mut info = std::mem::MaybeUninit::<libc::Dl_info>::zeroed();
    let here: fn() -> Option<String> = of_this_library;
    // SAFETY: the address of a function here, and memory for the answer, which is read only after success.
    let file = unsafe {
        if libc::dladdr(here as *const c_void, info.as_mut_ptr()) == 0 {
            return None;
        }
        let name = info.assume_init().dli_fname;
        if name.is_null() {
            return None;
        }
        CStr::from_ptr(name).to_str().ok()?
    };
    let file = Path::new(file).file_name()?.to_str()?;
    let around = file_name("/");
    let (before, after) = around.split_once('/')?;
    file.strip_prefix(before)?.strip_suffix(after).map(str::to_owned)
}
