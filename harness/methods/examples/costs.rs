//! What the largest banks and probes take at the size of ViT-L/14 at 240 px, four taps: a bank of 16 supports in 16
//! variants, by the harness and by the built-in backend; the fit of a probe; and WinCLIP's windows beside an image's
//! own encoding. Times are those of the processor, all threads together, so that other programs matter little; rates
//! are shares of that of matrix products in the same turn. Memory is that of the whole process.
//! `cargo run --release --example costs -- [images]`
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a program for people to look at")]

use std::hint::black_box;
use std::time::Instant;

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, Par};
use harness_backend_abi::host::{ImageTowerOptions, NamedTensor, Precision, Session, SessionOptions};
use harness_method::Arch;
use harness_method::synthetic::clip_state;
use harness_methods::{DeskError, Nearest, Processor, Settings, Taps, linear_probe, memory_bank, work, zero_shot};
use serde_json::to_value;

const TAPS: usize = 4;
const GRID: usize = 17;
const WIDTH: usize = 1024;
/// Supports times variants.
const SUPPORTS: usize = 16 * 16;
const TURNS: usize = 3;

/// The built-in backend, as any other.
struct Backend(Session);

impl Nearest for Backend {
    fn nearest(&mut self, queries: &[f32], bank: &[f32], width: usize) -> Result<Vec<f32>, DeskError> {
        Ok(self.0.nearest(bank, queries, width)?)
    }
}

fn main() {
    let images: usize = std::env::args().nth(1).map_or(2, |text| text.parse().unwrap());
    println!("probe at K 4: {}", probe(384));
    println!("probe at K 4: {}", probe(1024));
    windows();
    bank(images);
}

/// Two blocks of ViT-L/14.
fn windows() {
    let arch = Arch {
        image_size: 336,
        patch: 14,
        width: WIDTH,
        layers: 2,
        heads: 16,
        embed: 768,
        vocab: 16,
        context: 8,
        text_width: 64,
        text_layers: 1,
        text_heads: 1,
    };
    let options = zero_shot::Options { taps: vec![2], ..zero_shot::Options::preset(zero_shot::Preset::WinClip) };
    let encoding = options.encoding();
    let weights: Vec<_> = clip_state(&arch).into_iter().filter(|tensor| tensor.name.starts_with("visual.")).collect();
    let values: Vec<Vec<f32>> = weights.iter().map(|tensor| tensor.values(0)).collect();
    let named =
        weights.iter().zip(&values).map(|(tensor, values)| NamedTensor::f32(&tensor.name, &tensor.shape, values));
    let given = ImageTowerOptions {
        arch: to_value(&arch).unwrap(),
        image_size: encoding.image_size,
        taps: encoding.taps.to_vec(),
        activation: to_value(encoding.activation).unwrap(),
        normalize: to_value(encoding.normalize).unwrap(),
        precision: Precision::F32,
    };
    let session = harness_backend_flex::backend().unwrap().open(&SessionOptions::on("cpu")).unwrap();
    let mut tower = session.load_image_tower(&given, &named.collect::<Vec<_>>()).unwrap();
    let (images, shape) = (1, tower.shape());
    let pixels = vec![90_u8; images * 3 * shape.image_size.pow(2)];
    let mut tap = vec![0.0; images * shape.tokens * shape.width];
    let mut shares = [Vec::new(), Vec::new()];
    for _ in 0..TURNS {
        let start = cpu();
        tower.encode_u8(&pixels, images, &mut [&mut tap]).unwrap();
        let (own, start) = (cpu() - start, cpu());
        for &side in encoding.windows {
            let mut tokens = vec![0.0; images * shape.windows(side).unwrap() * shape.width];
            tower.encode_windows_u8(&pixels, images, side, &mut tokens).unwrap();
        }
        let (of_windows, gemm) = (cpu() - start, 1e9 * products());
        shares[0].push(images as f64 * work::encoding(encoding, &arch) / own / gemm);
        shares[1].push(images as f64 * work::windows(encoding, &arch) / of_windows / gemm);
    }
    shares.iter_mut().for_each(|shares| shares.sort_by(f64::total_cmp));
    println!("encoding: images {:.2}, windows {:.2} of products", shares[0][TURNS / 2], shares[1][TURNS / 2]);
}

/// Numbers that no two tokens share.
fn tokens(seed: u64, count: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut draw = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| draw()).collect()
}

