//! What the table between harness and backend costs: loading a plugin, and a call beside an encode of 16 images.
//! `cargo run --release --example overhead`.
#![expect(clippy::print_stdout, reason = "it prints its result")]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use harness_backend_abi::host::{self, Backend, NamedTensor};
use harness_backend_abi::plugin::{
    Absent, Capability, Description, Failure, ImageTower, ImageTowerOptions, ImageTowerShape, Images, Plugin,
    Precision, Session, SessionOptions, Tensors, TextTowerOptions, TrainerOptions,
};
use harness_method::Arch;
use harness_method::synthetic::clip_state;
use serde_json::json;

harness_backend_abi::export_backend!(Idle);

/// Measured in turns, so that a busy machine is busy for all.
const TURNS: usize = 5;
/// Loads of each plugin.
const LOADS: usize = 20;
const BATCH: usize = 16;
const SIDE: usize = 224;
const TAPS: [usize; 4] = [3, 6, 9, 12];

/// A backend that computes nothing: a call on it takes the time of the table and of filling the answer.
struct Idle;

struct IdleSession;

struct IdleTower;

impl Plugin for Idle {
    const CAPABILITIES: &'static [Capability] = &[Capability::ImageTower];
    type Session = IdleSession;

    fn describe() -> Description {
        let list = |text: &str| vec![text.to_owned()];
        let (name, version) = ("idle".to_owned(), "0".to_owned());
        Description { name, version, devices: list("cpu"), precisions: list("f32"), ..Description::default() }
    }

    fn open(_: SessionOptions) -> Result<IdleSession, Failure> {
        Ok(IdleSession)
    }
}

impl Session for IdleSession {
    type ImageTower = IdleTower;
    type TextTower = Absent;
    type Trainer = Absent;

    fn load_image_tower(&mut self, _: &ImageTowerOptions, _: &Tensors<'_>) -> Result<IdleTower, Failure> {
        Ok(IdleTower)
    }

    fn load_text_tower(&mut self, _: &TextTowerOptions, _: &Tensors<'_>) -> Result<Absent, Failure> {
        Err(Failure::unsupported("text"))
    }

    fn create_trainer(
        &mut self,
        _: &TrainerOptions,
        _: Option<&Absent>,
        _: &Tensors<'_>,
        _: &Tensors<'_>,
    ) -> Result<Absent, Failure> {
        Err(Failure::unsupported("training"))
    }
}

impl ImageTower for IdleTower {
    fn shape(&self) -> ImageTowerShape {
        let arch = arch();
        ImageTowerShape { image_size: SIDE, taps: TAPS.len(), tokens: arch.tokens(SIDE), width: arch.width }
    }

    fn encode(&mut self, _: Images<'_>, _: usize, taps: &mut [&mut [f32]]) -> Result<(), Failure> {
        taps.iter_mut().for_each(|tap| tap.fill(0.5));
        Ok(())
    }
}

/// The image tower of ViT-B/16; the text tower is not loaded.
fn arch() -> Arch {
    Arch {
        image_size: SIDE,
        patch: 16,
        width: 768,
        layers: 12,
        heads: 12,
        embed: 512,
        vocab: 16,
        context: 8,
        text_width: 64,
        text_layers: 1,
        text_heads: 1,
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    loading()?;
    calls()
}

/// Loads a plugin under a new name each time, since a library that is loaded already costs nothing, in turns with the
/// system's own loading of the same file.
fn loading() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let library = built("harness_faulty")?;
    let copy = |name: String| -> std::io::Result<PathBuf> {
        let path = folder.path().join(host::file_name(&name));
        std::fs::copy(&library, &path)?;
        Ok(path)
    };
    let (mut whole, mut bare) = (Vec::new(), Vec::new());
    for turn in 0..LOADS {
        let path = copy(format!("bare{turn}"))?;
        bare.push(timed(|| open_bare(&path))?);
        let path = copy(format!("whole{turn}"))?;
        whole.push(timed(|| {
            drop(Backend::load(&path)?);
            Ok(())
        })?);
    }
    let built_in = timed(|| {
        drop(harness_backend_flex::backend()?);
        Ok(())
    })?;
    println!("a plugin is loaded, checked and described in {}", told(&mut whole));
    println!("  of which the system opens its library in   {}", told(&mut bare));
    println!("the built-in backend in {:.3} ms", millis(built_in));
    Ok(())
}

