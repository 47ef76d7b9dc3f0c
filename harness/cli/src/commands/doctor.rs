//! `harness doctor`: what this machine has, and what would keep an experiment from running.

use clap::Args;
use harness_data::{Dataset, Registry};
use harness_records::Provenance;
use harness_run::probe;
use harness_text::bytes;

use crate::backends::{names, worker};
use crate::exit::{Exit, Failure};
use crate::flags::{BackendFolders, CacheFolder, RegistryFile};
use crate::output::print;
use crate::paths;

/// Show what this machine has and what is missing
///
/// Looks at the processor, memory, backends, cache folder and datasets. Exits with code 1 if something can't be used.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  harness doctor")]
pub(crate) struct Doctor {
    #[command(flatten)]
    registry: RegistryFile,
    #[command(flatten)]
    cache: CacheFolder,
    #[command(flatten)]
    backends: BackendFolders,
}

pub(super) fn doctor(arguments: &Doctor) -> Result<Exit, Failure> {
    let mut well = true;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let here = Provenance::new("".as_ref(), "".as_ref(), None, false);
    line("harness", &format!("{}, for {}", here.harness, std::env::consts::OS));
    line("processor", &format!("{}, {threads} threads", here.cpu_level));
    if let Some(memory) = memory() {
        line("memory", &bytes(memory));
    }
    let program = worker(&arguments.backends)?;
    for name in names(&arguments.backends)? {
        match probe(&program, &name) {
            Ok(info) if info.devices.is_empty() => {
                let why = info.note.map(|note| format!(": {note}")).unwrap_or_default();
                line("backend", &format!("{name} finds no device{why}"));
            }
            Ok(info) => line("backend", &format!("{name} {} on {}", info.version, info.devices.join(", "))),
            Err(error) => {
                well = false;
                line("backend", &format!("{name} can't be used: {error}"));
            }
        }
    }
    let cache = paths::cache(&arguments.cache)?;
    match harness_features::TapStore::open(&paths::taps(&cache), None) {
        Ok(_) => line("cache", &format!("{} is writable", cache.display())),
        Err(error) => {
            well = false;
            line("cache", &error.to_string());
        }
    }
    let registry = paths::registry(arguments.registry.datasets.as_deref(), None);
    match registry.and_then(|path| Ok(Registry::load(&path)?)) {
        Ok(registry) => {
            line("registry", &registry.path().display().to_string());
            for name in registry.names() {
                let state = match registry.get(name).and_then(Dataset::from_entry) {
                    Ok(dataset) => dataset.root().map_or("generated".to_owned(), |root| root.display().to_string()),
                    Err(error) => format!("can't be read: {error}"),
                };
                line("", &format!("{name}: {state}"));
            }
        }
        Err(failure) => {
            well = false;
            line("registry", &failure.message);
        }
    }
    Ok(if well { Exit::Done } else { Exit::Found })
}

fn line(name: &str, value: &str) {
    print(format!("{name:<12}{value}\n"));
}

/// The machine's memory in bytes, where the system says it.
fn memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}
