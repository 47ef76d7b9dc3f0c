//! A table in LaTeX that fits its line without being shrunk: by narrower columns, by several tables beside a stub that
//! each of them repeats, and over pages where it is longer than one. Written by hand: no kept library makes booktabs
//! tables with bold cells, common headings and escapes that every TeX engine reads.

use std::fmt::Write;

use crate::text::{Grid, heading, latex_escape};

/// What a table must fit, and what it says above its lines.
#[derive(Clone, Copy, Debug, Default)]
pub struct Layout<'a> {
    /// Width of the line in millimetres.
    pub millimetres: f64,
    /// A line above all others; empty for none.
    pub banner: &'a str,
}

/// A size of type: its command, how wide it is beside that of ten points, and the distance of its lines in points.
struct Size {
    command: &'static str,
    width: f64,
    line: f64,
}

/// Nine, eight and seven points where text has ten.
const SIZES: [Size; 3] = [
    Size { command: "small", width: 0.925, line: 11.0 },
    Size { command: "footnotesize", width: 0.85, line: 9.5 },
    Size { command: "scriptsize", width: 0.797, line: 8.0 },
];

/// Points in a millimetre.
const MILLIMETRE: f64 = 72.27 / 25.4;
/// Points on each side of a column.
const SEPARATION: f64 = 4.0;
/// Widths in millimetres that columns of words are cut to, one after the other.
const CAPS: [f64; 4] = [f64::INFINITY, 45.0, 32.0, 24.0];
/// Points that a table may be high: the smallest of the usual pages, less a caption.
const PAGE: f64 = 450.0;

/// What cells of a column of numbers share.
#[derive(Default)]
struct Shared {
    /// Digits after the point.
    decimals: usize,
    /// The longest text that follows a number, such as its deviation.
    rest: String,
    /// Width of the widest marks, ten points an em.
    marks: f64,
    /// Width that words are broken to.
    words: f64,
}

/// Least width that words among numbers are broken to, at ten points.
const WORDS: f64 = 62.0;

struct Column {
    right: bool,
    /// Of the widest cell or part of the heading, at ten points.
    width: f64,
    /// Lines of its heading.
    head: Vec<String>,
    shared: Shared,
}

impl Column {
    fn of(grid: &Grid, at: usize) -> Self {
        let right = grid.right.get(at).copied().unwrap_or_default();
        let cells = || grid.rows.iter().filter_map(|row| row.get(at)).map(String::as_str);
        let mut shared = Shared::default();
        let mut width = 0.0_f64;
        if right {
            let numbers: Vec<Number<'_>> = cells().filter_map(Number::of).collect();
            for number in &numbers {
                shared.decimals = shared.decimals.max(number.decimals());
                shared.marks = shared.marks.max(of_text(number.marks));
                if of_text(number.rest) > of_text(&shared.rest) {
                    shared.rest = number.rest.to_owned();
                }
            }
            if !shared.rest.is_empty() {
                shared.decimals = 0;
            }
            let value = numbers.iter().map(|number| of_text(number.value)).fold(0.0, f64::max);
            let decimals = if shared.decimals > 0 { 2.8 } else { 0.0 };
            let marks = if shared.marks > 0.0 { shared.marks + 2.0 } else { 0.0 };
            width = value + of_text(&shared.rest) + marks + decimals;
        }
        // Words among numbers go on in further lines where they are much wider.
        shared.words = width.max(WORDS);
        let words = cells().filter(|cell| !right || Number::of(cell).is_none());
        let wide = |cell: &str| {
            let lines = if right { broken(cell, shared.words) } else { vec![cell.to_owned()] };
            lines.iter().map(|line| of_text(line)).fold(0.0, f64::max)
        };
        width = words.map(wide).fold(width, f64::max);
        let name = heading(grid, at);
        let longest = pieces(name).into_iter().map(|piece| of_text(piece.trim_end())).fold(0.0, f64::max);
        let room = width.max(longest);
        let head = if right { broken(name, room) } else { vec![name.to_owned()] };
        let widest = head.iter().map(|line| of_text(line)).fold(0.0, f64::max);
        Self { right, width: width.max(widest), head, shared }
    }

