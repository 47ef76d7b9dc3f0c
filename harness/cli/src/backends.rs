//! Backends by name: the one that is built in, and those found as shared libraries. Only a worker loads one.

use std::ffi::OsString;
use std::path::PathBuf;

use harness_backend_abi::host::Backend;
use harness_run::Program;

use crate::arguments::BackendFolders;
use crate::exit::{Exit, Failure};

/// The backend that needs no file.
pub(crate) const BUILT_IN: &str = "flex";

/// This program as a worker.
pub(crate) fn worker(folders: &BackendFolders) -> Result<Program, Failure> {
    let path = std::env::current_exe()
        .map_err(|error| Failure { exit: Exit::System, message: format!("can't find this program's file: {error}") })?;
    let mut arguments: Vec<OsString> = vec!["worker".into()];
    for folder in &folders.folders {
        arguments.push("--backend-dir".into());
        arguments.push(std::path::absolute(folder).map_or_else(|_| folder.clone(), PathBuf::from).into());
    }
    Ok(Program { path, arguments })
}

/// Loads a backend into this process.
pub(crate) fn open(name: &str, _folders: &BackendFolders) -> Result<Backend, String> {
    match name {
        BUILT_IN => harness_backend_flex::backend().map_err(|error| error.to_string()),
        _ => Err(format!("no backend is called `{name}`; there is {BUILT_IN}")),
    }
}
