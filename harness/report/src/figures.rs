//! All figures of a report and their files.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::ops::Range;
use std::path::Path;

use harness_disk::write_durable;
use harness_tables::TablesError;
use rayon::prelude::*;

use crate::ablation::Filled;
use crate::figure_data::{backend_bars, chosen, forests, heat_maps, in_picture, over_shots};
use crate::marks::MOST_SERIES;
use crate::material::Material;
use crate::words::line;
use crate::{
    CurveFigure, MethodPanelFigure, Rendered, ReportError, RocFigure, ShotsFigure, ShotsPlot, bars, cost, forest,
    heat_map, method_panel, panel, ranks, roc, shots, training_curve,
};

/// A figure before it is drawn.
struct Sketch<'a> {
    name: String,
    caption: String,
    draw: Box<dyn Fn() -> Result<Rendered, ReportError> + Send + Sync + 'a>,
}

/// A [`Sketch`] of a figure, drawn by the function of its kind.
macro_rules! sketch {
    ($figure:expr, $draw:path, $smoke:expr) => {{
        let (figure, smoke) = ($figure, $smoke);
        let (name, caption) = (figure.name.clone(), figure.caption.clone());
        Sketch { name, caption, draw: Box::new(move || $draw(&figure, smoke)) }
    }};
}

/// Draws and writes `figures/*.{svg,png}` below `folder`, on all threads; returns the section of the report.
///
/// # Errors
/// The system's, and data that don't make a figure.
pub(crate) fn write_figures(
    from: &Material<'_>,
    compared: &[Filled<'_>],
    folder: &Path,
) -> Result<String, ReportError> {
    let (mut names, mut listed) = (Names::default(), String::new());
    let sketches: Vec<(String, Sketch<'_>)> =
        sketches(from, compared).into_iter().map(|sketch| (names.free(&sketch.name), sketch)).collect();
    let written: Vec<Result<(), ReportError>> = sketches
        .par_iter()
        .map(|(name, sketch)| {
            let Rendered { svg, png } = (sketch.draw)()?;
            write_durable(&folder.join(format!("figures/{name}.svg")), svg.as_bytes())?;
            Ok(write_durable(&folder.join(format!("figures/{name}.png")), &png)?)
        })
        .collect();
    written.into_iter().collect::<Result<(), _>>()?;
    let kept = names.remove_others(&folder.join("figures"), from.input.panels_missing)?;
    for (name, sketch) in &sketches {
        let caption = line(&sketch.caption);
        let alternative = caption.replace(['[', ']'], "");
        let _ = write!(
            listed,
            "\n![{alternative}](figures/{name}.png)\n\n{caption} ([SVG](figures/{name}.svg), [PNG](figures/{name}.png))\n"
        );
    }
    for name in kept {
        let caption = "Drawn before; its images can't be read now.";
        let _ = write!(listed, "\n![{caption}](figures/{name}.png)\n\n{caption} ([SVG](figures/{name}.svg))\n");
    }
    Ok(listed)
}

/// All figures, in the order of the report.
fn sketches<'a>(from: &'a Material<'_>, compared: &[Filled<'_>]) -> Vec<Sketch<'a>> {
    let (input, smoke) = (from.input, from.input.smoke);
    let mut sketches = Vec::new();
    for figure in over_shots(from) {
        for (part, lot) in lots(figure.labels.len()) {
            let lines = |plot: &ShotsPlot| ShotsPlot {
                measure: plot.measure.clone(),
                lines: plot.lines.get(lot.clone()).unwrap_or_default().to_vec(),
            };
            let labels = figure.labels.get(lot.clone()).unwrap_or_default().to_vec();
            let plots = figure.plots.iter().map(lines).collect();
            let part = ShotsFigure { name: figure.name.clone() + &part, labels, plots, ..figure.clone() };
            sketches.push(sketch!(part, shots, smoke));
        }
    }
    sketches.extend(forests(from, compared).into_iter().map(|figure| sketch!(figure, forest, smoke)));
    for figure in &input.ranks {
        let mut figure = figure.clone();
        let variants = figure.plots.iter().flat_map(|plot| &plot.variants).map(|variant| variant.label.as_str());
        figure.caption += &chosen(from, figure.selection, &variants.collect::<Vec<_>>());
        for plot in &mut figure.plots {
            let variants: Vec<&str> = plot.variants.iter().map(|variant| variant.label.as_str()).collect();
            plot.measure += in_picture(from, figure.selection, &variants);
        }
        sketches.push(sketch!(figure, ranks, smoke));
    }
    for figure in &input.costs {
        let mut figure = figure.clone();
        let variants = figure.plots.iter().flat_map(|plot| &plot.points).map(|point| point.label.as_str());
        figure.caption += &chosen(from, figure.selection, &variants.collect::<Vec<_>>());
        for plot in &mut figure.plots {
            let variants: Vec<&str> = plot.points.iter().map(|point| point.label.as_str()).collect();
            plot.remark += in_picture(from, figure.selection, &variants);
        }
        sketches.push(sketch!(figure, cost, smoke));
    }
    sketches.extend(heat_maps(from).into_iter().map(|figure| sketch!(figure, heat_map, smoke)));
    sketches.extend(backend_bars(&input.backends).into_iter().map(|figure| sketch!(figure, bars, smoke)));
    for figure in &input.roc {
        for (part, series) in parts(&figure.series) {
            let part = RocFigure { name: figure.name.clone() + &part, series, ..figure.clone() };
            sketches.push(sketch!(part, roc, smoke));
        }
    }
    for figure in &input.curves {
        for (part, series) in parts(&figure.series) {
            let part = CurveFigure { name: figure.name.clone() + &part, series, ..figure.clone() };
            sketches.push(sketch!(part, training_curve, smoke));
        }
    }
    sketches.extend(input.panels.iter().map(|figure| sketch!(figure, panel, smoke)));
    for figure in &input.method_panels {
        for (part, variants) in parts(&figure.variants) {
            let part = MethodPanelFigure { name: figure.name.clone() + &part, variants, ..figure.clone() };
            sketches.push(sketch!(part, method_panel, smoke));
        }
    }
    sketches
}

