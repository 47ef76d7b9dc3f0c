//! `harness doctor`: what this machine has, and what would keep an experiment from running.

use harness_data::{Dataset, Registry};
use harness_records::Provenance;
use harness_run::probe;

use super::print;
use crate::arguments::Doctor;
use crate::backends::{names, worker};
use crate::exit::{Exit, Failure};
use crate::paths;

pub(super) fn doctor(arguments: &Doctor) -> Result<Exit, Failure> {
    let mut well = true;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let here = Provenance::new("".as_ref(), "".as_ref(), None, false);
    told("harness", &format!("{}, for {}", here.harness, std::env::consts::OS));
    told("processor", &format!("{}, {threads} threads", here.cpu_level));
    if let Some(memory) = memory() {
        told("memory", &super::cache::bytes(memory));
    }
    let program = worker(&arguments.backends)?;
    for name in names(&arguments.backends)? {
        match probe(&program, &name) {
            Ok(info) if info.devices.is_empty() => {
                told("backend", &format!("{name}: no device: {}", info.note.unwrap_or_default()));
            }
            Ok(info) => told("backend", &format!("{name} {} on {}", info.version, info.devices.join(", "))),
            Err(error) => {
                well = false;
                told("backend", &format!("{name} can't be used: {error}"));
            }
        }
    }
    let cache = paths::cache(arguments.cache.as_deref())?;
    match harness_features::TapStore::open(&paths::taps(&cache), None) {
        Ok(_) => told("cache", &format!("{} can be written to", cache.display())),
        Err(error) => {
            well = false;
            told("cache", &error.to_string());
        }
    }
    let registry = paths::registry(arguments.datasets.as_deref(), None);
    match registry.and_then(|path| Ok(Registry::load(&path)?)) {
        Ok(registry) => {
            told("registry", &registry.path().display().to_string());
            for name in registry.names() {
                let state = match registry.get(name).and_then(Dataset::from_entry) {
                    Ok(dataset) => dataset.root().map_or("generated".to_owned(), |root| root.display().to_string()),
                    Err(error) => format!("not here: {error}"),
                };
                told("", &format!("{name}: {state}"));
            }
        }
        Err(failure) => {
            well = false;
            told("registry", &failure.message);
        }
    }
    Ok(if well { Exit::Done } else { Exit::Found })
}

fn told(name: &str, value: &str) {
    print(format!("{name:<12}{value}\n"));
}

/// The machine's memory in bytes, where the system says it.
fn memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}
