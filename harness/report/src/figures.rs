//! All figures of a report and their files.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use harness_disk::write_durable;
use harness_experiment::{FigureKind, Line};
use harness_tables::TablesError;
use rayon::prelude::*;

use crate::ablation::Filled;
use crate::cost::is_tall as costs_are_tall;
use crate::figure_data::{backend_bars, chosen, forests, heat_maps, in_picture, over_shots};
use crate::forest::is_tall as forest_is_tall;
use crate::material::Material;
use crate::plots::{Part, Plots};
use crate::ranks::is_tall as ranks_are_tall;
use crate::render::Paper;
use crate::words::line;
use crate::{
    CostFigure, ForestFigure, MethodPanelFigure, RankFigure, Rendered, ReportError, bars, cost, forest, heat_map,
    method_panel, panel, ranks, roc, shots, training_curve,
};

/// A figure before it is drawn.
struct Sketch<'a> {
    kind: FigureKind,
    name: String,
    caption: String,
    draw: Box<dyn Fn() -> Result<Rendered, ReportError> + Send + Sync + 'a>,
}

/// A [`Sketch`] of a figure, drawn by the function of its kind.
macro_rules! sketch {
    ($kind:ident, $figure:expr, $draw:path, $paper:expr) => {{
        let (figure, paper) = ($figure, $paper);
        let (name, caption) = (figure.name.clone(), figure.caption.clone());
        Sketch { kind: FigureKind::$kind, name, caption, draw: Box::new(move || $draw(&figure, paper)) }
    }};
}

