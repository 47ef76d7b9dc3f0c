//! The name that was probably meant.

/// The known name nearest to a typed one, or nothing where none is near: a third of its characters may differ, or its
/// end be missing.
pub fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = fold(typed);
    let length = folded.chars().count();
    let limit = (length / 3).max(1);
    let begins = |name: &str| length >= 3 && fold(name).starts_with(&folded);
    known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&folded, &fold(name)), name))
        .filter(|(distance, name)| *distance <= limit || begins(name))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Case and the choice of separator are what people mix up most.
fn fold(name: &str) -> String {
    // Names are short; a long text would make the distance slow and is near nothing.
    name.chars().take(200).flat_map(char::to_lowercase).map(|c| if c == '-' { '_' } else { c }).collect()
}

/// Names in back quotes, by commas.
pub fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
