//! Floating-point operations of a plan (docs/method.md section 11); divided by a machine's rate they give hours. Only
//! large products are counted, so small models take longer than this says.

use std::collections::HashMap;

use harness_method::Arch;
use harness_methods::{MethodOptions, work};

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
        let encode = self.encodings().iter().map(|of| of.images as f64 * of.work).sum();
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

    /// Floating-point operations of one image's windows of one side, the mean over sides; 0 where it has none.
    pub fn windows_work(&self) -> f64 {
        let encoding = self.options.encoding();
        work::windows(encoding, &self.arch) / encoding.windows.len().max(1) as f64
    }

    /// Floating-point operations of what makes its states; its support set is encoded already.
    pub fn work(&self) -> f64 {
        let Self { options, arch, .. } = self;
        if !options.is_trained() {
            return fixed_text(options, arch) + options.fit_work(arch, self.images());
        }
        let steps = self.steps() as f64;
        // Frozen text takes a forward pass once, trained text one forward and one backward a step; the rest three
        // passes.
        let text = fixed_text(options, arch) + 2.0 * options.trained_text_work(arch) * steps;
        text + 3.0 * scoring(options, arch, self.images() as usize) * f64::from(self.epochs)
    }
}

impl Evaluation {
    /// Floating-point operations of its scores, by a training of its own and for this many image scores that may each
    /// choose an epoch; its images are encoded already.
    pub fn work(&self, training: &Training, image_scores: usize) -> f64 {
        let Training { options, arch, .. } = training;
        let epochs = self.scored_epochs(image_scores) as f64;
        let text = fixed_text(options, arch) + options.trained_text_work(arch) * epochs;
        text + options.score_work(arch, training.supports()) * self.test_images as f64 * epochs
    }
}

/// Floating-point operations of one image through the image tower up to its last tap.
pub fn encoding(options: &MethodOptions, arch: &Arch) -> f64 {
    work::encoding(options.encoding(), arch)
}

/// Floating-point operations of a training step on so many images, their taps already encoded.
pub fn step(options: &MethodOptions, arch: &Arch, images: usize) -> f64 {
    2.0 * options.trained_text_work(arch) + 3.0 * scoring(options, arch, images)
}

/// Floating-point operations of scoring so many images without a support set, their taps and the sentences already
/// encoded.
pub fn scoring(options: &MethodOptions, arch: &Arch, images: usize) -> f64 {
    images as f64 * options.score_work(arch, 0)
}

fn fixed_text(options: &MethodOptions, arch: &Arch) -> f64 {
    work::fixed_text(options.sentences(), arch)
}
