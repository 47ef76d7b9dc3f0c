//! `harness weights inspect`.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use harness_text::{bytes, count};
use harness_weights::{Report, inspect};

use crate::exit::{Exit, Failure};
use crate::output::print;

/// Inspect weight files
#[derive(Debug, Subcommand)]
pub(crate) enum Weights {
    /// Show what a weight file holds and whether it can be used
    ///
    /// Reads CLIP weights in any of their usual formats, trained states, and checkpoints of MadCLIP's authors. Nothing
    /// in a file is executed. Exits with code 1 if the file can't be used.
    #[command(after_help = "Example:\n  harness weights inspect ViT-L-14-336px.pt")]
    Inspect {
        /// File, transformers folder or index of shards
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn weights(arguments: &Weights) -> Result<Exit, Failure> {
    let Weights::Inspect { file, json } = arguments;
    let report = inspect(file)?;
    if *json {
        let text = serde_json::to_string_pretty(&report)
            .map_err(|error| Failure { exit: Exit::Internal, message: error.to_string() })?;
        print(format!("{text}\n"));
    } else {
        print(listing(file, &report));
    }
    let sound = report.is_usable() || (report.is_state() && report.non_finite.is_empty());
    Ok(if sound { Exit::Done } else { Exit::Found })
}

fn listing(file: &Path, report: &Report) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "{name:<14}{value}");
    };
    line("file", file.display().to_string());
    line("format", report.kind.to_string());
    if !report.naming.is_empty() {
        let prefix = if report.prefix.is_empty() { String::new() } else { format!(", below `{}`", report.prefix) };
        line("names", format!("{}{prefix}", report.naming));
    }
    for part in &report.files {
        line("", format!("{} ({})", part.path.display(), bytes(part.bytes)));
    }
    line("hash", format!("BLAKE3 {}", report.hash));
    if let Some(known) = &report.known {
        line("known as", format!("{known}, by its SHA-256"));
    }
    let types: Vec<String> = report.dtypes.iter().map(|(dtype, count)| format!("{count} of {dtype}")).collect();
    line("tensors", types.join(", "));
    match &report.arch {
        _ if report.is_state() => state(&mut line, report),
        Some(arch) => {
            line(
                "image tower",
                format!(
                    "{} blocks of width {}, {} heads, patches of {} px, positions for {} px, embedding {}",
                    arch.layers, arch.width, arch.heads, arch.patch, arch.image_size, arch.embed
                ),
            );
            line(
                "text tower",
                format!(
                    "{} blocks of width {}, {} heads, {} tokens of a vocabulary of {}",
                    arch.text_layers, arch.text_width, arch.text_heads, arch.context, arch.vocab
                ),
            );
        }
        None => line("architecture", "can't be told from the shapes of its tensors".to_owned()),
    }
    let unused: Vec<String> = report.extra.iter().map(|(name, shape)| format!("{name} {shape:?}")).collect();
    shortened(&mut line, "unused", &unused);
    for tensor in &report.non_finite {
        let note = if tensor.used { "" } else { ", which is not used" };
        line("not finite", format!("{} of {}{note}", count(tensor.count as u64, "value"), tensor.name));
    }
    let unfit: Vec<String> = report
        .unfit
        .iter()
        .map(|tensor| format!("{}: {}{}", tensor.name, tensor.found, if tensor.used { "" } else { ", not used" }))
        .collect();
    shortened(&mut line, "not trained", &unfit);
    for note in &report.notes {
        line("note", note.clone());
    }
    let wrong: Vec<String> = report.differences.iter().map(ToString::to_string).collect();
    shortened(&mut line, "wrong", &wrong);
    let usable = match report {
        _ if report.is_state() => "yes, to predict with (harness predict --state FILE); it is not an encoder",
        _ if report.is_usable() => "yes",
        _ => "no",
    };
    line("usable", usable.to_owned());
    text
}

/// A line for each of the first, and how many more there are.
fn shortened(line: &mut impl FnMut(&str, String), name: &str, values: &[String]) {
    const SHOWN: usize = 5;
    for value in values.iter().take(SHOWN) {
        line(name, value.clone());
    }
    if values.len() > SHOWN {
        line(name, format!("and {} more; --json lists all", values.len() - SHOWN));
    }
}

/// What a trained state says about itself, or what its tensors show of its model.
fn state(line: &mut impl FnMut(&str, String), report: &Report) {
    if let Some(contents) = &report.checkpoint {
        line("a state", format!("a checkpoint of MadCLIP's authors; it fits {contents}"));
        line("", "it holds neither taps nor object nor other options: name an experiment that has them".to_owned());
    }
    for (key, value) in report.metadata.iter().filter(|_| report.checkpoint.is_none()) {
        line(if key == "harness.state" { "a state" } else { "" }, format!("{key} = {value}"));
    }
}
