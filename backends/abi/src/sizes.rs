//! Sizes of towers and trainers as they follow from options, so that the host can check lengths before a call.

use harness_method::heads::{Heads, Model};
use serde::Deserialize;
use serde_json::Value;

use crate::options::{ImageTowerOptions, TextTowerOptions, TrainerOptions};
use crate::plugin::{Failure, ImageTowerShape, TextTowerShape, TrainerShape};

impl ImageTowerOptions {
    /// The sizes these options ask for.
    ///
    /// # Errors
    /// `arch` lacks `patch` or `width`, or a size is zero.
    pub fn shape(&self) -> Result<ImageTowerShape, Failure> {
        let grid = grid(self.image_size, size("arch", &self.arch, "patch")?)?;
        Ok(ImageTowerShape {
            image_size: self.image_size,
            taps: positive("taps", self.taps.len())?,
            tokens: tokens(grid)?,
            width: size("arch", &self.arch, "width")?,
        })
    }
}

impl TextTowerOptions {
    /// The sizes these options ask for.
    ///
    /// # Errors
    /// `arch` lacks `context`, `text_width` or `embed`, or a size is zero.
    pub fn shape(&self) -> Result<TextTowerShape, Failure> {
        Ok(TextTowerShape {
            context: size("arch", &self.arch, "context")?,
            width: size("arch", &self.arch, "text_width")?,
            embed: size("arch", &self.arch, "embed")?,
        })
    }
}

impl TrainerOptions {
    /// The sizes these options ask for.
    ///
    /// # Errors
    /// `options` lacks `image_size` or `taps`, or are not whole heads; `arch` lacks `patch`, `width` or `embed`;
    /// MadCLIP without a loss; a size of zero.
    pub fn shape(&self) -> Result<TrainerShape, Failure> {
        let image_size = size("options", &self.options, "image_size")?;
        let taps = self.options.get("taps").and_then(Value::as_array);
        let taps = positive("taps", taps.ok_or_else(|| Failure::invalid("`options` has no list `taps`"))?.len())?;
        let (grids, losses) = match self.model {
            Model::Madclip => (taps, positive("losses", self.losses.len())?),
            // A state that scores may have nothing to learn from.
            Model::Heads => {
                let heads = Heads::deserialize(&self.options);
                let heads = heads.map_err(|cause| Failure::invalid(format!("`options` of heads: {cause}")))?;
                (positive("heads", heads.grids())?, self.losses.len())
            }
        };
        let grid = grid(image_size, size("arch", &self.arch, "patch")?)?;
        Ok(TrainerShape {
            image_size,
            grid,
            taps,
            grids,
            has_detection: self.model == Model::Madclip,
            tokens: tokens(grid)?,
            width: size("arch", &self.arch, "width")?,
            embed: size("arch", &self.arch, "embed")?,
            has_masks: self.has_masks,
            losses,
        })
    }
}

fn size(table: &str, values: &Value, key: &str) -> Result<usize, Failure> {
    let found = values.get(key).and_then(Value::as_u64).and_then(|size| usize::try_from(size).ok());
    positive(key, found.ok_or_else(|| Failure::invalid(format!("`{table}` has no whole number `{key}`")))?)
}

fn positive(key: &str, size: usize) -> Result<usize, Failure> {
    if size == 0 { Err(Failure::invalid(format!("`{key}` is zero or empty"))) } else { Ok(size) }
}

fn grid(image_size: usize, patch: usize) -> Result<usize, Failure> {
    match image_size / patch {
        0 => Err(Failure::invalid(format!("an image of {image_size} pixels a side holds no patch of {patch}"))),
        grid => Ok(grid),
    }
}

fn tokens(grid: usize) -> Result<usize, Failure> {
    grid.checked_mul(grid)
        .and_then(|patches| patches.checked_add(1))
        .ok_or_else(|| Failure::invalid(format!("{grid} patches a side are too many")))
}