    /// Points that it takes at a size, words cut to a width.
    fn points(&self, size: &Size, cap: f64) -> f64 {
        let own = self.width * size.width;
        if self.right { own } else { own.min(cap * MILLIMETRE) }
    }

    fn is_cut(&self, size: &Size, cap: f64) -> bool {
        !self.right && self.width * size.width > cap * MILLIMETRE
    }
}

/// A number with what follows it.
struct Number<'a> {
    value: &'a str,
    rest: &'a str,
    marks: &'a str,
}

impl<'a> Number<'a> {
    /// `None` for words.
    fn of(cell: &'a str) -> Option<Self> {
        let is_mark = |c: char| "†‡≈ \u{a0}".contains(c);
        let mut bare = cell.trim_end_matches(is_mark);
        // The number of a note below the table.
        if let Some((before, note)) = bare.strip_suffix(')').and_then(|bare| bare.rsplit_once(" ("))
            && note.chars().all(|c| c.is_ascii_digit())
        {
            bare = before.trim_end_matches(is_mark);
        }
        let marks = cell[bare.len()..].trim();
        let digits = bare.trim_start_matches(['+', '−', '<', ' ', '\u{a0}']);
        if !digits.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        let signs = bare.len() - digits.len();
        let end = digits.find([' ', '\u{a0}']).map_or(bare.len(), |at| signs + at);
        Some(Self { value: &bare[..end], rest: &bare[end..], marks })
    }

    fn decimals(&self) -> usize {
        let after = self.value.split_once('.').map_or("", |(_, after)| after);
        after.chars().take_while(char::is_ascii_digit).count()
    }
}

/// How a table is laid out.
struct Fit {
    size: &'static Size,
    cap: f64,
    /// Columns of each of the tables.
    parts: Vec<Vec<usize>>,
}

impl Fit {
    fn of(grid: &Grid, columns: &[Column], layout: &Layout<'_>) -> Self {
        let line = layout.millimetres * MILLIMETRE;
        let all: Vec<usize> = (0..columns.len()).collect();
        let [small, footnote, script] = &SIZES;
        for cap in CAPS {
            for size in [small, footnote] {
                if width(grid, columns, &all, size, cap) <= line {
                    return Self { size, cap, parts: vec![all] };
                }
            }
        }
        let fits = |part: &[usize], size, cap| width(grid, columns, part, size, cap) <= line;
        let sizes = [(footnote, 32.0), (footnote, 24.0), (script, 32.0), (script, 24.0), (script, 18.0)];
        // What is the same in all rows tells none from another; and a stub must leave room for something beside it.
        let mut stub: Vec<usize> = (0..grid.stub.min(columns.len())).filter(|at| varies(grid, *at)).collect();
        while stub.len() > 1 && width(grid, columns, &stub, script, 18.0) > 0.7 * line {
            stub.pop();
        }
        let groups = groups(grid, &all, &stub);
        let together = |size, cap| groups.iter().all(|group| fits(&[&stub[..], group].concat(), size, cap));
        let alone = |size, cap| groups.iter().flatten().all(|at| fits(&[&stub[..], &[*at]].concat(), size, cap));
        let found = sizes.into_iter().find(|(size, cap)| together(*size, *cap));
        let found = found.or_else(|| sizes.into_iter().find(|(size, cap)| alone(*size, *cap)));
        let (size, cap) = found.unwrap_or((script, 18.0));
        let mut parts: Vec<Vec<usize>> = Vec::new();
        let mut open = stub.clone();
        for group in groups {
            if fits(&[&open[..], &group].concat(), size, cap) {
                open.extend(group);
                continue;
            }
            if open.len() > stub.len() {
                parts.push(std::mem::replace(&mut open, stub.clone()));
            }
            for at in group {
                if open.len() > stub.len() && !fits(&[&open[..], &[at]].concat(), size, cap) {
                    parts.push(std::mem::replace(&mut open, stub.clone()));
                }
                open.push(at);
            }
        }
        if open.len() > stub.len() || parts.is_empty() {
            parts.push(open);
        }
        parts.iter_mut().for_each(|part| part.sort_unstable());
        Self { size, cap, parts }
    }
}