/// Draws and writes `figures/*.{svg,png,pdf}` below `folder`, on all threads; returns the section of the report.
///
/// # Errors
/// The system's, and data that don't make a figure.
pub(crate) fn write_figures(
    from: &Material<'_>,
    compared: &[Filled<'_>],
    folder: &Path,
) -> Result<String, ReportError> {
    let mut names = Names::default();
    let mut sketches: Vec<(String, Sketch<'_>)> = Vec::new();
    for sketch in sketches_of(from, compared)? {
        if from.input.printing.draws(sketch.kind) {
            sketches.push((names.free(&sketch.name), sketch));
        }
    }
    let heights: Vec<Result<f64, ReportError>> = sketches
        .par_iter()
        .map(|(name, sketch)| {
            let Rendered { svg, png, pdf, height } = (sketch.draw)()?;
            write_durable(&folder.join(format!("figures/{name}.svg")), svg.as_bytes())?;
            write_durable(&folder.join(format!("figures/{name}.png")), &png)?;
            write_durable(&folder.join(format!("figures/{name}.pdf")), &pdf)?;
            Ok(height)
        })
        .collect();
    let heights = heights.into_iter().collect::<Result<Vec<f64>, _>>()?;
    let kept = names.remove_others(&folder.join("figures"), from.input.panels_missing)?;
    let kinds: Vec<FigureKind> = sketches.iter().map(|(_, sketch)| sketch.kind).collect();
    let shown = on_a_page(&kinds, &heights);
    let (mut pictures, mut links) = (String::new(), String::new());
    for (at, (name, sketch)) in sketches.iter().enumerate() {
        let caption = line(&sketch.caption);
        let formats = format!("[SVG](figures/{name}.svg), [PNG](figures/{name}.png), [PDF](figures/{name}.pdf)");
        if shown.contains(&at) {
            let alternative = caption.replace(['[', ']'], "");
            let _ = write!(pictures, "\n![{alternative}](figures/{name}.png)\n\n{caption} ({formats})\n");
        } else {
            let _ = writeln!(links, "- `{name}`: {caption} ({formats})");
        }
    }
    for name in kept {
        let caption = "Drawn before; its images can't be read now.";
        let _ = writeln!(links, "- `{name}`: {caption} ([SVG](figures/{name}.svg), [PNG](figures/{name}.png))");
    }
    if !links.is_empty() {
        let _ = write!(pictures, "\nFurther figures:\n\n{links}");
    }
    Ok(pictures)
}

/// The figures that the report shows, no more than fill a page of two columns: of each kind the first, then the others.
fn on_a_page(kinds: &[FigureKind], heights: &[f64]) -> BTreeSet<usize> {
    const PAGE: f64 = 2.0 * 240.0;
    /// What says most about the experiment first.
    const ORDER: [FigureKind; FigureKind::ALL.len()] = [
        FigureKind::Ablation,
        FigureKind::Shots,
        FigureKind::Ranks,
        FigureKind::CrossDataset,
        FigureKind::Cost,
        FigureKind::Panel,
        FigureKind::Roc,
        FigureKind::Backends,
        FigureKind::Curve,
    ];
    let mut order: Vec<(usize, usize, usize)> = kinds
        .iter()
        .enumerate()
        .map(|(at, kind)| {
            let round = kinds[..at].iter().filter(|other| *other == kind).count();
            (round, ORDER.iter().position(|known| known == kind).unwrap_or(ORDER.len()), at)
        })
        .collect();
    order.sort_unstable();
    let (mut shown, mut left) = (BTreeSet::new(), PAGE);
    for (.., at) in order {
        let height = heights.get(at).copied().unwrap_or(PAGE);
        // One at least, however tall it is.
        if height <= left || shown.is_empty() {
            left -= height;
            shown.insert(at);
        }
    }
    shown
}

/// All figures, in the order of the report.
fn sketches_of<'a>(from: &'a Material<'_>, compared: &[Filled<'_>]) -> Result<Vec<Sketch<'a>>, ReportError> {
    let input = from.input;
    let paper = Paper { smoke: input.smoke, page: input.printing.figure_width == Line::Page };
    let of_plots = |kind, plots: Plots, caption: &str, bands: &str| {
        let sketch = |part: Part| {
            let bands = if part.has_bands() { bands } else { "" };
            let caption = format!("{caption}{}{bands}", part.caption());
            Sketch { kind, name: part.name().to_owned(), caption, draw: Box::new(move || part.render(paper)) }
        };
        plots.parts().into_iter().map(sketch).collect::<Vec<Sketch<'a>>>()
    };
    let mut sketches = Vec::new();
    for figure in over_shots(from) {
        let plots = shots::plots(&figure, &|name, at| from.style(name, at, figure.labels.len()))?;
        sketches.extend(of_plots(FigureKind::Shots, plots, &figure.caption, ""));
    }
    for figure in forests(from, compared) {
        sketches.extend(on_pages(figure, paper)?.into_iter().map(|figure| sketch!(Ablation, figure, forest, paper)));
    }
    for figure in &input.ranks {
        let figure = ranks_in_print(from, figure);
        sketches.extend(by_measure(figure, paper)?.into_iter().map(|figure| sketch!(Ranks, figure, ranks, paper)));
    }
    for figure in &input.costs {
        let figure = costs_in_print(from, figure);
        sketches.extend(costs_by_measure(figure, paper)?.into_iter().map(|figure| sketch!(Cost, figure, cost, paper)));
    }
    sketches.extend(heat_maps(from).into_iter().map(|figure| sketch!(CrossDataset, figure, heat_map, paper)));
    sketches.extend(backend_bars(&input.backends).into_iter().map(|figure| sketch!(Backends, figure, bars, paper)));
    for figure in &input.roc {
        let plots = roc::plots(figure, &|name, at| from.style(name, at, figure.series.len()))?;
        sketches.extend(of_plots(FigureKind::Roc, plots, &figure.caption, &figure.bands));
    }
    for figure in &input.curves {
        let plots = training_curve::plots(figure, &|name, at| from.style(name, at, figure.series.len()));
        sketches.extend(of_plots(FigureKind::Curve, plots, &figure.caption, ""));
    }
    sketches.extend(input.panels.iter().map(|figure| sketch!(Panel, figure, panel, paper)));
    for figure in &input.method_panels {
        let parts = method_panels(from, figure);
        sketches.extend(parts.into_iter().map(|figure| sketch!(Panel, figure, method_panel, paper)));
    }
    Ok(sketches)
}

/// A part of a figure's name from words.
fn slug(words: &str) -> String {
    words.split(" (").next().unwrap_or_default().to_lowercase().replace(|c: char| !c.is_ascii_alphanumeric(), "-")
}

/// Most rows of a figure of one measure whose names have several lines.
const MOST_ROWS: usize = 20;

/// A forest plot on as many pages as it must have, all of a measure with the same axis.
fn on_pages(figure: ForestFigure, paper: Paper) -> Result<Vec<ForestFigure>, ReportError> {
    if !forest_is_tall(&figure, paper)? {
        return Ok(vec![figure]);
    }
    let mut parts = Vec::new();
    for plot in &figure.plots {
        let name = if figure.plots.len() > 1 { format!("{}-{}", figure.name, plot.name) } else { figure.name.clone() };
        let chunks: Vec<_> = plot.rows.chunks(MOST_ROWS).collect();
        for (number, rows) in chunks.iter().enumerate() {
            let part = if chunks.len() > 1 { format!("-part{}", number + 1) } else { String::new() };
            let ends = plot.rows.iter().filter_map(|row| row.difference).flat_map(|(d, low, high)| [d, low, high]);
            let plot = crate::ForestPlot { rows: rows.to_vec(), ends: ends.collect(), ..plot.clone() };
            parts.push(ForestFigure { name: format!("{name}{part}"), plots: vec![plot], ..figure.clone() });
        }
    }
    Ok(parts)
}

