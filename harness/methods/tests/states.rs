//! States of methods to which a test lends what they need: shapes as planned, scores as of what they were made of.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use harness_method::declaring::Stage;
use harness_method::prompts::States;
use harness_method::{Arch, Side, Variants};
use harness_methods::{
    Closed, Desk, DeskError, Method, MethodOptions, Processor, Projection, Scores, Settings, Support, SupportSet, Taps,
    subspace, zero_shot,
};

const SIDE: usize = 4;

fn arch() -> Arch {
    Arch {
        image_size: SIDE,
        patch: 2,
        width: 3,
        layers: 2,
        heads: 1,
        embed: 3,
        vocab: 10,
        context: 10,
        text_width: 2,
        text_layers: 1,
        text_heads: 1,
    }
}

/// An encoder whose token is a weighted sum of its patch's pixels, channel by channel; the second tap is twice the
/// first.
fn encoded(images: &[u8]) -> Vec<Vec<f32>> {
    let mut tap = Vec::new();
    for image in images.chunks_exact(3 * SIDE * SIDE) {
        tap.extend([1.0, 2.0, 4.0]);
        for (row, column) in [(0, 0), (0, 2), (2, 0), (2, 2)] {
            tap.extend(image.chunks_exact(SIDE * SIDE).map(|plane| {
                let at = |y: usize, x: usize| f32::from(plane[(row + y) * SIDE + column + x]);
                at(0, 0) + 2.0 * at(0, 1) + 3.0 * at(1, 0) + 5.0 * at(1, 1)
            }));
        }
    }
    let twice = tap.iter().map(|value| 2.0 * value).collect();
    vec![tap, twice]
}

/// Windows of one side, 2: all patches, as a vector of the sums of channels at length 1.
fn windows(images: &[u8]) -> Vec<Vec<f32>> {
    let of = |image: &[u8]| {
        let sums =
            image.chunks_exact(SIDE * SIDE).map(|plane| plane.iter().map(|&value| f32::from(value)).sum::<f32>());
        let sums: Vec<f32> = sums.collect();
        let length = sums.iter().map(|sum| sum * sum).sum::<f32>().sqrt();
        sums.into_iter().map(move |sum| sum / length).collect::<Vec<f32>>()
    };
    vec![images.chunks_exact(3 * SIDE * SIDE).flat_map(of).collect()]
}

struct Lender {
    arch: Arch,
    seed: u64,
    encoded: usize,
}

impl Lender {
    fn new(seed: u64) -> Self {
        Self { arch: arch(), seed, encoded: 0 }
    }
}

impl Desk for Lender {
    fn arch(&self) -> &Arch {
        &self.arch
    }

    fn has_masks(&self) -> bool {
        true
    }

    fn seed(&self) -> u64 {
        self.seed
    }

    fn encode(&mut self, images: &[u8]) -> Result<Vec<Vec<f32>>, DeskError> {
        self.encoded += images.len() / (3 * SIDE * SIDE);
        Ok(encoded(images))
    }

    /// A variant is the image with another value at its first pixel.
    fn encode_variants(&mut self, images: &[u8], _: Side, variants: Variants) -> Result<Vec<Vec<f32>>, DeskError> {
        let variant = |number: usize| {
            let mut images = images.to_vec();
            images.chunks_exact_mut(3 * SIDE * SIDE).for_each(|image| image[0] = image[0].wrapping_add(number as u8));
            images
        };
        let all: Vec<u8> = (0..variants.count()).flat_map(variant).collect();
        self.encode(&all)
    }

    fn windows(&mut self, images: &[u8]) -> Result<Vec<Vec<f32>>, DeskError> {
        Ok(windows(images))
    }

    fn projection(&mut self) -> Result<Projection, DeskError> {
        let one = vec![1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0];
        Ok(Projection::new(vec![1.0; 3], vec![0.0; 3], one)?)
    }

