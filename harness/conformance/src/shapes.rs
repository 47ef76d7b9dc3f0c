//! Cases of shapes at which kernels of GPUs were found to be wrong: 289 and 290 tokens, whose rows no vector of 16
//! bytes divides, a width of 768, one direction, heads 64 wide, odd batches. They need no file: what they expect is
//! what another subject computes.

use std::collections::HashMap;

use harness_method::options::{Adapter, AdapterAttention, Branches, Prompts};
use harness_method::parameters::parameters;
use harness_method::streams::Stream;
use harness_method::{Arch, Options, Precision, losses, synthetic};

use crate::compare::COLUMNS;
use crate::{Case, Observed, Outcome, Subject, Tensor, compare};

/// Of what is drawn for a case.
const SEED: u64 = 7;
/// 17 x 17 patches: 289 tokens, and a class token.
const SIDE: usize = 34;
/// Images encoded at once, and images of each step.
pub(crate) const BATCHES: &[usize] = &[7, 5, 3, 1];
/// The same of a case that takes long.
const FEW: &[usize] = &[3, 1];

/// A case's name, its batches, and how its model differs from that of the paper.
type Shape = (&'static str, &'static [usize], fn(&mut Options));

const SHAPES: [Shape; 4] = [
    ("shapes-one-column", BATCHES, |_| {}),
    ("shapes-two-columns", BATCHES, |options| options.branches = Branches::Single),
    ("shapes-attention-290", FEW, |options| {
        options.adapter = Adapter::Transformer;
        options.adapter_attention = AdapterAttention::Tokens;
    }),
    ("shapes-attention-odd", BATCHES, |options| {
        options.adapter = Adapter::Transformer;
        options.adapter_attention = AdapterAttention::Batch;
    }),
];

/// Names of these cases.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    SHAPES.iter().map(|(name, ..)| *name)
}

/// All of these cases, each with what a subject computes as what is expected.
///
/// # Errors
/// The subject's, with the case's name.
pub fn shapes(reference: &mut dyn Subject) -> Result<Vec<Case>, String> {
    SHAPES.iter().map(|shape| expecting(case(*shape), reference)).collect()
}

/// Runs the case of this name on a subject and compares it with another one, whose numbers are f32's.
pub(crate) fn check_shape(
    name: &str,
    subject: &mut dyn Subject,
    reference: &mut dyn Subject,
    precision: Precision,
) -> Outcome {
    let mut run = || {
        let shape = SHAPES.into_iter().find(|(known, ..)| *known == name).ok_or("there is no such case")?;
        let case = expecting(case(shape), reference)?;
        Ok(compare(&case, &subject.run(&case)?, precision))
    };
    Outcome { case: name.to_owned(), lines: run() }
}

fn expecting(case: Case, reference: &mut dyn Subject) -> Result<Case, String> {
    let found = reference.run(&case).map_err(|error| format!("{}: {error}", case.name))?;
    Ok(Case { expected: expected(&case, found), ..case })
}

fn case((name, batches, change): Shape) -> Case {
    let arch = Arch {
        image_size: SIDE,
        patch: 2,
        width: 64,
        layers: 2,
        heads: 1,
        embed: 768,
        vocab: 2,
        context: 8,
        text_width: 64,
        text_layers: 1,
        text_heads: 1,
    };
    let mut options = Options { image_size: SIDE, taps: vec![1, 2], prompts: Prompts::Free, ..Options::default() };
    change(&mut options);
    let count: usize = batches.iter().sum();
    let stream = Stream::new("images", SEED);
    let pixels = (count * 3 * SIDE * SIDE) as u64;
    let mask = |image: usize| (0..SIDE * SIDE).map(move |pixel| u8::from(image % 2 == 1 && pixel / SIDE < SIDE / 2));
    let mut from = 0;
    let batch = |&size: &usize| {
        from += size;
        (from - size..from).collect()
    };
    Case {
        name: name.to_owned(),
        has_masks: true,
        learning_rate: 1e-3,
        batches: batches.iter().map(batch).collect(),
        test: (0..batches[0]).collect(),
        images: (0..pixels).map(|pixel| (256.0 * stream.uniform(pixel)) as u8).collect(),
        masks: (0..count).flat_map(mask).collect(),
        labels: (0..count).map(|image| (image % 2) as u8).collect(),
        weights: synthetic::clip_state(&arch)
            .into_iter()
            .map(|t| (t.name.clone(), Tensor { data: t.values(SEED), shape: t.shape }))
            .collect(),
        initial: parameters(&options, &arch)
            .into_iter()
            .map(|p| (p.name.clone(), Tensor { data: p.values(SEED), shape: p.shape }))
            .collect(),
        sentences: None,
        expected: HashMap::new(),
        arch,
        options,
    }
}

/// What was found under the names of a golden case, less the parameters: where a gradient is next to nothing its sign
/// is rounding, and Adam makes a whole step of it.
fn expected(case: &Case, found: Observed) -> HashMap<String, Tensor> {
    let names = losses::names(&case.options, case.has_masks);
    let column = |step: &Vec<f32>, name: &str| {
        names.iter().position(|known| *known == name).and_then(|index| step.get(index)).copied().unwrap_or(0.0)
    };
    let losses = found.losses.iter().flat_map(|step| COLUMNS.map(|name| column(step, name))).collect();
    let taps = case.options.taps.iter().map(|tap| format!("tap.{tap}")).zip(found.taps);
    let gradients = found.gradients.into_iter().map(|(name, values)| (format!("gradient.{name}"), values));
    let others =
        [("text.initial", found.text), ("losses", losses), ("maps", found.maps), ("detection", found.detection)];
    let others = others.into_iter().map(|(name, values)| (name.to_owned(), values));
    let all = taps.chain(gradients).chain(others);
    all.map(|(name, data)| (name, Tensor { shape: vec![data.len()], data })).collect()
}
