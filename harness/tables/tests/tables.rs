//! Promises of the tables: rows survive their files, files are whole or absent, text is readable.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use std::fs;
use std::path::Path;

use harness_method::{Draw, ImageScore, Selection, Shots};
use harness_metrics::Metric;
use harness_tables::{
    CurveRow, Frame, Layout, Query, ResultRow, ScoreRow, Smoke, Status, TablesError, Values, count, distinct,
    read_curve, read_parquet, read_results, read_scores, row, values, write_curve, write_parquet, write_results,
    write_scores,
};

fn done() -> ResultRow {
    ResultRow {
        cell: "c-1".into(),
        experiment: "e".into(),
        variant: "released".into(),
        dataset: "LggMri".into(),
        trained_on: "LggMri".into(),
        shots: Shots::each(4),
        draw: Draw::Number(u64::MAX),
        seed: 1 << 60,
        backend: "flex".into(),
        selection: Selection::Last,
        epoch: Some(59),
        image_score: Some(ImageScore::MapMax),
        metric: Some(Metric::ImageAuroc),
        value: Some(0.1 + 0.2),
        n_images: Some(200),
        support_hash: "ab".into(),
        weights_hash: "cd".into(),
        status: Status::Done,
        train_secs: Some(1.5),
        eval_secs: Some(1e-9),
        encode_secs: None,
        peak_memory_bytes: Some(u64::MAX),
        training: "t".into(),
        evaluation: "v".into(),
        device: "cpu".into(),
        precision: "f32".into(),
        allow_overlap: true,
        message: String::new(),
        no_choice: false,
        no_support: true,
        smoke: Smoke(true),
    }
}

fn failed() -> ResultRow {
    ResultRow {
        variant: "a,b|c".into(),
        shots: Shots { normal: 16, abnormal: 0 },
        no_choice: true,
        draw: "my-list.v2".parse().unwrap(),
        status: Status::Failed,
        message: "worker died:\n\"signal 9\", 3 ± 1 GiB".into(),
        ..ResultRow::default()
    }
}

#[test]
fn results_survive_csv_and_parquet() {
    let folder = tempfile::tempdir().unwrap();
    for rows in [vec![done(), failed(), ResultRow::default()], vec![failed()], vec![]] {
        write_results(&rows, folder.path()).unwrap();
        assert_eq!(read_results(&folder.path().join("results.csv")).unwrap(), rows);
        assert_eq!(read_results(&folder.path().join("results.parquet")).unwrap(), rows);
    }
}

#[test]
fn curves_and_scores_survive_parquet() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("training/curve.parquet");
    let row = |loss: &str, value| CurveRow { epoch: 1, steps: 8, loss: loss.to_owned(), value, secs: 2.5 };
    for rows in [vec![row("detection", 1.0), row("dice", 0.25)], vec![]] {
        write_curve(&rows, &path).unwrap();
        assert_eq!(read_curve(&path).unwrap(), rows);
    }
    let path = folder.path().join("scores.parquet");
    let rows: Vec<ScoreRow> = (0..70_000u32)
        .map(|i| ScoreRow {
            epoch: i / 1000,
            image: format!("image-{}.png", i % 1000),
            label: i % 3 == 0,
            map_max: (i % 2 == 0).then_some(f64::from(i).sqrt()),
            detection: (i % 4 < 3).then_some(f64::from(i).ln()),
        })
        .collect();
    write_scores(&rows, &path).unwrap();
    assert_eq!(read_scores(&path).unwrap(), rows);
}

#[test]
fn scores_have_a_row_for_each_and_those_of_the_first_format_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scores.parquet");
    let row =
        |image: &str, map_max, detection| ScoreRow { epoch: 3, image: image.into(), label: true, map_max, detection };
    let rows = [row("a", Some(0.5), Some(2.0)), row("b", None, Some(1.0)), row("c", None, None), row("d", None, None)];
    harness_tables::write_parquet(&rows, &path).unwrap();
    assert_eq!(read_scores(&path).unwrap(), rows, "a column for each score");
    write_scores(&rows, &path).unwrap();
    assert_eq!(read_scores(&path).unwrap(), rows);
    let file = fs::File::open(&path).unwrap();
    let columns: Vec<String> = {
        use polars::prelude::{ParquetReader, SerReader};
        let frame = ParquetReader::new(file).finish().unwrap();
        assert_eq!(frame.height(), 5);
        frame.get_column_names().into_iter().map(ToString::to_string).collect()
    };
    assert_eq!(columns, ["epoch", "image", "label", "image_score", "score"]);
}

