//! Whether products of f32 matrices may round their factors to TF32. CubeCL's tuner takes tensor cores for them
//! wherever the device's properties name the type, and knows no other switch; so where they may not, the type is
//! removed from the device.
#![expect(unsafe_code, reason = "the properties are shared and have no setter")]

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use burn::tensor::Tensor;
use burn_cuda::{Cuda, CudaDevice};
use cubecl::Runtime;
use cubecl::cuda::CudaRuntime;
use cubecl::device::Device;
use cubecl::device_handle::DeviceHandle;
use cubecl::features::Features;
use cubecl::ir::{ElemType, FloatKind, StorageType};
use cubecl::server::ServerUtilities;
use harness_backend_abi::plugin::Failure;

type Server = <CudaRuntime as Runtime>::Server;

/// Settles for this process how products are computed: tuned kernels and devices are shared by all sessions.
///
/// # Errors
/// A session was opened with the other choice.
pub(crate) fn settle(tf32: bool) -> Result<(), Failure> {
    static TF32: OnceLock<bool> = OnceLock::new();
    if *TF32.get_or_init(|| tf32) == tf32 {
        return Ok(());
    }
    let which = if tf32 { "without" } else { "with" };
    Err(Failure::unsupported(format!("a session {which} `tf32` was opened in this process; open the other in another")))
}

/// Takes TF32 from a device, once, before anything is computed on it.
///
/// # Errors
/// The runtime keeps its devices in another way than the one this was written for.
pub(crate) fn keep_exact(device: &CudaDevice) -> Result<(), Failure> {
    static EXACT: Mutex<BTreeSet<usize>> = Mutex::new(BTreeSet::new());
    let mut exact = EXACT.lock().unwrap_or_else(PoisonError::into_inner);
    if !exact.insert(device.index) {
        return Ok(());
    }
    let utilities: Arc<ServerUtilities<Server>> = DeviceHandle::<Server>::new(device.to_id())
        .utilities()
        .downcast()
        .map_err(|_| Failure::internal("the device's properties are not where CubeCL 0.10 has them"))?;
    let shared = Arc::as_ptr(&utilities).cast_mut();
    // SAFETY: nothing else reads them: the device has just been made, under this lock and before the session that asked
    // for it is there, and the other holder of the allocation, the device's own thread, reads it when it is given work.
    unsafe {
        let properties = &mut (*shared).properties;
        forget_tf32(&mut properties.features);
        (*shared).properties_hash = properties.checksum();
    }
    Ok(())
}

/// Whether the device's products of f32 matrices round their factors: 1 + 2^-12 has more digits than TF32 keeps, and
/// must come back from a product with the identity.
///
/// # Errors
/// They round, though they must not.
pub(crate) fn check_exact(device: &CudaDevice) -> Result<(), Failure> {
    const SIDE: usize = 256;
    let value = 1.0 + f32::powi(2.0, -12);
    let product = Tensor::<Cuda, 2>::full([SIDE, SIDE], value, device).matmul(Tensor::eye(SIDE, device));
    match product.into_data().as_slice::<f32>() {
        Ok(values) if values.iter().all(|&found| found == value) => Ok(()),
        Ok(_) => Err(Failure::internal(
            "products of f32 matrices are rounded on this device, though TF32 was taken from it: build the plugin with the \
             version of CubeCL that Cargo.lock names, or ask for `precision = \"tf32\"`",
        )),
        Err(cause) => Err(Failure::internal(format!("{cause:?}"))),
    }
}

/// Takes the type and every tensor-core operation on it out of what a device can do.
fn forget_tf32(features: &mut Features) {
    let tf32: StorageType = ElemType::Float(FloatKind::TF32).into();
    features.types.storage.remove(&tf32);
    for set in [&mut features.matmul.cmma, &mut features.matmul.mma] {
        set.retain(|config| config.a_type != tf32 && config.b_type != tf32);
    }
}

#[cfg(test)]
mod tests {
    use cubecl::features::{Features, MmaConfig, TypeUsage};
    use cubecl::ir::{ElemType, FloatKind, StorageType};

    use super::forget_tf32;

    #[test]
    fn without_tf32_a_device_has_neither_the_type_nor_its_products() {
        let kinds = [FloatKind::TF32, FloatKind::F16];
        let [tf32, f16] = kinds.map(|kind| StorageType::from(ElemType::Float(kind)));
        let cd_type = ElemType::Float(FloatKind::F32).into();
        let mut features = Features::default();
        for factor in [tf32, f16] {
            features.types.storage.insert(factor, TypeUsage::Conversion.into());
            let config = MmaConfig { a_type: factor, b_type: factor, cd_type, m: 16, n: 16, k: 8 };
            features.matmul.cmma.insert(config);
            features.matmul.mma.insert(config);
        }
        forget_tf32(&mut features);
        assert!(features.supports_type(f16) && !features.supports_type(tf32));
        for left in [&features.matmul.cmma, &features.matmul.mma] {
            assert_eq!(left.iter().map(|config| config.a_type).collect::<Vec<_>>(), [f16]);
        }
    }
}
