//! Activations on their own, and their gradients: where a layer's products are kept for training.

use harness_method::options::Activation;
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use crate::vector::{normal_share, sigmoid};

/// Elements a task takes at once; whole vectors on every machine.
const BLOCK: usize = 1 << 13;

/// 1 / sqrt(2 pi).
const DENSITY: f32 = 0.398_942_3;

/// Replaces `x` by its activation.
pub(crate) fn activation(x: &mut [f32], kind: Activation) {
    x.par_chunks_mut(BLOCK).for_each(|x| Arch::new().dispatch(Each { x, kind, gradient: None }));
}

/// Replaces `x` by the gradient with respect to it.
pub(crate) fn activation_gradient(gradient: &[f32], x: &mut [f32], kind: Activation) {
    x.par_chunks_mut(BLOCK).zip(gradient.par_chunks(BLOCK)).for_each(|(x, gradient)| {
        Arch::new().dispatch(Each { x, kind, gradient: Some(gradient) });
    });
}

struct Each<'a> {
    x: &'a mut [f32],
    kind: Activation,
    gradient: Option<&'a [f32]>,
}

impl WithSimd for Each<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (x, rest) = S::as_mut_simd_f32s(self.x);
        let last = simd.partial_load_f32s(rest);
        match self.gradient {
            None => {
                for x in x {
                    *x = forward(simd, *x, self.kind);
                }
                simd.partial_store_f32s(rest, forward(simd, last, self.kind));
            }
            Some(gradient) => {
                let (gradient, gradient_rest) = S::as_simd_f32s(gradient);
                for (x, &gradient) in x.iter_mut().zip(gradient) {
                    *x = simd.mul_f32s(gradient, slope(simd, *x, self.kind));
                }
                let gradient = simd.partial_load_f32s(gradient_rest);
                simd.partial_store_f32s(rest, simd.mul_f32s(gradient, slope(simd, last, self.kind)));
            }
        }
    }
}

/// The activation of a tower's blocks.
#[inline(always)]
pub(crate) fn forward<S: Simd>(simd: S, x: S::f32s, kind: Activation) -> S::f32s {
    match kind {
        Activation::Gelu => simd.mul_f32s(x, normal_share(simd, x).0),
        Activation::QuickGelu => simd.mul_f32s(x, sigmoid(simd, simd.mul_f32s(x, simd.splat_f32s(1.702)))),
    }
}

#[inline(always)]
fn slope<S: Simd>(simd: S, x: S::f32s, kind: Activation) -> S::f32s {
    match kind {
        Activation::Gelu => {
            let (share, bell) = normal_share(simd, x);
            simd.mul_add_e_f32s(simd.mul_f32s(x, simd.splat_f32s(DENSITY)), bell, share)
        }
        Activation::QuickGelu => {
            let x = simd.mul_f32s(x, simd.splat_f32s(1.702));
            let gate = sigmoid(simd, x);
            let rest = simd.sub_f32s(simd.splat_f32s(1.0), gate);
            simd.mul_add_e_f32s(simd.mul_f32s(x, gate), rest, gate)
        }
    }
}
