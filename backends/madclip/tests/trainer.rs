//! The trainer in plain Burn on a few small images: steps, gradients, states, scores, and what it refuses.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use std::collections::{BTreeMap, HashMap};

use burn_flex::{Flex, FlexDevice};
use harness_method::options::{Adapter, AdapterAttention, Aggregation, Branches, Loss, Prompts};
use harness_method::parameters::parameters;
use harness_method::{Arch, Options, losses, streams};
use madclip::trainer::Settings;
use madclip::{HostTensor, ModelError, Plain, Trainer};

type Model = Trainer<Flex, Plain>;
type State = BTreeMap<String, HostTensor<'static>>;

/// Support images.
const N: usize = 6;
const LABELS: [u8; N] = [0, 1, 0, 1, 0, 1];

fn arch() -> Arch {
    Arch {
        image_size: 12,
        patch: 4,
        width: 16,
        layers: 3,
        heads: 2,
        embed: 12,
        vocab: 8,
        context: 14,
        text_width: 8,
        text_layers: 1,
        text_heads: 1,
    }
}

fn options() -> Options {
    Options {
        image_size: 12,
        taps: vec![1, 3],
        adapter_attention: AdapterAttention::Tokens,
        prompts: Prompts::Free,
        ..Options::default()
    }
}

fn initial(options: &Options) -> HashMap<String, HostTensor<'static>> {
    let parameters = parameters(options, &arch()).into_iter();
    parameters.map(|p| (p.name.clone(), HostTensor { data: p.values(1).into(), shape: p.shape })).collect()
}

/// A trainer without support.
fn empty(options: &Options, has_masks: bool) -> Model {
    let settings = Settings { options, arch: &arch(), has_masks, learning_rate: 1e-2 };
    Trainer::new(&settings, None, &Default::default(), &initial(options), &FlexDevice).unwrap()
}

/// Taps of the support images, one after another for each tap.
fn taps(options: &Options) -> Vec<Vec<f32>> {
    let n = N * arch().tokens(options.image_size) * arch().width;
    options.taps.iter().map(|tap| streams::uniform(&format!("tap.{tap}"), 0, n, 1.0)).collect()
}

fn masks(options: &Options) -> Vec<u8> {
    let area = options.image_size.pow(2);
    (0..N * area).map(|i| u8::from(LABELS[i / area] == 1 && i % 3 == 0)).collect()
}

fn slices(taps: &[Vec<f32>]) -> Vec<&[f32]> {
    taps.iter().map(Vec::as_slice).collect()
}

fn trainer(options: &Options, has_masks: bool) -> Model {
    let mut trainer = empty(options, has_masks);
    let masks = has_masks.then(|| masks(options));
    trainer.append_support(&slices(&taps(options)), &LABELS, masks.as_deref()).unwrap();
    trainer
}

fn same(one: &State, other: &State) -> bool {
    one.iter().zip(other).all(|(a, b)| a.0 == b.0 && a.1.data == b.1.data)
}

fn owned(state: State) -> HashMap<String, HostTensor<'static>> {
    state.into_iter().collect()
}

#[test]
fn losses_come_in_the_order_of_their_names() {
    for has_masks in [true, false] {
        let mut trainer = trainer(&options(), has_masks);
        assert_eq!(trainer.losses(), losses::names(&options(), has_masks));
        assert_eq!(trainer.step(&[0, 1]).unwrap().len(), trainer.losses().len());
    }
    // The detection loss does not depend on whether maps are trained too.
    let [with, without] = [true, false].map(|has_masks| trainer(&options(), has_masks).step(&[0, 1, 2]).unwrap()[0]);
    assert!((with - without).abs() < 1e-5);
}

#[test]
fn the_loss_falls_for_every_adapter_branch_loss_and_aggregation() {
    let mut kinds = Vec::new();
    kinds
        .extend([Adapter::Linear, Adapter::Conv, Adapter::Transformer].map(|adapter| Options { adapter, ..options() }));
    kinds.extend(Branches::ALL.map(|branches| Options { branches, ..options() }));
    kinds.extend(Aggregation::ALL.map(|aggregation| Options { aggregation, loss: Loss::Contrastive, ..options() }));
    for options in kinds {
        let mut trainer = trainer(&options, true);
        let all: Vec<usize> = (0..N).collect();
        let steps: Vec<f32> = (0..12).map(|_| trainer.step(&all).unwrap().iter().sum()).collect();
        assert!(steps[11] < steps[0], "{options:?}: {steps:?}");
    }
}

