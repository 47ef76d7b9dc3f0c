//! The frozen text encoder: token vectors in, one text feature a sentence out (docs/method.md section 1).

use burn::tensor::{FloatDType, Int, Tensor, TensorData, backend::Backend};
use harness_method::Arch;
use harness_method::options::Activation;

use crate::ModelError;
use crate::block::{Block, load_norm};
use crate::kernels::Kernels;
use crate::operands::{Attention, Norm};
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

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::Plain;
    use crate::testing::{B, DEVICE, arch, assert_close, host, random, weights};

    fn tower() -> TextTower<B, Plain> {
        TextTower::load(&weights(), &arch(), Activation::Gelu, &DEVICE).unwrap()
    }

    /// A sentence and the same with other tokens from `from` on.
    fn pair(from: usize) -> [Tensor<B, 3>; 2] {
        let sentence = random("sentence", [1, 14, 8]);
        let other = Tensor::cat(vec![sentence.clone().narrow(1, 0, from), random("other", [1, 14 - from, 8])], 1);
        [sentence, other]
    }

    #[test]
    fn under_the_causal_mask_nothing_behind_end_of_text_matters() {
        let [one, other] = pair(6).map(|sentence| host(tower().encode(sentence, &[5], true)));
        assert_close(&one, &other, 1e-6);
        let [one, other] = pair(5).map(|sentence| host(tower().encode(sentence, &[5], true)));
        assert!(one.iter().zip(&other).any(|(a, b)| (a - b).abs() > 1e-3));
    }

    #[test]
    fn without_a_mask_padding_is_attended_to() {
        let [one, other] = pair(6).map(|sentence| host(tower().encode(sentence, &[5], false)));
        assert!(one.iter().zip(&other).any(|(a, b)| (a - b).abs() > 1e-4));
    }

    #[test]
    fn sentences_of_a_batch_do_not_see_each_other() {
        let batch = random("batch", [3, 14, 8]);
        for causal in [false, true] {
            let whole = tower().encode(batch.clone(), &[3, 13, 8], causal);
            for (i, eot) in [3, 13, 8].into_iter().enumerate() {
                let alone = tower().encode(batch.clone().narrow(0, i, 1), &[eot], causal);
                assert_close(&host(whole.clone().narrow(0, i, 1)), &host(alone), 1e-5);
            }
        }
    }

    #[test]
    fn sizes_are_those_of_the_architecture() {
        assert_eq!((tower().width(), tower().embed(), tower().context()), (8, 12, 14));
    }

    #[test]
    fn impossible_sizes_and_missing_tensors_are_errors() {
        let load = |arch: &Arch, source: &dyn Tensors| {
            TextTower::<B, Plain>::load(source, arch, Activation::Gelu, &DEVICE).unwrap_err().to_string()
        };
        for wrong in
            [Arch { text_layers: 0, ..arch() }, Arch { text_heads: 0, ..arch() }, Arch { text_heads: 3, ..arch() }]
        {
            assert!(load(&wrong, &weights()).starts_with("a text tower of"));
        }
        let mut without = weights();
        without.remove("ln_final.bias");
        assert_eq!(load(&arch(), &without), "tensor `ln_final.bias` is missing");
    }
}
