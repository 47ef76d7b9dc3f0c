//! What a plan will cost, in counts and bytes. Time depends on the machine and is not estimated here.

use std::collections::HashMap;

use harness_method::Side;
use harness_methods::{Sees, work};

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
    /// Images whose windows are encoded too, once for each side.
    pub window_encodings: u64,
    /// Bytes of all taps, images x taps x tokens x width x bytes of a value, and of windows, images x windows x embed x
    /// bytes of a value.
    pub tap_bytes: u64,
    /// Bytes of the grids of all scores: images x epochs x taps x grid x grid x 4.
    pub grid_bytes: u64,
    /// Bytes of the states that stay when all is done: a training's last, and one that a rule chose.
    pub state_bytes: u64,
    /// Bytes of the states that the largest training has on top of that until an epoch is chosen.
    pub passing_state_bytes: u64,
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
        for Encodings { kind, images, bytes, .. } in self.encodings() {
            let count = match kind {
                Kind::Test => &mut costs.test_encodings,
                Kind::Support => &mut costs.support_encodings,
                Kind::Windows => &mut costs.window_encodings,
            };
            *count = count.saturating_add(images);
            costs.tap_bytes = costs.tap_bytes.saturating_add(images.saturating_mul(bytes));
        }
        let trainings: HashMap<_, _> = self.trainings.iter().map(|training| (training.id, training)).collect();
        for training in &self.trainings {
            costs.steps = costs.steps.saturating_add(training.steps());
        }
        let mut epochs: HashMap<_, u64> = HashMap::new();
        for evaluation in &self.evaluations {
            let most = epochs.entry(evaluation.training).or_insert(1);
            *most = evaluation.epochs.count().max(*most);
            let images = evaluation.test_images;
            let scored = images.saturating_mul(evaluation.scored_epochs(self.image_scores.len()));
            costs.scored = costs.scored.saturating_add(scored);
            if let Some(training) = trainings.get(&evaluation.training) {
                let grid = training.arch.grid(training.options.image_size());
                let bytes =
                    4 * (training.options.maps(training.has_masks).map_or(0, |maps| maps.grids()) * grid * grid) as u64;
                costs.grid_bytes = costs.grid_bytes.saturating_add(scored.saturating_mul(bytes));
            }
        }
        for training in &self.trainings {
            let (epochs, state) = (epochs.get(&training.id).copied().unwrap_or(1), training.state_bytes());
            costs.state_bytes = costs.state_bytes.saturating_add(state.saturating_mul(epochs.min(2)));
            let passing = state.saturating_mul(epochs.saturating_sub(2));
            costs.passing_state_bytes = costs.passing_state_bytes.max(passing);
        }
        costs
    }

    /// What goes through the encoder, each image under each encoding once.
    pub(crate) fn encodings(&self) -> Vec<Encodings> {
        let mut seen = HashMap::new();
        let mut all: Vec<Encodings> = Vec::new();
        let mut add =
            |encodings: &[Encoding], kind: Kind, set: (ContentHash, Option<Side>, Option<u64>), images: u64| {
                let kinds = std::iter::once(kind).chain(std::iter::repeat(Kind::Windows));
                for (encoding, kind) in encodings.iter().zip(kinds) {
                    if images == 0 {
                        continue;
                    }
                    let place = *seen.entry((encoding.key.clone(), set)).or_insert(all.len());
                    match all.get_mut(place) {
                        // Those of fewer variants are among those of more.
                        Some(Encodings { images: known, .. }) => *known = images.max(*known),
                        None => all.push(Encodings { kind, images, bytes: encoding.bytes, work: encoding.work }),
                    }
                }
            };
        // Normal images are among those of their whole set.
        let wholes: HashMap<ContentHash, ContentHash> =
            self.supports.iter().filter_map(|support| Some((support.normal?, support.hash))).collect();
        let mut of_training = HashMap::new();
        for training in &self.trainings {
            // A fold's images are among those of the whole support set, which is trained on too.
            let variants = training.options.variants();
            let (count, seeded) = (variants.count() as u64, variants.seeded() as u64);
            let encodings = Encoding::all(training);
            let classes = match training.options.sees() {
                Sees::Nothing => &[][..],
                Sees::Normal => &[Side::Normal][..],
                Sees::Both => &Side::BOTH[..],
            };
            let set = training.support.map(|hash| wholes.get(&hash).copied().unwrap_or(hash));
            for (&class, set) in classes.iter().zip(set.into_iter().cycle()) {
                let images = u64::from(training.shots.of(class));
                add(&encodings, Kind::Support, (set, Some(class), None), images * (count - seeded));
                add(&encodings, Kind::Support, (set, Some(class), Some(training.seed)), images * seeded);
            }
            of_training.insert(training.id, encodings);
        }
        // Of a fold, unaugmented support images are scored: their taps are among those of the support set.
        for evaluation in self.evaluations.iter().filter(|evaluation| !evaluation.on_fold) {
            if let Some(encodings) = of_training.get(&evaluation.training) {
                add(encodings, Kind::Test, (evaluation.test, None, None), evaluation.test_images);
            }
        }
        all
    }
}

impl Training {
    /// Bytes of one of its states: its trainable tensors in single precision.
    fn state_bytes(&self) -> u64 {
        let tensors = self.options.tensors(self.support_sizes()).into_iter();
        tensors.map(|tensor| 4 * tensor.shape.iter().product::<usize>() as u64).sum()
    }
}

/// Images that go through the encoder alike.
pub(crate) struct Encodings {
    kind: Kind,
    pub(crate) images: u64,
    /// Stored, of each.
    bytes: u64,
    /// Floating-point operations of each.
    pub(crate) work: f64,
}

/// What for.
#[derive(Clone, Copy)]
enum Kind {
    Test,
    Support,
    Windows,
}

/// How an image becomes taps, or windows of one side: what a tap store's key holds beside the pixels.
struct Encoding {
    key: String,
    /// Of one image's vectors.
    bytes: u64,
    /// Of one image.
    work: f64,
}

impl Encoding {
    /// Taps, then windows side by side.
    fn all(training: &Training) -> Vec<Self> {
        let Training { options, arch, backend, .. } = training;
        let encoding = options.encoding();
        let size = encoding.image_size;
        let bytes = |sizes: [usize; 3]| {
            let value = training.store.size() as u64;
            sizes.iter().fold(value, |product, size| product.saturating_mul(*size as u64))
        };
        let taps = harness_methods::Encoding { windows: &[], ..encoding };
        let mut all = vec![Self {
            key: format!("{taps:?} {backend:?}"),
            bytes: bytes([encoding.taps.len(), arch.tokens(size), arch.width]),
            work: work::encoding(encoding, arch),
        }];
        all.extend(encoding.windows.iter().map(|side| {
            let of = harness_methods::Encoding {
                windows: std::slice::from_ref(side),
                taps: encoding.taps.last().map_or(&[], std::slice::from_ref),
                ..encoding
            };
            Self {
                key: format!("{of:?} {backend:?}"),
                bytes: bytes([1, work::window_count(arch, size, *side), arch.embed]),
                work: work::windows(of, arch),
            }
        }));
        all
    }
}
