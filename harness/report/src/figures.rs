//! All figures of a report: which there are, their captions and files. What a figure shows is in the module of its name.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::ops::Range;
use std::path::Path;

use harness_tables::write_durable;

use crate::figure_data::{backend_bars, forests, heat_maps, over_shots};
use crate::marks::MOST_SERIES;
use crate::report::line;
use crate::tables::Material;
use crate::{
    CurveFigure, Rendered, ReportError, RocFigure, ShotsFigure, ShotsPlot, bars, forest, heat_map, panel, roc, shots,
    training_curve,
};

/// The figures of a report.
pub(crate) struct Figures<'a> {
    from: &'a Material<'a>,
}

impl<'a> Figures<'a> {
    /// The figures of this material.
    pub(crate) fn of(from: &'a Material<'a>) -> Self {
        Self { from }
    }

    /// Draws and writes `figures/*.{svg,png}` below `folder`; returns how the report shows them.
    pub(crate) fn write(&self, folder: &Path) -> Result<String, ReportError> {
        let mut files = Files { folder, names: BTreeSet::new(), listed: String::new() };
        let input = self.from.input;
        for figure in over_shots(self.from) {
            for (part, lot) in lots(figure.labels.len()) {
                let lines = |plot: &ShotsPlot| ShotsPlot {
                    measure: plot.measure.clone(),
                    lines: plot.lines.get(lot.clone()).unwrap_or_default().to_vec(),
                };
                let labels = figure.labels.get(lot.clone()).unwrap_or_default().to_vec();
                let plots = figure.plots.iter().map(lines).collect();
                let figure = ShotsFigure { name: figure.name.clone() + &part, labels, plots, ..figure.clone() };
                files.write(&figure.name, &figure.caption, &shots(&figure, input.smoke)?)?;
            }
        }
        for figure in forests(self.from) {
            files.write(&figure.name, &figure.caption, &forest(&figure, input.smoke)?)?;
        }
        for figure in heat_maps(self.from.matrices) {
            files.write(&figure.name, &figure.caption, &heat_map(&figure, input.smoke)?)?;
        }
        if let Some(figure) = backend_bars(&input.backends) {
            files.write(&figure.name, &figure.caption, &bars(&figure, input.smoke)?)?;
        }
        for figure in &input.roc {
            for (part, series) in parts(&figure.series) {
                let figure = RocFigure { name: figure.name.clone() + &part, series, ..figure.clone() };
                files.write(&figure.name, &figure.caption, &roc(&figure, input.smoke)?)?;
            }
        }
        for figure in &input.curves {
            for (part, series) in parts(&figure.series) {
                let figure = CurveFigure { name: figure.name.clone() + &part, series, ..figure.clone() };
                files.write(&figure.name, &figure.caption, &training_curve(&figure, input.smoke)?)?;
            }
        }
        for figure in &input.panels {
            files.write(&figure.name, &figure.caption, &panel(figure, input.smoke)?)?;
        }
        Ok(files.listed)
    }
}

/// Places of series in lots that a figure can tell apart, each with what its name ends in.
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

struct Files<'a> {
    folder: &'a Path,
    names: BTreeSet<String>,
    listed: String,
}

impl Files<'_> {
    fn write(&mut self, name: &str, caption: &str, figure: &Rendered) -> Result<(), ReportError> {
        let name = self.file_name(name);
        write_durable(&self.folder.join(format!("figures/{name}.svg")), figure.svg.as_bytes())?;
        write_durable(&self.folder.join(format!("figures/{name}.png")), &figure.png)?;
        let caption = line(caption);
        let alternative = caption.replace(['[', ']'], "");
        let _ = write!(
            self.listed,
            "\n![{alternative}](figures/{name}.png)\n\n{caption} ([SVG](figures/{name}.svg), [PNG](figures/{name}.png))\n"
        );
        Ok(())
    }

    /// A name that is a plain file name and not taken yet.
    fn file_name(&mut self, name: &str) -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' };
        let plain: String = name.trim_start_matches('.').chars().map(plain).take(120).collect();
        let plain = if plain.is_empty() { "figure".to_owned() } else { plain };
        // Names that differ in case alone are one file on some systems.
        let free = (1..).map(|i| if i == 1 { plain.clone() } else { format!("{plain}-{i}") });
        let mut free = free.filter(|name| !self.names.contains(&name.to_ascii_lowercase()));
        let name = free.next().unwrap_or(plain);
        self.names.insert(name.to_ascii_lowercase());
        name
    }
}