    fn texts(&mut self, _: States, _: &str) -> Result<[Vec<f32>; 2], DeskError> {
        Err("there is no text tower".into())
    }
}

fn image(values: impl Fn(usize) -> usize) -> Vec<u8> {
    (0..3 * SIDE * SIDE).map(|at| (values(at) % 251) as u8).collect()
}

/// A state as it is planned and made, and the scores of images by it.
fn scores<T: Closed + Settings>(options: &T, normal: &[u8], images: &[u8], desk: &mut Lender) -> Scores {
    let supports = normal.len() / (3 * SIDE * SIDE);
    let planned = options.tensors(Support { arch: &arch(), normal: supports, abnormal: supports, has_masks: true });
    let state = options.fit(&SupportSet { normal, abnormal: &[], masks: None }, desk).unwrap();
    let lengths: Vec<usize> = state.iter().map(Vec::len).collect();
    assert_eq!(lengths, planned.iter().map(|tensor| tensor.shape.iter().product()).collect::<Vec<usize>>());
    let state: Vec<&[f32]> = state.iter().map(Vec::as_slice).collect();
    let values = encoded(images);
    let count = images.len() / (3 * SIDE * SIDE);
    let (taps, views) = (Taps::new(values.iter().map(Vec::as_slice).collect(), count, 2, 3).unwrap(), windows(images));
    let taps = taps.with_windows(vec![(2, &views[0])], 3).unwrap();
    options.prepare(&state, "Liver", desk).unwrap().score(&taps, &mut Processor).unwrap()
}

#[test]
fn a_subspace_scores_from_its_state_without_encoding_again() {
    let options = subspace::Options { image_size: SIDE, explained_variance: real(0.5), ..Default::default() };
    let (first, second, test) = (image(|at| 37 * at), image(|at| at * at), image(|at| 11 * at));
    let normal = [first, second].concat();
    let mut desk = Lender::new(0);
    let found = scores(&options, &normal, &test, &mut desk);
    assert_eq!(desk.encoded, 2);
    let (support, query) = (encoded(&normal), encoded(&test));
    let taps = |values: &'static [Vec<f32>], images| {
        Taps::new(values.iter().map(Vec::as_slice).collect(), images, 2, 3).unwrap()
    };
    let direct = subspace::fit(&options, &taps(support.leak(), 2)).unwrap();
    assert_eq!(found, subspace::score(&options, &direct, &taps(query.leak(), 1)).unwrap());
    assert!(found.detection[0] > 0.0 && found.grids.len() == 4);
}

#[test]
fn supports_that_are_turned_make_a_turned_image_normal() {
    // In each patch the first channel has an upper edge and the second a left one, of the patch's brightness: all
    // tokens of the image lie on one line, and those of the turned image on another.
    let upright = image(|at| {
        let (plane, row, column) = (at / 16, at / 4 % 4, at % 4);
        let brightness = 10 + 3 * (row / 2) + 8 * (column / 2);
        let lit = [row % 2 == 0, column % 2 == 0, false][plane];
        if lit { brightness } else { 0 }
    });
    let turned = subspace::turned(&upright, SIDE)[upright.len()..][..upright.len()].to_vec();
    let images = [upright.clone(), turned].concat();
    let found = |variants, encoded| {
        let share = real(0.999);
        let options = subspace::Options { image_size: SIDE, variants, explained_variance: share, ..Default::default() };
        let mut desk = Lender::new(0);
        let found = scores(&options, &upright, &images, &mut desk);
        assert_eq!(desk.encoded, encoded);
        found.detection
    };
    let plain = found(subspace::Variants::None, 1);
    assert!(plain[0] < 1e-6 && plain[1] > 100.0, "{plain:?}");
    let turned = found(subspace::Variants::RightAngles, 4);
    assert!(turned.iter().all(|score| *score < 1e-6), "{turned:?}");
}