#[test]
fn the_columns_keep_their_order() {
    let folder = tempfile::tempdir().unwrap();
    write_results(&[], folder.path()).unwrap();
    let text = fs::read_to_string(folder.path().join("results.csv")).unwrap();
    assert_eq!(
        text,
        "cell,experiment,variant,dataset,trained_on,shots,draw,seed,backend,selection,epoch,image_score,metric,value,\
         n_images,support_hash,weights_hash,status,train_secs,eval_secs,encode_secs,peak_memory_bytes,training,\
         evaluation,device,precision,allow_overlap,message,no_choice,no_support,smoke,\
         normal_shots,abnormal_shots,draw_name\n"
    );
}

#[test]
fn k_stands_where_there_is_one_and_each_class_always() {
    let folder = tempfile::tempdir().unwrap();
    let of = |normal, abnormal| ResultRow { shots: Shots { normal, abnormal }, ..ResultRow::default() };
    let rows = [of(4, 4), of(16, 0), of(8, 2)];
    write_results(&rows, folder.path()).unwrap();
    let text = fs::read_to_string(folder.path().join("results.csv")).unwrap();
    let columns: Vec<[&str; 3]> = text
        .lines()
        .map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            [cells[5], cells[cells.len() - 3], cells[cells.len() - 2]]
        })
        .collect();
    let expected = [["shots", "normal_shots", "abnormal_shots"], ["4", "4", "4"], ["", "16", "0"], ["", "8", "2"]];
    assert_eq!(columns, expected);
    // A query tells them apart by class, and reads a file from before there were pairs.
    let groups = Query::of(&rows).unwrap().group_by(&["normal_shots", "abnormal_shots"], &[count("cell")]);
    let found: Vec<OfSize> = groups.rows().unwrap();
    assert_eq!(found.iter().map(|row| row.shots.to_string()).collect::<Vec<_>>(), ["4", "16+0", "8+2"]);
    let before = Query::of(&[OfEarlier { shots: 4, cell: 1 }]).unwrap().rows::<OfSize>().unwrap();
    assert_eq!(before, [OfSize { shots: Shots::each(4), cell: 1 }]);
}

row! {
    /// Groups by their support images.
    OfSize is "sized" {
        shots: Shots,
        cell: u32,
    }
}

row! {
    /// The same without pairs.
    OfEarlier is "sized" {
        shots: u32,
        cell: u32,
    }
}

#[test]
fn the_same_rows_are_the_same_bytes() {
    let bytes = || {
        let folder = tempfile::tempdir().unwrap();
        write_results(&vec![done(); 5000], folder.path()).unwrap();
        ["results.csv", "results.parquet"].map(|name| fs::read(folder.path().join(name)).unwrap())
    };
    assert_eq!(bytes(), bytes());
}

fn entries(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_failed_write_leaves_the_old_file_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let taken = folder.path().join("curve.parquet");
    fs::create_dir(&taken).unwrap();
    fs::write(taken.join("inside"), b"old").unwrap();
    // The last step, the rename onto a folder, fails after everything was written.
    let error = write_curve(&[CurveRow::default()], &taken).unwrap_err();
    assert!(error.to_string().contains("curve.parquet"), "{error}");
    assert_eq!(entries(folder.path()), ["curve.parquet"]);
    assert_eq!(fs::read(taken.join("inside")).unwrap(), b"old");
    // A file where the folder should be.
    let file = folder.path().join("file");
    fs::write(&file, b"old").unwrap();
    assert!(harness_disk::write_durable(&file.join("results.csv"), b"new").is_err());
    assert_eq!(fs::read(&file).unwrap(), b"old");
}

#[test]
fn a_damaged_parquet_file_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scores.parquet");
    let rows: Vec<ScoreRow> =
        (0..300).map(|i| ScoreRow { epoch: i, image: format!("{i}"), ..ScoreRow::default() }).collect();
    write_scores(&rows, &path).unwrap();
    let good = fs::read(&path).unwrap();
    for length in (0..good.len()).step_by(good.len() / 60) {
        fs::write(&path, &good[..length]).unwrap();
        let error = read_scores(&path).unwrap_err();
        assert!(error.to_string().contains("scores.parquet"), "{error}");
    }
    // Flipped bytes may go unnoticed in values, but never end the program.
    for at in (0..good.len()).step_by(7) {
        let mut bad = good.clone();
        bad[at] ^= 0x55;
        fs::write(&path, &bad).unwrap();
        if let Err(error) = read_scores(&path) {
            assert!(error.to_string().contains("scores.parquet"), "{error}");
        }
    }
}

