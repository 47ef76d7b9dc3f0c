//! The model in plain Burn on Flex, called directly, against every golden case.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod parity;

use std::borrow::Cow;
use std::collections::HashMap;

use burn::tensor::{FloatDType, Tensor, TensorData};
use burn_flex::{Flex, FlexDevice};
use harness_backend_abi::host::{Precision, SessionOptions};
use harness_conformance::{Case, Observed, Outcome, Subject, compare};
use madclip::image_tower::Settings;
use madclip::prompts::Sentences;
use madclip::{HostTensor, ImageTower, ModelError, Plain, Tensors, TextTower, Trainer, trainer};

struct InProcess;

struct Weights<'a>(&'a HashMap<String, harness_conformance::Tensor>);

impl Tensors for Weights<'_> {
    fn get(&self, name: &str) -> Result<HostTensor<'_>, ModelError> {
        let tensor = self.0.get(name).ok_or_else(|| ModelError::MissingTensor { name: name.to_owned() })?;
        Ok(HostTensor { shape: tensor.shape.clone(), data: Cow::Borrowed(&tensor.data) })
    }
}

impl Subject for InProcess {
    fn run(&mut self, case: &Case) -> Result<Observed, String> {
        let device = FlexDevice;
        let (arch, options) = (&case.arch, &case.options);
        let weights = Weights(&case.weights);
        let tower = ImageTower::<Flex, Plain>::load(
            &weights,
            &Settings {
                arch,
                image_size: options.image_size,
                taps: &options.taps,
                activation: options.activation,
                normalize: options.normalize,
                precision: FloatDType::F32,
            },
            &device,
        )
        .map_err(|e| e.to_string())?;
        let pixels: Vec<f32> = case.images.iter().map(|&x| f32::from(x) / 255.0).collect();
        let size = options.image_size;
        let data = TensorData::new(pixels, [case.labels.len(), 3, size, size]);
        let taps: Vec<Vec<f32>> = tower
            .encode(Tensor::from_data(data, &device))
            .into_iter()
            .map(|tap| tap.into_data().to_vec().unwrap())
            .collect();
        let per_image = arch.tokens(size) * arch.width;
        let taps_of = |indices: &[usize]| -> Vec<Vec<f32>> {
            let image = |tap: &Vec<f32>, i: usize| tap[i * per_image..(i + 1) * per_image].to_vec();
            taps.iter().map(|tap| indices.iter().flat_map(|&i| image(tap, i)).collect()).collect()
        };
        let sentences = match &case.sentences {
            Some(sides) => sides.clone().map(|s| Sentences { embedded: s.embedded, eot: s.eot, lengths: s.lengths }),
            None => Default::default(),
        };
        let text = case
            .sentences
            .is_some()
            .then(|| TextTower::load(&weights, arch, options.activation, &device))
            .transpose()
            .map_err(|e| e.to_string())?;
        let initial: HashMap<String, HostTensor<'static>> = case
            .initial
            .iter()
            .map(|(name, t)| (name.clone(), HostTensor { shape: t.shape.clone(), data: t.data.clone().into() }))
            .collect();
        let (has_masks, learning_rate) = (case.has_masks, case.learning_rate);
        let settings = trainer::Settings { options, arch, has_masks, learning_rate };
        let mut trainer =
            Trainer::<Flex, Plain>::new(&settings, text, &sentences, &initial, &device).map_err(|e| e.to_string())?;
        let all: Vec<&[f32]> = taps.iter().map(Vec::as_slice).collect();
        trainer
            .append_support(&all, &case.labels, case.has_masks.then_some(&case.masks[..]))
            .map_err(|e| e.to_string())?;
        let text = trainer.text();
        let (_, gradients) = trainer.read_gradients(&case.batches[0]).map_err(|e| e.to_string())?;
        let mut losses = Vec::new();
        for batch in &case.batches {
            losses.push(trainer.step(batch).map_err(|e| e.to_string())?);
        }
        let test = taps_of(&case.test);
        let test: Vec<&[f32]> = test.iter().map(Vec::as_slice).collect();
        let scores = trainer.score(&test, case.test.len(), true).map_err(|e| e.to_string())?;
        let values = |tensors: std::collections::BTreeMap<String, HostTensor<'static>>| {
            tensors.into_iter().map(|(name, tensor)| (name, tensor.data.into_owned())).collect()
        };
        Ok(Observed {
            taps: taps_of(&[0, 1]),
            text,
            gradients: values(gradients),
            losses,
            parameters: values(trainer.read_state()),
            maps: scores.maps.unwrap(),
            detection: scores.detection,
        })
    }
}

#[test]
fn the_model_in_plain_burn_reproduces_the_golden_cases() {
    parity::check(&mut InProcess);
}

#[test]
fn at_shapes_that_kernels_fail_at_the_model_in_plain_burn_is_the_built_in_backend() {
    let backend = harness_backend_flex::backend().unwrap();
    let session = backend.open(&SessionOptions::on("cpu")).unwrap();
    let cases = harness_conformance::shapes(&mut harness_conformance::through_table(&session, Precision::F32)).unwrap();
    assert_eq!(cases.len(), 4);
    for case in cases {
        let lines = InProcess.run(&case).map(|found| compare(&case, &found, Precision::F32));
        let outcome = Outcome { case: case.name, lines };
        parity::print(&outcome);
        assert!(outcome.passes(), "{}", outcome.case);
    }
}
