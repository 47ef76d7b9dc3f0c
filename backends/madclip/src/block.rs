//! One pre-norm residual attention block, shared by both towers (METHOD.md section 1).

use burn::tensor::{FloatDType, Int, Tensor, activation, backend::Backend};
use harness_method::options::Activation;

use crate::ModelError;
use crate::kernels::{Kernels, Linear, Norm};
use crate::tensors::{Tensors, load};

#[derive(Clone, Debug)]
pub(crate) struct Block<B: Backend> {
    ln_1: Norm<B>,
    in_proj: Linear<B>,
    out_proj: Linear<B>,
    ln_2: Norm<B>,
    c_fc: Linear<B>,
    c_proj: Linear<B>,
}

/// What a block needs to know besides its weights.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) items: usize,
    pub(crate) tokens: usize,
    pub(crate) heads: usize,
    pub(crate) activation: Activation,
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

impl<B: Backend> Block<B> {
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
            Ok::<_, ModelError>(Linear { weight, bias }.cast(precision))
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

    /// `x` `[items * tokens, width]` to the same shape.
    pub(crate) fn forward<K: Kernels<B>>(
        &self,
        x: Tensor<B, 2>,
        shape: Shape,
        mask: Option<&Tensor<B, 2>>,
    ) -> Tensor<B, 2> {
        let qkv = K::linear(K::layer_norm(x.clone(), &self.ln_1), &self.in_proj);
        let attended = K::attention(qkv, shape.items, shape.tokens, shape.heads, mask);
        let x = K::linear_residual(attended, &self.out_proj, x);
        self.mlp::<K>(x, shape.activation)
    }

    /// The block's output at one row an item, `rows` `[items]` indices into `items * tokens`: everything behind keys and
    /// values is computed for those rows alone. `[items, width]`.
    pub(crate) fn forward_rows<K: Kernels<B>>(
        &self,
        x: Tensor<B, 2>,
        shape: Shape,
        rows: Tensor<B, 1, Int>,
        mask: Option<&Tensor<B, 2>>,
    ) -> Tensor<B, 2> {
        let Shape { items, tokens, heads, .. } = shape;
        let width = x.dims()[1];
        let normed = K::layer_norm(x.clone(), &self.ln_1);
        let split = |from: usize, count: usize| Linear {
            weight: self.in_proj.weight.clone().narrow(0, from * width, count * width),
            bias: self.in_proj.bias.clone().narrow(0, from * width, count * width),
        };
        let q = K::linear(normed.clone().select(0, rows.clone()), &split(0, 1));
        let kv = K::linear(normed, &split(1, 2));
        let q = q.reshape([items, 1, heads, width / heads]).swap_dims(1, 2);
        let kv = kv.reshape([items, tokens, 2 * heads, width / heads]).swap_dims(1, 2);
        // Each row has its own line of the mask, so the bias is `[items, 1, 1, tokens]`.
        let scale = ((width / heads) as f64).powf(-0.5);
        let mut logits = (q * scale).matmul(kv.clone().narrow(1, 0, heads).transpose());
        if let Some(mask) = mask {
            logits = logits + mask.clone().select(0, rows.clone() % tokens as i32).reshape([items, 1, 1, tokens]);
        }
        let attended = activation::softmax(logits, 3).matmul(kv.narrow(1, heads, heads));
        let attended = attended.swap_dims(1, 2).reshape([items, width]);
        let x = K::linear_residual(attended, &self.out_proj, x.select(0, rows));
        self.mlp::<K>(x, shape.activation)
    }

    fn mlp<K: Kernels<B>>(&self, x: Tensor<B, 2>, activation: Activation) -> Tensor<B, 2> {
        let hidden = K::linear_activation(K::layer_norm(x.clone(), &self.ln_2), &self.c_fc, activation);
        K::linear_residual(hidden, &self.c_proj, x)
    }
}
