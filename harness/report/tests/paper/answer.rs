//! The first lines of a report: what its comparisons come to, and what failed.

use crate::inputs::{ablation, tables};

#[test]
fn the_report_begins_with_the_answer_and_says_what_failed() {
    let report = tables(&ablation())["report.md"].clone();
    let answer = report.split("\n\n").nth(1).unwrap();
    assert_eq!(
        answer,
        "Against `base` on Brain, K = 4, 1 draw, 2 seeds: worse: `single & alone` AC −0.120 [−0.150, −0.090], p < 0.001; \
         `single & alone` AS −0.070 [−0.080, −0.060], p = 0.020. No other difference is significant (AC, AC by detection, AS; \
         Holm)."
    );
    assert!(
        report.contains("\n**1 of 7 cells failed** ([list](#failed-cells)):\n\n- 1 cell of `free`: timeout: 60 s\n"),
        "{report}"
    );
    assert!(report.split("\n\n").nth(2).unwrap().starts_with("One support set: "), "{report}");
    assert!(report.contains("\nFor research, not for diagnosis.\n"));
    // With one seed the interval knows no other.
    let mut single = ablation();
    single.results.retain(|row| row.seed == 0);
    single.differences.iter_mut().for_each(|row| row.p_holm = 0.5);
    let files = tables(&single);
    let first: Vec<&str> = files["report.md"].split("\n\n").skip(1).take(2).collect();
    assert!(first[0].contains("1 draw, 1 seed: no variant was shown to differ (AC, AC by detection, AS; Holm). Largest: `single & alone` AC −0.120"), "{first:?}");
    assert!(first[1].starts_with("One training each: "), "{first:?}");
    assert!(files["ablation.md"].contains("One training each: "));
}
