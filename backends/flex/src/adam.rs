//! Adam in one pass over a tensor and its moments.

use madclip::adam::{BETAS, EPSILON, corrections};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

/// Elements a task takes at once.
const BLOCK: usize = 1 << 14;

/// One step on a tensor, in place.
pub(crate) fn update(
    value: &mut [f32],
    gradient: &[f32],
    first: &mut [f32],
    second: &mut [f32],
    step: u32,
    learning_rate: f64,
) {
    let (correction, root) = corrections(step);
    let (rate, root) = ((learning_rate / correction) as f32, (1.0 / root) as f32);
    let moments = first.par_chunks_mut(BLOCK).zip(second.par_chunks_mut(BLOCK));
    value.par_chunks_mut(BLOCK).zip(gradient.par_chunks(BLOCK)).zip(moments).for_each(
        |((value, gradient), (first, second))| {
            Arch::new().dispatch(Update { value, gradient, first, second, rate, root });
        },
    );
}

struct Update<'a> {
    value: &'a mut [f32],
    gradient: &'a [f32],
    first: &'a mut [f32],
    second: &'a mut [f32],
    rate: f32,
    root: f32,
}

impl WithSimd for Update<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        // Each element stands alone: the compiler finds the vectors itself.
        let (beta_1, beta_2) = (BETAS.0 as f32, BETAS.1 as f32);
        let (fresh_1, fresh_2) = ((1.0 - BETAS.0) as f32, (1.0 - BETAS.1) as f32);
        let n = self.value.len();
        let (gradient, first, second) = (&self.gradient[..n], &mut self.first[..n], &mut self.second[..n]);
        for i in 0..n {
            let g = gradient[i];
            first[i] = first[i] * beta_1 + g * fresh_1;
            second[i] = second[i] * beta_2 + g * g * fresh_2;
            self.value[i] -= first[i] / (second[i].sqrt() * self.root + EPSILON as f32) * self.rate;
        }
    }
}
