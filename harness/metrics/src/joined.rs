//! The maps of two parts as one, and two image scores as one. Joining is done on maps, never on grids: upsampling and
//! links do not commute with it.

use harness_method::Combine;
use rayon::prelude::*;

use crate::error::Error;
use crate::maps::{MapSource, read_finite};

/// The smallest and the largest of some scores over a whole test set. They stay those of the whole set in resamples,
/// and are stored with a prediction so that other images can be scored alike.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Extremes {
    /// The smallest.
    pub smallest: f32,
    /// The largest.
    pub largest: f32,
}

impl Extremes {
    /// Of all pixels of all maps.
    ///
    /// # Errors
    /// No map; a map that can't be read or holds a value that is not finite.
    pub fn of_maps<S: MapSource + ?Sized>(maps: &S) -> Result<Self, Error> {
        let each: Vec<Result<Self, Error>> = (0..maps.images())
            .into_par_iter()
            .map_init(|| vec![0.0; maps.pixels()], |map, image| read_finite(maps, image, map).map(|()| Self::over(map)))
            .collect();
        let each: Vec<f32> = each.into_iter().map(|found| found.map(|e| [e.smallest, e.largest])).try_fold(
            Vec::new(),
            |mut all, found| {
                all.extend(found?);
                Ok::<_, Error>(all)
            },
        )?;
        if each.is_empty() { Err(Error::Empty { what: "maps" }) } else { Ok(Self::over(&each)) }
    }

    /// Of image scores.
    ///
    /// # Errors
    /// No score, or one that is not finite.
    pub fn of_scores(scores: &[f32]) -> Result<Self, Error> {
        if let Some(image) = scores.iter().position(|score| !score.is_finite()) {
            return Err(Error::Score { image, score: f64::from(scores[image]) });
        }
        if scores.is_empty() { Err(Error::Empty { what: "image scores" }) } else { Ok(Self::over(scores)) }
    }

    fn over(values: &[f32]) -> Self {
        let (start, worst) = (f32::INFINITY, f32::NEG_INFINITY);
        let wider = |(low, high): (f32, f32), value: &f32| (low.min(*value), high.max(*value));
        let (smallest, largest) = values.iter().fold((start, worst), wider);
        Self { smallest, largest }
    }

    /// A score as a share of the way from the smallest to the largest; 0 where both are the same.
    #[inline]
    fn share(self, value: f32) -> f32 {
        let range = self.largest - self.smallest;
        if range > 0.0 { (value - self.smallest) / range } else { 0.0 }
    }
}

/// A rule with what it needs to know of the whole test set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Join {
    rule: Combine,
    zero: Extremes,
    few: Extremes,
}

impl Join {
    /// A rule with the extremes of both scores. Rules that don't bring scores to a range ignore them.
    pub const fn new(rule: Combine, zero: Extremes, few: Extremes) -> Self {
        Self { rule, zero, few }
    }

    /// A pixel's or an image's two scores as one.
    #[inline]
    pub fn of(&self, zero: f32, few: f32) -> f32 {
        match self.rule {
            Combine::Range => 0.5 * self.zero.share(zero) + 0.5 * self.few.share(few),
            Combine::HalfRange => 0.5 * (zero + self.few.share(few)),
            Combine::Sum => zero + few,
            Combine::Zero => zero,
            Combine::Few => few,
        }
    }
}

/// The maps of two parts as one, joined when they are read.
#[derive(Clone, Debug)]
pub struct JoinedMaps<Z, F> {
    zero: Z,
    few: F,
    join: Join,
}

impl<Z: MapSource, F: MapSource> JoinedMaps<Z, F> {
    /// Maps of the same images, joined.
    ///
    /// # Errors
    /// Another number of images or pixels.
    pub fn new(zero: Z, few: F, join: Join) -> Result<Self, Error> {
        for (what, found, expected) in [("maps", few.images(), zero.images()), ("pixels", few.pixels(), zero.pixels())]
        {
            if found != expected {
                return Err(Error::Length {
                    what,
                    found,
                    expected,
                    why: "maps that are joined are of the same images",
                });
            }
        }
        Ok(Self { zero, few, join })
    }
}

impl<Z: MapSource, F: MapSource> MapSource for JoinedMaps<Z, F> {
    fn images(&self) -> usize {
        self.zero.images()
    }

    fn pixels(&self) -> usize {
        self.zero.pixels()
    }

    fn read(&self, image: usize, map: &mut [f32]) -> Result<(), Error> {
        let mut few = vec![0.0; map.len()];
        self.zero.read(image, map)?;
        self.few.read(image, &mut few)?;
        for (pixel, few) in map.iter_mut().zip(few) {
            *pixel = self.join.of(*pixel, few);
        }
        Ok(())
    }
}