#[test]
fn another_table_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("curve.parquet");
    write_curve(&[], &path).unwrap();
    let error = read_scores(&path).unwrap_err().to_string();
    assert!(error.ends_with("holds `curve`, expected `scores`"), "{error}");
    let path = folder.path().join("results.csv");
    fs::write(&path, "cell,metric\nx,y\n").unwrap();
    let error = read_results(&path).unwrap_err().to_string();
    assert!(error.contains("holds columns `cell,metric`, expected columns `cell,experiment,"), "{error}");
    assert!(matches!(read_results(&folder.path().join("results.txt")), Err(TablesError::Extension { .. })));
    assert!(matches!(read_results(&folder.path().join("none.csv")), Err(TablesError::Io { .. })));
}

#[test]
fn a_wrong_value_in_csv_names_its_column() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("results.csv");
    write_results(&[done()], folder.path()).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace(",done,", ",finished,")).unwrap();
    let error = read_results(&path).unwrap_err().to_string();
    assert!(error.contains("column `status`: `finished` in row 1 is not one of done, failed, not run"), "{error}");
    fs::write(&path, text.replace("LggMri,4,", "LggMri,four,")).unwrap();
    let error = read_results(&path).unwrap_err().to_string();
    assert!(error.contains("results.csv") && error.contains("four"), "{error}");
    fs::write(&path, text.replace("LggMri,4,", "LggMri,,")).unwrap();
    let error = read_results(&path).unwrap_err().to_string();
    assert!(error.contains("column `shots`: no value in row 1, of 4 normal and 4 abnormal images"), "{error}");
}

#[test]
fn markdown_has_pipes_and_numbers_to_the_right() {
    let frame = Frame::new(vec![
        ("variant".into(), Values::Text(vec!["base".into(), "a|b\nc".into()])),
        ("n".into(), Values::Count(vec![3, 12])),
        ("auroc".into(), Values::Number(vec![Some(0.93449), None])),
        ("mean".into(), Values::Measure(vec!["0.934 ± 0.009".into(), "failed".into()])),
    ])
    .unwrap();
    assert_eq!(
        frame.to_markdown().unwrap(),
        "| variant |   n | auroc |          mean |\n\
         |---------|----:|------:|--------------:|\n\
         | base    |   3 | 0.934 | 0.934 ± 0.009 |\n\
         | a\\|b c  |  12 |     – |        failed |\n"
    );
    assert_eq!(
        frame.to_latex(&Layout { millimetres: 120.0, banner: "" }).unwrap(),
        "{\\smallskip\\small\\setlength{\\tabcolsep}{4pt}%\n\\begin{tabular}{@{}lrrr@{}}\n\\toprule\n\
         variant & n & auroc & mean \\tabularnewline\n\\midrule\n\
         base & 3 & 0.934 & 0.934 $\\pm$ 0.009 \\tabularnewline\n\
         a\\textbar{}b c & 12 & \\multicolumn{1}{c}{--} & \\multicolumn{1}{c}{failed} \\tabularnewline\n\
         \\bottomrule\n\\end{tabular}\n\\par}\n"
    );
}

#[test]
fn a_file_without_the_column_of_smoke_tests_is_of_none() {
    row! {
        /// As an earlier version wrote it.
        Earlier is "results" { cell: String, }
    }
    row! {
        /// As this one reads it.
        Now is "results" { cell: String, smoke: Smoke, }
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("results.parquet");
    write_parquet(&[Earlier { cell: "a".into() }], &path).unwrap();
    assert_eq!(read_parquet::<Now>(&path).unwrap(), [Now { cell: "a".into(), smoke: Smoke(false) }]);
    write_parquet(&[Now { cell: "a".into(), smoke: Smoke(true) }], &path).unwrap();
    assert_eq!(read_parquet::<Earlier>(&path).unwrap(), [Earlier { cell: "a".into() }]);
}

#[test]
fn columns_that_were_not_asked_for_are_left_out() {
    let of = |name: &str| (name.to_owned(), Values::Measure(vec!["1".into()]));
    let frame = || {
        let frame = Frame::new(vec![of("variant"), of("A AC"), of("A AS"), of("n")]).unwrap();
        frame.with_headings(vec![(1..3, "A".into())]).with_bold([(0, 2)])
    };
    let left = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        frame().without(&names).unwrap().to_markdown().unwrap().lines().next().unwrap().replace(' ', "")
    };
    assert_eq!(left(&["AS"]), "|variant|AAC|n|");
    assert_eq!(left(&["A", "none"]), "|variant|n|");
    assert_eq!(left(&["n", "A AC"]), "|variant|AAS|");
    let bold = frame().without(&["AC".to_owned()]).unwrap().to_markdown().unwrap();
    assert!(bold.contains("**1** |   1 |"), "{bold}");
}

