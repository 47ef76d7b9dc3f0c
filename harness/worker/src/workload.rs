//! What a benchmark computes: sizes of a model and of a batch, and the operations they come to.

use harness_experiment::{Precision, Training, work};
use harness_method::options::Prompts;
use harness_method::{Arch, Options, Preset};
use serde::{Deserialize, Serialize};

use crate::part::Part;

/// Sizes that a benchmark runs at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workload {
    /// The towers.
    pub arch: Arch,
    /// The model, at its image size and with its taps.
    pub options: Options,
    /// What the encoder computes in.
    pub precision: Precision,
    /// Images of a call: encoded, trained on or scored at once.
    pub images: usize,
}

/// Blocks, and images of a call, that tell an encoder's rate.
const SAMPLE: (usize, usize) = (2, 4);

/// Name, image size, taps, and the towers: position table, patch, width, layers, embedding, text width, text layers.
/// Heads are 64 wide.
type Sizes = (&'static str, usize, [usize; 4], [usize; 7]);

/// `vit-s14` has the small text tower of the weights that fidelity is measured with; the others are OpenAI's.
const SIZES: [Sizes; 4] = [
    ("vit-b16", 224, [3, 6, 9, 12], [224, 16, 768, 12, 512, 512, 12]),
    ("vit-s14", 224, [3, 6, 9, 12], [224, 14, 384, 12, 128, 64, 3]),
    ("vit-l14", 240, [6, 12, 18, 24], [336, 14, 1024, 24, 768, 768, 12]),
    ("tiny", 32, [1, 2, 3, 4], [32, 8, 64, 4, 32, 64, 1]),
];

impl Workload {
    /// Names of the known sizes.
    pub fn names() -> impl Iterator<Item = &'static str> {
        SIZES.iter().map(|(name, ..)| *name)
    }

    /// The released method at the sizes called `name`, on batches of `images`; `None` where no sizes are called so.
    pub fn named(name: &str, images: usize) -> Option<Self> {
        let (_, image_size, taps, [side, patch, width, layers, embed, text_width, text_layers]) =
            *SIZES.iter().find(|(known, ..)| *known == name)?;
        let arch = Arch {
            image_size: side,
            patch,
            width,
            layers,
            heads: width / 64,
            embed,
            vocab: harness_method::tokenizer::VOCABULARY,
            context: 77,
            text_width,
            text_layers,
            text_heads: text_width / 64,
        };
        let options = Options { image_size, taps: taps.to_vec(), ..Preset::Released.options() };
        Some(Self { arch, options, precision: Precision::F32, images })
    }

    /// A few blocks of a training's encoder on a few images, and no text: enough to know how fast it is.
    pub fn sample(training: &Training) -> Self {
        let (blocks, images) = SAMPLE;
        let arch = Arch { layers: blocks, vocab: 2, text_layers: 1, ..training.arch.clone() };
        let encoding = training.options.encoding();
        let options = Options {
            image_size: encoding.image_size,
            taps: vec![blocks],
            activation: encoding.activation,
            normalize: encoding.normalize,
            prompts: Prompts::Free,
            ..Preset::Released.options()
        };
        Self { arch, options, precision: training.precision, images }
    }

    /// Floating-point operations of one measurement, where they are counted.
    pub fn operations(&self, part: Part) -> Option<f64> {
        let Self { arch, options, images, .. } = self;
        let options = options.clone().into();
        match part {
            Part::Encode => Some(*images as f64 * work::encoding(&options, arch)),
            Part::Step => Some(work::step(&options, arch, *images)),
            Part::Score => Some(work::scoring(&options, arch, *images)),
            Part::Metrics => None,
        }
    }
}
