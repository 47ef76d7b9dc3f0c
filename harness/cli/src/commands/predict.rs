//! `harness predict`.

use std::path::{Path, PathBuf};

use clap::Args;
use harness_config::suggest::nearest;
use harness_experiment::{Backend, EncoderSource, Evaluation, ImageScore, Plan, Training};
use harness_metrics::Metric;
use harness_records::{Folder, Measured};
use harness_run::predict::{self, CellChoice, Model, PredictOptions};
use harness_run::{Limits, Program, World, probe};
use harness_tables::PredictionRow;
use harness_text::{count, group};

use crate::exit::{Exit, Failure};
use crate::flags::{Surroundings, Threads, one_of};
use crate::output::{print, say};
use crate::progress::Progress;
use crate::world::world;
use crate::{backends as found, interrupt, paths};

/// Score images with a trained state, and draw heat maps
///
/// The state is that of a cell (--cell) or a file (--state): a state of this program, or a checkpoint of MadCLIP's
/// authors. Needs the encoder's weights, which are where the experiment had them unless --weights names them. Writes
/// scores.csv, heat maps and raw maps.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Predict {
    /// Images, or folders of images
    #[arg(value_name = "IMAGE")]
    images: Vec<PathBuf>,
    /// Cell with the state: its id or the beginning of it, as in results.csv or `harness plan FILE --cells`
    #[arg(long, value_name = "ID")]
    cell: Option<String>,
    /// Instead of --cell, a filter that one cell matches, such as "variant=contrastive seed=0 selection=last"; keys are
    /// those of `harness run --only`
    #[arg(long, value_name = "FILTER", conflicts_with_all = ["cell", "state"])]
    only: Option<String>,
    /// Results folder that has the cell [default: all in reports/]
    #[arg(long, value_name = "DIR", conflicts_with = "state")]
    results: Option<PathBuf>,
    /// Use the epoch chosen for this score, if the cell reports two epochs [default: the cell's first score]
    #[arg(long, value_name = "SCORE", conflicts_with = "state", value_parser = one_of(ImageScore::ALL, ImageScore::name))]
    image_score: Option<ImageScore>,
    /// State file, or a checkpoint of MadCLIP's authors
    #[arg(long, value_name = "FILE", conflicts_with = "cell")]
    state: Option<PathBuf>,
    /// Weights of the encoder [default: where the experiment has them]
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// Experiment that has the model of the state file, for files that don't describe it
    #[arg(long, value_name = "EXPERIMENT.toml", requires = "state")]
    experiment: Option<PathBuf>,
    /// Variant of the experiment [default: its only one]
    #[arg(long, value_name = "NAME", requires = "experiment")]
    variant: Option<String>,
    /// Dataset of the experiment that the state was trained on [default: its only one]
    #[arg(long, value_name = "NAME", requires = "experiment")]
    dataset: Option<String>,
    /// Score a test set of the experiment instead of images, and compute metrics
    #[arg(long, requires = "experiment", conflicts_with_all = ["images", "cell", "only"])]
    test: bool,
    /// Dataset with the test set to score [default: the dataset that the state was trained on]
    #[arg(long, value_name = "NAME", requires = "test")]
    target: Option<String>,
    /// Backend to compute with [default: the one that trained, or the experiment's first]
    #[arg(long, value_name = "NAME")]
    backend: Option<String>,
    /// Folder for scores, maps and pictures [default: predictions/<id>, or <id>-2 and so on where that has some]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Replace the predictions that are in the folder already
    #[arg(long)]
    overwrite: bool,
    /// Score nothing if an image can't be read, instead of leaving it out
    #[arg(long, conflicts_with = "test")]
    strict: bool,
    #[command(flatten)]
    threads: Threads,
    #[command(flatten)]
    surroundings: Surroundings,
}

/// Images that can't be read of which each is named.
const NAMED: usize = 20;

const EXAMPLES: &str = "\
Examples:
  harness predict --cell 3f2a scans/ one-more.png
  harness predict --only \"variant=base shots=4 seed=0\" --results reports/example scans/
  harness predict --state 0059.safetensors --weights ViT-L-14-336px.pt scans/
  harness predict --state Brain.pth --experiment experiment.toml --dataset Brain --test";