fn ranks_in_print(from: &Material<'_>, figure: &RankFigure) -> RankFigure {
    let mut figure = figure.clone();
    let variants = figure.plots.iter().flat_map(|plot| &plot.variants).map(|variant| variant.label.as_str());
    figure.caption += &chosen(from, figure.selection, &variants.collect::<Vec<_>>());
    for plot in &mut figure.plots {
        let variants: Vec<&str> = plot.variants.iter().map(|variant| variant.label.as_str()).collect();
        plot.measure += in_picture(from, figure.selection, &variants);
        plot.variants.iter_mut().for_each(|variant| variant.label = from.print.variant(&variant.label).to_owned());
    }
    figure
}

fn by_measure(figure: RankFigure, paper: Paper) -> Result<Vec<RankFigure>, ReportError> {
    if figure.plots.len() < 2 || !ranks_are_tall(&figure, paper)? {
        return Ok(vec![figure]);
    }
    let of = |plot: &crate::RankPlot| RankFigure {
        name: format!("{}-{}", figure.name, slug(&plot.measure)),
        plots: vec![plot.clone()],
        ..figure.clone()
    };
    Ok(figure.plots.iter().map(of).collect())
}

fn costs_in_print(from: &Material<'_>, figure: &CostFigure) -> CostFigure {
    let mut figure = figure.clone();
    let variants = figure.plots.iter().flat_map(|plot| &plot.points).map(|point| point.label.as_str());
    figure.caption += &chosen(from, figure.selection, &variants.collect::<Vec<_>>());
    for plot in &mut figure.plots {
        let variants: Vec<&str> = plot.points.iter().map(|point| point.label.as_str()).collect();
        plot.remark += in_picture(from, figure.selection, &variants);
        plot.points.iter_mut().for_each(|point| point.label = from.print.variant(&point.label).to_owned());
    }
    figure
}

fn costs_by_measure(figure: CostFigure, paper: Paper) -> Result<Vec<CostFigure>, ReportError> {
    if figure.plots.len() < 2 || !costs_are_tall(&figure, paper)? {
        return Ok(vec![figure]);
    }
    let of = |plot: &crate::CostPlot| CostFigure {
        name: format!("{}-{}", figure.name, slug(&plot.measure)),
        plots: vec![plot.clone()],
        ..figure.clone()
    };
    Ok(figure.plots.iter().map(of).collect())
}

/// A panel of methods on as many pages as it must have, with the base on each.
fn method_panels(from: &Material<'_>, figure: &MethodPanelFigure) -> Vec<MethodPanelFigure> {
    const MOST: usize = 6;
    let mut figure = figure.clone();
    let base = figure.variants.iter().position(|variant| variant.label == from.base());
    figure.variants.iter_mut().for_each(|variant| variant.label = from.print.variant(&variant.label).to_owned());
    if figure.variants.len() <= MOST {
        return vec![figure];
    }
    let base = base.map(|at| figure.variants.remove(at));
    let chunks: Vec<_> = figure.variants.chunks(MOST - usize::from(base.is_some())).collect();
    let part = |(number, chunk): (usize, &&[crate::PanelMaps])| MethodPanelFigure {
        name: format!("{}-part{}", figure.name, number + 1),
        variants: base.iter().chain(*chunk).cloned().collect(),
        ..figure.clone()
    };
    chunks.iter().enumerate().map(part).collect()
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
            let drawn =
                part(path.extension()).is_some_and(|extension| ["svg", "png", "pdf"].contains(&extension.as_str()));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_shows_a_page_of_figures_of_each_kind_the_first() {
        let kinds = [FigureKind::Roc, FigureKind::Roc, FigureKind::Curve, FigureKind::Ablation, FigureKind::Roc];
        let shown = |heights: &[f64]| on_a_page(&kinds, heights).into_iter().collect::<Vec<_>>();
        assert_eq!(shown(&[100.0; 5]), [0, 1, 2, 3]);
        assert_eq!(shown(&[10.0; 5]), [0, 1, 2, 3, 4]);
        assert_eq!(shown(&[300.0, 300.0, 100.0, 100.0, 60.0]), [0, 3, 4]);
        assert_eq!(shown(&[900.0, 900.0, 900.0, 900.0, 900.0]), [3]);
    }
}
