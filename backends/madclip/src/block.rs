//! One pre-norm residual attention block, shared by both towers (docs/method.md section 1).

use burn::tensor::{FloatDType, Int, Tensor, backend::Backend};
use harness_method::options::Activation;

use crate::ModelError;
use crate::kernels::Kernels;
use crate::operands::{Attention, Linear, Norm};
use crate::tensors::{Tensors, load};

#[derive(Debug)]
pub(crate) struct Block<B: Backend, K: Kernels<B>> {
    ln_1: Norm<B>,
    in_proj: K::Layer,
    out_proj: K::Layer,
    ln_2: Norm<B>,
    c_fc: K::Layer,
    c_proj: K::Layer,
}

/// By hand, because `K` itself need not be `Clone`.
impl<B: Backend, K: Kernels<B>> Clone for Block<B, K> {
    fn clone(&self) -> Self {
        Self {
            ln_1: self.ln_1.clone(),
            in_proj: self.in_proj.clone(),
            out_proj: self.out_proj.clone(),
            ln_2: self.ln_2.clone(),
            c_fc: self.c_fc.clone(),
            c_proj: self.c_proj.clone(),
        }
    }
}

pub(crate) fn load_norm<B: Backend>(
    source: &dyn Tensors,
    name: &str,
    width: usize,
    device: &B::Device,
) -> Result<Norm<B>, ModelError> {
    Ok(Norm {
        weight: load(source, &format!("{name}.weight"), [width], device)?,
        bias: load(source, &format!("{name}.bias"), [width], device)?,
    })
}

impl<B: Backend, K: Kernels<B>> Block<B, K> {
    pub(crate) fn load(
        source: &dyn Tensors,
        prefix: &str,
        width: usize,
        precision: FloatDType,
        device: &B::Device,
    ) -> Result<Self, ModelError> {
        let linear = |name: &str, joint: &str, rows: usize, columns: usize| {
            let weight = load(source, &format!("{prefix}.{name}{joint}weight"), [rows, columns], device)?;
            let bias = load(source, &format!("{prefix}.{name}{joint}bias"), [rows], device)?;
            Ok::<_, ModelError>(K::layer(Linear { weight, bias }.cast(precision)))
        };
        Ok(Self {
            ln_1: load_norm(source, &format!("{prefix}.ln_1"), width, device)?,
            in_proj: linear("attn.in_proj", "_", 3 * width, width)?,
            out_proj: linear("attn.out_proj", ".", width, width)?,
            ln_2: load_norm(source, &format!("{prefix}.ln_2"), width, device)?,
            c_fc: linear("mlp.c_fc", ".", 4 * width, width)?,
            c_proj: linear("mlp.c_proj", ".", width, 4 * width)?,
        })
    }

    /// `x` `[rows, width]` to the same shape; with `rows`, those of the output alone, and what lies behind the
    /// attention is computed for them alone.
    pub(crate) fn forward(
        &self,
        x: Tensor<B, 2>,
        attention: Attention,
        mask: Option<&Tensor<B, 2>>,
        activation: Activation,
        rows: Option<Tensor<B, 1, Int>>,
    ) -> Tensor<B, 2> {
        let qkv = K::norm_linear(x.clone(), &self.ln_1, &self.in_proj);
        let attended = K::attention(qkv, attention, mask);
        let (attended, x) = match rows {
            Some(rows) => (attended.select(0, rows.clone()), x.select(0, rows)),
            None => (attended, x),
        };
        let x = K::linear_residual(attended, &self.out_proj, x);
        let hidden = K::norm_linear_activation(x.clone(), &self.ln_2, &self.c_fc, activation);
        K::linear_residual(hidden, &self.c_proj, x)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::Plain;
    use crate::testing::{B, DEVICE, assert_close, host, random, tensor, weights};

    fn block() -> Block<B, Plain> {
        Block::load(&weights(), "visual.transformer.resblocks.0", 16, FloatDType::F32, &DEVICE).unwrap()
    }

    const SIZES: Attention = Attention { items: 2, tokens: 3, heads: 2 };

    #[test]
    fn some_rows_are_what_they_are_among_all() {
        let x = random("x", [6, 16]);
        let whole = block().forward(x.clone(), SIZES, None, Activation::Gelu, None);
        let rows = Tensor::<B, 1, Int>::from_ints([4, 1], &DEVICE);
        let some = block().forward(x, SIZES, None, Activation::Gelu, Some(rows.clone()));
        assert_close(&host(some), &host(whole.select(0, rows)), 1e-6);
    }

    #[test]
    fn a_block_is_the_formula_of_the_method() {
        let (x, block) = (random("x", [6, 16]), block());
        let qkv = Plain::linear(Plain::layer_norm(x.clone(), &block.ln_1), &block.in_proj);
        let x1 = x.clone() + Plain::linear(Plain::attention(qkv, SIZES, None), &block.out_proj);
        let hidden = Plain::linear(Plain::layer_norm(x1.clone(), &block.ln_2), &block.c_fc);
        let expected = x1 + Plain::linear(Plain::activation(hidden, Activation::QuickGelu), &block.c_proj);
        assert_close(&host(block.forward(x, SIZES, None, Activation::QuickGelu, None)), &host(expected), 1e-6);
    }

    #[test]
    fn a_masked_token_changes_nothing() {
        let hidden = tensor(&[0.0, 0.0, f32::NEG_INFINITY].repeat(3), [3, 3]);
        let x = random("x", [6, 16]);
        let other = Tensor::cat(vec![x.clone().narrow(0, 0, 5), random("other", [1, 16])], 0);
        let [one, two] = [x, other].map(|x| block().forward(x, SIZES, Some(&hidden), Activation::Gelu, None));
        assert_eq!(host(one.clone().narrow(0, 0, 5)), host(two.clone().narrow(0, 0, 5)));
        assert_ne!(host(one.narrow(0, 5, 1)), host(two.narrow(0, 5, 1)));
    }
}