fn varies(grid: &Grid, at: usize) -> bool {
    let mut cells = grid.rows.iter().map(|row| row.get(at));
    let first = cells.next();
    first.is_none_or(|first| grid.rows.len() == 1 || cells.any(|cell| cell != first))
}

/// Columns beside a stub that stay together: those below a heading.
fn groups(grid: &Grid, all: &[usize], stub: &[usize]) -> Vec<Vec<usize>> {
    let of = |at: usize| grid.spans.iter().position(|(span, _)| span.contains(&at));
    let others: Vec<usize> = all.iter().copied().filter(|at| !stub.contains(at)).collect();
    others.chunk_by(|a, b| of(*a).is_some() && of(*a) == of(*b)).map(<[usize]>::to_vec).collect()
}

/// Points that columns take.
fn width(grid: &Grid, columns: &[Column], part: &[usize], size: &Size, cap: f64) -> f64 {
    let between = 2.0 * SEPARATION;
    let own: f64 = part.iter().filter_map(|at| columns.get(*at)).map(|column| column.points(size, cap)).sum();
    let mut more = 0.0;
    for (span, name) in &grid.spans {
        let below: Vec<f64> =
            part.iter().filter(|at| span.contains(at)).map(|at| columns[*at].points(size, cap) + between).collect();
        let longest = pieces(name).into_iter().map(|piece| of_text(piece.trim_end())).fold(0.0, f64::max);
        if !below.is_empty() {
            more += (longest * size.width + between - below.iter().sum::<f64>()).max(0.0);
        }
    }
    own + more + between * (part.len() as f64 - 1.0)
}

/// The table; `layout` says what it must fit. It is one group with a paragraph of its own.
pub(crate) fn latex(grid: &Grid, layout: &Layout<'_>) -> String {
    let columns: Vec<Column> = (0..grid.header.len()).map(|at| Column::of(grid, at)).collect();
    let fit = Fit::of(grid, &columns, layout);
    // Tables that stand below one another need a page together.
    let long = height(grid, &columns, &fit) * fit.parts.len() as f64 > PAGE;
    let mut out = String::new();
    if !grid.bold.is_empty() {
        out.push_str(BEST);
    }
    let _ = writeln!(out, "{{\\smallskip\\{}\\setlength{{\\tabcolsep}}{{{SEPARATION}pt}}%", fit.size.command);
    for (number, part) in fit.parts.iter().enumerate() {
        if number > 0 {
            out.push_str("\\par\\medskip\n");
        }
        tabular(&mut out, grid, &columns, (&fit, part), long, layout.banner);
    }
    out.push_str("\\par}\n");
    out
}

/// What is bold stays where it would stand otherwise, so that decimal points do.
const BEST: &str = "\\providecommand{\\harnessbest}[1]{\\leavevmode\\rlap{\\kern-.17em\\textbf{#1}}\\hphantom{#1}}%\n";

/// Points that the lines of a table take.
fn height(grid: &Grid, columns: &[Column], fit: &Fit) -> f64 {
    let lines = |row: &Vec<String>| {
        let of_cell = |(column, cell): (&Column, &String)| match column.is_cut(fit.size, fit.cap) {
            // What is broken between words leaves a part of each line empty.
            true => (1.25 * of_text(cell) * fit.size.width / (fit.cap * MILLIMETRE)).ceil().max(1.0),
            false => 1.0,
        };
        columns.iter().zip(row).map(of_cell).fold(1.0, f64::max)
    };
    let rules = 6.0 * (grid.rules.len() + 3) as f64;
    (grid.rows.iter().map(lines).sum::<f64>() + 3.0) * fit.size.line + rules
}

