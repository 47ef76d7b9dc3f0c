//! Filters choose cells by their axes, their status and their ids.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod common;

use common::{World, file_with};
use harness_experiment::{Cell, CellStatus, Filter, Plan};

fn plan() -> Plan {
    let edits = [("datasets", "[\"Brain\", \"OCT17\"]"), ("shots", "[2, 4]"), ("seeds", "[0, 1]")];
    World::default().plan(&file_with(&edits, "")).unwrap()
}

fn chosen(plan: &Plan, text: &str, status: impl Fn(&Cell) -> CellStatus) -> usize {
    let filter = Filter::parse(text, plan).unwrap();
    plan.cells.iter().filter(|cell| filter.meets(cell, status(cell))).count()
}

#[test]
fn terms_must_all_hold_and_values_of_one_are_alternatives() {
    let plan = plan();
    let of = |text| chosen(&plan, text, |_| CellStatus::Done);
    let all = plan.cells.len();
    assert_eq!(of("dataset=Brain"), all / 2);
    assert_eq!(of("datasets=Brain,OCT17"), all);
    assert_eq!(of("dataset=Brain  shots=4 seed=1"), all / 8);
    assert_eq!(of("target=OCT17 dataset=Brain"), 0);
    assert_eq!(of("variant=base"), all);
    assert_eq!(of(&format!("cell={}", &plan.cells[0].id.to_string()[..10])), 1);
}

#[test]
fn a_status_stands_by_itself_or_under_its_key() {
    let plan = plan();
    let first = plan.cells[0].id;
    let status = |cell: &Cell| if cell.id == first { CellStatus::Failed } else { CellStatus::NotRun };
    assert_eq!(chosen(&plan, "failed", status), 1);
    assert_eq!(chosen(&plan, "status=failed,not-run", status), plan.cells.len());
    assert_eq!(chosen(&plan, "status=done", status), 0);
    assert_eq!(chosen(&plan, "failed shots=4", status), 0);
}

#[test]
fn what_is_not_in_the_experiment_is_told_with_what_is() {
    let plan = plan();
    for (text, says) in [
        ("dataset=Brian", "did you mean `Brain`?"),
        ("dataset=x", "it has `Brain`, `OCT17`"),
        ("shots=four", "it has `2`, `4`"),
        ("shot=8", "shots `8` is not in the experiment"),
        ("colour=red", "keys are `variant`, `dataset`"),
        ("done=", "there is no key `done`"),
        ("draw=0 draws=0", "`draw` is given twice"),
        ("", "it is empty"),
    ] {
        let error = Filter::parse(text, &plan).unwrap_err().to_string();
        assert!(error.starts_with(&format!("filter `{text}`: ")) && error.contains(says), "{error}");
    }
}
