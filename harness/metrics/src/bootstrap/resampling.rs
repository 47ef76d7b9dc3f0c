//! How often each image, or patient, is drawn in each resample of a test set.

use std::collections::HashMap;

use harness_method::streams::Stream;

use super::pairing::Pairing;
use crate::error::Error;

/// The resamples of one test set: a weight for every image, the same for every model that is measured on it.
///
/// Drawn with replacement within a class, each as often as it has members: images, or patients with all of their
/// images. Patients form three strata, those with normal images alone, with abnormal ones alone and with both, so no
/// resample lacks a class. Draw `k` of resample `r` is draw `r x units + k` of the stream `bootstrap.<seed>.<name>`
/// (docs/method.md section 5), so a resample depends on no other and on no thread.
#[derive(Clone, Debug)]
pub struct Resampling {
    stream: Stream,
    resamples: usize,
    labels: Vec<bool>,
    /// The unit of each image, an index into all units. Units of a stratum are neighbours.
    units: Vec<u32>,
    /// Where the strata end.
    strata: Vec<u32>,
    pairing: Pairing,
}

impl Resampling {
    /// The usual number of resamples.
    pub const RESAMPLES: usize = 2000;

    /// Resamples of images. `labels` are true for abnormal images, in test order; `name` says which test set it is, as
    /// two test sets must not be drawn alike.
    ///
    /// # Errors
    /// No resample or more than a million; no image; fewer than two images of a class.
    pub fn new(name: &str, seed: u64, resamples: usize, labels: &[bool]) -> Result<Self, Error> {
        Self::of_units(name, seed, resamples, labels, (0..labels.len() as u32).collect())
    }

    /// Resamples of patients. `patients` has a name or nothing for each image; an image of an unknown patient is a
    /// patient by itself. Names matter in no other way than by being equal.
    ///
    /// # Errors
    /// As [`Self::new`], for patients in place of images; another number of patients than of labels.
    pub fn of_patients<P: AsRef<str>>(
        name: &str,
        seed: u64,
        resamples: usize,
        labels: &[bool],
        patients: &[Option<P>],
    ) -> Result<Self, Error> {
        if patients.len() != labels.len() {
            let (found, expected, why) = (patients.len(), labels.len(), "one patient or none for each label");
            return Err(Error::Length { what: "patients", found, expected, why });
        }
        let mut known = HashMap::new();
        let mut count = 0;
        let mut next = || {
            count += 1;
            count - 1
        };
        let units = patients.iter().map(|patient| match patient {
            Some(patient) => *known.entry(patient.as_ref()).or_insert_with(&mut next),
            None => next(),
        });
        let units = units.collect();
        Self::of_units(name, seed, resamples, labels, units)
    }

    /// `units` are numbered by first appearance, none left out.
    fn of_units(name: &str, seed: u64, resamples: usize, labels: &[bool], units: Vec<u32>) -> Result<Self, Error> {
        let largest = 1_000_000;
        if resamples == 0 || resamples > largest {
            return Err(Error::Size { what: "the number of resamples", found: resamples, largest });
        }
        if labels.is_empty() {
            return Err(Error::Empty { what: "images" });
        }
        let mut has = vec![[false; 2]; units.iter().max().map_or(0, |unit| *unit as usize + 1)];
        for (unit, abnormal) in units.iter().zip(labels) {
            has[*unit as usize][usize::from(*abnormal)] = true;
        }
        for (class, what) in [(0, "images or patients of class normal"), (1, "images or patients of class abnormal")] {
            let found = has.iter().filter(|has| has[class]).count();
            if found < 2 {
                return Err(Error::TooFew { what, found, needed: 2 });
            }
        }
        let mut order = vec![0; has.len()];
        let (mut placed, mut strata) = (0, Vec::new());
        for stratum in [[true, false], [false, true], [true, true]] {
            for (unit, _) in has.iter().enumerate().filter(|(_, has)| **has == stratum) {
                order[unit] = placed;
                placed += 1;
            }
            strata.push(placed);
        }
        let units: Vec<u32> = units.iter().map(|unit| order[*unit as usize]).collect();
        let pairing = Pairing::new(name, [seed, resamples as u64, labels.len() as u64])
            .with(units.iter().zip(labels).map(|(unit, abnormal)| u64::from(*unit) << 1 | u64::from(*abnormal)));
        // The seed is in the name too: alone it would shift the draws by one, and the resamples hardly differ.
        let stream = Stream::new(&format!("bootstrap.{seed}.{name}"), seed);
        Ok(Self { stream, resamples, labels: labels.to_vec(), units, strata, pairing })
    }

    /// How many resamples there are.
    pub fn resamples(&self) -> usize {
        self.resamples
    }

    /// The labels, in test order.
    pub fn labels(&self) -> &[bool] {
        &self.labels
    }

    /// How many images there are.
    pub fn images(&self) -> usize {
        self.labels.len()
    }

    /// How many images or patients are drawn from.
    pub fn units(&self) -> usize {
        self.strata.last().map_or(0, |end| *end as usize)
    }

    /// How often each image is in one resample.
    pub fn weights(&self, resample: usize) -> Vec<u32> {
        let mut drawn = vec![0_u32; self.units()];
        let first = (resample * self.units()) as u64;
        let mut start = 0;
        for end in self.strata.iter().map(|end| *end as usize) {
            let count = end - start;
            for place in start..end {
                let unit = start + (self.stream.uniform(first + place as u64) * count as f64) as usize;
                drawn[unit] += 1;
            }
            start = end;
        }
        self.units.iter().map(|unit| drawn[*unit as usize]).collect()
    }

    /// The [`pairing`](crate::Replicates::pairing) of replicates that are made with it: tells whether stored ones are
    /// of these resamples.
    pub fn fingerprint(&self) -> u64 {
        self.pairing.0
    }

    pub(crate) fn pairing(&self) -> Pairing {
        self.pairing
    }
}
