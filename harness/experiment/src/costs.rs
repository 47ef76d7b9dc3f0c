//! What a plan will cost, in counts and bytes. Time depends on the machine and is not estimated here.

use std::collections::{HashMap, HashSet};

use crate::ids::ContentHash;
use crate::plan::{Plan, Training};

/// Counts of a plan's work, before anything that is already stored is subtracted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Costs {
    /// Rows of the result table.
    pub cells: u64,
    /// Trainings, each once.
    pub trainings: u64,
    /// Steps of all trainings.
    pub steps: u64,
    /// Evaluations, each once.
    pub evaluations: u64,
    /// Images scored by all evaluations, once for every epoch they need.
    pub scored: u64,
    /// Test images to encode.
    pub test_encodings: u64,
    /// Augmented support images to encode; fewer where support sets overlap.
    pub support_encodings: u64,
    /// Bytes of all taps: images x taps x tokens x width x bytes of a value.
    pub tap_bytes: u64,
    /// Bytes of the grids of all scores: images x epochs x taps x grid x grid x 4.
    pub grid_bytes: u64,
}

impl Plan {
    /// What it costs.
    pub fn costs(&self) -> Costs {
        let mut costs = Costs {
            cells: self.cells.len() as u64,
            trainings: self.trainings.len() as u64,
            evaluations: self.evaluations.len() as u64,
            ..Costs::default()
        };
        let mut seen = HashSet::new();
        let mut encodings = HashMap::new();
        let trainings: HashMap<_, _> = self.trainings.iter().map(|training| (training.id, training)).collect();
        // Normal images are among those of their whole set, where something encodes that alike: it comes first.
        let wholes: HashMap<ContentHash, ContentHash> =
            self.supports.iter().filter_map(|support| Some((support.normal?, support.hash))).collect();
        let whole = |training: &Training| wholes.get(&training.support?).copied();
        let mut ordered: Vec<&Training> = self.trainings.iter().collect();
        ordered.sort_by_key(|training| whole(training).is_some());
        for training in ordered {
            // A fold's images are among those of the whole support set, which is trained on too.
            let support = training.shots.images();
            let variants = training.options.variants();
            let (all, seeded) = (variants.count() as u64, variants.seeded() as u64);
            costs.steps = costs.steps.saturating_add(training.steps());
            let encoding = Encoding::of(training);
            let mut new = 0;
            let counted = |whole: ContentHash| seen.contains(&(encoding.key.clone(), *whole.as_bytes(), None));
            let is_counted = whole(training).is_some_and(counted);
            if let Some(hash) = training.support.filter(|_| !is_counted) {
                if seen.insert((encoding.key.clone(), *hash.as_bytes(), None)) {
                    new += support * (all - seeded);
                }
                if seen.insert((encoding.key.clone(), *hash.as_bytes(), Some(training.seed))) {
                    new += support * seeded;
                }
            }
            costs.support_encodings += new;
            costs.tap_bytes = costs.tap_bytes.saturating_add(new.saturating_mul(encoding.bytes));
            encodings.insert(training.id, encoding);
        }
        for evaluation in &self.evaluations {
            let images = evaluation.test_images;
            let scored = images.saturating_mul(evaluation.scored_epochs(self.image_scores.len()));
            costs.scored = costs.scored.saturating_add(scored);
            if let Some(training) = trainings.get(&evaluation.training) {
                let grid = training.arch.grid(training.options.image_size());
                let bytes =
                    4 * (training.options.maps(training.has_masks).map_or(0, |maps| maps.grids()) * grid * grid) as u64;
                costs.grid_bytes = costs.grid_bytes.saturating_add(scored.saturating_mul(bytes));
            }
            if evaluation.on_fold {
                // Unaugmented support images: their taps are among those of the support set.
                continue;
            }
            let Some(encoding) = encodings.get(&evaluation.training) else { continue };
            if seen.insert((encoding.key.clone(), *evaluation.test.as_bytes(), None)) {
                costs.test_encodings = costs.test_encodings.saturating_add(images);
                costs.tap_bytes = costs.tap_bytes.saturating_add(images.saturating_mul(encoding.bytes));
            }
        }
        costs
    }
}

/// How an image becomes taps: what a tap store's key holds beside the pixels.
struct Encoding {
    key: String,
    /// Of one image's taps.
    bytes: u64,
}

impl Encoding {
    fn of(training: &Training) -> Self {
        let Training { options, arch, .. } = training;
        let encoding = options.encoding();
        let key = format!("{encoding:?} {:?}", training.backend);
        let tokens = arch.tokens(encoding.image_size);
        let bytes = [encoding.taps.len(), tokens, arch.width, training.store.size()];
        Self { key, bytes: bytes.iter().fold(1u64, |product, size| product.saturating_mul(*size as u64)) }
    }
}