#[test]
fn equal_supports_leave_the_distance_to_them_and_none_are_refused() {
    let options = subspace::Options { image_size: SIDE, ..Default::default() };
    let flat = image(|_| 7);
    let found = scores(&options, &flat, &[flat.clone(), image(|_| 8)].concat(), &mut Lender::new(0));
    // The mean of both taps is 1.5 times a patch's sum, whose weights are 11 together: 16.5 in each of three channels.
    assert_eq!((&found.grids[..4], &found.grids[4..]), (&[0.0; 4][..], &[816.75; 4][..]));
    let none = options.fit(&SupportSet { normal: &[], abnormal: &[], masks: None }, &mut Lender::new(0)).unwrap_err();
    assert!(none.to_string().contains("no normal image, which `subspace` learns from"), "{none}");
}

#[test]
fn a_random_direction_needs_no_text_and_is_that_of_the_seed() {
    let control =
        zero_shot::Options { image_size: SIDE, ..zero_shot::Options::preset(zero_shot::Preset::RandomDirection) };
    let images = [image(|at| 37 * at), image(|at| at * at)].concat();
    let of = |seed| scores(&control, &[], &images, &mut Lender::new(seed));
    assert_eq!(of(3), of(3));
    assert_ne!(of(3), of(4));
    let found = of(3);
    assert!(found.grids.iter().chain(&found.detection).all(|logit| logit.abs() <= 10.0), "{found:?}");
    let text = zero_shot::Options { image_size: SIDE, ..Default::default() };
    assert!(text.prepare(&[], "Liver", &mut Lender::new(3)).is_err(), "it needs the texts");
}

#[test]
fn a_bank_of_variants_is_made_of_them_and_of_their_lesions() {
    use harness_methods::memory_bank::{Banks, Options};
    let options = |variants| Options { image_size: SIDE, taps: vec![1, 2], variants, ..Options::default() };
    // More supports than are encoded at once.
    let normal: Vec<u8> = (0..20).flat_map(|number| image(|at| at * 7 + number * 11)).collect();
    let mut varied = normal[..3 * SIDE * SIDE].to_vec();
    varied[0] = varied[0].wrapping_add(10);
    let mut desk = Lender::new(3);
    let of = |variants, desk: &mut Lender| scores(&options(variants), &normal, &varied, desk).detection[0];
    let (plain, with) = (of(Variants::None, &mut desk), of(Variants::Mvfa, &mut desk));
    assert!(plain > 1e-5 && with.abs() < 1e-6, "{plain} {with}");
    // Twice, as states hold the images alone.
    assert_eq!(desk.encoded, 2 * 20 * (1 + 11));

    // The lesion of a variant is its own: only in the last variant of the second abnormal image there is one.
    let both = Options { banks: Banks::Both, ..options(Variants::Mvfa) };
    let mut masks = vec![0; 11 * 2 * SIDE * SIDE];
    masks[(10 * 2 + 1) * SIDE * SIDE..].fill(1);
    let abnormal = [image(|at| at * 5 + 90), image(|at| 200 - at)].concat();
    let set = SupportSet { normal: &normal, abnormal: &abnormal, masks: Some(&masks) };
    let state = both.fit(&set, &mut desk).unwrap();
    assert_eq!(state[2].iter().sum::<f32>(), 4.0);
    let mut last = abnormal[3 * SIDE * SIDE..].to_vec();
    last[0] = last[0].wrapping_add(10);
    let state: Vec<&[f32]> = state.iter().map(Vec::as_slice).collect();
    let values = encoded(&last);
    let taps = Taps::new(values.iter().map(Vec::as_slice).collect(), 1, 2, 3).unwrap();
    let found = both.prepare(&state, "Liver", &mut desk).unwrap().score(&taps, &mut Processor).unwrap();
    let alone = options(Variants::Mvfa).prepare(&state[..1], "Liver", &mut desk).unwrap();
    let alone = { alone }.score(&taps, &mut Processor).unwrap();
    assert!(found.grids.iter().zip(&alone.grids).all(|(a, b)| (a - b).abs() < 1e-6), "at no distance from its own");
}

