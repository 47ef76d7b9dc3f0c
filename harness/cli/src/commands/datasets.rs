//! `harness datasets list` and `verify`.

use clap::Subcommand;
use harness_data::{Dataset, FileHashes, Registry, Severity, Summary, verify_with};
use harness_tables::{Frame, Values};
use harness_text::count;

use crate::exit::{Exit, Failure};
use crate::flags::{CacheFolder, Hashing, RegistryFile};
use crate::output::{print, say, warn};
use crate::paths;

/// List and check registered datasets
#[derive(Debug, Subcommand)]
pub(crate) enum Datasets {
    /// List the registered datasets with their numbers of images
    #[command(after_help = "Example:\n  harness datasets list")]
    List {
        #[command(flatten)]
        registry: RegistryFile,
    },
    /// Read every file of datasets and print what is wrong
    ///
    /// Finds unreadable images, missing and misshapen masks, masks and images that can't be what they seem (inverted,
    /// labels where two values are meant, nearly black), and images that are both in the support pool and in the test
    /// set. Exits with code 1 if it finds an error. What it learns of a file is kept in the cache folder while the file
    /// stays the same.
    #[command(after_help = "Example:\n  harness datasets verify Brain")]
    Verify {
        /// Names of datasets [default: all whose files are there]
        #[arg(value_name = "NAME")]
        names: Vec<String>,
        #[command(flatten)]
        registry: RegistryFile,
        #[command(flatten)]
        cache: CacheFolder,
        #[command(flatten)]
        hashing: Hashing,
    },
}

pub(super) fn datasets(arguments: &Datasets) -> Result<Exit, Failure> {
    match arguments {
        Datasets::List { registry } => list(registry),
        Datasets::Verify { names, registry, cache, hashing } => {
            let hashes = FileHashes::open(&paths::hashes(&paths::cache(cache)?), hashing.verify);
            let exit = verify_all(names, registry, &hashes)?;
            // What was learned is lost, and the verdict stands.
            if let Err(error) = hashes.save() {
                warn(error);
            }
            Ok(exit)
        }
    }
}

fn list(file: &RegistryFile) -> Result<Exit, Failure> {
    let registry = Registry::load(&paths::registry(file.datasets.as_deref(), None)?)?;
    let (mut rows, mut unreadable) = (Vec::<[String; 7]>::new(), Vec::new());
    for name in registry.names() {
        let entry = registry.get(name)?;
        let masks = if entry.masks { "yes" } else { "no" }.to_owned();
        let (valid, test, support) = match Dataset::from_entry(entry).and_then(|dataset| Summary::of(&dataset)) {
            Ok(summary) => (
                format!("{} + {}", summary.valid_normal, summary.valid_abnormal),
                format!("{} + {}", summary.test_normal, summary.test_abnormal),
                match summary.lists.len() {
                    0 => "drawn".to_owned(),
                    lists => count(lists as u64, "list"),
                },
            ),
            Err(error) => {
                unreadable.push(format!("note: {name}: {error}"));
                ("-".to_owned(), "-".to_owned(), String::new())
            }
        };
        rows.push([name.to_owned(), entry.object.clone(), entry.modality.clone(), masks, valid, test, support]);
    }
    let titles =
        ["dataset", "object", "modality", "masks", "valid (normal + abnormal)", "test (normal + abnormal)", "support"];
    let column = |i: usize| Values::Text(rows.iter().map(|row| row[i].clone()).collect());
    let columns = titles.iter().enumerate().map(|(i, title)| ((*title).to_owned(), column(i))).collect();
    print(Frame::new(columns)?.to_markdown()?);
    unreadable.iter().for_each(say);
    say(format!("registry: {}", registry.path().display()));
    Ok(Exit::Done)
}

fn verify_all(names: &[String], file: &RegistryFile, hashes: &FileHashes) -> Result<Exit, Failure> {
    let registry = Registry::load(&paths::registry(file.datasets.as_deref(), None)?)?;
    let all = if names.is_empty() { registry.names().map(str::to_owned).collect() } else { names.to_vec() };
    let mut errors = 0;
    for name in &all {
        let dataset = match Dataset::open(&registry, name) {
            Ok(dataset) => dataset,
            Err(error) if names.is_empty() => {
                say(format!("{name}: skipped: {error}"));
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let findings = verify_with(&dataset, hashes);
        for finding in &findings {
            let kind = match finding.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
                Severity::Note => "note",
            };
            print(format!("{kind}: {}\n", finding.message));
        }
        let of = |severity| -> usize {
            findings.iter().filter(|finding| finding.severity == severity).map(|finding| finding.count).sum()
        };
        let (found, warnings) = (of(Severity::Error), of(Severity::Warning));
        let verdict = format!("{}, {}", count(found as u64, "error"), count(warnings as u64, "warning"));
        match Summary::of(&dataset) {
            Ok(counts) => print(format!(
                "{name}: {verdict}; {} + {} support images, {} + {} test images (normal + abnormal)\n",
                counts.valid_normal, counts.valid_abnormal, counts.test_normal, counts.test_abnormal
            )),
            Err(_) => print(format!("{name}: {verdict}\n")),
        }
        errors += found;
    }
    Ok(if errors > 0 { Exit::Found } else { Exit::Done })
}
