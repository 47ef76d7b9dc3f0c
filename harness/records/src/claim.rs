//! Whether an experiment file is the one whose results a folder holds, or a copy that would replace them. A file that
//! was edited in place or moved is the same; a copy that goes its own way beside the other is not.

use std::collections::HashSet;
use std::path::{Component, Path, PathBuf};

use harness_experiment::{CellId, Plan};

use crate::provenance::Provenance;

/// The file whose results are in `folder`, where `experiment` is another one that would replace them: it is still there
/// and has the same name, and the two experiments have other cells. `before` is the plan of the last run, `now` that of
/// `experiment`.
pub(crate) fn other(
    folder: &Path,
    provenance: &Provenance,
    before: &Plan,
    now: &Plan,
    experiment: &Path,
) -> Option<PathBuf> {
    let known = &provenance.experiment;
    let cells = |plan: &Plan| plan.cells.iter().map(|cell| cell.id).collect::<HashSet<CellId>>();
    let moved = provenance.folder.as_ref().is_some_and(|then| together(then, known, folder, experiment));
    let is_other = !same(known, experiment) && !moved && claims(known, &now.name) && cells(before) != cells(now);
    is_other.then(|| known.clone())
}

/// Whether two paths lead to one file.
fn same(one: &Path, other: &Path) -> bool {
    let found = |path: &Path| path.canonicalize().or_else(|_| std::path::absolute(path)).ok();
    found(one) == found(other)
}

/// Whether results and experiment were moved or copied together: the way from one to the other is what it was.
fn together(then: &Path, known: &Path, now: &Path, experiment: &Path) -> bool {
    let (Ok(now), Ok(experiment)) = (std::path::absolute(now), std::path::absolute(experiment)) else { return false };
    then != now && way(then, known) == way(&now, &experiment)
}

/// The way from a folder to a file, both absolute.
fn way(folder: &Path, file: &Path) -> PathBuf {
    let (mut from, mut to) = (folder.components().peekable(), file.components().peekable());
    while from.peek().is_some() && from.peek() == to.peek() {
        from.next();
        to.next();
    }
    from.map(|_| Component::ParentDir).chain(to).collect()
}

/// Whether a file is there and an experiment of this name. One that is not, or has another name by now, claims nothing.
fn claims(file: &Path, name: &str) -> bool {
    let read = || toml::from_str::<toml::Table>(&std::fs::read_to_string(file).ok()?).ok();
    let Some(table) = read() else { return false };
    // What a name with a variable in it stands for is not known here.
    table.get("name").and_then(toml::Value::as_str).is_some_and(|found| found == name || found.contains("${"))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_file_claims_results_while_it_is_there_and_has_the_name() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("busi.toml");
        assert!(!claims(&file, "busi"));
        for (text, claimed) in
            [("name = \"busi\"\n", true), ("name = \"${N:-busi}\"", true), ("name = \"liver\"", false), ("=", false)]
        {
            std::fs::write(&file, text).unwrap();
            assert_eq!(claims(&file, "busi"), claimed, "{text}");
        }
        assert!(same(&file, &folder.path().join("./busi.toml")) && !same(&file, &folder.path().join("y.toml")));
    }

    #[test]
    fn what_moved_together_keeps_the_way_from_one_to_the_other() {
        let ways = |then: &str, known: &str, now: &str, experiment: &str| {
            together(Path::new(then), Path::new(known), Path::new(now), Path::new(experiment))
        };
        assert_eq!(way(Path::new("/a/reports/busi"), Path::new("/a/busi.toml")), Path::new("../../busi.toml"));
        assert!(ways("/a/reports/busi", "/a/busi.toml", "/b/c/reports/busi", "/b/c/busi.toml"));
        assert!(!ways("/a/reports/busi", "/a/busi.toml", "/b/reports/busi", "/b/other.toml"));
        assert!(!ways("/a/reports/busi", "/a/busi.toml", "/a/reports/busi", "/a/busi.toml"), "nothing moved");
    }
}
