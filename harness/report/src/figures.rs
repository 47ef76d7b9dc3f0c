//! All figures of a report: which there are, their captions and files. What a figure shows is in the module of its name.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use harness_tables::write_durable;

use crate::marks::MOST_SERIES;
use crate::report::line;
use crate::tables::Material;
use crate::{CurveFigure, Rendered, ReportError, RocFigure, panel, roc, training_curve};

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

/// Series in lots that a figure can tell apart, each with what its name ends in.
fn parts<T: Clone>(series: &[T]) -> Vec<(String, Vec<T>)> {
    if series.len() <= MOST_SERIES {
        return vec![(String::new(), series.to_vec())];
    }
    series.chunks(MOST_SERIES).enumerate().map(|(i, lot)| (format!("-part{}", i + 1), lot.to_vec())).collect()
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