/// What was left out of the command line, with the ways to say it.
fn check(arguments: &Predict) -> Result<(), Failure> {
    let Predict { cell, only, state, images, test, .. } = arguments;
    if cell.is_none() && only.is_none() && state.is_none() {
        return Err(Failure::input(
            "what is to score the images? Name a cell of a results folder with --cell ID (ids are in results.csv and in \
             the lines of a run), or by its axes with --only \"variant=base seed=0 selection=last\", or a state file with \
             --state FILE",
        ));
    }
    if images.is_empty() && !test {
        return Err(Failure::input("name images or folders of images to score, or a test set with --test"));
    }
    Ok(())
}

pub(super) fn predict(arguments: &Predict) -> Result<Exit, Failure> {
    check(arguments)?;
    let images = if arguments.test { Vec::new() } else { predict::list(&arguments.images)? };
    for folder in predict::not_searched(&arguments.images) {
        say(format!(
            "note: {}: folders inside a folder are not searched; name it as well to score it",
            folder.display()
        ));
    }
    let program = found::worker(&arguments.surroundings.backends)?;
    let Chosen { mut model, name, tested } = choose(arguments)?;
    if let Some(weights) = &arguments.weights {
        model = model.with_weights(weights);
        model.check_weights()?;
    }
    if let Some(backend) = arguments.backend.as_deref().filter(|name| *name != model.training().backend.name) {
        model = model.on_backend(backend_of(&program, backend)?);
    }
    let usual = PathBuf::from("predictions").join(name);
    let out = predict::place(arguments.out.as_deref(), &usual, arguments.overwrite)?;
    if arguments.out.is_none() && out != usual {
        say(format!("note: {} has earlier predictions; these go to {}", usual.display(), out.display()));
    }
    interrupt::listen()?;
    let options = PredictOptions {
        program: &program,
        taps: paths::taps(&paths::cache(&arguments.surroundings.cache)?),
        threads: arguments.threads.number(),
        limits: Limits::default(),
        strict: arguments.strict,
        draw: &draw,
        go_on: &interrupt::go_on,
    };
    let mut progress = Progress::new();
    match tested {
        Some((world, evaluation)) => {
            let measured = predict::evaluate(&model, &evaluation, &world, &out, &options, &mut progress)?;
            progress.clear();
            print(metrics(&measured));
            say(format!("scores and metrics are in {}", out.display()));
        }
        None => {
            let rows = predict::predict(&model, &images, &out, &options, &mut progress)?;
            progress.clear();
            print(table(&rows));
            let maps = if rows.iter().all(|row| row.map.is_empty()) {
                " (no maps: its method has none, or it was trained without masks)"
            } else {
                ", maps and pictures"
            };
            say(format!("scores.csv{maps} are in {}", out.display()));
            say("for research, not for diagnosis");
            let failed = rows.iter().filter(|row| !row.message.is_empty());
            let reasons: Vec<&str> = failed.map(|row| row.message.as_str()).collect();
            for reason in reasons.iter().take(NAMED) {
                say(format!("failed: {reason}"));
            }
            if !reasons.is_empty() {
                let of = count(rows.len() as u64, "image");
                say(format!("{} of {of} can't be read; scores.csv has the reasons", group(reasons.len() as u64)));
                return Ok(Exit::CellsFailed);
            }
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
        let folders = results(arguments.results.as_deref())?;
        let choice = match &arguments.only {
            Some(filter) => predict::find_only(&folders, filter)?,
            None => predict::find_cell(&folders, arguments.cell.as_deref().unwrap_or_default())?,
        };
        let model = choice.model(arguments.image_score)?;
        say_cell(&choice, &model);
        return Ok(Chosen { model, name: choice.id().to_string(), tested: None });
    };
    if !path.is_file() {
        return Err(Failure::input(format!("{}: there is no such file", path.display())));
    }
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let planned = arguments.experiment.as_deref().map(|file| planned(arguments, file)).transpose()?;
    let encoder = match (&planned, &arguments.weights) {
        (_, Some(weights)) => EncoderSource::File { path: weights.clone(), heads: None, text_heads: None },
        (Some(planned), None) => planned.encoder.clone(),
        (None, None) => {
            return Err(Failure::input(
                "the encoder is not known: name its weights with --weights FILE, or an experiment that has it with \
                 --experiment FILE",
            ));
        }
    };
    let described = Model::of_described(path, &encoder)?;
    match (described, planned) {
        // The test set of an experiment is scored as the experiment says.
        (Some(model), planned) if !arguments.test => {
            let model = match &planned {
                Some(planned) => model.scored_as(&planned.evaluation),
                None => model,
            };
            if model.lacks_object() {
                return Err(Failure::input(format!(
                    "{}: the state doesn't say what its sentences are about, since its method learns nothing from \
                     images; name the experiment and its dataset with --experiment FILE --dataset NAME, or predict with \
                     --cell ID",
                    path.display()
                )));
            }
            let name = format!("{}-{stem}", model.training().id);
            Ok(Chosen { model, name, tested: None })
        }
        (_, Some(Planned { world, training, evaluation, encoder })) => {
            let model = Model::of_silent(path, &training, &encoder).scored_as(&evaluation);
            let tested = arguments.test.then_some((world, evaluation));
            Ok(Chosen { model, name: stem, tested })
        }
        (_, None) => Err(Failure::input(format!(
            "{}: the file doesn't describe its model (it is a checkpoint of MadCLIP's authors, or a state of an early \
             version): name an experiment that has the model with --experiment FILE",
            path.display()
        ))),
    }
}

fn say_cell(choice: &CellChoice, model: &Model) {
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
    let mut folders = paths::results();
    folders.retain(|path| match Folder::new(path).read_plan() {
        Ok(_) => true,
        Err(error) => {
            say(format!("note: {} is skipped: {error}", path.display()));
            false
        }
    });
    if folders.is_empty() {
        return Err(Failure::input("there are no results in reports/; name a results folder with --results DIR"));
    }
    Ok(folders)
}

/// What an experiment says about a state's model.
struct Planned {
    world: World,
    training: Training,
    evaluation: Evaluation,
    encoder: EncoderSource,
}

fn planned(arguments: &Predict, file: &Path) -> Result<Planned, Failure> {
    let world = world(file, None, &arguments.surroundings)?;
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
        return Err(Failure::input(format!(
            "the experiment has no cell with variant `{variant}` on dataset `{dataset}`; see harness plan FILE --cells"
        )));
    };
    Ok(Planned { training, evaluation, encoder: plan.encoder.source, world })
}