#[test]
fn gradients_are_those_of_the_sum_of_the_losses() {
    /// Apart from each other, the slopes before and after a value have a kink of LeakyReLU between them.
    const KINK: f64 = 3e-3;
    const STEP: f32 = 1e-3;
    for adapter in [Adapter::Linear, Adapter::Conv, Adapter::Transformer] {
        for (loss, has_masks) in [(Loss::Siglip, true), (Loss::Contrastive, false)] {
            let options = Options { adapter, loss, ..options() };
            let mut trainer = trainer(&options, has_masks);
            let (batch, start) = ([1, 2, 5], trainer.read_state());
            let (losses, gradients) = trainer.read_gradients(&batch).unwrap();
            let here: f64 = losses.iter().map(|&loss| f64::from(loss)).sum();
            let mut slope = |name: &str, element: usize, by: f32| {
                let mut state = owned(start.clone());
                state.get_mut(name).unwrap().data.to_mut()[element] += by;
                trainer.write_state(&state).unwrap();
                let losses = trainer.read_gradients(&batch).unwrap().0;
                (losses.iter().map(|&loss| f64::from(loss)).sum::<f64>() - here) / f64::from(by)
            };
            let (mut all_smooth, mut all) = (0, 0);
            for (name, gradient) in &gradients {
                let (mut differences, mut sum, mut smooth) = (0.0, 0.0, 0);
                for (element, &expected) in gradient.data.iter().enumerate().step_by(gradient.data.len().div_ceil(12)) {
                    let (before, after) = (slope(name, element, -STEP), slope(name, element, STEP));
                    all += 1;
                    if (before - after).abs() < KINK {
                        smooth += 1;
                        differences += ((before + after) / 2.0 - f64::from(expected)).abs();
                        sum += f64::from(expected).abs();
                    }
                }
                // Rounding of a loss in f32 stands for a slope of half a thousandth.
                let bound = 0.05 * sum + 5e-4 * f64::from(smooth);
                assert!(differences <= bound, "{adapter:?} {loss:?} {name}: {differences} of {sum}");
                all_smooth += smooth;
            }
            assert!(2 * all_smooth > all, "{adapter:?} {loss:?}: {all_smooth} of {all} slopes have no kink");
        }
    }
}

#[test]
fn without_masks_the_segmentation_heads_have_no_gradient_and_keep_their_values() {
    let mut trainer = trainer(&options(), false);
    let before = trainer.read_state();
    let (_, gradients) = trainer.read_gradients(&[0, 1]).unwrap();
    trainer.step(&[0, 1]).unwrap();
    let after = trainer.read_state();
    for (name, gradient) in &gradients {
        let unused = name.ends_with("seg.weight");
        assert_eq!(gradient.data.iter().all(|&x| x == 0.0), unused, "{name}");
        assert_eq!(before[name].data == after[name].data, unused, "{name}");
    }
}

#[test]
fn a_written_state_starts_adam_again_and_is_read_back_as_it_was() {
    let mut trainer = trainer(&options(), true);
    let start = trainer.read_state();
    let run = |trainer: &mut Model| [[0, 1], [2, 3]].map(|batch| trainer.step(&batch).unwrap());
    let first = (run(&mut trainer), trainer.read_state());
    trainer.write_state(&owned(start.clone())).unwrap();
    assert!(same(&trainer.read_state(), &start));
    let second = (run(&mut trainer), trainer.read_state());
    assert!(first.0 == second.0 && same(&first.1, &second.1));
    // Moments matter: the second step from its own start is another one.
    trainer.write_state(&owned(start)).unwrap();
    trainer.step(&[0, 1]).unwrap();
    let middle = owned(trainer.read_state());
    trainer.write_state(&middle).unwrap();
    trainer.step(&[2, 3]).unwrap();
    assert!(!same(&trainer.read_state(), &first.1));
}

#[test]
fn a_trainer_with_another_s_state_and_moments_goes_on_as_the_other_would() {
    // With masks every tensor has moments after a step, without them those of the segmentation heads have none.
    for has_masks in [true, false] {
        let mut whole = trainer(&options(), has_masks);
        for batch in [[0, 1], [2, 3], [4, 5]] {
            whole.step(&batch).unwrap();
        }
        let (state, (moments, steps)) = (owned(whole.read_state()), whole.read_moments());
        assert_eq!((moments.len(), steps), (2 * state.len(), 3));
        let mut other = trainer(&options(), has_masks);
        other.step(&[5, 0]).unwrap();
        other.write_state(&state).unwrap();
        other.write_moments(&owned(moments), steps).unwrap();
        for batch in [[1, 2], [3, 4], [5, 0]] {
            assert_eq!(whole.step(&batch).unwrap(), other.step(&batch).unwrap());
        }
        assert!(same(&whole.read_state(), &other.read_state()));
    }
    let mut trainer = trainer(&options(), true);
    let mut moments = owned(trainer.read_moments().0);
    moments.remove("second.text.normal");
    assert!(
        matches!(trainer.write_moments(&moments, 1), Err(ModelError::MissingTensor { name }) if name == "second.text.normal")
    );
}

#[test]
fn a_state_with_a_missing_tensor_changes_nothing() {
    let mut trainer = trainer(&options(), true);
    trainer.step(&[0, 1]).unwrap();
    let before = trainer.read_state();
    let mut broken = initial(&options());
    broken.remove("text.abnormal");
    assert!(matches!(trainer.write_state(&broken), Err(ModelError::MissingTensor { name }) if name == "text.abnormal"));
    assert!(same(&trainer.read_state(), &before));
}

