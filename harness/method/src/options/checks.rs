//! Checks of single values: what is wrong and what to do, or `None`.

use std::fmt::Display;

use crate::arch::MAX_IMAGE;

/// Images of at least one patch, and not too large.
pub fn image_size(size: usize, patch: usize) -> Option<String> {
    if size < patch {
        return Some(format!(
            "`image_size` {size} is smaller than the encoder's patch of {patch} pixels; choose at least {patch}"
        ));
    }
    (size > MAX_IMAGE).then(|| format!("`image_size` {size} is too large; choose at most {MAX_IMAGE}"))
}

/// Blocks that there are, ascending.
pub fn taps(taps: &[usize], layers: usize) -> Option<String> {
    let Some(last) = taps.last() else {
        return Some(format!("`taps` is empty; name some of the encoder's blocks 1 to {layers}"));
    };
    let list = |taps: &[usize]| taps.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let text = list(taps);
    let outside: Vec<usize> = taps.iter().copied().filter(|tap| !(1..=layers).contains(tap)).collect();
    if !outside.is_empty() {
        return Some(format!(
            "`taps` [{text}] names block {}, but the encoder has blocks 1 to {layers}; choose among those",
            list(&outside)
        ));
    }
    if let Some(pair) = taps.windows(2).find(|pair| pair[0] == pair[1]) {
        return Some(format!("`taps` has {} twice; remove one", pair[0]));
    }
    if taps.windows(2).any(|pair| pair[0] > pair[1]) {
        let mut sorted = taps.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        return Some(format!("`taps` [{text}] doesn't ascend up to {last}; write [{}]", list(&sorted)));
    }
    None
}

pub(super) fn repeats<T: PartialEq + Display>(option: &str, list: &[T]) -> Option<String> {
    let twice = list.iter().enumerate().find(|(i, item)| list[..*i].contains(item));
    twice.map(|(_, item)| format!("`{option}` has `{item}` twice; remove one"))
}
