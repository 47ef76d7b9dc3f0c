//! `harness bench`: measures backends in turns and prints the table.

use std::collections::BTreeMap;

use clap::Args;
use clap::builder::PossibleValuesParser;
use harness_experiment::Precision;
use harness_run::bench::{Benchmark, Measured, PROCESSOR, Part, Subject, Workload, bench as measure, median};
use harness_run::{Program, probe};
use harness_tables::{Frame, Values};

use crate::backends::{names, worker};
use crate::exit::{Exit, Failure};
use crate::flags::{BackendFolders, Threads, one_of};
use crate::interrupt;
use crate::output::{print, say};
use crate::progress::Rounds;

/// Measure encoding, training, scoring and metrics, in turns across backends
///
/// Needs no data: weights and images are synthetic. Leave the machine idle meanwhile; on a laptop, plug it in.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Bench {
    /// Backends; others are compared with the first [default: all that have a device]
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    backends: Vec<String>,
    /// Size of the model
    #[arg(long, value_name = "NAME", default_value = "vit-s14", value_parser = sizes())]
    arch: String,
    /// Parts to measure [default: all]
    #[arg(long, value_name = "PART,...", value_delimiter = ',', value_parser = one_of(Part::ALL, Part::name))]
    parts: Vec<Part>,
    /// Number type in which the image tower computes
    #[arg(long, value_name = "TYPE", default_value = "f32", value_parser = one_of(Precision::ALL, Precision::name))]
    precision: Precision,
    /// Images in a batch
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1024))]
    batch: u16,
    #[command(flatten)]
    threads: Threads,
    /// Rounds to measure, after one that warms up
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// Another program to measure in the same turns, such as "python3 scripts/compare-pytorch.py"; can be given several
    /// times
    #[arg(long, value_name = "COMMAND")]
    against: Vec<String>,
    /// Print JSON, and no progress
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    folders: BackendFolders,
}

const EXAMPLES: &str = "\
Examples:
  harness bench --arch vit-l14
  harness bench --backends flex,libtorch --parts encode,step";

pub(super) fn bench(arguments: &Bench) -> Result<Exit, Failure> {
    let program = worker(&arguments.folders)?;
    let images = usize::from(arguments.batch);
    let workload = Workload::named(&arguments.arch, images)
        .ok_or_else(|| Failure::input(format!("--arch: there is no size `{}`", arguments.arch)))?;
    let workload = Workload { precision: arguments.precision, ..workload };
    let backends =
        if arguments.backends.is_empty() { with_device(arguments, &program)? } else { arguments.backends.clone() };
    let (rounds, threads) = (usize::from(arguments.rounds), arguments.threads.number());
    let progress = (!arguments.json).then(|| Rounds::new(rounds));
    let done = |round: usize| {
        if let Some(progress) = &progress {
            progress.done(round.saturating_sub(1));
        }
    };
    interrupt::listen()?;
    let benchmark = Benchmark {
        program: &program,
        backends,
        against: arguments.against.clone(),
        workload: workload.clone(),
        parts: if arguments.parts.is_empty() { Part::ALL.to_vec() } else { arguments.parts.clone() },
        products: true,
        threads,
        rounds,
        go_on: &interrupt::go_on,
        done: &done,
    };
    let measured = measure(&benchmark)?;
    drop(progress);
    if arguments.json {
        let result = serde_json::json!({
            "arch": arguments.arch, "precision": arguments.precision, "batch": images, "threads": threads,
            "rounds": measured.rounds, "measured": measured,
        });
        print(format!("{result}\n"));
    } else {
        print(table(&measured, &workload)?);
    }
    if measured.rounds < rounds {
        say(format!("interrupted after {} of {rounds} rounds", measured.rounds));
        return Ok(Exit::Interrupted);
    }
    Ok(Exit::Done)
}

fn sizes() -> PossibleValuesParser {
    PossibleValuesParser::new(Workload::names())
}

