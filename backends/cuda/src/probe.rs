//! How many CUDA devices can be used, or the first thing that is missing. CubeCL's device thread panics where one is,
//! so each is looked for before a device is made.
#![expect(unsafe_code, reason = "opening the driver's libraries runs their initialisers")]

use std::sync::OnceLock;

use cubecl::cuda::install::cuda_path;
use cudarc::{driver, nvrtc};

/// The number of devices, asked once; the reason in one line where there is none.
pub(crate) fn devices() -> &'static Result<usize, String> {
    static DEVICES: OnceLock<Result<usize, String>> = OnceLock::new();
    DEVICES.get_or_init(probe)
}

fn probe() -> Result<usize, String> {
    // SAFETY: opens the driver's library, as the runtime would, and closes it.
    if !unsafe { driver::sys::is_culib_present() } {
        return Err("no NVIDIA driver: libcuda can't be loaded; install the driver".into());
    }
    driver::result::init().map_err(|cause| format!("the NVIDIA driver does not start: {cause:?}"))?;
    let count = driver::result::device::get_count().map_err(|cause| format!("no CUDA device: {cause:?}"))?;
    let count = usize::try_from(count).unwrap_or(0);
    if count == 0 {
        return Err("the NVIDIA driver shows no device: see CUDA_VISIBLE_DEVICES".into());
    }
    // SAFETY: as above, for the compiler.
    if !unsafe { nvrtc::sys::is_culib_present() } {
        return Err("no libnvrtc, which compiles kernels at run time: install it with the CUDA toolkit".into());
    }
    match cuda_path() {
        Some(path) if path.join("include").is_dir() => Ok(count),
        _ => Err("no CUDA headers, which kernels are compiled with at run time: set CUDA_PATH to a toolkit".into()),
    }
}
