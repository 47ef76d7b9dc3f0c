//! Cells laid out as Markdown and as LaTeX. Where the cells come from is in `frame`.

/// A table of words.
pub(crate) struct Grid {
    /// Column names.
    pub(crate) header: Vec<String>,
    /// Cells, row by row, each as wide as the header.
    pub(crate) rows: Vec<Vec<String>>,
    /// Columns that are aligned to the right.
    pub(crate) right: Vec<bool>,
}

pub(crate) fn markdown(grid: &Grid) -> String {
    if grid.header.is_empty() {
        return String::new();
    }
    let escape = |cell: &String| one_line(cell).replace('|', "\\|");
    let header: Vec<String> = grid.header.iter().map(escape).collect();
    let rows: Vec<Vec<String>> = grid.rows.iter().map(|row| row.iter().map(escape).collect()).collect();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        // Three is the least a rule of dashes may have.
        cells.chain(header.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0).max(3)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let line = |cells: &[String]| {
        let mut line = String::from("|");
        for ((cell, width), right) in cells.iter().zip(&widths).zip(&grid.right) {
            let filled = if *right { format!(" {cell:>width$} |") } else { format!(" {cell:<width$} |") };
            line.push_str(&filled);
        }
        line.push('\n');
        line
    };
    let mut out = line(&header);
    out.push('|');
    for (width, right) in widths.iter().zip(&grid.right) {
        let rule = "-".repeat(width + 1);
        out.push_str(&if *right { format!("{rule}:|") } else { format!("{rule}-|") });
    }
    out.push('\n');
    rows.iter().for_each(|row| out.push_str(&line(row)));
    out
}

pub(crate) fn latex(grid: &Grid) -> String {
    let align: String = grid.right.iter().map(|right| if *right { 'r' } else { 'l' }).collect();
    let line = |cells: &[String]| {
        let cells: Vec<String> = cells.iter().map(|cell| latex_escape(cell)).collect();
        format!("{} \\\\\n", cells.join(" & "))
    };
    let mut out = format!("\\begin{{tabular}}{{{align}}}\n\\toprule\n{}\\midrule\n", line(&grid.header));
    grid.rows.iter().for_each(|row| out.push_str(&line(row)));
    out.push_str("\\bottomrule\n\\end{tabular}\n");
    out
}

fn one_line(cell: &str) -> String {
    cell.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn latex_escape(cell: &str) -> String {
    let mut out = String::new();
    for c in one_line(cell).chars() {
        match c {
            '&' | '%' | '$' | '#' | '_' | '{' | '}' => out.extend(['\\', c]),
            '\\' => out.push_str("\\textbackslash{}"),
            '~' => out.push_str("\\textasciitilde{}"),
            '^' => out.push_str("\\textasciicircum{}"),
            '±' => out.push_str("$\\pm$"),
            '−' => out.push_str("$-$"),
            '–' => out.push_str("--"),
            '†' => out.push_str("\\dag{}"),
            c => out.push(c),
        }
    }
    out
}
