//! The code of `docs/python.md`, run on the results of a small experiment.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

mod common;

use std::process::Command;

use common::Place;

#[test]
fn the_page_on_python_runs_as_it_stands() {
    let python = std::env::var("HARNESS_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let packages = "import pandas, polars, pyarrow, safetensors, numpy";
    if !Command::new(&python).args(["-c", packages]).output().is_ok_and(|output| output.status.success()) {
        println!("skipped: `{python}` lacks some of {packages}; HARNESS_PYTHON names another");
        return;
    }
    let place = Place::new();
    place.run(&[]).expect(0);
    let page = std::fs::read_to_string(harness_tests::root().join("docs/python.md")).unwrap();
    let blocks: Vec<&str> = page.split("```python\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(blocks.len() >= 5);
    let script = blocks.join("\n").replace("reports/mine", "out");
    place.write("page.py", &script);
    let output = Command::new(&python).arg("page.py").current_dir(place.file("")).output().unwrap();
    let (out, wrong) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{wrong}");
    for part in ["base", "high", "madclip", "normal."] {
        assert!(out.contains(part), "`{part}` is not in: {out}");
    }
}
