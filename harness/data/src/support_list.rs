//! Support list files: their names, and the two formats they come in (docs/method.md section 6).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use harness_config::{read_text, without_mark};
use harness_method::options::Side;
use harness_method::{Draw, DrawName, Shots};
use regex::Regex;

use crate::error::{DataError, Result};

/// One image of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Line in the file, from 1.
    pub line: u64,
    /// The image as written.
    pub image: String,
    /// The mask as written.
    pub mask: Option<String>,
}

/// The images of a list, in its order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SupportList {
    /// Normal images.
    pub normal: Vec<Listed>,
    /// Abnormal images.
    pub abnormal: Vec<Listed>,
    /// Columns of a table that are not read.
    pub unread: Vec<String>,
    /// In MVFA's format, where spaces separate names.
    pub(crate) in_lines: bool,
}

impl SupportList {
    /// The images of a class.
    pub(crate) fn of(&self, side: Side) -> &[Listed] {
        match side {
            Side::Normal => &self.normal,
            Side::Abnormal => &self.abnormal,
        }
    }

    /// # Errors
    /// [`DataError::ListCount`] where it has not the images of each class that `shots` has.
    pub(crate) fn check_count(&self, path: &Path, shots: Shots, draw: Draw) -> Result<()> {
        Side::BOTH.into_iter().try_for_each(|side| self.check_class(path, side, shots, draw))
    }

    /// The same of one class.
    pub(crate) fn check_class(&self, path: &Path, side: Side, shots: Shots, draw: Draw) -> Result<()> {
        let (found, wanted) = (self.of(side).len(), shots.of(side));
        if found == wanted as usize {
            return Ok(());
        }
        let (path, class) = (path.to_owned(), side.name());
        Err(DataError::ListCount { path, class, draw, found, wanted, shots })
    }
}

/// Whether a pattern, its variables replaced, has no placeholder but `{shots}` and `{draw}`.
pub(crate) fn placeholders_are_known(pattern: &str) -> bool {
    !pattern.replace("{shots}", "").replace("{draw}", "").contains(['{', '}'])
}

/// The list of a support set: a path below the root, or an absolute one.
pub(crate) fn expand(pattern: &str, shots: usize, draw: Draw) -> String {
    pattern.replace("{shots}", &shots.to_string()).replace("{draw}", &draw.to_string())
}

/// A list file that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListFile {
    /// The file.
    pub path: PathBuf,
    /// Shots by its name, where the pattern has them.
    pub shots: Option<usize>,
    /// Draw by its name, where the pattern has it.
    pub draw: Option<u64>,
}

/// All list files that fit the pattern, which starts at `root` unless it is absolute, sorted by shots, draw and path.
///
/// # Errors
/// [`DataError::Io`] for a folder that can't be read; a missing one holds no lists.
pub(crate) fn existing(root: &Path, pattern: &str) -> Result<Vec<ListFile>> {
    let mut found = vec![ListFile { path: root.to_owned(), shots: None, draw: None }];
    for component in Path::new(pattern).components() {
        // A pattern is UTF-8, and so is each part of it.
        let component = component.as_os_str().to_str().unwrap_or_default();
        let mut next = Vec::new();
        for file in &found {
            if !component.contains('{') {
                next.push(ListFile { path: file.path.join(component), ..file.clone() });
                continue;
            }
            let entries = match std::fs::read_dir(&file.path) {
                Ok(entries) => entries,
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
                Err(e) => return Err(DataError::io("read", &file.path)(e)),
            };
            for entry in entries {
                let entry = entry.map_err(DataError::io("read", &file.path))?;
                let name = entry.file_name();
                let Some((shots, draw)) = name.to_str().and_then(|name| fits(component, name)) else { continue };
                next.push(ListFile { path: entry.path(), shots: shots.or(file.shots), draw: draw.or(file.draw) });
            }
        }
        found = next;
    }
    found.retain(|file| file.path.is_file());
    found.sort_by(|a, b| (a.shots, a.draw, &a.path).cmp(&(b.shots, b.draw, &b.path)));
    Ok(found)
}

/// Shots and draw of a file name that fits one component of a pattern.
fn fits(component: &str, name: &str) -> Option<(Option<usize>, Option<u64>)> {
    // A placeholder that comes twice must say the same twice; only the first names a group.
    let mut pattern = regex::escape(component);
    for (placeholder, group) in [(r"\{shots\}", "(?<shots>[0-9]+)"), (r"\{draw\}", "(?<draw>[0-9]+)")] {
        pattern = pattern.replacen(placeholder, group, 1).replace(placeholder, "[0-9]+");
    }
    let found = Regex::new(&format!("^{pattern}$")).ok()?.captures(name)?;
    let shots = found.name("shots").and_then(|m| m.as_str().parse().ok());
    let draw = found.name("draw").and_then(|m| m.as_str().parse().ok());
    // Leading zeros and repeated placeholders: the name must be the one the pattern gives.
    (expand(component, shots.unwrap_or(0), Draw::Number(draw.unwrap_or(0))) == name).then_some((shots, draw))
}

/// Reads a list file in either format. `draw`: the one wanted, or all of the file. `draw_in_name`: the file's name says
/// its draw; else a CSV list holds draw 0 alone.
///
/// # Errors
/// [`DataError::Io`], [`DataError::List`].
pub(crate) fn read(path: &Path, draw: Option<u64>, draw_in_name: bool) -> Result<SupportList> {
    parse(path, &text(path)?, draw, draw_in_name)
}

