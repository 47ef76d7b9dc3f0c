//! Times encoding, a training step and scoring of a synthetic ViT-S/14 at 224 px on Flex, K = 4, batches of 16.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints its result")]

use std::collections::HashMap;
use std::time::Instant;

use burn::tensor::{FloatDType, Tensor, TensorData};
use burn_flex::{Flex, FlexDevice};
use harness_method::options::*;
use harness_method::{Arch, Options, parameters::parameters, streams, synthetic};
use madclip::image_tower::Settings;
use madclip::prompts::Sentences;
use madclip::{HostTensor, ImageTower, Plain, TextTower, Trainer};

fn main() {
    let arch = Arch {
        image_size: 224,
        patch: 14,
        width: 384,
        layers: 12,
        heads: 6,
        embed: 128,
        vocab: 512,
        context: 77,
        text_width: 64,
        text_layers: 3,
        text_heads: 1,
    };
    let options = Options {
        image_size: 224,
        taps: vec![3, 6, 9, 12],
        activation: Activation::Gelu,
        normalize: Normalize::None,
        branches: Branches::Dual,
        dual_objective: true,
        adapter: Adapter::Linear,
        adapter_attention: AdapterAttention::Batch,
        prompts: Prompts::Learned,
        prompt_positions: vec![PromptPosition::End, PromptPosition::Front, PromptPosition::Middle],
        prompt_mask: PromptMask::None,
        context_tokens: 8,
        loss: Loss::Siglip,
        aggregation: Aggregation::Mean,
    };
    let device = FlexDevice;
    let weights: HashMap<String, HostTensor<'static>> = synthetic::clip_state(&arch)
        .into_iter()
        .map(|t| (t.name.clone(), HostTensor { data: t.values(0).into(), shape: t.shape }))
        .collect();
    let tower = ImageTower::<Flex, Plain>::load(
        &weights,
        &Settings {
            arch: &arch,
            image_size: options.image_size,
            taps: &options.taps,
            activation: options.activation,
            normalize: options.normalize,
            precision: FloatDType::F32,
        },
        &device,
    )
    .unwrap();
    let n = 16;
    let pixels = streams::uniform("speed", 0, n * 3 * 224 * 224, 1.0);
    let images = Tensor::<Flex, 4>::from_data(TensorData::new(pixels, [n, 3, 224, 224]), &device);
    let mut taps = Vec::new();
    for _ in 0..3 {
        let start = Instant::now();
        taps = tower.encode(images.clone()).into_iter().map(|t| t.into_data().to_vec::<f32>().unwrap()).collect();
        println!("encode {n} images: {:.3} s", start.elapsed().as_secs_f64());
    }
    let text = TextTower::load(&weights, &arch, options.activation, &device).unwrap();
    let sentence =
        Sentences { embedded: streams::uniform("text", 0, 7 * 77 * 64, 0.05), eot: vec![14; 7], lengths: vec![2; 7] };
    let state: HashMap<String, HostTensor<'static>> = parameters(&options, &arch)
        .into_iter()
        .map(|p| (p.name.clone(), HostTensor { data: p.values(0).into(), shape: p.shape }))
        .collect();
    let sentences = [sentence.clone(), sentence];
    let mut trainer =
        Trainer::<Flex, Plain>::new(&options, &arch, true, 1e-3, Some(text), &sentences, &state, &device).unwrap();
    let taps: Vec<&[f32]> = taps.iter().map(Vec::as_slice).collect();
    let labels: Vec<u8> = (0..n).map(|i| (i % 2) as u8).collect();
    let masks: Vec<u8> = (0..n * 224 * 224).map(|i| (i / 1000 % 7 == 0) as u8).collect();
    trainer.append_support(&taps, &labels, Some(&masks)).unwrap();
    let batch: Vec<usize> = (0..n).collect();
    for _ in 0..4 {
        let start = Instant::now();
        let losses = trainer.step(&batch).unwrap();
        println!("train step of {n}: {:.3} s {losses:?}", start.elapsed().as_secs_f64());
    }
    for _ in 0..3 {
        let start = Instant::now();
        trainer.score(&taps, n, false).unwrap();
        println!("score {n}: {:.3} s", start.elapsed().as_secs_f64());
    }
}
