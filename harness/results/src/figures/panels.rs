//! The data of panels: test images of one evaluation with their maps, and the same images under several methods.

use std::collections::HashMap;

use harness_data::{Dataset, Item, Registry, Source, load_image};
use harness_experiment::{Cell, Evaluation, Plan};
use harness_metrics::MapSource;
use harness_records::{CellRecords, Detail, Evaluated, Folder, Grids};
use harness_tables::ScoreRow;

use super::{Group, scores_of};
use crate::error::Error;
use crate::figure_data::{MethodPanelFigure, PanelFigure, PanelImage, PanelMaps, PanelRow, Pixels, Role};
use crate::methods;
use crate::shown::{Candidate, choose};

/// Label, cell and epoch of what a figure shows.
type Shown<'a> = (String, &'a Cell, u32);

/// Panels of a group: of one evaluation, and of several methods.
type Panels = (Option<PanelFigure>, Option<MethodPanelFigure>);

/// The panel of a cell, and of each of its rows the image's name and largest map value.
struct Panel {
    figure: PanelFigure,
    images: Vec<(String, Option<f64>)>,
}

impl Group<'_> {
    /// The panels of the first of the cells that has maps; none where there are no maps.
    pub(super) fn panels(
        &self,
        plan: &Plan,
        folder: &Folder,
        registry: &Registry,
        shown: &[Shown<'_>],
    ) -> Result<Panels, Error> {
        for (label, cell, epoch) in shown {
            if let Some(panel) = self.panel(plan, folder, registry, cell, *epoch)? {
                let of_methods = match self.shows_methods(plan) {
                    true => self.of_methods(plan, folder, shown, &panel, label)?,
                    false => None,
                };
                return Ok((Some(panel.figure), of_methods));
            }
        }
        Ok((None, None))
    }

    /// Whether the group is one that the table of methods has.
    fn shows_methods(&self, plan: &Plan) -> bool {
        methods::several(plan)
            && self.trained_on == self.dataset
            && methods::rule(plan) == Some(self.selection)
            && plan.backends.first().is_some_and(|backend| backend.name == self.backend)
    }

    /// The panel of a cell; `None` where there are no maps.
    fn panel(
        &self,
        plan: &Plan,
        folder: &Folder,
        registry: &Registry,
        cell: &Cell,
        epoch: u32,
    ) -> Result<Option<Panel>, Error> {
        let images = CellRecords::read(folder, std::iter::once(cell), Detail::Images);
        let Some(found) = images.evaluation(cell.evaluation) else { return Ok(None) };
        let record = &found.record;
        let (Some(mut grids), Some(reported)) =
            (Grids::open(&folder.evaluation(cell.evaluation), record)?, found.measured.reported(epoch))
        else {
            return Ok(None);
        };
        let size = record.image_size;
        let dataset = Dataset::open(registry, &cell.dataset)?;
        let items = dataset.test_set()?;
        let rows = scores_of(folder, cell, epoch)?;
        // By name: corrected labels move images in the test set, and not in what was scored.
        let by_name: HashMap<&str, &Item> = items.iter().map(|item| (item.name.as_str(), item)).collect();
        let scored: Vec<&Item> = rows.iter().filter_map(|row| by_name.get(row.image.as_str()).copied()).collect();
        if rows.len() != items.len() || scored.len() != items.len() {
            return Err(Error::Changed { what: format!("[{}]: the test set", cell.dataset) });
        }
        let candidates: Vec<Candidate> =
            rows.iter().zip(&reported.image_pixel_ap).map(|(row, ap)| candidate(row, *ap)).collect();
        let slab = grids.read(epoch)?;
        let maps = slab.maps(record)?;
        let row = |(role, index): (Role, usize)| -> Result<PanelRow, Error> {
            let (item, candidate) = (scored[index], &candidates[index]);
            let mut map = vec![0.0; maps.pixels()];
            maps.read(index, &mut map)?;
            Ok(PanelRow {
                role,
                title: candidate_title(candidate),
                side: size,
                aspect: aspect(&item.image),
                image: Pixels::Rgb(interleaved(&load_image(&item.image, size)?)),
                truth: item.truth(size, dataset.mask_values())?,
                map,
            })
        };
        let chosen = choose(&candidates);
        let images = chosen.iter().map(|(_, index)| (rows[*index].image.clone(), rows[*index].map_max)).collect();
        // A picture has no room for all of a long name.
        let files: Vec<String> =
            chosen.iter().map(|(role, index)| format!("{role} {}", file_name(&rows[*index].image))).collect();
        let shown: Vec<PanelRow> = chosen.into_iter().map(row).collect::<Result<_, _>>()?;
        let caption = format!(
            "Test images with the best, median and worst pixel AP and the normal image with the highest map value: {}, \
             variant {}, {}, epoch {}, selection {}. Images: {}. Yellow: the truth's outline.",
            self.words(plan, cell),
            printed(plan, &cell.variant),
            object(&record.evaluation),
            epoch,
            self.selection.name(),
            files.join("; ")
        );
        Ok(Some(Panel { figure: PanelFigure { name: self.name(plan, "panel"), caption, rows: shown }, images }))
    }

    /// The images of a panel under each variant that has maps of them; `None` where only the panel's own has. Its maps
    /// are not read again.
    fn of_methods(
        &self,
        plan: &Plan,
        folder: &Folder,
        shown: &[Shown<'_>],
        panel: &Panel,
        chooser: &str,
    ) -> Result<Option<MethodPanelFigure>, Error> {
        let rows = &panel.figure.rows;
        let Some(side) = rows.first().map(|row| row.side) else { return Ok(None) };
        let (mut variants, mut without) = (Vec::new(), Vec::new());
        for (label, cell, epoch) in shown {
            let maps = match label == chooser {
                true => Some(rows.iter().zip(&panel.images).map(|(row, (_, max))| (row.map.clone(), *max)).collect()),
                false => maps_of(folder, cell, *epoch, &panel.images, side)?,
            };
            match maps {
                Some(maps) => variants.push(PanelMaps { label: label.clone(), maps }),
                None => without.push(label.as_str()),
            }
        }
        let Some((_, cell, _)) = shown.first().filter(|_| variants.len() > 1) else { return Ok(None) };
        let file = |(row, (name, _)): (&PanelRow, &(String, Option<f64>))| format!("{} {}", row.role, file_name(name));
        let files: Vec<String> = rows.iter().zip(&panel.images).map(file).collect();
        let mut caption = format!(
            "The same test images under each variant: {}, selection {}. They are those with the best, median and worst pixel AP of \
             {}, and the normal image with its highest map value: {}. Yellow: the truth's outline. Each row has a colour scale of \
             its own, from its lowest to its highest value here, which stand at its left: colours of different rows are not \
             comparable. Below each map its largest value, the image's score by map-max.",
            self.words(plan, cell),
            self.selection.name(),
            printed(plan, chooser),
            files.join("; ")
        );
        if !without.is_empty() {
            let without: Vec<&str> = without.into_iter().map(|name| printed(plan, name)).collect();
            caption += &format!(" Without maps: {}.", without.join(", "));
        }
        let image = |(row, (name, _)): (&PanelRow, &(String, Option<f64>))| PanelImage {
            role: row.role,
            file: file_name(name).to_owned(),
            aspect: row.aspect,
            image: row.image.clone(),
            truth: row.truth.clone(),
        };
        let images = rows.iter().zip(&panel.images).map(image).collect();
        Ok(Some(MethodPanelFigure { name: self.name(plan, "panel-methods"), caption, side, images, variants }))
    }
}

/// A cell's maps of images by name, each with its largest value; `None` where it has no maps, or not of these images.
#[expect(clippy::type_complexity, reason = "a map and its score")]
fn maps_of(
    folder: &Folder,
    cell: &Cell,
    epoch: u32,
    images: &[(String, Option<f64>)],
    side: usize,
) -> Result<Option<Vec<(Vec<f32>, Option<f64>)>>, Error> {
    let records = CellRecords::read(folder, std::iter::once(cell), Detail::Metrics);
    let Some(Evaluated { record, .. }) = records.evaluation(cell.evaluation) else { return Ok(None) };
    let Some(mut grids) = Grids::open(&folder.evaluation(cell.evaluation), record)? else { return Ok(None) };
    let rows = scores_of(folder, cell, epoch)?;
    let place = |(name, _): &(String, Option<f64>)| rows.iter().position(|row| row.image == *name);
    let Some(places) = images.iter().map(place).collect::<Option<Vec<usize>>>() else { return Ok(None) };
    let slab = grids.read(epoch)?;
    let maps = slab.maps(record)?;
    if record.image_size != side {
        return Ok(None);
    }
    let read = |index: usize| -> Result<(Vec<f32>, Option<f64>), Error> {
        let mut map = vec![0.0; maps.pixels()];
        maps.read(index, &mut map)?;
        Ok((map, rows[index].map_max))
    };
    places.into_iter().map(read).collect::<Result<_, _>>().map(Some)
}

fn candidate(row: &ScoreRow, pixel_ap: Option<f64>) -> Candidate {
    Candidate {
        image: row.image.clone(),
        label: row.label,
        quality: pixel_ap.unwrap_or(f64::NAN),
        score: row.map_max.unwrap_or(f64::NAN),
    }
}

/// The file's name and the number that it was chosen by.
fn candidate_title(candidate: &Candidate) -> String {
    let file = file_name(&candidate.image);
    if candidate.label {
        format!("{file}, pixel AP {:.3}", candidate.quality)
    } else {
        format!("{file}, map max {:.3}", candidate.score)
    }
}

/// What a variant is called in print.
fn printed<'a>(plan: &'a Plan, name: &'a str) -> &'a str {
    let label = plan.variants.iter().find(|variant| variant.name == name).and_then(|variant| variant.label.as_deref());
    label.unwrap_or(name)
}

/// The width of an image over its height; a square where that can't be read.
fn aspect(image: &Source) -> f64 {
    image.dimensions().map_or(1.0, |(width, height)| f64::from(width) / f64::from(height.max(1)))
}

/// The last part of an image's name.
fn file_name(image: &str) -> &str {
    image.rsplit('/').next().unwrap_or(image)
}

fn object(evaluation: &Evaluation) -> String {
    format!("object \"{}\"", evaluation.object)
}

/// `[3, S, S]` to `[S, S, 3]`.
fn interleaved(planar: &[u8]) -> Vec<u8> {
    let area = planar.len() / 3;
    (0..area).flat_map(|i| [planar[i], planar[area + i], planar[2 * area + i]]).collect()
}
