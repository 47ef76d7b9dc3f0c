//! A backend that misbehaves on demand, so that tests can show what the harness makes of every kind of fault.
#![doc = include_str!("../README.md")]
#![expect(unsafe_code, reason = "it breaks things on purpose, and hands over tables that are wrong")]

mod fault;
mod model;
mod name;
mod table;
pub mod tuned;

use std::io;
use std::path::{Path, PathBuf};

/// Puts the built plugin into a folder as backend `name`, for a test.
///
/// # Errors
/// The library isn't where cargo builds it for tests, or the folder can't be written.
pub fn install(folder: &Path, name: &str) -> io::Result<PathBuf> {
    // A test runs from `deps`, where the libraries are that cargo built for it.
    let library = std::env::current_exe()?.with_file_name(format!(
        "{}harness_faulty{}",
        std::env::consts::DLL_PREFIX,
        std::env::consts::DLL_SUFFIX
    ));
    let target = folder.join(harness_backend_abi::host::file_name(name));
    std::fs::copy(&library, &target)
        .map_err(|cause| io::Error::new(cause.kind(), format!("{}: {cause}", library.display())))?;
    Ok(target)
}