#[expect(unsafe_code, reason = "opening a library runs its initialisers; this one has none that matter")]
fn open_bare(path: &Path) -> Result<(), Box<dyn Error>> {
    // SAFETY: a plugin of this workspace.
    std::mem::forget(unsafe { libloading::Library::new(path) }?);
    Ok(())
}

/// A library that cargo built for this example.
fn built(name: &str) -> Result<PathBuf, Box<dyn Error>> {
    let (prefix, suffix) = (std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let release = std::env::current_exe()?.ancestors().nth(2).map(Path::to_owned).unwrap_or_default();
    let path = release.join("deps").join(format!("{prefix}{name}{suffix}"));
    if path.is_file() { Ok(path) } else { Err(format!("{}: not built", path.display()).into()) }
}

/// Encodes 16 images on the built-in backend and on the idle one, in turns.
fn calls() -> Result<(), Box<dyn Error>> {
    let weights: Vec<(String, Vec<usize>, Vec<f32>)> = clip_state(&arch())
        .into_iter()
        .filter(|tensor| tensor.name.starts_with("visual."))
        .map(|tensor| (tensor.name.clone(), tensor.shape.clone(), tensor.values(0)))
        .collect();
    let named: Vec<NamedTensor<'_>> =
        weights.iter().map(|(name, shape, values)| NamedTensor::f32(name, shape, values)).collect();
    let options = host::ImageTowerOptions {
        arch: serde_json::to_value(arch())?,
        image_size: SIDE,
        taps: TAPS.to_vec(),
        activation: json!("gelu"),
        normalize: json!("none"),
        precision: Precision::F32,
    };
    let open = |backend: &Backend| -> Result<host::ImageTower, host::BackendError> {
        let session = backend.open(&SessionOptions::on("cpu"))?;
        session.load_image_tower(&options, &named)
    };
    let (mut flex, mut idle) = (open(&harness_backend_flex::backend()?)?, open(&backend()?)?);
    let pixels = vec![127_u8; BATCH * 3 * SIDE * SIDE];
    let length = BATCH * arch().tokens(SIDE) * arch().width;
    let mut taps = vec![vec![0.0_f32; length]; TAPS.len()];
    let (mut computed, mut empty, mut filled) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..TURNS {
        for (tower, times) in [(&mut flex, &mut computed), (&mut idle, &mut empty)] {
            let mut buffers: Vec<&mut [f32]> = taps.iter_mut().map(Vec::as_mut_slice).collect();
            times.push(timed(|| Ok(tower.encode_u8(&pixels, BATCH, &mut buffers)?))?);
        }
        filled.push(timed(|| {
            taps.iter_mut().for_each(|tap| std::hint::black_box(tap).fill(0.5));
            Ok(())
        })?);
    }
    println!("encoding {BATCH} images of ViT-B/16 takes {}", told(&mut computed));
    println!("the same call on a backend that fills the answer {}", told(&mut empty));
    println!("filling alone {}", told(&mut filled));
    let [computed, empty, filled] = [median(&mut computed), median(&mut empty), median(&mut filled)].map(millis);
    println!("the table's share of an encode is {:.2} %", 100.0 * (empty - filled).max(0.0) / computed);
    Ok(())
}

fn timed(work: impl FnOnce() -> Result<(), Box<dyn Error>>) -> Result<Duration, Box<dyn Error>> {
    let begin = Instant::now();
    work()?;
    Ok(begin.elapsed())
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Median and worst.
fn told(times: &mut [Duration]) -> String {
    let middle = millis(median(times));
    format!("{middle:.3} ms (at most {:.3})", times.last().copied().map_or(middle, millis))
}
