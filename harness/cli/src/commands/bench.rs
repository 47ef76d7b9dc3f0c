//! `harness bench`: backends measured in turns, and the table of it.

use std::collections::BTreeMap;

use harness_run::bench::{Benchmark, Measured, PROCESSOR, Part, Subject, Workload, bench, median};
use harness_run::probe;
use harness_tables::{Frame, Values};

use super::{print, say};
use crate::arguments::Bench;
use crate::backends::{names, worker};
use crate::exit::{Exit, Failure};

pub(super) fn run(arguments: &Bench) -> Result<Exit, Failure> {
    let program = worker(&arguments.folders)?;
    let images = usize::from(arguments.batch);
    let workload = Workload::named(&arguments.arch, images).ok_or_else(|| {
        let names: Vec<&str> = Workload::names().collect();
        Failure::input(format!("--arch {}: there is {}", arguments.arch, names.join(", ")))
    })?;
    let workload = Workload { precision: arguments.precision, ..workload };
    let backends = match arguments.backends.is_empty() {
        false => arguments.backends.clone(),
        true => {
            let mut here = Vec::new();
            for name in names(&arguments.folders)? {
                match probe(&program, &name) {
                    Ok(info) if !info.devices.is_empty() => here.push(name),
                    Ok(info) => say(format!("{name} is left out: {}", info.note.unwrap_or("no device".to_owned()))),
                    Err(error) => say(format!("{name} is left out: {error}")),
                }
            }
            here
        }
    };
    let parts = arguments.parts.iter().map(|name| {
        let known = Part::ALL.into_iter().find(|part| part.name() == name);
        known
            .ok_or_else(|| Failure::input(format!("--parts {name}: there is {}", Part::ALL.map(Part::name).join(", "))))
    });
    let parts = parts.collect::<Result<Vec<Part>, Failure>>()?;
    let rounds = usize::from(arguments.rounds);
    let done = |round: usize| {
        if !arguments.json {
            say(if round == 1 { "warmed up".to_owned() } else { format!("round {} of {rounds}", round - 1) });
        }
    };
    let benchmark = Benchmark {
        program: &program,
        backends,
        against: arguments.against.clone(),
        workload: workload.clone(),
        parts: if parts.is_empty() { Part::ALL.to_vec() } else { parts },
        products: true,
        threads: arguments.threads.map(usize::from),
        rounds,
        go_on: &|| true,
        done: &done,
    };
    let measured = bench(&benchmark)?;
    if arguments.json {
        let told = serde_json::json!({
            "arch": arguments.arch, "precision": arguments.precision, "batch": images, "threads": arguments.threads, "rounds": rounds,
            "measured": measured,
        });
        print(format!("{told}\n"));
    } else {
        print(table(&measured, &workload)?);
    }
    Ok(Exit::Done)
}

/// A row a part and backend; below it what else is worth knowing.
fn table(measured: &Measured, workload: &Workload) -> Result<String, Failure> {
    let mut rows: Vec<[String; 9]> = Vec::new();
    for part in Part::ALL {
        for (at, subject) in measured.subjects.iter().enumerate() {
            rows.extend(row(measured, workload, part, at, subject));
        }
    }
    if let (Some(least), Some(middle)) = (least(&measured.metrics), median(&measured.metrics)) {
        let dash = String::new;
        let name = Part::Metrics.name().to_owned();
        let (least, rate) = (number(1e3 * least), number(workload.images as f64 / middle));
        rows.push([name, "harness".into(), least, number(1e3 * middle), rate, dash(), dash(), dash(), dash()]);
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
        text += &format!("Matrix products on {device}: {gemm:.0} GFLOP/s in f32, median of the same rounds.\n");
    }
    for subject in &measured.subjects {
        if let Some(secs) = subject.load_secs {
            text += &format!("{} on {} loaded in {secs:.2} s.\n", subject.name, subject.device);
        }
    }
    Ok(text)
}

/// `None` where it does not do the part.
fn row(measured: &Measured, workload: &Workload, part: Part, at: usize, subject: &Subject) -> Option<[String; 9]> {
    let times = subject.times(part);
    let (least, middle) = (least(times)?, median(times)?);
    let operations = workload.operations(part)?;
    let rate = operations / middle / 1e9;
    // Of another program nothing is known: it is taken to compute on the processor.
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

/// Four digits that count.
fn number(value: f64) -> String {
    let digits = (3 - value.abs().max(1e-9).log10().floor() as i32).clamp(0, 3) as usize;
    format!("{value:.digits$}")
}