/// Reads the list of a draw: the one of a number in a file of the pattern, or the only one of a file that has a name.
///
/// # Errors
/// As [`read`]; a file with a name that holds several draws.
pub(crate) fn read_draw(path: &Path, pattern: &str, draw: Draw) -> Result<SupportList> {
    match draw {
        Draw::Number(number) => read(path, Some(number), pattern.contains("{draw}")),
        Draw::Named(name) => parse_only(path, &text(path)?, name),
    }
}

/// Reads the text of a list that is a draw by its name.
///
/// # Errors
/// [`DataError::List`], also where it holds several draws.
pub(crate) fn parse_only(path: &Path, text: &str, name: DrawName) -> Result<SupportList> {
    let held = draws(without_mark(text));
    if held.len() > 1 {
        let held: Vec<String> = held.iter().map(u64::to_string).collect();
        let message = format!(
            "the list holds the draws {}, and the name `{name}` stands for one; use them by number through `support`, or keep \
             one in a file of its own",
            held.join(", ")
        );
        return Err(DataError::List { path: path.to_owned(), line: 1, message });
    }
    parse(path, text, held.first().copied(), true)
}

/// The text of a list file.
///
/// # Errors
/// [`DataError::Io`].
pub(crate) fn text(path: &Path) -> Result<String> {
    read_text(path).map_err(DataError::io("read the support list", path))
}

/// The draws that a list's text has, sorted; a table has one, 0.
pub(crate) fn draws(text: &str) -> BTreeSet<u64> {
    if is_table(text) {
        return BTreeSet::from([0]);
    }
    text.lines().filter_map(head).map(|(_, draw, _)| draw).collect()
}

/// Whether a list's text is a table, by its header.
fn is_table(text: &str) -> bool {
    let first = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let column = |name: &str| name.trim().trim_matches('"').eq_ignore_ascii_case("label");
    first.split([',', ';', '\t', '|']).any(column)
}

/// Reads a list's text; as the file at `path`, whose name is for messages, would be read.
///
/// # Errors
/// [`DataError::List`].
pub fn parse(path: &Path, text: &str, draw: Option<u64>, draw_in_name: bool) -> Result<SupportList> {
    let wrong = |line: u64, message: String| DataError::List { path: path.to_owned(), line, message };
    let text = without_mark(text);
    match text {
        empty if empty.trim().is_empty() => Err(wrong(1, "the list is empty".to_owned())),
        table if is_table(table) => {
            if let Some(draw) = draw.filter(|&draw| draw != 0 && !draw_in_name) {
                let message =
                    format!("the list holds one draw, 0, not {draw}; put {{draw}} into the dataset's `support`");
                return Err(wrong(1, message));
            }
            read_csv(path, text)
        }
        lines => read_lines(path, lines, draw),
    }
}

/// Side, draw and names of a line of MVFA's format.
fn head(line: &str) -> Option<(&str, u64, &str)> {
    let (head, names) = line.trim().split_once(':')?;
    let (side, draw) = head.split_once('-')?;
    Some((matches!(side, "a" | "n").then_some(side)?, draw.trim().parse().ok()?, names))
}

/// MVFA's format: lines `a-<draw>: name name ...` and `n-<draw>: ...`.
fn read_lines(path: &Path, text: &str, draw: Option<u64>) -> Result<SupportList> {
    let wrong = |line: u64, message: String| DataError::List { path: path.to_owned(), line, message };
    let mut list = SupportList { in_lines: true, ..SupportList::default() };
    let (mut draws, mut sides) = (Vec::new(), Vec::new());
    for (line, content) in (1..).zip(text.lines()).filter(|(_, content)| !content.trim().is_empty()) {
        let Some((side, number, names)) = head(content) else {
            let message =
                "neither `a-<draw>: name name ...` or `n-<draw>: ...`, nor a table with columns label,image,mask";
            return Err(wrong(line, message.to_owned()));
        };
        draws.push(number);
        if draw.is_some_and(|draw| draw != number) {
            continue;
        }
        if sides.contains(&(side, number)) {
            return Err(wrong(line, format!("a second line `{side}-{number}:`")));
        }
        sides.push((side, number));
        let listed = names.split_whitespace().map(|name| Listed { line, image: name.to_owned(), mask: None });
        if side == "a" { list.abnormal.extend(listed) } else { list.normal.extend(listed) }
    }
    if let Some(draw) = draw {
        for side in ["n", "a"] {
            if !sides.contains(&(side, draw)) {
                draws.sort_unstable();
                draws.dedup();
                let has: Vec<String> = draws.iter().map(u64::to_string).collect();
                return Err(wrong(1, format!("no line `{side}-{draw}:`; the list has draws {}", has.join(", "))));
            }
        }
    }
    Ok(list)
}

/// The table format: columns label (0 or 1), image and mask, paths below the root.
fn read_csv(path: &Path, text: &str) -> Result<SupportList> {
    let table = crate::table::Table::parse(path, text, &["label", "image"], &["mask"])?;
    let mut list = SupportList { unread: table.unread, ..SupportList::default() };
    for row in table.rows {
        let listed = Listed { line: row.line, image: row.required[1].clone(), mask: row.optional[0].clone() };
        if row.label(path, 0)? { list.abnormal.push(listed) } else { list.normal.push(listed) }
    }
    Ok(list)
}
