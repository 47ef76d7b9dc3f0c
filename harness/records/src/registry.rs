//! The registry as a run sees it: the user's file, or generated images under its datasets' names.

use std::path::Path;

use harness_data::Registry;
use harness_data::phantom::PhantomSpec;

use crate::error::Error;

/// Reads a registry, each dataset replaced by generated images where these are asked for.
///
/// # Errors
/// A registry that can't be read or is wrong.
pub fn load(path: &Path, generated: Option<PhantomSpec>) -> Result<Registry, Error> {
    let registry = Registry::load(path)?;
    Ok(match generated {
        Some(spec) => registry.generated(spec),
        None => registry,
    })
}