/// The backends that can compute here; the others are named with the reason.
fn with_device(arguments: &Bench, program: &Program) -> Result<Vec<String>, Failure> {
    let mut usable = Vec::new();
    for name in names(&arguments.folders)? {
        match probe(program, &name) {
            Ok(info) if !info.devices.is_empty() => usable.push(name),
            Ok(info) => say(format!("{name} is left out: {}", info.note.unwrap_or("it finds no device".to_owned()))),
            Err(error) => say(format!("{name} is left out: {error}")),
        }
    }
    Ok(usable)
}

/// A row for each part and backend, then the devices' rates and loading times.
fn table(measured: &Measured, workload: &Workload) -> Result<String, Failure> {
    let mut rows: Vec<[String; 9]> = Vec::new();
    for part in Part::ALL {
        for (at, subject) in measured.subjects.iter().enumerate() {
            rows.extend(row(measured, workload, part, at, subject));
        }
    }
    if let (Some(least), Some(middle)) = (least(&measured.metrics), median(&measured.metrics)) {
        let name = Part::Metrics.name().to_owned();
        let (least, rate) = (number(1e3 * least), number(workload.images as f64 / middle));
        rows.push([
            name,
            "harness".into(),
            least,
            number(1e3 * middle),
            rate,
            String::new(),
            String::new(),
            String::new(),
            String::new(),
        ]);
    }
    let heads =
        ["part", "backend", "min ms", "median ms", "images/s", "GFLOP", "GFLOP/s", "share of GEMM", "rate to first"];
    let columns = heads.iter().enumerate().map(|(at, head)| {
        let values = rows.iter().map(|row| row[at].clone()).collect();
        ((*head).to_owned(), if at < 2 { Values::Text(values) } else { Values::Measure(values) })
    });
    let mut text = Frame::new(columns.collect())?.to_markdown()?;
    text += "\n";
    for (device, gemm) in devices(measured) {
        text += &format!("Matrix products on {device}: {gemm:.0} GFLOP/s in f32 (median of the same rounds).\n");
    }
    for subject in &measured.subjects {
        if let Some(secs) = subject.load_secs {
            text += &format!("{} on {} loaded in {secs:.2} s.\n", subject.name, subject.device);
        }
    }
    Ok(text)
}

/// `None` where the subject does not do the part.
fn row(measured: &Measured, workload: &Workload, part: Part, at: usize, subject: &Subject) -> Option<[String; 9]> {
    let times = subject.times(part);
    let (least, middle) = (least(times)?, median(times)?);
    let operations = workload.operations(part)?;
    let rate = operations / middle / 1e9;
    // Another program doesn't say what it computes on: the processor is assumed.
    let device = if subject.device.is_empty() { PROCESSOR } else { &subject.device };
    let gemm = devices(measured).into_iter().find(|(known, _)| *known == device);
    let share = gemm.map(|(_, gemm)| format!("{:.2}", rate / gemm));
    let to_first = measured.subjects.first().filter(|_| at > 0).and_then(|first| subject.rate_to(first, part));
    Some([
        part.name().to_owned(),
        subject.name.clone(),
        number(1e3 * least),
        number(1e3 * middle),
        number(workload.images as f64 / middle),
        number(operations / 1e9),
        number(rate),
        share.unwrap_or_default(),
        to_first.map(|ratio| format!("{ratio:.3}")).unwrap_or_default(),
    ])
}

/// The devices of backends, each with the median of all rates of matrix products measured on it.
fn devices(measured: &Measured) -> Vec<(&str, f64)> {
    let mut rates = BTreeMap::<&str, Vec<f64>>::new();
    for subject in &measured.subjects {
        rates.entry(&subject.device).or_default().extend(&subject.gemm_gflops);
    }
    rates.into_iter().filter_map(|(device, rates)| Some((device, median(&rates)?))).collect()
}

fn least(values: &[f64]) -> Option<f64> {
    values.iter().copied().reduce(f64::min)
}

/// Four significant digits.
fn number(value: f64) -> String {
    let digits = (3 - value.abs().max(1e-9).log10().floor() as i32).clamp(0, 3) as usize;
    format!("{value:.digits$}")
}
