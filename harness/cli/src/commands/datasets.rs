//! `harness datasets list` and `verify`.

use std::path::Path;

use harness_data::{Dataset, Registry, Severity, Summary, verify};
use harness_tables::{Frame, Values};

use super::{print, say};
use crate::arguments::Datasets;
use crate::exit::{Exit, Failure};
use crate::paths;

pub(super) fn datasets(arguments: &Datasets) -> Result<Exit, Failure> {
    match arguments {
        Datasets::List { datasets } => list(datasets.as_deref()),
        Datasets::Verify { names, datasets } => verify_all(names, datasets.as_deref()),
    }
}

fn list(asked: Option<&Path>) -> Result<Exit, Failure> {
    let registry = Registry::load(&paths::registry(asked, None)?)?;
    let mut rows: Vec<[String; 7]> = Vec::new();
    for name in registry.names() {
        let entry = registry.get(name)?;
        let masks = if entry.masks { "yes" } else { "no" }.to_owned();
        let (valid, test, support) = match Dataset::from_entry(entry).and_then(|dataset| Summary::of(&dataset)) {
            Ok(summary) => (
                format!("{} + {}", summary.valid_normal, summary.valid_abnormal),
                format!("{} + {}", summary.test_normal, summary.test_abnormal),
                match summary.lists.len() {
                    0 => "drawn".to_owned(),
                    1 => "1 list".to_owned(),
                    lists => format!("{lists} lists"),
                },
            ),
            Err(_) => ("not here".to_owned(), "not here".to_owned(), String::new()),
        };
        rows.push([name.to_owned(), entry.object.clone(), entry.modality.clone(), masks, valid, test, support]);
    }
    let titles =
        ["dataset", "object", "modality", "masks", "valid (normal + abnormal)", "test (normal + abnormal)", "support"];
    let column = |i: usize| Values::Text(rows.iter().map(|row| row[i].clone()).collect());
    let columns = titles.iter().enumerate().map(|(i, title)| ((*title).to_owned(), column(i))).collect();
    print(Frame::new(columns)?.to_markdown()?);
    say(format!("registry: {}", registry.path().display()));
    Ok(Exit::Done)
}

fn verify_all(names: &[String], asked: Option<&Path>) -> Result<Exit, Failure> {
    let registry = Registry::load(&paths::registry(asked, None)?)?;
    let all: Vec<String> = match names {
        [] => registry.names().map(str::to_owned).collect(),
        names => names.to_vec(),
    };
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
        let findings = verify(&dataset);
        for finding in &findings {
            let kind = match finding.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            };
            print(format!("{kind}: {}\n", finding.message));
        }
        let found = findings.iter().filter(|finding| finding.severity == Severity::Error).count();
        let warnings = findings.len() - found;
        match Summary::of(&dataset) {
            Ok(counts) => print(format!(
                "{name}: {} + {} images to draw supports from, {} + {} test images (normal + abnormal); {found} errors, \
                 {warnings} warnings\n",
                counts.valid_normal, counts.valid_abnormal, counts.test_normal, counts.test_abnormal
            )),
            Err(_) => print(format!("{name}: {found} errors, {warnings} warnings\n")),
        }
        errors += found;
    }
    Ok(if errors > 0 { Exit::Found } else { Exit::Done })
}
