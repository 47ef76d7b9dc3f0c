//! Times the parts of a run through the backend's table: encoding, a training step, scoring. For each, the best
//! wall time and the best processor time of all threads, in seconds: `speed [ROUNDS] [THREADS]`.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints its result")]

use std::time::Instant;

use harness_backend_abi::host::{
    ImageTowerOptions, NamedTensor, Precision, Session, SessionOptions, TextTowerOptions, TrainerOptions,
};
use harness_method::parameters::parameters;
use harness_method::{Arch, Options, streams, synthetic};

/// The program's own allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const IMAGE_SIZE: usize = 224;

fn main() {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<usize>().unwrap());
    let (rounds, threads) = (arguments.next().unwrap_or(5), arguments.next());
    let backend = harness_backend_flex::backend().unwrap();
    let session = backend.open(&SessionOptions { threads, ..SessionOptions::on("cpu") }).unwrap();
    let base = Arch { width: 768, heads: 12, patch: 16, embed: 512, text_width: 512, ..small() };
    encode(&session, "encode 8 images, ViT-B/16", &base, &[12], 8, rounds);
    let taps = encode(&session, "encode 16 images, ViT-S/14", &small(), &released().taps, 16, rounds);
    train(&session, &taps, rounds);
}

/// The sizes of a ViT-S/14 with a small text tower.
fn small() -> Arch {
    Arch {
        image_size: IMAGE_SIZE,
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
    }
}

fn released() -> Options {
    Options { image_size: IMAGE_SIZE, taps: vec![3, 6, 9, 12], ..Options::default() }
}

type Weights = Vec<(String, Vec<usize>, Vec<f32>)>;

fn weights(arch: &Arch, wanted: impl Fn(&str) -> bool) -> Weights {
    let tensors = synthetic::clip_state(arch).into_iter().filter(|tensor| wanted(&tensor.name));
    tensors.map(|tensor| (tensor.name.clone(), tensor.shape.clone(), tensor.values(0))).collect()
}

fn named(weights: &Weights) -> Vec<NamedTensor<'_>> {
    weights.iter().map(|(name, shape, values)| NamedTensor::f32(name, shape, values)).collect()
}

fn encode(session: &Session, what: &str, arch: &Arch, taps: &[usize], n: usize, rounds: usize) -> Vec<Vec<f32>> {
    let options = Options { taps: taps.to_vec(), ..released() };
    let options = ImageTowerOptions::of_model(&options, arch, Precision::F32).unwrap();
    let weights = weights(arch, |name| name.starts_with("visual."));
    let mut tower = session.load_image_tower(&options, &named(&weights)).unwrap();
    let images =
        streams::uniform("speed", 0, n * 3 * IMAGE_SIZE * IMAGE_SIZE, 0.5).iter().map(|x| x + 0.5).collect::<Vec<_>>();
    let mut outputs = vec![vec![0.0; n * tower.shape().tokens * tower.shape().width]; taps.len()];
    time(what, rounds, || {
        let mut buffers: Vec<&mut [f32]> = outputs.iter_mut().map(Vec::as_mut_slice).collect();
        tower.encode_f32(&images, n, &mut buffers).unwrap();
    });
    outputs
}

fn train(session: &Session, taps: &[Vec<f32>], rounds: usize) {
    let (arch, options, n) = (small(), released(), 16);
    let weights = weights(&arch, |name| !name.starts_with("visual.") && name != "token_embedding.weight");
    let text = TextTowerOptions::of_model(&options, &arch).unwrap();
    let text = session.load_text_tower(&text, &named(&weights)).unwrap();
    let embedded = streams::uniform("text", 0, 7 * arch.context * arch.text_width, 0.05);
    let (shape, eot, lengths) = ([7, arch.context, arch.text_width], [14; 7], [2; 7]);
    let names = ["normal", "abnormal"].map(|side| {
        [format!("prompt.{side}.embedded"), format!("prompt.{side}.eot"), format!("prompt.{side}.lengths")]
    });
    let mut prompts = Vec::new();
    for [e, o, l] in &names {
        prompts.push(NamedTensor::f32(e, &shape, &embedded));
        prompts.push(NamedTensor::u32(o, &shape[..1], &eot));
        prompts.push(NamedTensor::u32(l, &shape[..1], &lengths));
    }
    let state: Weights =
        parameters(&options, &arch).into_iter().map(|p| (p.name.clone(), p.shape.clone(), p.values(0))).collect();
    let given = TrainerOptions::of_model(&options, &arch, true, 1e-3).unwrap();
    let mut trainer = session.create_trainer(&given, Some(&text), &prompts, &named(&state)).unwrap();
    let taps: Vec<&[f32]> = taps.iter().map(Vec::as_slice).collect();
    let labels: Vec<u8> = (0..n).map(|i| (i % 2) as u8).collect();
    let masks: Vec<u8> = (0..n * IMAGE_SIZE * IMAGE_SIZE).map(|i| u8::from(i / 1000 % 7 == 0)).collect();
    trainer.append_support(&taps, &labels, Some(&masks)).unwrap();
    let batch: Vec<u32> = (0..n as u32).collect();
    time("text", rounds, || drop(trainer.text().unwrap()));
    time("train on 16 images", rounds, || {
        trainer.step(&batch).unwrap();
    });
    let twice: Vec<Vec<f32>> = taps.iter().map(|tap| tap.repeat(2)).collect();
    let twice: Vec<&[f32]> = twice.iter().map(Vec::as_slice).collect();
    time("score 32 images", rounds, || drop(trainer.score(&twice, 2 * n, false).unwrap()));
}

fn time(what: &str, rounds: usize, mut run: impl FnMut()) {
    run();
    let (mut wall, mut processor) = (f64::INFINITY, f64::INFINITY);
    for _ in 0..rounds {
        let (start, before) = (Instant::now(), processor_seconds());
        run();
        wall = wall.min(start.elapsed().as_secs_f64());
        processor = processor.min(processor_seconds() - before);
    }
    println!("{what}: {wall:.4} s wall, {processor:.2} s of processors");
}

/// User and system time of this process, in steps of 10 ms; 0 where `/proc` is not there.
fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}
