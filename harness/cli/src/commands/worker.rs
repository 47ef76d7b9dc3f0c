//! `harness worker`: the process in which a backend computes. Runs start it; people don't.

use crate::backends::{BUILT_IN, open};
use crate::exit::{Exit, Failure};
use crate::flags::BackendFolders;

pub(super) fn serve(folders: &BackendFolders) -> Result<Exit, Failure> {
    harness_worker::serve(&|name| open(name, folders), BUILT_IN, &harness_backend_flex::gemm_gflops)?;
    Ok(Exit::Done)
}