fn probe(width: usize) -> String {
    let each = (1 + GRID * GRID) * width;
    let values: Vec<Vec<f32>> = (0..TAPS as u64).map(|tap| tokens(tap + 1, 8 * each)).collect();
    let taps = Taps::new(values.iter().map(Vec::as_slice).collect(), 8, GRID, width).unwrap();
    let labels = [1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0];
    let inside = |patch: usize| (5..9).contains(&(patch / GRID)) && (5..9).contains(&(patch % GRID));
    let share = |i: usize| f32::from(i < 4 * GRID * GRID && inside(i % (GRID * GRID)));
    let lesions: Vec<f32> = (0..8 * GRID * GRID).map(share).collect();
    let (start, began) = (Instant::now(), cpu());
    let probes = linear_probe::fit(&linear_probe::Options::default(), &taps, &labels, Some(&lesions)).unwrap();
    assert_eq!(probes.len(), TAPS);
    let (wall, own) = (start.elapsed().as_secs_f64(), cpu() - began);
    format!("width {width}, {TAPS} taps in {own:.2} s of the processor ({wall:.2} s), peak memory {:.2} GiB", peak())
}

fn bank(images: usize) {
    let options = memory_bank::Options::default();
    let each = (1 + GRID * GRID) * WIDTH;
    // Image by image, as a worker makes it.
    let mut bank = memory_bank::Bank::default();
    for support in 0..SUPPORTS as u64 {
        let values: Vec<Vec<f32>> = (0..TAPS as u64).map(|tap| tokens(100 * support + tap + 1, each)).collect();
        let taps = Taps::new(values.iter().map(Vec::as_slice).collect(), 1, GRID, WIDTH).unwrap();
        bank.append(&options, None, &taps).unwrap();
    }
    let values: Vec<Vec<f32>> = (0..TAPS as u64).map(|tap| tokens(70_000 + tap, images * each)).collect();
    let taps = Taps::new(values.iter().map(Vec::as_slice).collect(), images, GRID, WIDTH).unwrap();
    let work = 2.0 * (TAPS * images * GRID * GRID * SUPPORTS * GRID * GRID * WIDTH) as f64;
    let session = harness_backend_flex::backend().unwrap().open(&SessionOptions::on("cpu")).unwrap();
    println!("a bank of {} tokens a tap, {images} images at once", SUPPORTS * GRID * GRID);
    let mut subjects: [(&str, Box<dyn Nearest>, Vec<f64>); 2] =
        [("harness", Box::new(Processor), Vec::new()), ("flex", Box::new(Backend(session)), Vec::new())];
    let mut grids: Vec<Vec<f32>> = Vec::new();
    for turn in 0..TURNS {
        for (name, device, shares) in &mut subjects {
            // Before and after, as a busy machine changes its mind.
            let (before, start) = (products(), cpu());
            let scores = memory_bank::score(&options, None, &bank, &taps, device.as_mut()).unwrap();
            let rate = work / (cpu() - start) / 1e9;
            let gemm = f64::midpoint(before, products());
            shares.push(rate / gemm);
            println!("turn {turn}: {name:<8} {rate:>6.1} of {gemm:>6.1} GFLOP/s a thread, share {:.2}", rate / gemm);
            grids.push(scores.grids);
        }
    }
    for (name, _, shares) in &mut subjects {
        shares.sort_by(f64::total_cmp);
        println!("{name:<8} median share {:.2}, {:.2} to {:.2}", shares[TURNS / 2], shares[0], shares[TURNS - 1]);
    }
    let apart = grids[0].iter().zip(&grids[1]).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    println!("both lie at most {apart:.1e} apart; peak memory {:.2} GiB", peak());
}

/// The rate of products of square f32 matrices, in 10^9 operations a second of the processor.
fn products() -> f64 {
    const SIDE: usize = 1280;
    let (left, right) =
        (Mat::from_fn(SIDE, SIDE, |i, j| (i + 2 * j) as f32), Mat::from_fn(SIDE, SIDE, |i, _| i as f32));
    let mut out = Mat::<f32>::zeros(SIDE, SIDE);
    let start = cpu();
    for _ in 0..8 {
        matmul(out.as_mut(), Accum::Replace, left.as_ref(), right.as_ref(), 1.0, Par::Seq);
        black_box(&out);
    }
    8.0 * 2.0 * (SIDE as f64).powi(3) / (cpu() - start).max(1e-2) / 1e9
}

/// Seconds that all threads of this process had of the processor; needs Linux.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    // Behind the name, which may hold spaces: user and system time are the 12th and 13th, in hundredths.
    let fields = stat.rsplit_once(')').unwrap().1.split_whitespace();
    fields.skip(11).take(2).map(|ticks| ticks.parse::<f64>().unwrap() / 100.0).sum()
}

/// The most memory that this process had, in GiB; 0 where the system does not say.
fn peak() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<f64>().ok());
    kib.unwrap_or(0.0) / (1 << 20) as f64
}
