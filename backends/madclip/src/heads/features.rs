//! From taps to the features of each head, through the blocks between taps where heads feed the stream.

use burn::tensor::{FloatDType, Tensor, backend::Backend};
use harness_method::Arch;
use harness_method::heads::Heads;

use crate::ModelError;
use crate::block::Block;
use crate::kernels::Kernels;
use crate::narrow;
use crate::operands::Attention;
use crate::parameters::Parameters;
use crate::tensors::Tensors;

/// The factor of a similarity with a text: its sigmoid is the softmax over both texts.
const TEMPERATURE: f64 = 100.0;

/// The frozen blocks between taps, where the stream through them is changed; none where taps are used as they are.
pub(crate) struct Between<B: Backend, K: Kernels<B>> {
    /// Blocks before each tap, from the one before it on; none before the first.
    before: Vec<Vec<Block<B, K>>>,
    attention_heads: usize,
    tokens: usize,
}

impl<B: Backend, K: Kernels<B>> Between<B, K> {
    /// Loads what the heads need of the tower.
    ///
    /// # Errors
    /// A tensor is missing or misshapen.
    pub(crate) fn load(
        heads: &Heads,
        arch: &Arch,
        source: &dyn Tensors,
        device: &B::Device,
    ) -> Result<Self, ModelError> {
        let mut before = vec![Vec::new(); heads.taps.len()];
        if heads.residual > 0.0 {
            for (pair, blocks) in heads.taps.windows(2).zip(&mut before[1..]) {
                for number in pair[0]..pair[1] {
                    let prefix = format!("visual.transformer.resblocks.{number}");
                    blocks.push(Block::load(source, &prefix, arch.width, FloatDType::F32, device)?);
                }
            }
        }
        Ok(Self { before, attention_heads: arch.heads, tokens: arch.tokens(heads.image_size) })
    }
}

/// Features of all tokens, class token included: for each tap and each of its heads `[B * T, E]`, at their own length.
/// `taps` is the first tap `[B, T, W]` where heads feed the stream, else each.
pub(crate) fn of_taps<B: Backend, K: Kernels<B>>(
    heads: &Heads,
    between: &Between<B, K>,
    parameters: &Parameters<B>,
    taps: &[Tensor<B, 3>],
) -> Vec<Vec<Tensor<B, 2>>> {
    let [items, tokens, width] = taps[0].dims();
    let attention = Attention { items, tokens, heads: between.attention_heads };
    let rows = |tap: &Tensor<B, 3>| tap.clone().reshape([items * tokens, width]);
    let mut stream = rows(&taps[0]);
    let mut all = Vec::with_capacity(heads.taps.len());
    for (place, &tap) in heads.taps.iter().enumerate() {
        if heads.residual == 0.0 {
            stream = rows(&taps[place]);
        }
        for block in &between.before[place] {
            stream = block.forward(stream, attention, None, heads.activation, None);
        }
        let each: Vec<Tensor<B, 2>> = heads
            .heads
            .iter()
            .map(|head| down::<B, K>(heads, parameters, &heads.down(tap, head), stream.clone()))
            .collect();
        if heads.feeds(tap) {
            let back = heads.heads.iter().zip(&each).map(|(head, features)| {
                let weight = parameters.get::<2>(&format!("{}.weight", heads.up(tap, head)));
                K::linear_leaky(features.clone(), weight, None)
            });
            let kept = 1.0 - heads.heads.len() as f64 * heads.residual;
            if let Some(back) = back.reduce(|sum, back| sum + back) {
                stream = stream * kept + back * heads.residual;
            }
        }
        all.push(each);
    }
    all
}

fn down<B: Backend, K: Kernels<B>>(
    heads: &Heads,
    parameters: &Parameters<B>,
    name: &str,
    x: Tensor<B, 2>,
) -> Tensor<B, 2> {
    let weight = parameters.get::<2>(&format!("{name}.weight"));
    let bias = heads.bias.then(|| parameters.get::<1>(&format!("{name}.bias")));
    if heads.leaky {
        return K::linear_leaky(x, weight, bias);
    }
    let product = x.matmul(weight.transpose());
    match bias {
        Some(bias) => product + bias.unsqueeze(),
        None => product,
    }
}

/// Logits of patch tokens, `[B, L]`: 100 times the product of their unit features, `[B * T, E]` at any length, with the
/// direction `[E, 1]`.
pub(crate) fn logits<B: Backend, K: Kernels<B>>(
    features: Tensor<B, 2>,
    items: usize,
    tokens: usize,
    direction: &Tensor<B, 2>,
) -> Tensor<B, 2> {
    let embed = features.dims()[1];
    let patches = features.reshape([items, tokens, embed]).narrow(1, 1, tokens - 1);
    let patches = patches.reshape([items * (tokens - 1), embed]);
    let along = narrow::along(&patches, &direction.clone().transpose(), K::MULTIPLIES_NARROW);
    let length = (patches.clone() * patches).sum_dim(1).sqrt();
    (along / length * TEMPERATURE).reshape([items, tokens - 1])
}

impl<B: Backend, K: Kernels<B>> Between<B, K> {
    /// Tokens of an image, class token included.
    pub(crate) fn tokens(&self) -> usize {
        self.tokens
    }
}
