//! The maps of a prediction, whatever they are made of.

use harness_method::{Layout, Part};

use crate::error::Error;
use crate::joined::{Extremes, Join, JoinedMaps};
use crate::maps::MapSource;
use crate::upsample::GridMaps;

/// The maps of a prediction, made from its grids `[N, n, G, G]` when they are read.
#[derive(Clone, Debug)]
pub enum PredictedMaps<'a> {
    /// Of one part.
    One(GridMaps<'a>),
    /// Of two parts.
    Joined(Box<JoinedMaps<GridMaps<'a>, GridMaps<'a>>>),
}

impl<'a> PredictedMaps<'a> {
    /// Maps of `size` pixels a side. Where the rule brings parts to a range, all maps are read for their smallest and
    /// largest values, so the grids must be those of a whole test set.
    ///
    /// # Errors
    /// No grid; a side of 0; grids that are not whole images, or hold a value that is not finite.
    pub fn new(layout: Layout, grids: &'a [f32], grid: usize, size: usize) -> Result<Self, Error> {
        let (zero, few, rule) = match layout {
            Layout::One(part) => return Ok(Self::One(GridMaps::of_part(part, grids, grid, size)?)),
            Layout::Joined { zero, few, rule } => (zero, few, rule),
        };
        let all = layout.grids();
        let among = |part: Part, before: usize| GridMaps::of_part_among(part, all, before, grids, grid, size);
        let (z, f) = (among(zero, 0)?, among(few, zero.grids)?);
        let extremes = |maps: &GridMaps<'_>| {
            let unused = Extremes { smallest: 0.0, largest: 1.0 };
            if rule.is_transductive() { Extremes::of_maps(maps) } else { Ok(unused) }
        };
        let join = Join::new(rule, extremes(&z)?, extremes(&f)?);
        Ok(Self::Joined(Box::new(JoinedMaps::new(z, f, join)?)))
    }
}

impl MapSource for PredictedMaps<'_> {
    fn images(&self) -> usize {
        match self {
            Self::One(maps) => maps.images(),
            Self::Joined(maps) => maps.images(),
        }
    }

    fn pixels(&self) -> usize {
        match self {
            Self::One(maps) => maps.pixels(),
            Self::Joined(maps) => maps.pixels(),
        }
    }

    fn read(&self, image: usize, map: &mut [f32]) -> Result<(), Error> {
        match self {
            Self::One(maps) => maps.read(image, map),
            Self::Joined(maps) => maps.read(image, map),
        }
    }
}

/// The two image scores of a test set as one.
///
/// # Errors
/// No score, or one that is not finite, where the rule asks for the smallest and largest.
pub fn joined_scores(rule: harness_method::Combine, zero: &[f32], few: &[f32]) -> Result<Vec<f32>, Error> {
    let extremes = |scores: &[f32]| {
        let unused = Extremes { smallest: 0.0, largest: 1.0 };
        if rule.is_transductive() { Extremes::of_scores(scores) } else { Ok(unused) }
    };
    let join = Join::new(rule, extremes(zero)?, extremes(few)?);
    Ok(zero.iter().zip(few).map(|(zero, few)| join.of(*zero, *few)).collect())
}
