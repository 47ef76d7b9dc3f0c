//! Methods whose heads a backend trains, against the numbers of their reference: gradients, losses, parameters and
//! scores of the built-in backend through its C table.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod common;

use common::Case;
use harness_backend_abi::host::{OwnedTensor, Trainer};
use harness_method::Combine;
use harness_method::heads::Heads;
use harness_methods::{Method, MethodOptions, Processor, Scores, Settings, Stepped, april_gan, mvfa};
use harness_metrics::joined_scores;

/// The losses that a reference lists, in its order.
const LOSSES: [&str; 3] = ["detection", "focal", "dice"];

/// Takes the steps of the case and compares gradients of the first, losses of all, and what they lead to.
fn train(case: &Case, heads: &Heads) -> Trainer {
    let mut trainer = case.trainer(heads, 1e-3);
    let support = [case.abnormal.clone(), case.normal.clone()].concat();
    let labels: Vec<u8> = support.iter().map(|&i| case.labels[i]).collect();
    let area = case.image_size().pow(2);
    let masks: Vec<u8> = support.iter().flat_map(|&i| &case.masks[i * area..][..area]).copied().collect();
    let taps = case.taps(&support);
    let view = taps.view();
    let each: Vec<&[f32]> = view.each().collect();
    trainer.append_support(&each, &labels, case.has_masks.then_some(masks.as_slice())).unwrap();

    let parameters = heads.parameters(&case.arch);
    let wanted: Vec<(&str, &[usize])> = parameters.iter().map(|p| (p.name.as_str(), p.shape.as_slice())).collect();
    let frozen = |name: &str| !case.has_masks && name.contains(".seg.");
    for OwnedTensor { name, values, .. } in trainer.gradients(&case.batches[0], &wanted).unwrap() {
        if frozen(&name) {
            assert!(values.iter().all(|&value| value == 0.0), "{name}");
        } else {
            case.close(&format!("gradient.{name}"), &values);
        }
    }
    let known = heads.losses(case.has_masks);
    let mut losses = Vec::new();
    for batch in &case.batches {
        let found = trainer.step(batch).unwrap();
        let value = |name: &&str| known.iter().position(|known| known == name).map_or(0.0, |at| found[at]);
        losses.extend(LOSSES.iter().map(value));
    }
    case.close("losses", &losses);
    for OwnedTensor { name, values, .. } in trainer.read_state(&wanted).unwrap() {
        case.close(&format!("final.{name}"), &values);
    }
    trainer
}

fn compare(case: &Case, scores: &Scores, images: Combine) {
    let each = scores.grids.len() / case.test.len() / 2;
    let halves = |from: usize| -> Vec<f32> {
        scores.grids.chunks_exact(2 * each).flat_map(|image| &image[from * each..][..each]).copied().collect()
    };
    case.close("grids.0", &halves(0));
    case.close("grids.1", &halves(1));
    case.close("detection.zero", &scores.detection);
    case.close("detection.few", &scores.few);
    case.close("detection", &joined_scores(images, &scores.detection, &scores.few).unwrap());
}

#[test]
fn mvfa_is_that_of_the_reference() {
    for name in ["mvfa", "mvfa-single", "mvfa-frozen", "mvfa-image-level"] {
        let case = Case::read(name);
        let options: mvfa::Options = case.options(&["slope"]);
        let mut trainer = train(&case, &options.heads());
        let test = case.taps(&case.test);
        let view = test.view();
        let taps: Vec<&[f32]> = view.each().collect();
        let found = trainer.score(&taps, case.test.len(), false).unwrap();
        assert!(found.detection.is_empty());
        let scores = mvfa::complete(&found.grids, options.taps.len(), view.grid(), case.image_size()).unwrap();
        compare(&case, &scores, options.combine);
        case.maps_are_close(options.maps(true).unwrap(), &scores.grids);
        // In another batch an image has the same scores.
        let one: Vec<&[f32]> = taps.iter().map(|tap| &tap[..tap.len() / case.test.len()]).collect();
        let alone = trainer.score(&one, 1, false).unwrap().grids;
        common::close(name, &alone, &found.grids[..alone.len()]);
    }
}

#[test]
fn april_gan_is_that_of_the_reference() {
    let case = Case::read("april-gan");
    let options: april_gan::Options = case.options(&[]);
    let mut trainer = train(&case, &options.heads());
    let (normal, test) = (case.taps(&case.normal), case.taps(&case.test));
    let view = test.view();
    let taps: Vec<&[f32]> = view.each().collect();
    let found = trainer.score(&taps, case.test.len(), false).unwrap();
    let bank = april_gan::bank(&normal.view()).unwrap();
    let (projection, direction) = (case.projection(), case.difference());
    let scores =
        april_gan::complete(&found.grids, &view, case.image_size(), &bank, &projection, &direction, &mut Processor)
            .unwrap();
    compare(&case, &scores, options.joins_scores().unwrap());
    case.maps_are_close(options.maps(true).unwrap(), &scores.grids);
}

#[test]
fn a_bank_without_a_normal_image_and_learning_without_masks_are_refused() {
    let case = Case::read("mvfa-frozen");
    let options: mvfa::Options = case.options(&["slope"]);
    let mut trainer = case.trainer(&options.heads(), 1e-3);
    let test = case.taps(&case.test);
    let view = test.view();
    let taps: Vec<&[f32]> = view.each().collect();
    let error = trainer.score(&taps, case.test.len(), false).unwrap_err();
    assert!(error.to_string().contains("without a normal support image"), "{error}");
    let MethodOptions::AprilGan(options) = Method::AprilGan.default_options() else { panic!("another method") };
    assert!(options.losses(false).is_empty());
}
