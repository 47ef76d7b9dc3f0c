//! The frozen text encoder: token vectors in, one text feature a sentence out (docs/method.md section 1).

use burn::tensor::{FloatDType, Int, Tensor, TensorData, backend::Backend};
use harness_method::Arch;
use harness_method::options::Activation;

use crate::ModelError;
use crate::block::{Block, load_norm};
use crate::kernels::{Attention, Kernels, Norm};
use crate::tensors::{Tensors, load, to_device};

/// A CLIP text tower without its vocabulary: the host gathers token vectors. Differentiable with respect to them where
/// `B` and `K` record gradients.
#[derive(Debug)]
pub struct TextTower<B: Backend, K: Kernels<B>> {
    width: usize,
    context: usize,
    heads: usize,
    activation: Activation,
    positions: Tensor<B, 2>,
    blocks: Vec<Block<B, K>>,
    ln_final: Norm<B>,
    projection: Tensor<B, 2>,
    device: B::Device,
}

/// By hand, because `K` itself need not be `Clone`.
impl<B: Backend, K: Kernels<B>> Clone for TextTower<B, K> {
    fn clone(&self) -> Self {
        Self {
            width: self.width,
            context: self.context,
            heads: self.heads,
            activation: self.activation,
            positions: self.positions.clone(),
            blocks: self.blocks.clone(),
            ln_final: self.ln_final.clone(),
            projection: self.projection.clone(),
            device: self.device.clone(),
        }
    }
}

impl<B: Backend, K: Kernels<B>> TextTower<B, K> {
    /// Loads every block.
    ///
    /// # Errors
    /// A tensor is missing or misshapen.
    pub fn load(
        source: &dyn Tensors,
        arch: &Arch,
        activation: Activation,
        device: &B::Device,
    ) -> Result<Self, ModelError> {
        let width = arch.text_width;
        if arch.text_layers == 0 || arch.text_heads == 0 || !width.is_multiple_of(arch.text_heads) {
            return Err(ModelError::Invalid(format!(
                "a text tower of {} blocks, width {width}, {} heads",
                arch.text_layers, arch.text_heads
            )));
        }
        Ok(Self {
            width,
            context: arch.context,
            heads: arch.text_heads,
            activation,
            positions: load(source, "positional_embedding", [arch.context, width], device)?,
            blocks: (0..arch.text_layers)
                .map(|i| Block::load(source, &format!("transformer.resblocks.{i}"), width, FloatDType::F32, device))
                .collect::<Result<_, _>>()?,
            ln_final: load_norm(source, "ln_final", width, device)?,
            projection: load(source, "text_projection", [width, arch.embed], device)?,
            device: device.clone(),
        })
    }

    /// Width of token vectors, Wt.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Width of the features, E.
    pub fn embed(&self) -> usize {
        self.projection.dims()[1]
    }

    /// Tokens in a sentence, padding included.
    pub fn context(&self) -> usize {
        self.context
    }

    /// Token vectors without positions `[N, context, Wt]` and the end-of-text index of each row to `[N, E]`, not
    /// normalised. Under a causal mask nothing behind the last end-of-text matters and it is cut off.
    pub fn encode(&self, embedded: Tensor<B, 3>, eot: &[usize], causal: bool) -> Tensor<B, 2> {
        let [items, mut tokens, width] = embedded.dims();
        let mut x = embedded;
        let mut mask = None;
        if causal {
            tokens = eot.iter().max().map_or(tokens, |last| last + 1);
            x = x.narrow(1, 0, tokens);
            mask = Some(causal_mask(tokens, &self.device));
        }
        let x = x + self.positions.clone().narrow(0, 0, tokens).unsqueeze();
        let mut x = x.reshape([items * tokens, width]);
        let rows: Vec<i32> = eot.iter().enumerate().map(|(i, eot)| (i * tokens + eot) as i32).collect();
        let rows = Tensor::<B, 1, Int>::from_data(TensorData::new(rows, [items]), &self.device);
        let attention = Attention { items, tokens, heads: self.heads };
        let last = self.blocks.len() - 1;
        for (i, block) in self.blocks.iter().enumerate() {
            // The last block's output is read at end-of-text alone.
            let rows = (i == last).then(|| rows.clone());
            x = block.forward(x, attention, mask.as_ref(), self.activation, rows);
        }
        K::layer_norm(x, &self.ln_final).matmul(self.projection.clone())
    }
}

fn causal_mask<B: Backend>(tokens: usize, device: &B::Device) -> Tensor<B, 2> {
    let mut values = vec![0.0; tokens * tokens];
    for query in 0..tokens {
        values[query * tokens + query + 1..(query + 1) * tokens].fill(f32::NEG_INFINITY);
    }
    to_device(values, [tokens, tokens], device)
}