#[test]
fn winclip_with_supports_keeps_them_and_knows_them_again() {
    use zero_shot::{Options, Preset};
    let options = |preset| Options {
        image_size: SIDE,
        windows: vec![2],
        direction: zero_shot::Direction::Random,
        ..Options::preset(preset)
    };
    let (known, other) = (image(|at| 37 * at), image(|at| at * at + 5));
    let mut desk = Lender::new(3);
    let found = scores(&options(Preset::WinClipFewShot), &known, &[known.clone(), other.clone()].concat(), &mut desk);
    assert_eq!(desk.encoded, 2, "when it is made and when it scores");
    let alone = scores(&options(Preset::WinClip), &[], &[known, other].concat(), &mut desk);
    assert_eq!(desk.encoded, 2);
    let gained: Vec<f32> = found.detection.iter().zip(&alone.detection).map(|(few, zero)| few - zero / 2.0).collect();
    assert!(gained[0].abs() < 1e-6 && gained[1] > 1e-4, "{gained:?}");
    let none = SupportSet { normal: &[], abnormal: &[], masks: None };
    let refused = options(Preset::WinClipFewShot).fit(&none, &mut desk).unwrap_err();
    assert!(refused.to_string().contains("no normal image, which `zero-shot` learns from"), "{refused}");
}

#[test]
fn windows_that_are_none_are_refused_by_name() {
    use zero_shot::{Options, Preset};
    let winclip = Options { image_size: SIDE, taps: vec![2], windows: vec![2], ..Options::preset(Preset::WinClip) };
    let complaints = |options: Options| -> Vec<String> {
        options.check(&arch()).into_iter().map(|complaint| complaint.message).collect()
    };
    assert!(complaints(winclip.clone()).is_empty());
    for (windows, words) in [(vec![], "is empty"), (vec![2, 3], "has 3, but an image is 2"), (vec![2, 1], "ascend")] {
        let found = complaints(Options { windows, ..winclip.clone() });
        assert!(found.len() == 1 && found[0].contains(words), "{found:?}");
    }
    let found = complaints(Options { taps: vec![1], ..winclip.clone() });
    assert!(found.len() == 1 && found[0].contains("last block, 2"), "{found:?}");
    let found = complaints(Options { few_shot: true, map: zero_shot::Map::Patch, windows: vec![9], ..winclip });
    assert!(found.len() == 1 && found[0].contains("`few_shot` is for"), "{found:?}");
}

#[test]
fn only_the_control_depends_on_a_seed_and_it_names_no_object() {
    let of = |preset| Method::ZeroShot.preset(preset).unwrap();
    let (text, control) = (of("patch"), of("random-direction"));
    let about = |options: &MethodOptions| (options.depends_on_seed(), options.names_objects());
    assert_eq!((about(&text), about(&control)), ((false, true), (true, false)));
    // Phrases decide nothing there.
    let decisive = |options: &MethodOptions| serde_json::to_string(&options.decisive(Stage::Training)).unwrap();
    assert_eq!((decisive(&text).as_str(), decisive(&control).as_str()), ("{}", "{\"direction\":\"random\"}"));
}

fn real(value: f64) -> harness_method::declaring::Real {
    harness_method::declaring::Real(value)
}

#[test]
fn what_methods_need_of_a_backend_are_capabilities_by_name() {
    let names = harness_backend_abi::host::Capability::ALL.map(|capability| capability.name());
    let presets =
        Method::ALL.into_iter().flat_map(|method| method.presets().into_iter().map(move |name| (method, name)));
    let needed: Vec<_> = presets.flat_map(|(method, name)| method.preset(name).unwrap().capabilities()).collect();
    assert!(needed.contains(&"heads") && needed.contains(&"windows"));
    assert!(needed.iter().all(|name| names.contains(name)), "{needed:?}");
}