fn tabular(out: &mut String, grid: &Grid, columns: &[Column], (fit, part): (&Fit, &[usize]), long: bool, banner: &str) {
    let align: String = part
        .iter()
        .map(|at| match &columns[*at] {
            column if column.right => "r".to_owned(),
            column if column.is_cut(fit.size, fit.cap) => format!("p{{{}mm}}", fit.cap),
            _ => "l".to_owned(),
        })
        .collect();
    let kind = if long { "longtable" } else { "tabular" };
    let _ = write!(out, "\\begin{{{kind}}}{{@{{}}{align}@{{}}}}\n\\toprule\n");
    if !banner.is_empty() {
        let _ = write!(
            out,
            "\\multicolumn{{{}}}{{@{{}}l@{{}}}}{{\\textbf{{{}}}}} \\tabularnewline\n\\midrule\n",
            part.len(),
            latex_escape(banner)
        );
    }
    out.push_str(&headings(grid, columns, part));
    let head = part.iter().map(|at| {
        let lines: Vec<String> = columns[*at].head.iter().map(|line| in_italics(&latex_escape(line))).collect();
        if lines.len() > 1 { format!("\\shortstack[r]{{{}}}", lines.join("\\\\")) } else { lines.concat() }
    });
    line(out, &head.collect::<Vec<_>>());
    out.push_str("\\midrule\n");
    if long {
        out.push_str("\\endhead\n");
    }
    for (number, row) in grid.rows.iter().enumerate() {
        if number > 0 && grid.rules.contains(&number) {
            out.push_str("\\midrule\n");
        }
        let cells = part.iter().map(|at| {
            let cell = row.get(*at).map_or("", String::as_str);
            let (column, bold) = (&columns[*at], grid.bold.contains(&(number, *at)));
            match column.right {
                true => of_number(cell, &column.shared, bold),
                false => of_words(cell, column.is_cut(fit.size, fit.cap), bold),
            }
        });
        line(out, &cells.collect::<Vec<_>>());
    }
    let _ = write!(out, "\\bottomrule\n\\end{{{kind}}}\n");
}

fn line(out: &mut String, cells: &[String]) {
    let line = cells.join(" & ");
    // At the start of a line, brackets and stars would be read as options of the line break before it.
    let guard = if line.starts_with(['[', '*']) { "{}" } else { "" };
    let _ = writeln!(out, "{guard}{line} \\tabularnewline");
}

/// The line of common headings and the rules below them.
fn headings(grid: &Grid, columns: &[Column], part: &[usize]) -> String {
    let of = |at: usize| grid.spans.iter().find(|(span, _)| span.contains(&at));
    if part.iter().all(|at| of(*at).is_none()) {
        return String::new();
    }
    let (mut cells, mut rules, mut column) = (Vec::new(), String::new(), 0);
    for run in part.chunk_by(|a, b| of(*a).is_some() && of(*a) == of(*b)) {
        match run.first().and_then(|at| of(*at)) {
            Some((_, name)) => {
                let own: f64 = run.iter().map(|at| columns[*at].width).sum();
                let lines = broken(name, own + 2.0 * SEPARATION * (run.len() as f64 - 1.0));
                let lines: Vec<String> = lines.iter().map(|line| latex_escape(line)).collect();
                let name = match lines.as_slice() {
                    [one] => one.clone(),
                    several => format!("\\shortstack{{{}}}", several.join("\\\\")),
                };
                cells.push(format!("\\multicolumn{{{}}}{{c}}{{{name}}}", run.len()));
                let _ = write!(rules, "\\cmidrule(lr){{{}-{}}}", column + 1, column + run.len());
            }
            None => cells.push(String::new()),
        }
        column += run.len();
    }
    format!("{} \\tabularnewline\n{rules}\n", cells.join(" & "))
}

/// A cell of words, which may go on in a further line after a hyphen and the like.
fn of_words(cell: &str, cut: bool, bold: bool) -> String {
    let words = match cut {
        true => {
            let pieces: Vec<String> = pieces(cell).into_iter().map(latex_escape).collect();
            format!("\\raggedright {}", pieces.join("\\allowbreak{}"))
        }
        false => latex_escape(cell),
    };
    if bold { format!("\\textbf{{{words}}}") } else { words }
}

