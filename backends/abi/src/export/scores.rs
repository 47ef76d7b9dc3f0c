//! A caller's buffers for scores: checked, filled by a trainer, and the scores in them checked.

use super::calls::{has, leading};
use super::views::{View, disjoint};
use crate::options::Capability;
use crate::plugin::{Failure, Plugin, ScoreBuffers, TrainerShape};
use crate::table::Tensor;
use crate::tensor::DType;

/// Buffers for the scores of some images.
pub(super) struct Scores<'a> {
    grids: View<'a>,
    detection: Option<View<'a>>,
    maps: Option<View<'a>>,
}

impl<'a> Scores<'a> {
    /// The buffers, of which `detection` and `maps` may be null.
    ///
    /// # Safety
    /// As for [`View::one`].
    pub(super) unsafe fn of(
        grids: *const Tensor,
        detection: *const Tensor,
        maps: *const Tensor,
    ) -> Result<Self, Failure> {
        // SAFETY: the same contract.
        unsafe {
            Ok(Self {
                grids: View::one("grids", grids)?,
                detection: View::optional("detection", detection)?,
                maps: View::optional("maps", maps)?,
            })
        }
    }

    /// How many images they are for, at least one.
    pub(super) fn images(&self) -> Result<usize, Failure> {
        leading("grids", &self.grids)
    }

    /// Refuses buffers that are not those for `n` images of a trainer of this shape.
    pub(super) fn expect<P: Plugin>(&self, shape: &TrainerShape, n: usize) -> Result<(), Failure> {
        let &TrainerShape { image_size, grid, grids, has_detection, .. } = shape;
        self.grids.expect("grids", DType::F32, &[n, grids, grid, grid])?;
        match self.detection {
            Some(detection) if has_detection => {
                detection.expect("detection", DType::F32, &[n])?;
            }
            None if !has_detection => {}
            _ => return Err(Failure::invalid("detection must be given if and only if the model has it")),
        }
        if let Some(maps) = self.maps {
            if !has::<P>(Capability::Maps) {
                return Err(Failure::unsupported("this backend gives no maps"));
            }
            maps.expect("maps", DType::F32, &[n, image_size, image_size])?;
        }
        Ok(())
    }

    /// Has them filled. `inputs` are what `score` reads.
    ///
    /// # Safety
    /// The buffers are writable and initialised, and nothing else uses them during the call.
    pub(super) unsafe fn fill(
        &self,
        inputs: &[View<'_>],
        score: impl FnOnce(ScoreBuffers<'_>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let outputs: Vec<View<'_>> = [self.grids].into_iter().chain(self.detection).chain(self.maps).collect();
        disjoint(inputs, &outputs)?;
        // SAFETY: the same contract; `disjoint` found no overlap.
        let (grids, detection, maps) = unsafe {
            let maps = self.maps.map(|maps| maps.output("maps")).transpose()?;
            let detection = self.detection.map(|detection| detection.output("detection")).transpose()?;
            (self.grids.output("grids")?, detection.unwrap_or_default(), maps)
        };
        score(ScoreBuffers { grids: &mut *grids, detection: &mut *detection, maps })?;
        if grids.iter().chain(&*detection).any(|score| !score.is_finite()) {
            return Err(Failure::numeric("a score is not finite"));
        }
        Ok(())
    }
}
