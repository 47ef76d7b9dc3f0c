//! Constants of the method that several crates need (docs/method.md).

/// Augmented variants of a support image, the image itself included (section 6).
pub const AUGMENTED_VARIANTS: usize = 16;

/// Attention heads of a `transformer` adapter (section 2).
pub const ADAPTER_HEADS: usize = 8;

/// Images scored together; the last batch of a test set is short (section 8).
pub const SCORING_BATCH: u32 = 32;

/// Keys' bicubic kernel with a = -0.5, at a distance of `x` samples: position tables (section 1) and images (section 6) are
/// resized with it.
pub fn keys_kernel(x: f64) -> f64 {
    const A: f64 = -0.5;
    let x = x.abs();
    if x < 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * A
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_interpolates_and_its_weights_add_up_to_one() {
        assert_eq!([0.0, 1.0, -1.0, 2.0, 7.0].map(keys_kernel), [1.0, 0.0, 0.0, 0.0, 0.0]);
        for shift in [0.1, 0.25, 0.5, 0.9] {
            let total: f64 = (-2..=2).map(|i| keys_kernel(f64::from(i) + shift)).sum();
            assert!((total - 1.0).abs() < 1e-15, "{total} at {shift}");
        }
    }
}