/// A cell of a column of numbers: decimal points stand below one another, marks beside them.
fn of_number(cell: &str, shared: &Shared, bold: bool) -> String {
    let Some(number) = Number::of(cell) else {
        let lines: Vec<String> = broken(cell, shared.words).iter().map(|line| latex_escape(line)).collect();
        return match lines.as_slice() {
            [] => String::new(),
            [one] if one.is_empty() => String::new(),
            [one] => format!("\\multicolumn{{1}}{{c}}{{{one}}}"),
            several => format!("\\multicolumn{{1}}{{c}}{{\\shortstack{{{}}}}}", several.join("\\\\")),
        };
    };
    let value = latex_escape(number.value);
    let mut out = if bold { format!("\\harnessbest{{{value}}}") } else { value };
    out.push_str(&latex_escape(number.rest));
    if number.rest.is_empty() && !shared.rest.is_empty() {
        let _ = write!(out, "\\hphantom{{{}}}", latex_escape(&shared.rest));
    }
    let missing = shared.decimals.saturating_sub(number.decimals());
    if missing > 0 {
        let point = if number.decimals() == 0 { "." } else { "" };
        let _ = write!(out, "\\hphantom{{{point}{}}}", "0".repeat(missing));
    }
    if shared.marks > 0.0 {
        let space = if number.marks.starts_with('≈') { "\\," } else { "" };
        let marks = latex_escape(number.marks);
        let _ = write!(out, "\\makebox[{:.2}em][l]{{{space}{marks}}}", shared.marks / 10.0 + 0.2);
    }
    out
}

/// `p` in italics, as a heading has it.
fn in_italics(name: &str) -> String {
    match name.strip_suffix('p') {
        Some("") => "\\textit{p}".to_owned(),
        Some(before) if before.ends_with(' ') => format!("{before}\\textit{{p}}"),
        _ => name.to_owned(),
    }
}

/// Parts of a name between which it may go on in a further line.
fn pieces(name: &str) -> Vec<&str> {
    // Points, at ten points: the narrowest column has room for it.
    const LONGEST: f64 = 58.0;
    let mut found = Vec::new();
    for mut part in name.split_inclusive(['-', '_', ' ', '/', ',', '+', '=', ':']) {
        // What has no place to break is broken anywhere.
        while of_text(part.trim_end()) > LONGEST {
            let ends = part.char_indices().map(|(at, c)| at + c.len_utf8());
            let Some(at) = ends.take_while(|at| of_text(&part[..*at]) <= LONGEST).last() else { break };
            found.push(&part[..at]);
            part = &part[at..];
        }
        found.push(part);
    }
    found
}

/// A heading in lines no wider than `room` where its parts allow that.
fn broken(name: &str, room: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for piece in pieces(name) {
        match lines.last_mut() {
            Some(last) if of_text(&format!("{last}{}", piece.trim_end())) <= room => last.push_str(piece),
            _ => lines.push(piece.to_owned()),
        }
    }
    lines.iter().map(|line| line.trim_end().to_owned()).collect()
}

/// Width in points of a text in Computer Modern at ten points, which is wider than most.
fn of_text(text: &str) -> f64 {
    let of = |c: char| match c {
        '0'..='9' | 'a' | 'g' | 'o' | '$' | '*' | '/' | '–' | '"' | '{' | '}' => 5.0,
        'i' | 'l' | '.' | ',' | ':' | ';' | '!' | '\'' | '[' | ']' | '|' => 2.8,
        'b' | 'd' | 'h' | 'k' | 'n' | 'p' | 'q' | 'u' | 'v' | 'x' | 'y' | 'S' => 5.6,
        'c' | 'e' | 'z' | '?' | '†' | '‡' => 4.5,
        'f' | 'j' | ' ' | '\u{a0}' | '-' => 3.4,
        'r' | 's' | 't' | '(' | ')' | 'I' | '_' => 4.0,
        'm' | '#' | '%' => 8.4,
        'w' | 'B' | 'C' | 'R' | 'T' => 7.3,
        'E' | 'F' | 'P' | 'L' | 'Z' | 'J' => 6.9,
        'M' | 'W' => 10.3,
        '+' | '±' | '−' | '≈' | '≥' | '<' | '>' | '=' | '×' | '&' | '@' => 7.8,
        'A' | 'D' | 'G' | 'H' | 'K' | 'N' | 'O' | 'Q' | 'U' | 'V' | 'X' | 'Y' => 7.9,
        'à'..='ÿ' => 5.6,
        'À'..='Þ' => 8.0,
        // As its number.
        _ => 45.0,
    };
    text.chars().map(of).sum()
}
