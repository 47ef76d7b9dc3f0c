//! A device's rate of products of large matrices, with which the speed of towers is compared.

use std::time::{Duration, Instant};

use burn::tensor::{Tensor, backend::Backend};
use harness_backend_abi::plugin::Failure;

/// Sides of the square matrices: grown until a product takes [`LONG`].
const SIDES: [usize; 5] = [512, 1024, 2048, 4096, 8192];
/// A product that takes this long hides what a call costs.
const LONG: Duration = Duration::from_millis(20);
/// Products that are timed for each side; the shortest counts.
const TIMES: usize = 3;

/// The rate of f32 products, in 10^9 operations a second.
///
/// # Errors
/// A number can't be read back.
pub(crate) fn rate<B: Backend>(device: &B::Device) -> Result<f64, Failure> {
    let mut best = 0.0;
    for side in SIDES {
        let least = least::<B>(side, device)?;
        best = f64::max(best, 2.0 * (side as f64).powi(3) / least.as_secs_f64() / 1e9);
        if least >= LONG {
            break;
        }
    }
    Ok(best)
}

/// The shortest time of a product, after one that lets the device compile and choose its kernel.
fn least<B: Backend>(side: usize, device: &B::Device) -> Result<Duration, Failure> {
    // Every element of the product is that of its factors, however often it is multiplied.
    let factor = Tensor::<B, 2>::full([side, side], 1.0 / side as f64, device);
    let mut product = factor.clone();
    let mut least = Duration::MAX;
    for time in 0..=TIMES {
        let start = Instant::now();
        product = product.matmul(factor.clone());
        read(&product)?;
        if time > 0 {
            least = least.min(start.elapsed());
        }
    }
    Ok(least)
}

/// Waits for a tensor by reading one element of it.
fn read<B: Backend>(tensor: &Tensor<B, 2>) -> Result<(), Failure> {
    let element = tensor.clone().slice([0..1, 0..1]);
    element.try_into_scalar().map(drop).map_err(|cause| Failure::internal(format!("reading a product: {cause:?}")))
}
