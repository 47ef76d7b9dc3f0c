//! Floating-point operations of a plan (docs/method.md section 11), from which hours follow on a machine whose rate is known. Large
//! products alone are counted: on small models the rest weighs as much.

use std::collections::HashMap;

use harness_method::options::{Adapter, Prompts};
use harness_method::parameters::STATES;
use harness_method::{Arch, Options, prompts};

use crate::plan::{Evaluation, Plan, Training};

/// Floating-point operations, by kind of work.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Work {
    /// Images through the image tower.
    pub encode: f64,
    /// Steps of training, sentences included.
    pub train: f64,
    /// Scores, sentences included.
    pub score: f64,
}

impl Work {
    /// All of it.
    pub fn total(self) -> f64 {
        self.encode + self.train + self.score
    }
}

impl Plan {
    /// The plan's work, before anything that is already stored is subtracted.
    pub fn work(&self) -> Work {
        let costs = self.costs();
        // Taps are the same for all who encode alike; what differs between variants is rarely the tower's depth.
        let images = costs.test_encodings.saturating_add(costs.support_encodings) as f64;
        let towers = self.variants.iter().map(|variant| encoding(&variant.options, &self.encoder.arch));
        let encode = images * towers.fold(0.0, f64::max);
        let mut work = Work { encode, ..Work::default() };
        let trainings: HashMap<_, _> = self.trainings.iter().map(|training| (training.id, training)).collect();
        work.train = self.trainings.iter().map(Training::work).sum();
        for evaluation in &self.evaluations {
            if let Some(training) = trainings.get(&evaluation.training) {
                work.score += evaluation.work(training, self.image_scores.len());
            }
        }
        work
    }
}

impl Plan {
    /// The part of the plan's work that one of its backends does. Backends encode alike.
    pub fn work_of(&self, backend: &str) -> Work {
        let mut work = Work { encode: self.work().encode / self.backends.len().max(1) as f64, ..Work::default() };
        let here = |training: &&Training| training.backend.name == backend;
        let trainings: HashMap<_, _> = self.trainings.iter().filter(here).map(|t| (t.id, t)).collect();
        work.train = trainings.values().map(|training| training.work()).sum();
        let scored =
            self.evaluations.iter().filter_map(|evaluation| Some((evaluation, trainings.get(&evaluation.training)?)));
        work.score = scored.map(|(evaluation, training)| evaluation.work(training, self.image_scores.len())).sum();
        work
    }
}

impl Training {
    /// Floating-point operations of one image through the image tower up to its last tap.
    pub fn encoding_work(&self) -> f64 {
        encoding(&self.options, &self.arch)
    }

    /// Floating-point operations of all its steps; its support set is encoded already.
    pub fn work(&self) -> f64 {
        let Self { options, arch, .. } = self;
        let steps = self.steps() as f64;
        // Frozen text takes a forward pass once, trained text one forward and one backward a step; adapters three passes.
        let text = fixed_text(options, arch) + 2.0 * learned_text(options, arch) * steps;
        text + 3.0 * adapters(options, arch) * self.images() as f64 * f64::from(self.epochs)
    }
}

impl Evaluation {
    /// Floating-point operations of its scores, by a training of its own and for this many image scores that may each choose
    /// an epoch; its images are encoded already.
    pub fn work(&self, training: &Training, image_scores: usize) -> f64 {
        let Training { options, arch, .. } = training;
        let epochs = self.scored_epochs(image_scores) as f64;
        let text = fixed_text(options, arch) + learned_text(options, arch) * epochs;
        text + adapters(options, arch) * self.test_images as f64 * epochs
    }
}

/// Passes of one block over `tokens` tokens: four times W by W for attention, eight for the feed-forward part, and attention
/// itself.
fn block(tokens: usize, width: usize) -> f64 {
    let (tokens, width) = (tokens as f64, width as f64);
    24.0 * tokens * width * width + 4.0 * tokens * tokens * width
}

/// Floating-point operations of one image through the image tower up to its last tap.
pub fn encoding(options: &Options, arch: &Arch) -> f64 {
    let tokens = arch.tokens(options.image_size);
    let patches = 6.0 * (tokens * arch.patch * arch.patch * arch.width) as f64;
    patches + options.taps.last().copied().unwrap_or(0) as f64 * block(tokens, arch.width)
}

/// Floating-point operations of a training step on so many images whose taps are there.
pub fn step(options: &Options, arch: &Arch, images: usize) -> f64 {
    2.0 * learned_text(options, arch) + 3.0 * scoring(options, arch, images)
}

/// Floating-point operations of scoring so many images whose taps are there, with sentences that are encoded already.
pub fn scoring(options: &Options, arch: &Arch, images: usize) -> f64 {
    images as f64 * adapters(options, arch)
}

/// The adapters on one image, both heads.
fn adapters(options: &Options, arch: &Arch) -> f64 {
    let (tokens, width, embed) = (arch.tokens(options.image_size) as f64, arch.width as f64, arch.embed as f64);
    let shared = match options.adapter {
        Adapter::Linear | Adapter::Conv => width * width,
        Adapter::Transformer => 6.0 * width * width,
    };
    let branches = (options.branches.names().len() * options.taps.len()) as f64;
    branches * 2.0 * tokens * (shared + 2.0 * width * embed)
}

fn text_row(arch: &Arch) -> f64 {
    arch.text_layers as f64 * block(arch.context, arch.text_width)
}

/// Sentences that don't change with training.
fn fixed_text(options: &Options, arch: &Arch) -> f64 {
    let sides = match options.prompts {
        Prompts::Fixed => 2.0,
        Prompts::LearnedAbnormal => 1.0,
        Prompts::Learned | Prompts::Free => 0.0,
    };
    sides * (STATES * prompts::templates().count()) as f64 * text_row(arch)
}

/// Sentences with trained contexts, once forward.
fn learned_text(options: &Options, arch: &Arch) -> f64 {
    let rows = options.prompts.learned_sides().len() * STATES * options.prompt_positions.len();
    rows as f64 * text_row(arch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use harness_method::Preset;

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
        tera(encoding(&released, &arch), 0.18);
        tera(text_row(&arch), 0.013);
        tera(2.0 * learned_text(&released, &arch), 1.1);
        tera(16.0 * 3.0 * adapters(&released, &arch), 0.6);
        tera(adapters(&released, &arch), 0.012);
    }
}