#[test]
fn any_rows_print_as_markdown() {
    let text =
        Frame::of(&[CurveRow { epoch: 7, steps: 8, loss: "dice".to_owned(), value: 1.0, ..CurveRow::default() }])
            .unwrap();
    assert_eq!(
        text.to_markdown().unwrap(),
        "| epoch | steps | loss | value |  secs |\n\
         |------:|------:|------|------:|------:|\n\
         |     7 |     8 | dice | 1.000 | 0.000 |\n"
    );
    assert_eq!(Frame::of::<ScoreRow>(&[]).unwrap().to_markdown().unwrap().lines().count(), 2);
    assert_eq!(Frame::new(vec![]).unwrap().to_markdown().unwrap(), "");
    assert!(Frame::new(vec![("a".into(), Values::Count(vec![1])), ("b".into(), Values::Count(vec![]))]).is_err());
}

row! {
    /// What the query below gathers.
    Gathered is "gathered" {
        variant: String,
        shots: u32,
        image: Vec<String>,
        failed: u32,
        value: Vec<f64>,
    }
}

/// A row of a cell and its value.
fn valued(variant: &str, shots: u32, cell: &str, value: Option<f64>) -> ResultRow {
    let status = if value.is_some() { Status::Done } else { Status::Failed };
    ResultRow {
        variant: variant.into(),
        shots: Shots::each(shots),
        cell: cell.into(),
        value,
        status,
        ..ResultRow::default()
    }
}

/// Cells by variant and shots, with their values in the order of cells.
fn gathered(rows: &[ResultRow]) -> Vec<Gathered> {
    let keys = ["variant", "shots"];
    let all = Query::of(rows).unwrap();
    let groups = all
        .clone()
        .group_by(&keys, &[distinct("cell").named("image"), count("cell").when(("status", "failed")).named("failed")]);
    let values = all.only(("status", "done")).with("value").sort(&["cell"]).group_by(&keys, &[values("value")]);
    groups.join(values, &keys).rows().unwrap()
}

#[test]
fn a_query_groups_and_joins_and_keeps_the_order_in_which_groups_occur() {
    let rows = [
        valued("b", 4, "2", Some(0.2)),
        valued("a", 4, "3", None),
        valued("b", 4, "1", Some(0.1)),
        valued("b", 8, "4", Some(0.4)),
        valued("a", 4, "3", None),
        valued("b", 4, "", Some(0.3)),
    ];
    let group = |variant: &str, shots, image: &[&str], failed, value: &[f64]| Gathered {
        variant: variant.into(),
        shots,
        image: image.iter().map(|name| (*name).to_owned()).collect(),
        failed,
        value: value.to_vec(),
    };
    assert_eq!(
        gathered(&rows),
        [
            // Empty texts are not among the distinct, and sort before all others.
            group("b", 4, &["1", "2"], 0, &[0.3, 0.1, 0.2]),
            // Cells are counted once, and a group without a partner in the join has no values.
            group("a", 4, &["3"], 1, &[]),
            group("b", 8, &["4"], 0, &[0.4]),
        ]
    );
    assert_eq!(gathered(&[]), []);
}

#[test]
fn a_large_query_gives_the_same_rows_in_the_same_order_each_time() {
    let rows: Vec<ResultRow> = (0..20_000u32)
        .map(|i| valued(&format!("v{}", i % 97), i % 5, &format!("{:05}", i * 7919 % 20_000), Some(f64::from(i))))
        .collect();
    let found = gathered(&rows);
    assert_eq!(found.len(), 97 * 5);
    assert_eq!(found, gathered(&rows));
    assert_eq!((found[1].variant.as_str(), found[1].shots), ("v1", 1));
}

#[test]
fn a_pivot_has_the_headings_asked_for_and_leaves_others_empty() {
    let word = |variant: &str, dataset: &str, message: &str| ResultRow {
        variant: variant.into(),
        dataset: dataset.into(),
        message: message.into(),
        ..ResultRow::default()
    };
    let rows =
        [word("b", "Y", "1"), word("a", "X", "2"), word("b", "X", "3"), word("a", "Z", "4"), word("a", "X", "5")];
    let headings = ["X", "Y"].map(str::to_owned);
    let pivoted = Query::of(&rows).unwrap().pivot(&["variant"], "dataset", &headings, "message").unwrap();
    let text = |words: [Option<&str>; 2]| words.map(|word| word.map(str::to_owned)).to_vec();
    assert_eq!(pivoted, [text([Some("3"), Some("1")]), text([Some("2"), None])]);
}

#[test]
fn a_row_type_that_does_not_fit_a_query_names_the_column() {
    let rows = Query::of(&[valued("a", 1, "c", None)]).unwrap();
    let error = rows.clone().rows::<CurveRow>().unwrap_err().to_string();
    assert!(error.contains("column `epoch`: "), "{error}");
    let error = rows.group_by(&["variant"], &[]).rows::<Gathered>().unwrap_err().to_string();
    assert!(error.contains("column `shots`: missing"), "{error}");
}
