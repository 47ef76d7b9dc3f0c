//! The machine's rate of matrix products, of which other rates are shares. Burn's Flex multiplies with the crate
//! `gemm`, which is as fast as vendors' libraries.

use std::time::{Duration, Instant};

use burn::tensor::{Distribution, Tensor};
use burn_flex::{Flex, FlexDevice};

/// Side of the matrices: large enough that the rate no longer grows.
const SIDE: usize = 1280;
/// How long it may take, and how many products are enough.
const LIMIT: (Duration, usize) = (Duration::from_millis(400), 10);

/// The best rate of several products of square f32 matrices, in 10^9 operations a second, on the threads of the pool it
/// is called from. Takes less than half a second unless a single product takes longer.
pub fn gemm_gflops() -> f64 {
    let matrix = || Tensor::<Flex, 2>::random([SIDE, SIDE], Distribution::Uniform(-1.0, 1.0), &FlexDevice);
    let (left, right) = (matrix(), matrix());
    let start = Instant::now();
    let mut best = f64::INFINITY;
    for _ in 0..LIMIT.1 {
        let begun = Instant::now();
        drop(left.clone().matmul(right.clone()));
        best = best.min(begun.elapsed().as_secs_f64());
        if start.elapsed() > LIMIT.0 {
            break;
        }
    }
    2.0 * (SIDE as f64).powi(3) / best / 1e9
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_machine_has_a_rate() {
        let rate = super::gemm_gflops();
        assert!((0.1..1e6).contains(&rate), "{rate}");
    }
}
