//! Images by the names that lists give them: a path below the root, or its end where that fits one image alone.

use std::collections::BTreeMap;

use harness_config::suggest::nearest;

use crate::alike::composed;
use crate::item::Item;

/// Candidates that a message names.
const NAMED: usize = 5;

/// Images that a list may name.
pub(crate) struct Names<'a> {
    whole: BTreeMap<&'a str, &'a Item>,
    /// By every end of a name that begins after a `/`.
    ends: BTreeMap<&'a str, Vec<&'a Item>>,
}

impl<'a> Names<'a> {
    pub(crate) fn of(items: &'a [Item]) -> Self {
        let mut ends: BTreeMap<&str, Vec<&Item>> = BTreeMap::new();
        for item in items {
            for (at, _) in item.name.match_indices('/') {
                ends.entry(&item.name[at + 1..]).or_default().push(item);
            }
        }
        Self { whole: items.iter().map(|item| (item.name.as_str(), item)).collect(), ends }
    }

    /// The image of a name; none where no image has it.
    ///
    /// # Errors
    /// Several images have it: which, and what to write.
    pub(crate) fn find(&self, name: &str) -> Result<Option<&'a Item>, String> {
        let found = self.exactly(name)?;
        // As Windows writes paths. Elsewhere `\` may stand in a name, which was looked for first.
        if found.is_none() && name.contains('\\') {
            return self.exactly(&name.replace('\\', "/"));
        }
        // Accents may be letters of their own in a name that comes from macOS.
        if found.is_none() && !name.is_ascii() {
            let wanted = composed(name);
            let other = self.ends.keys().chain(self.whole.keys()).find(|known| composed(known) == wanted);
            return other.map_or(Ok(None), |other| self.exactly(other));
        }
        Ok(found)
    }

    fn exactly(&self, name: &str) -> Result<Option<&'a Item>, String> {
        let name = name.trim_start_matches("./");
        if let Some(item) = self.whole.get(name) {
            return Ok(Some(item));
        }
        match self.ends.get(name).map(Vec::as_slice) {
            None | Some([]) => Ok(None),
            Some([item]) => Ok(Some(item)),
            Some(several) => {
                let mut names: Vec<&str> = several.iter().take(NAMED).map(|item| item.name.as_str()).collect();
                names.extend((several.len() > NAMED).then_some("..."));
                let (count, names) = (several.len(), names.join(", "));
                Err(format!("`{name}` is the name of {count} images ({names}); write the path below the root"))
            }
        }
    }

    /// The name that was probably meant: one by which a longer path ends, the same but for its extension or case, or
    /// one that differs little.
    pub(crate) fn near(&self, name: &str) -> Option<&'a str> {
        let path = name.replace('\\', "/");
        let mut ends = path.match_indices('/').map(|(at, _)| &path[at + 1..]);
        if let Some(item) = ends.find_map(|end| self.exactly(end).ok().flatten()) {
            return Some(&item.name);
        }
        let names = || self.ends.keys().chain(self.whole.keys()).copied();
        let stem = |name: &str| name.rsplit_once('.').map_or(name, |(stem, _)| stem).to_lowercase();
        let wanted = stem(name);
        names().find(|known| stem(known) == wanted).or_else(|| nearest(name, names()))
    }
}

/// A path as lists write it, with `/` and without a `./` before it.
pub(crate) fn plain(path: &str) -> String {
    path.replace('\\', "/").trim_start_matches("./").to_owned()
}
