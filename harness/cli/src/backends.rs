//! Backends by name: the built-in one, and those found as shared libraries. Only a worker and a check load one.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use harness_backend_abi::host::{Backend, PluginFile, PluginFolder, discover};
use harness_config::suggest::nearest;
use harness_run::Program;

use crate::exit::{Exit, Failure};
use crate::flags::BackendFolders;
use crate::paths::absolute;

/// The backend that needs no file.
pub(crate) const BUILT_IN: &str = "flex";

/// Folders to look for backends in, besides the usual ones: a list as in PATH.
const VARIABLE: &str = "HARNESS_BACKENDS";

/// This program as a worker.
pub(crate) fn worker(folders: &BackendFolders) -> Result<Program, Failure> {
    let path = std::env::current_exe().map_err(|error| Failure {
        exit: Exit::System,
        message: format!("can't find this program's own file: {error}"),
    })?;
    let mut arguments: Vec<OsString> = vec!["worker".into()];
    for folder in &folders.folders {
        arguments.push("--backend-dir".into());
        arguments.push(absolute(folder).into());
    }
    Ok(Program { path, arguments })
}

/// The backends found as files, none of them loaded.
pub(crate) fn plugins(folders: &BackendFolders) -> Result<Vec<PluginFile>, Failure> {
    discover(&all_folders(folders), &[BUILT_IN]).map_err(Failure::input)
}

/// Names of all backends, the built-in one first.
pub(crate) fn names(folders: &BackendFolders) -> Result<Vec<String>, Failure> {
    let found = plugins(folders)?.into_iter().map(|plugin| plugin.name);
    Ok(std::iter::once(BUILT_IN.to_owned()).chain(found).collect())
}

/// Loads a backend into this process.
pub(crate) fn open(name: &str, folders: &BackendFolders) -> Result<Backend, String> {
    if name == BUILT_IN {
        return harness_backend_flex::backend().map_err(|error| error.to_string());
    }
    let plugins = plugins(folders).map_err(|failure| failure.message)?;
    match plugins.iter().find(|plugin| plugin.name == name) {
        Some(plugin) => Backend::load(&plugin.path).map_err(|error| error.to_string()),
        None => {
            let names: Vec<&str> =
                std::iter::once(BUILT_IN).chain(plugins.iter().map(|plugin| plugin.name.as_str())).collect();
            let meant = nearest(name, names.iter().copied());
            let meant = meant.map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
            let names = names.join(", ");
            Err(format!(
                "there is no backend `{name}`; {meant}backends here: {names}; more are found in --backend-dir, \
                 {VARIABLE}, the user's folder and the program's folder"
            ))
        }
    }
}

/// The folders that backends are looked for in: named ones, the variable's, the user's, the program's own.
fn all_folders(folders: &BackendFolders) -> Vec<PluginFolder> {
    let named = folders.folders.iter().map(PluginFolder::named);
    let variable = std::env::var_os(VARIABLE).unwrap_or_default();
    let listed: Vec<PathBuf> = std::env::split_paths(&variable).filter(|path| !path.as_os_str().is_empty()).collect();
    let program = std::env::current_exe().ok();
    let beside = program.as_deref().and_then(Path::parent).map(PluginFolder::usual);
    named
        .chain(listed.into_iter().map(PluginFolder::named))
        .chain(user().map(PluginFolder::usual))
        .chain(beside)
        .collect()
}

/// `$XDG_DATA_HOME/harness/backends`, else `~/.local/share/harness/backends`.
fn user() -> Option<PathBuf> {
    let absolute = |variable: &str| std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = absolute("XDG_DATA_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/share")))?;
    Some(base.join("harness/backends"))
}