/// Ranges of series that one figure can tell apart, each with the end of its figure's name.
fn lots(count: usize) -> Vec<(String, Range<usize>)> {
    if count <= MOST_SERIES {
        return vec![(String::new(), 0..count)];
    }
    let lot = |i: usize| i * MOST_SERIES..((i + 1) * MOST_SERIES).min(count);
    (0..count.div_ceil(MOST_SERIES)).map(|i| (format!("-part{}", i + 1), lot(i))).collect()
}

/// The same with the series.
fn parts<T: Clone>(series: &[T]) -> Vec<(String, Vec<T>)> {
    lots(series.len()).into_iter().map(|(part, lot)| (part, series.get(lot).unwrap_or_default().to_vec())).collect()
}

/// First words of the names of our figures, up to the first hyphen.
const KINDS: [&str; 9] = ["shots", "ablation", "ranks", "cost", "cross", "backends", "roc", "curve", "panel"];

/// Names of files that are taken.
#[derive(Default)]
struct Names(BTreeSet<String>);

impl Names {
    /// Removes files of figures that an earlier report had and this one does not have. Files with other kinds of names
    /// are not ours. Panels are kept where they are `missing`, as their images can't be read: the names of those.
    fn remove_others(&self, figures: &Path, missing: bool) -> Result<BTreeSet<String>, ReportError> {
        let mut kept = BTreeSet::new();
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| TablesError::Io { path, source }
        };
        let entries = match std::fs::read_dir(figures) {
            Err(source) if source.kind() == std::io::ErrorKind::NotFound => return Ok(kept),
            entries => entries.map_err(failed(figures))?,
        };
        for entry in entries {
            let path = entry.map_err(failed(figures))?.path();
            let part = |part: Option<&std::ffi::OsStr>| part.map(|part| part.to_string_lossy().to_ascii_lowercase());
            let drawn = part(path.extension()).is_some_and(|extension| ["svg", "png"].contains(&extension.as_str()));
            let ours = |name: &str| KINDS.contains(&name.split('-').next().unwrap_or_default());
            if drawn && part(path.file_stem()).is_some_and(|name| ours(&name) && !self.0.contains(&name)) {
                let name = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                if missing && name.starts_with("panel-") {
                    kept.insert(name);
                } else {
                    std::fs::remove_file(&path).map_err(failed(&path))?;
                }
            }
        }
        Ok(kept)
    }

    /// A name that is a plain file name and not taken yet.
    fn free(&mut self, name: &str) -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' };
        let plain: String = name.trim_start_matches('.').chars().map(plain).take(120).collect();
        let plain = if plain.is_empty() { "figure".to_owned() } else { plain };
        // Names that differ in case alone are one file on some systems.
        let free = (1..).map(|i| if i == 1 { plain.clone() } else { format!("{plain}-{i}") });
        let mut free = free.filter(|name| !self.0.contains(&name.to_ascii_lowercase()));
        let name = free.next().unwrap_or(plain);
        self.0.insert(name.to_ascii_lowercase());
        name
    }
}
