//! `madclip`: what planning asks of its options. It is computed by backends (`backends/madclip`), and its options are
//! declared beside the interface that they cross, in `harness-method`.

use harness_method::options::Adapter;
use harness_method::parameters::{Parameter, STATES, parameters};
use harness_method::{Arch, Layout, Link, Part, Side, Variants, losses};

use crate::settings::{Encoding, Sees, Sentences, Settings, Support};
use crate::work::text_row;

pub use harness_method::{Options, Overrides, Preset};

impl Settings for Options {
    const PUBLISHED_NAME: &'static str = "MadCLIP";
    const VERSION: u32 = 1;
    const TRAINED: bool = true;

    fn encoding(&self) -> Encoding<'_> {
        Encoding {
            image_size: self.image_size,
            taps: &self.taps,
            activation: self.activation,
            normalize: self.normalize,
            windows: &[],
        }
    }

    fn sees(&self) -> Sees {
        Sees::Both
    }

    fn sentences(&self) -> Sentences {
        if !self.names_objects() {
            return Sentences::default();
        }
        let learned = Side::BOTH.map(|side| self.prompts.learned_sides().contains(&side));
        Sentences { fixed: learned.map(|learned| !learned), learned: learned.map(|l| l.then_some(self.context_tokens)) }
    }

    fn depends_on_seed(&self) -> bool {
        true
    }

    fn variants(&self) -> Variants {
        Variants::Madclip
    }

    fn maps(&self, has_masks: bool) -> Option<Layout> {
        // Without masks the segmentation heads were never trained.
        has_masks.then_some(Part { link: Link::Sigmoid, grids: self.taps.len() }.into())
    }

    fn losses(&self, has_masks: bool) -> &'static [&'static str] {
        losses::names(self, has_masks)
    }

    fn tensors(&self, support: Support<'_>) -> Vec<Parameter> {
        parameters(self, support.arch)
    }

    fn trained_text_work(&self, arch: &Arch) -> f64 {
        let rows = self.prompts.learned_sides().len() * STATES * self.prompt_positions.len();
        rows as f64 * text_row(arch)
    }

    fn score_work(&self, arch: &Arch, _: u64) -> f64 {
        adapters(self, arch)
    }
}

/// The adapters on one image, both heads (docs/method.md section 11).
fn adapters(options: &Options, arch: &Arch) -> f64 {
    let (tokens, width, embed) = (arch.tokens(options.image_size) as f64, arch.width as f64, arch.embed as f64);
    let shared = match options.adapter {
        Adapter::Linear | Adapter::Conv => width * width,
        Adapter::Transformer => 6.0 * width * width,
    };
    let branches = (options.branches.names().len() * options.taps.len()) as f64;
    branches * 2.0 * tokens * (shared + 2.0 * width * embed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::work::encoding;

    /// docs/method.md section 11 for ViT-L/14 at 240 px, to two digits.
    #[test]
    fn the_published_sizes_cost_what_the_method_says() {
        let released = Preset::Released.options();
        let arch = Arch {
            image_size: 336,
            patch: 14,
            width: 1024,
            layers: 24,
            heads: 16,
            embed: 768,
            vocab: 49_408,
            context: 77,
            text_width: 768,
            text_layers: 12,
            text_heads: 12,
        };
        let tera = |operations: f64, expected: f64| {
            let tera = operations / 1e12;
            assert!((tera / expected - 1.0).abs() < 0.1, "{tera} for {expected}");
        };
        tera(encoding(released.encoding(), &arch), 0.18);
        tera(text_row(&arch), 0.013);
        tera(2.0 * released.trained_text_work(&arch), 1.1);
        tera(16.0 * 3.0 * released.score_work(&arch, 0), 0.6);
        tera(released.score_work(&arch, 0), 0.012);
    }
}
