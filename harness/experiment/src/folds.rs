//! Folds of a support set for `best-on-support`: which images are held out together (docs/method.md section 8).

use std::collections::HashMap;

use harness_method::Shots;
use serde::{Deserialize, Serialize};

/// Most folds of a support set.
const MOST: u32 = 4;

/// One part of a support set, held out from a training that is then judged by its images.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Fold {
    /// Which, from 0: the `f` of the stream `shuffle.fold<f>.<epoch>`.
    pub number: u32,
    /// How many there are.
    pub of: u32,
    /// Support images held out, ascending: indices into "abnormal images, then normal ones".
    pub held_out: Vec<u32>,
}

/// Folds of a support set of so many images. `patients` are those of its images, abnormal ones first (empty: none
/// known).
///
/// Image i of a class is in fold i mod F, where F is 4, or the number of images of the class that has fewer: each fold
/// holds out at least one image of each class. Images of a patient who is known stay with the first of them, in the
/// order i = 0, 1, ..., each time abnormal before normal. Where that leaves a fold without one of the classes, F is the
/// next smaller number for which it does not; `None` where no number from 2 up does.
pub(crate) fn folds(shots: Shots, patients: &[Option<String>]) -> Option<Vec<Fold>> {
    (2..=MOST.min(shots.fewest())).rev().find_map(|of| split(shots, patients, of))
}

fn split(shots: Shots, patients: &[Option<String>], of: u32) -> Option<Vec<Fold>> {
    let mut first = HashMap::new();
    // Held-out images of the abnormal class and of the normal one.
    let mut held_out = vec![[Vec::new(), Vec::new()]; of as usize];
    let Shots { normal, abnormal } = shots;
    for i in 0..normal.max(abnormal) {
        let images = [(i < abnormal).then_some(i), (i < normal).then_some(abnormal + i)];
        for (class, image) in images.into_iter().enumerate().filter_map(|(class, image)| Some((class, image?))) {
            let patient = patients.get(image as usize).and_then(Option::as_ref);
            let fold = match patient {
                Some(patient) => *first.entry(patient).or_insert(i % of),
                None => i % of,
            };
            held_out[fold as usize][class].push(image);
        }
    }
    let complete = held_out.iter().all(|classes| classes.iter().all(|images| !images.is_empty()));
    let fold =
        |(number, [abnormal, normal]): (u32, [Vec<u32>; 2])| Fold { number, of, held_out: [abnormal, normal].concat() };
    complete.then(|| (0..).zip(held_out).map(fold).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held_out(k: u32, patients: &[&str]) -> Option<Vec<Vec<u32>>> {
        of(Shots::each(k), patients)
    }

    fn of(shots: Shots, patients: &[&str]) -> Option<Vec<Vec<u32>>> {
        let patients: Vec<_> = patients.iter().map(|p| (!p.is_empty()).then(|| (*p).to_owned())).collect();
        Some(folds(shots, &patients)?.into_iter().map(|fold| fold.held_out).collect())
    }

    #[test]
    fn image_i_of_a_class_is_in_fold_i_mod_f() {
        assert_eq!(held_out(2, &[]), Some(vec![vec![0, 2], vec![1, 3]]));
        let six = vec![vec![0, 4, 6, 10], vec![1, 5, 7, 11], vec![2, 8], vec![3, 9]];
        assert_eq!(held_out(6, &[]), Some(six));
        assert_eq!(held_out(1, &[]), None);
    }

    #[test]
    fn every_fold_of_an_unbalanced_pair_holds_out_both_classes() {
        let pair = |normal, abnormal| Shots { normal, abnormal };
        // Abnormal images are 0 and 1, normal ones 2 to 6.
        assert_eq!(of(pair(5, 2), &[]), Some(vec![vec![0, 2, 4, 6], vec![1, 3, 5]]));
        // Abnormal images are 0 to 4, normal ones 5 to 7.
        assert_eq!(of(pair(3, 5), &[]), Some(vec![vec![0, 3, 5], vec![1, 4, 6], vec![2, 7]]));
        assert_eq!(of(pair(16, 6), &[]).map(|folds| folds.len()), Some(4));
        assert_eq!((of(pair(16, 0), &[]), of(pair(16, 1), &[]), of(pair(1, 8), &[])), (None, None, None));
        // The second abnormal image is of the first one's patient, who has a normal one too: fold 1 is left without.
        assert_eq!(of(pair(3, 2), &["a", "a", "a", "b", ""]), None);
        assert_eq!(of(pair(3, 2), &["a", "b", "", "a", "b"]), Some(vec![vec![0, 2, 3], vec![1, 4]]));
    }

    #[test]
    fn a_patient_is_in_one_fold() {
        // Abnormal images of a, b, c, d; normal ones of a, c, and two unknown.
        let patients = ["a", "b", "c", "d", "a", "c", "", ""];
        // c's normal image draws its abnormal one into fold 1, and of four or three folds one is left without a
        // diseased image.
        assert_eq!(held_out(4, &patients), Some(vec![vec![0, 4, 6], vec![1, 2, 3, 5, 7]]));
        let patients = ["a", "b", "c", "d", "", "b", "", "d"];
        assert_eq!(held_out(4, &patients), Some(vec![vec![0, 4], vec![1, 5], vec![2, 6], vec![3, 7]]));
    }

    #[test]
    fn one_patient_alone_can_not_be_split() {
        assert_eq!(held_out(4, &["a"; 8]), None);
        assert_eq!(held_out(2, &["a", "b", "b", "b"]), None, "fold 0 would have no normal image");
    }
}
