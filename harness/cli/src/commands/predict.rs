//! `harness predict`.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use harness_experiment::{Backend, EncoderSource, Evaluation, ImageScore, Plan, Training};
use harness_metrics::Metric;
use harness_records::{Folder, Measured};
use harness_run::predict::{self, CellChoice, Model, PredictOptions};
use harness_run::{Limits, Program, World, probe};
use harness_tables::PredictionRow;

use super::run::{INTERRUPTED, listen};
use super::{print, say, world};
use crate::arguments::Predict;
use crate::exit::{Exit, Failure};
use crate::terminal::Terminal;
use crate::{backends as found, paths};

pub(super) fn predict(arguments: &Predict) -> Result<Exit, Failure> {
    let images = if arguments.test { Vec::new() } else { predict::list(&arguments.images)? };
    let program = found::worker(&arguments.places.backends)?;
    let Chosen { mut model, name, tested } = choose(arguments)?;
    if let Some(weights) = &arguments.weights {
        model = model.with_weights(weights);
        model.check_weights()?;
    }
    if let Some(backend) = arguments.backend.as_deref().filter(|name| *name != model.training().backend.name) {
        model = model.on_backend(backend_of(&program, backend)?);
    }
    let out = arguments.out.clone().unwrap_or_else(|| PathBuf::from("predictions").join(name));
    listen()?;
    let options = PredictOptions {
        program: &program,
        taps: paths::taps(&paths::cache(arguments.places.cache.as_deref())?),
        threads: arguments.threads.map(usize::from),
        limits: Limits::default(),
        draw: &draw,
        go_on: &|| !INTERRUPTED.load(Ordering::Relaxed),
    };
    let mut terminal = Terminal::new();
    match tested {
        Some((world, evaluation)) => {
            let measured = predict::evaluate(&model, &evaluation, &world, &out, &options, &mut terminal)?;
            terminal.clear();
            print(metrics(&measured));
            say(format!("scores and metrics are in {}", out.display()));
        }
        None => {
            let rows = predict::predict(&model, &images, &out, &options, &mut terminal)?;
            terminal.clear();
            print(table(&rows));
            let maps = if rows.iter().any(|row| row.map.is_empty()) {
                "; the state was trained without masks and has no maps"
            } else {
                ", maps and pictures"
            };
            say(format!("scores.csv{maps}: {}", out.display()));
        }
    }
    Ok(Exit::Done)
}

/// What predicts.
struct Chosen {
    model: Model,
    /// Name of the folder for what comes out.
    name: String,
    /// The test set to score, where one is asked for.
    tested: Option<(World, Evaluation)>,
}

fn choose(arguments: &Predict) -> Result<Chosen, Failure> {
    let Some(path) = &arguments.state else {
        let id = arguments.cell.as_deref().unwrap_or_default();
        let choice = predict::find_cell(&results(arguments.results.as_deref())?, id)?;
        let score = ImageScore::ALL.into_iter().find(|score| arguments.image_score.as_deref() == Some(score.name()));
        let model = choice.model(score)?;
        tell_cell(&choice, &model);
        return Ok(Chosen { model, name: choice.id().to_string(), tested: None });
    };
    if !path.is_file() {
        return Err(Failure::input(format!("{}: no such file", path.display())));
    }
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let planned = arguments.experiment.as_deref().map(|file| planned(arguments, file)).transpose()?;
    let encoder = match (&planned, &arguments.weights) {
        (_, Some(weights)) => EncoderSource::File { path: weights.clone(), heads: None, text_heads: None },
        (Some(planned), None) => planned.encoder.clone(),
        (None, None) => {
            return Err(Failure::input(
                "which encoder? Name its weights with --weights FILE, or an experiment that has it with --experiment FILE",
            ));
        }
    };
    let described = Model::of_described(path, &encoder)?;
    match (described, planned) {
        // The test set of an experiment is scored as the experiment says.
        (Some(model), planned) if !arguments.test => {
            drop(planned);
            let name = format!("{}-{stem}", model.training().id);
            Ok(Chosen { model, name, tested: None })
        }
        (_, Some(Planned { world, training, evaluation, encoder })) => {
            let tested = arguments.test.then_some((world, evaluation));
            Ok(Chosen { model: Model::of_silent(path, &training, &encoder), name: stem, tested })
        }
        (_, None) => Err(Failure::input(format!(
            "{}: it doesn't say which model it is of (a checkpoint of MadCLIP's authors, or a state of an early version): \
             name an experiment that has the model with --experiment FILE",
            path.display()
        ))),
    }
}

fn tell_cell(choice: &CellChoice, model: &Model) {
    let cell = &choice.cell;
    let epoch = model.epoch().map(|epoch| format!(", epoch {epoch}")).unwrap_or_default();
    say(format!(
        "cell {}: {}, trained on {}, K {}, draw {}, seed {}, {}, {}{epoch}",
        cell.id, cell.variant, cell.trained_on, cell.shots, cell.draw, cell.seed, cell.backend, cell.selection
    ));
}

