//! The methods against the numbers of their reference, on taps and texts of the built-in backend.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod common;

use common::Case;
use harness_method::{Link, Part, Side};
use harness_methods::{Processor, lesion_shares, linear_probe, memory_bank, subspace, text_prototypes, zero_shot};

fn lesions(case: &Case, images: &[usize]) -> Vec<f32> {
    let side = case.image_size();
    let masks: Vec<u8> = images.iter().flat_map(|&i| &case.masks[i * side * side..][..side * side]).copied().collect();
    lesion_shares(&masks, side, case.arch.patch).unwrap()
}

#[test]
fn zero_shot_scores_are_those_of_the_reference() {
    let case = Case::read("zero-shot");
    case.close("text.difference", &case.difference());
    let test = case.taps(&case.test);
    let scores = zero_shot::score(&case.projection(), &case.difference(), &test.view()).unwrap();
    case.close("grids.0", &scores.grids);
    case.close("detection", &scores.detection);
    case.maps_are_close(Part { link: Link::Sigmoid, grids: 1 }, &scores.grids);
}

#[test]
fn winclip_scores_as_the_reference_does() {
    for name in ["winclip", "winclip-few-shot"] {
        let case = Case::read(name);
        let options = zero_shot::Options { map: zero_shot::Map::Windows, ..case.options(&[]) };
        let sides = &options.windows;
        let (projection, difference) = (case.projection(), case.difference());
        for (side, windows) in case.windows(&[0], sides) {
            case.close(&format!("windows.{side}"), &windows);
        }
        let of = |images: &[usize]| (case.taps(images), case.windows(images, sides));
        let ((taps, windows), (of_normal, windows_of_normal)) = (of(&case.test), of(&case.normal));
        let normal = case.view(&of_normal, &windows_of_normal);
        let reference = options.few_shot.then(|| zero_shot::Reference::new(sides, &normal).unwrap());
        let test = case.view(&taps, &windows);
        let scores =
            zero_shot::score_windows(&projection, &difference, sides, reference.as_ref(), &test, &mut Processor)
                .unwrap();
        case.close("grids.0", &scores.grids);
        case.close("detection", &scores.detection);
        case.maps_are_close(Part { link: Link::Identity, grids: 1 }, &scores.grids);
    }
}

#[test]
fn memory_banks_score_as_the_reference_does() {
    for name in ["memory-bank", "memory-bank-concat", "memory-bank-both"] {
        let case = Case::read(name);
        let options = &case.options::<memory_bank::Options>(&[]);
        let projection = case.projection();
        let (normal, abnormal, test) = (case.taps(&case.normal), case.taps(&case.abnormal), case.taps(&case.test));
        let shares = lesions(&case, &case.abnormal);
        let abnormal = abnormal.view();
        let bank =
            memory_bank::fit(options, Some(&projection), &normal.view(), Some((&abnormal, Some(&shares)))).unwrap();
        let scores = memory_bank::score(options, Some(&projection), &bank, &test.view(), &mut Processor).unwrap();
        case.close("grids.0", &scores.grids);
        case.close("detection", &scores.detection);
        case.maps_are_close(Part { link: Link::Identity, grids: bank.normal.len() }, &scores.grids);
    }
}

#[test]
fn subspaces_leave_the_residuals_of_the_reference() {
    // More tokens than channels, and fewer.
    for name in ["subspace", "subspace-few"] {
        let case = Case::read(name);
        let options = &case.options::<subspace::Options>(&[]);
        let found = subspace::fit(options, &case.taps(&case.normal).view()).unwrap();
        case.close("subspace.mean", &found.mean);
        case.close("subspace.count", &[(found.components.len() / found.mean.len()) as f32]);
        let scores = subspace::score(options, &found, &case.taps(&case.test).view()).unwrap();
        case.close("grids.0", &scores.grids);
        case.close("detection", &scores.detection);
        case.maps_are_close(Part { link: Link::Identity, grids: 1 }, &scores.grids);
    }
}

#[test]
fn linear_probes_come_to_the_minimum_of_the_reference() {
    for name in ["linear-probe", "linear-probe-image-level"] {
        let case = Case::read(name);
        let options = &case.options::<linear_probe::Options>(&[]);
        let support = [case.abnormal.clone(), case.normal.clone()].concat();
        let (taps, test) = (case.taps(&support), case.taps(&case.test));
        let labels: Vec<f32> = support.iter().map(|&i| f32::from(case.labels[i])).collect();
        let shares = case.has_masks.then(|| lesions(&case, &support));
        let probes = linear_probe::fit(options, &taps.view(), &labels, shares.as_deref()).unwrap();
        for (tap, probe) in case.tap_numbers().into_iter().zip(&probes) {
            for (kind, found) in [("image", &probe.image), ("token", &probe.token)] {
                let Some(found) = found else { continue };
                // As one vector: the bias alone is near zero.
                let found: Vec<f32> = found.weight.iter().copied().chain([found.bias]).collect();
                let expected = ["weight", "bias"].map(|part| case.expected(&format!("probe.{tap}.{kind}.{part}")));
                common::close(&format!("{name}: probe.{tap}.{kind}"), &found, &expected.concat());
            }
        }
        let scores = linear_probe::score(options, &probes, &test.view()).unwrap();
        case.close("detection", &scores.detection);
        if case.has_masks {
            case.close("grids.0", &scores.grids);
            case.maps_are_close(Part { link: Link::Sigmoid, grids: probes.len() }, &scores.grids);
        } else {
            assert!(scores.grids.is_empty());
        }
    }
}

#[test]
fn text_prototypes_are_those_of_the_reference() {
    let case = Case::read("text-prototypes");
    let projection = case.projection();
    let texts = Side::BOTH.map(|side| case.text(side));
    let (normal, abnormal, test) = (case.taps(&case.normal), case.taps(&case.abnormal), case.taps(&case.test));
    let texts: [&[f32]; 2] = [&texts[0], &texts[1]];
    let weight = case.options::<text_prototypes::Options>(&[]).text_weight.0 as f32;
    let sums = text_prototypes::sums(&projection, [&normal.view(), &abnormal.view()]).unwrap();
    let prototypes = text_prototypes::prototypes(&sums, texts, weight).unwrap();
    case.close("prototypes", &prototypes);
    let scores = text_prototypes::score(&projection, &prototypes, &test.view()).unwrap();
    case.close("detection", &scores.detection);
}
