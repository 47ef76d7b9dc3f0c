//! Measures what loading costs: `memory write FILE` makes a synthetic ViT-L/14@336 in f16, `memory read FILE` opens
//! weights and reads the image tower one tensor at a time; both print the peak of resident memory. Linux only.
#![allow(clippy::print_stdout, reason = "a measurement is printed")]

use std::path::PathBuf;
use std::time::Instant;

use harness_method::{Arch, StorePrecision};
use harness_weights::{Weights, WeightsError};

const VIT_L_14_336: Arch = Arch {
    image_size: 336,
    patch: 14,
    width: 1024,
    layers: 24,
    heads: 16,
    embed: 768,
    vocab: 49_408,
    context: 77,
    text_width: 768,
    text_layers: 12,
    text_heads: 12,
};

fn main() -> Result<(), WeightsError> {
    let mut arguments = std::env::args().skip(1);
    let (Some(work), Some(path)) = (arguments.next(), arguments.next().map(PathBuf::from)) else {
        println!("memory write|read FILE");
        return Ok(());
    };
    let start = Instant::now();
    if work == "write" {
        Weights::synthetic(&VIT_L_14_336, 0)?.write_safetensors(&path, StorePrecision::F16)?;
    } else {
        let weights = Weights::open(&path)?;
        println!("opened after {:?}, {}", start.elapsed(), peak());
        let mut values = 0;
        for name in weights.image_tower_names() {
            values += weights.tensor(name)?.data.len();
        }
        println!("{values} values of the image tower");
    }
    println!("{work}: {:?}, {}", start.elapsed(), peak());
    Ok(())
}

fn peak() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let wanted = ["VmHWM", "RssAnon", "RssFile"];
    let lines = status.lines().filter(|line| wanted.iter().any(|name| line.starts_with(name)));
    lines.map(|line| line.replace('\t', " ")).collect::<Vec<_>>().join(", ")
}