/// The results folder asked for, or all that are in `reports`.
fn results(asked: Option<&Path>) -> Result<Vec<PathBuf>, Failure> {
    if let Some(asked) = asked {
        return Ok(vec![asked.to_owned()]);
    }
    let entries = std::fs::read_dir("reports").into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> =
        entries.map(|entry| entry.path()).filter(|path| path.join("plan.toml").is_file()).collect();
    folders.sort();
    folders.retain(|path| match Folder::new(path).read_plan() {
        Ok(_) => true,
        Err(error) => {
            say(format!("note: {} is not looked at: {error}", path.display()));
            false
        }
    });
    if folders.is_empty() {
        return Err(Failure::input("no results in reports/; name a results folder with --results DIR"));
    }
    Ok(folders)
}

/// What an experiment says of a state's model.
struct Planned {
    world: World,
    training: Training,
    evaluation: Evaluation,
    encoder: EncoderSource,
}

fn planned(arguments: &Predict, file: &Path) -> Result<Planned, Failure> {
    let world = world(file, None, &arguments.places)?;
    let plan = Plan::read(file, &world)?;
    world.save_hashes()?;
    let names = |all: Vec<&str>| all.into_iter().map(str::to_owned).collect::<Vec<_>>();
    let variants = names(plan.variants.iter().map(|variant| variant.name.as_str()).collect());
    let datasets = names(plan.datasets.iter().map(|dataset| dataset.name.as_str()).collect());
    let variant = pick("variant", &variants, arguments.variant.as_deref())?;
    let dataset = pick("dataset", &datasets, arguments.dataset.as_deref())?;
    let cells = || plan.cells.iter().filter(|cell| cell.variant == variant && cell.trained_on == dataset);
    let mut targets: Vec<String> = cells().map(|cell| cell.dataset.clone()).collect();
    targets.sort_unstable();
    targets.dedup();
    // Where it isn't named, the set that belongs to the training, and beyond that the only one.
    let own = Some(dataset.as_str()).filter(|own| targets.iter().any(|target| target == own));
    let target = match arguments.target.as_deref().or(own) {
        None if targets.is_empty() => None,
        asked => Some(pick("target", &targets, asked)?),
    };
    let cell = target.and_then(|target| cells().find(|cell| cell.dataset == target));
    let training = cell.and_then(|cell| plan.trainings.iter().find(|training| training.id == cell.training));
    let evaluation = cell.and_then(|cell| plan.evaluations.iter().find(|known| known.id == cell.evaluation));
    let (Some(training), Some(evaluation)) = (training.cloned(), evaluation.cloned()) else {
        return Err(Failure::input(format!("no cell of the experiment has variant `{variant}` on {dataset}")));
    };
    Ok(Planned { training, evaluation, encoder: plan.encoder.source, world })
}

/// The name that was asked for, or the only one.
fn pick(what: &str, known: &[String], asked: Option<&str>) -> Result<String, Failure> {
    let all = known.join(", ");
    match (asked, known) {
        (Some(asked), known) if known.iter().any(|name| name == asked) => Ok(asked.to_owned()),
        (Some(asked), _) => Err(Failure::input(format!("no {what} `{asked}`; the experiment has: {all}"))),
        (None, [only]) => Ok(only.clone()),
        (None, _) => Err(Failure::input(format!("which {what}? Name it with --{what}: {all}"))),
    }
}

fn backend_of(program: &Program, name: &str) -> Result<Backend, Failure> {
    let info = probe(program, name)?;
    info.on_default_device().ok_or_else(|| {
        let why = info.note.map(|note| format!(": {note}")).unwrap_or_default();
        Failure::input(format!("backend `{name}` finds no device on this machine{why}"))
    })
}

/// Scores as people read them.
fn table(rows: &[PredictionRow]) -> String {
    let width = rows.iter().map(|row| row.image.chars().count()).max().unwrap_or(0).max("image".len());
    let mut text = format!("{:width$}  {:>9}  {:>9}\n", "image", "map max", "detection");
    for row in rows {
        let map_max = row.map_max.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"));
        text += &format!("{:width$}  {map_max:>9}  {:>9.4}\n", row.image, row.detection);
    }
    text
}

/// Metrics as people read them.
fn metrics(measured: &Measured) -> String {
    let mut text = String::new();
    let Some(reported) = measured.reported.last() else { return text };
    let mut line = |name: &str, value: f64| text += &format!("{name:<28}{value:.4}\n");
    for score in ImageScore::ALL {
        for (metric, value) in reported.by(score).filter(|(metric, _)| !metric.needs_masks()) {
            line(&format!("{metric} ({score})"), value);
        }
    }
    for metric in Metric::ALL {
        if let Some(value) = reported.get(metric, None) {
            line(metric.name(), value);
        }
    }
    text
}

/// A map over its image, as a PNG file.
fn draw(picture: predict::Picture) -> Result<Vec<u8>, String> {
    let predict::Picture { title, scores, side, image, map, scale } = picture;
    let figure = harness_report::OverlayFigure { title, scores, side, image, map, scale };
    harness_report::overlay(&figure).map_err(|error| error.to_string())
}