/// The name that was asked for, or the only one.
fn pick(what: &str, known: &[String], asked: Option<&str>) -> Result<String, Failure> {
    let all = known.join(", ");
    match (asked, known) {
        (Some(asked), known) if known.iter().any(|name| name == asked) => Ok(asked.to_owned()),
        (Some(asked), _) => Err(Failure::input(match nearest(asked, known.iter().map(String::as_str)) {
            Some(near) => format!("the experiment has no {what} `{asked}`; did you mean `{near}`? It has {all}"),
            None => format!("the experiment has no {what} `{asked}`; it has {all}"),
        })),
        (None, [only]) => Ok(only.clone()),
        (None, _) => {
            Err(Failure::input(format!("the experiment has several {what}s; choose one with --{what}: {all}")))
        }
    }
}

fn backend_of(program: &Program, name: &str) -> Result<Backend, Failure> {
    let info = probe(program, name)?;
    info.on_default_device().ok_or_else(|| {
        let why = info.note.map(|note| format!(": {note}")).unwrap_or_default();
        Failure::input(format!("backend `{name}` finds no device on this machine{why}"))
    })
}

/// The scores as aligned columns.
fn table(rows: &[PredictionRow]) -> String {
    let width = rows.iter().map(|row| row.image.chars().count()).max().unwrap_or(0).max("image".len());
    let mut text = format!("{:width$}  {:>9}  {:>9}\n", "image", "map max", "detection");
    for row in rows {
        let map_max = row.map_max.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"));
        let detection = row.detection.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"));
        text += &format!("{:width$}  {map_max:>9}  {detection:>9}\n", row.image);
    }
    text
}

/// The metrics, one a line.
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
    let predict::Picture { title, scores, side, aspect, image, map, scale } = picture;
    let figure = harness_report::OverlayFigure { title, scores, side, aspect, image, map, scale };
    harness_report::overlay(&figure).map_err(|error| error.to_string())
}