#[test]
fn text_vectors_follow_the_parameters() {
    let mut trainer = trainer(&options(), true);
    let before = trainer.text();
    assert_eq!((before.len(), trainer.text()), (2 * arch().embed, before.clone()));
    trainer.step(&[0, 1]).unwrap();
    assert_ne!(trainer.text(), before);
    trainer.write_state(&initial(&options())).unwrap();
    assert_eq!(trainer.text(), before);
}

#[test]
fn support_may_come_in_pieces() {
    let (options, masks) = (options(), masks(&options()));
    let mut pieces = empty(&options, true);
    let (image, area) = (arch().tokens(12) * arch().width, 144);
    for (from, to) in [(0, 1), (1, 4), (4, 6)] {
        let taps = taps(&options);
        let part: Vec<&[f32]> = taps.iter().map(|tap| &tap[from * image..to * image]).collect();
        pieces.append_support(&part, &LABELS[from..to], Some(&masks[from * area..to * area])).unwrap();
    }
    assert_eq!(pieces.step(&[5, 0, 3]).unwrap(), trainer(&options, true).step(&[5, 0, 3]).unwrap());
}

#[test]
fn scores_are_sums_over_taps_and_maps_come_only_when_asked_for() {
    let options = options();
    let trainer = trainer(&options, true);
    let scores = trainer.score(&slices(&taps(&options)), N, true).unwrap();
    assert_eq!((scores.grids.len(), scores.detection.len()), (N * 2 * 9, N));
    assert!(scores.detection.iter().all(|&score| score > 0.0 && score < 2.0));
    assert!(trainer.score(&slices(&taps(&options)), N, false).unwrap().maps.is_none());
    // The corner of a map is the sum over taps of the probability in the corner of the grid.
    let maps = scores.maps.unwrap();
    for image in 0..N {
        let corner = |tap: usize| 1.0 / (1.0 + (-scores.grids[(image * 2 + tap) * 9]).exp());
        assert!((maps[image * 144] - corner(0) - corner(1)).abs() < 1e-5);
    }
    // An image alone has the scores it has among others.
    let image = arch().tokens(12) * arch().width;
    let taps = taps(&options);
    let last: Vec<&[f32]> = taps.iter().map(|tap| &tap[5 * image..]).collect();
    let alone = trainer.score(&last, 1, false).unwrap();
    assert!((alone.detection[0] - scores.detection[5]).abs() < 1e-5);
}

#[test]
fn what_does_not_fit_is_refused() {
    let options = options();
    let message = |result: Result<Vec<f32>, ModelError>| result.unwrap_err().to_string();
    let mut trainer = trainer(&options, true);
    assert!(message(trainer.step(&[])).contains("of 6 support images"));
    assert!(message(trainer.step(&[0, 6])).contains("batch [0, 6] of 6 support images"));
    let all = taps(&options);
    let refused = |trainer: &mut Model, taps: &[&[f32]], labels: &[u8], masks: Option<&[u8]>| {
        trainer.append_support(taps, labels, masks).unwrap_err().to_string()
    };
    assert!(refused(&mut trainer, &slices(&all), &LABELS, None).contains("without masks"));
    assert!(refused(&mut trainer, &slices(&all), &LABELS, Some(&[0; 7])).contains("7 mask pixels for 6 images"));
    assert!(refused(&mut trainer, &slices(&all[..1]), &LABELS, None).contains("must be 2 tensors of [6, 10, 16]"));
    assert!(refused(&mut trainer, &slices(&all), &LABELS[1..], None).contains("[5, 10, 16]"));
    assert!(trainer.score(&[], 0, false).is_err());
    for wrong in [Options { taps: vec![], ..options.clone() }, Options { image_size: 3, ..options.clone() }] {
        let settings = Settings { options: &wrong, arch: &arch(), has_masks: true, learning_rate: 1e-2 };
        let made = Model::new(&settings, None, &Default::default(), &initial(&options), &FlexDevice);
        assert!(matches!(made, Err(ModelError::Invalid(_))));
    }
}

#[test]
fn a_loss_that_is_not_finite_is_reported_by_name_and_changes_nothing() {
    for aggregation in Aggregation::ALL {
        for bad in [f32::NAN, f32::INFINITY] {
            let options = Options { aggregation, ..options() };
            let mut trainer = empty(&options, false);
            let mut taps = taps(&options);
            taps[0].last_mut().unwrap().clone_from(&bad);
            trainer.append_support(&slices(&taps), &LABELS, None).unwrap();
            trainer.step(&[0, 1]).unwrap();
            let before = trainer.read_state();
            let error = trainer.step(&[1, 5]).unwrap_err();
            assert!(matches!(&error, ModelError::NotFinite { losses } if losses.len() == 1), "{error}");
            assert!(error.to_string().starts_with("the loss is not finite: detection "), "{error}");
            assert!(same(&trainer.read_state(), &before));
        }
    }
}
