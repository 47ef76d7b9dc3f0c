//! Names in lists and folders: whose image is meant, which ones a test set keeps, and what is said of near misses.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod common;

use common::{Set, says};
use harness_data::{DataError, Item, Severity, Source, verify};
use harness_method::Shots;

/// Layout `mvtec` with the files 000.png to 003.png in every folder, as MVTec names them.
fn mvtec(defects: &[&str]) -> Set {
    let set = Set::new("layout = \"mvtec\"\nmasks = true\nsupport = \"lists/{shots}-shot.txt\"\n");
    for i in 0..4u8 {
        set.image(&format!("train/good/{i:03}.png"), 10 + i);
        set.image(&format!("test/good/{i:03}.png"), 20 + i);
        for (d, defect) in defects.iter().enumerate() {
            set.image(&format!("test/{defect}/{i:03}.png"), 30 + i + 10 * d as u8);
            set.mask(&format!("ground_truth/{defect}/{i:03}_mask.png"));
        }
    }
    set
}

fn names(items: &[Item]) -> Vec<&str> {
    items.iter().map(|item| item.name.as_str()).collect()
}

fn test_set(set: &Set) -> Result<Vec<String>, String> {
    set.dataset().test_set().map(|items| items.into_iter().map(|i| i.name).collect()).map_err(|e| e.to_string())
}

fn warnings(set: &Set) -> Vec<String> {
    let found = verify(&set.dataset()).into_iter();
    found.filter(|finding| finding.severity == Severity::Warning).map(|finding| finding.message).collect()
}

#[test]
fn bare_names_of_a_list_keep_normal_test_images() {
    let set = mvtec(&["scratch"]);
    let paths = "n-0: train/good/000.png train/good/001.png\na-0: test/scratch/000.png test/scratch/001.png\n";
    set.write("lists/2-shot.txt", paths);
    let (by_path, support) = (test_set(&set).unwrap(), set.dataset().support(Shots::each(2), 0).unwrap());
    assert_eq!(by_path.len(), 4 + 2);
    set.write("lists/2-shot.txt", "n-0: 000.png 001.png\na-0: 000.png 001.png\n");
    assert_eq!(test_set(&set).unwrap(), by_path);
    assert_eq!(set.dataset().support(Shots::each(2), 0).unwrap().hash, support.hash);
    assert_eq!(names(&support.abnormal), ["test/scratch/000.png", "test/scratch/001.png"]);
    assert!(set.errors().is_empty(), "{:?}", set.errors());
}

#[test]
fn a_bare_name_of_several_defects_is_refused_with_all_of_them() {
    let set = mvtec(&["dent", "scratch"]);
    set.write("lists/1-shot.txt", "n-0: 000.png\na-0: test/dent/000.png\n");
    assert_eq!(test_set(&set).unwrap().len(), 4 + 8 - 1);
    // A list of another K decides the test set as well.
    set.write("lists/2-shot.txt", "n-0: 000.png 001.png\na-0: scratch/001.png 002.png\n");
    let message = test_set(&set).unwrap_err();
    says(&message, &["2-shot.txt:2: ", "`002.png` is the name of 2 images", "test/dent/002.png, test/scratch/002.png"]);
    says(&message, &["write the path below the root"]);
    assert_eq!(set.errors(), [message]);
    // What fits one image alone is that one.
    set.image("test/scratch/only.png", 99);
    set.mask("ground_truth/scratch/only_mask.png");
    set.write("lists/2-shot.txt", "n-0: 000.png 001.png\na-0: scratch/001.png only.png\n");
    let left = test_set(&set).unwrap();
    assert_eq!(left.len(), 4 + 9 - 3);
    assert!(!left.iter().any(|name| name.ends_with("only.png") || name == "test/scratch/001.png"), "{left:?}");
}

#[test]
fn a_path_below_the_root_is_never_taken_for_the_end_of_another() {
    let set = Set::new("layout = \"csv\"\nmasks = false\nsupport = \"{shots}.csv\"\n");
    let files = ["a.png", "b.png", "deep/a.png", "deep/b.png", "c.png", "d.png"];
    for (i, file) in files.iter().enumerate() {
        set.image(file, 10 * i as u8);
    }
    set.write(
        "images.csv",
        "image,label,split\na.png,0,valid\ndeep/a.png,0,valid\nb.png,1,valid\ndeep\\b.png,1,valid\nc.png,0,test\nd.png,1,test\n",
    );
    set.write("1.csv", "label,image\n0,a.png\n1,deep\\b.png\n");
    let support = set.dataset().support(Shots::each(1), 0).unwrap();
    assert_eq!((names(&support.normal), names(&support.abnormal)), (vec!["a.png"], vec!["deep/b.png"]));
}

#[test]
fn the_near_miss_of_a_masks_name_is_told_with_both_names() {
    for (mask, images) in [
        ("test/Ungood/anomaly_mask/a1_mask.png", "rename it"),
        ("test/Ungood/anomaly_mask/a1_segmentation.PNG", "rename it"),
        ("test/Ungood/anomaly_mask/a1.PNG", "rename it"),
        ("test/Ungood/anomaly_mask/A1.jpg", "rename it (what a file is, is read from its content)"),
    ] {
        let set = Set::mvfa();
        set.remove("test/Ungood/anomaly_mask/a1.png");
        let mask = set.mask(mask);
        let errors = set.errors();
        assert_eq!(errors.len(), 1, "{errors:?}");
        says(
            &errors[0],
            &["img/a1.png: no mask", "anomaly_mask/a1.png", &format!("there is {}", mask.display()), images],
        );
    }
    let set = Set::mvfa();
    set.mask("test/Ungood/anomaly_mask/a1_mask_1.png");
    let errors = set.errors();
    assert_eq!(errors.len(), 1, "{errors:?}");
    says(&errors[0], &["a1_mask_1.png: by its name another mask of the image of", "anomaly_mask/a1.png", "unite them"]);
}

#[test]
fn masks_of_layout_mvtec_without_their_suffix_are_told_and_no_file_is_made_up() {
    for ending in [".png", "_mask.PNG", ".bm.png"] {
        let set = mvtec(&["scratch"]);
        set.write("lists/1-shot.txt", "n-0: 000.png\na-0: 000.png\n");
        for i in 0..4 {
            set.remove(&format!("ground_truth/scratch/{i:03}_mask.png"));
            set.mask(&format!("ground_truth/scratch/{i:03}{ending}"));
        }
        let errors = set.errors().join("\n");
        says(&errors, &[&format!("scratch/002{ending}: rename it"), "no mask", "ground_truth/scratch/002_mask.png"]);
        for nowhere in ["png.png", "PNG.png", "bm.png_mask", "without an image"] {
            assert!(!errors.contains(nowhere), "{errors}");
        }
    }
}

#[test]
fn a_folder_of_another_spelling_is_told() {
    for (from, to, parts) in [
        ("test/good", "test/Good", ["there is `Good`", "rename it to `good`"]),
        ("test/Ungood", "test/ungood", ["there is `ungood`", "rename it to `Ungood`"]),
        ("valid", "Valid", ["there is `Valid`", "rename it to `valid`"]),
        ("valid", "train", ["there is `train`", "rename it to `valid`"]),
        ("test/Ungood/anomaly_mask", "test/Ungood/label", ["there is `label`", "rename it to `anomaly_mask`"]),
        ("test/good/img", "test/good/images", ["there is `images`", "rename it to `img`"]),
    ] {
        let set = Set::mvfa();
        std::fs::rename(set.path(from), set.path(to)).unwrap();
        let errors = set.errors();
        assert!(errors.iter().any(|e| parts.iter().all(|part| e.contains(part))), "{parts:?}: {errors:?}");
        assert!(errors.len() <= 4, "{errors:?}");
    }
    let set = Set::mvfa();
    for folder in ["valid", "test"] {
        std::fs::create_dir_all(set.path("Set_AD")).unwrap();
        std::fs::rename(set.path(folder), set.path("Set_AD").join(folder)).unwrap();
    }
    says(&set.errors()[0], &["it is in `Set_AD`", "set `root` to"]);
}

#[test]
fn a_good_folder_of_another_case_is_never_a_defect() {
    let set = mvtec(&["scratch"]);
    set.write("lists/1-shot.txt", "n-0: 000.png\na-0: scratch/000.png\n");
    set.image("test/Good/009.png", 77);
    let dataset = set.dataset_with("");
    let error = dataset.test_set().unwrap_err();
    assert!(matches!(error, DataError::Misnamed { .. }), "{error}");
    common::names(&error, &set.path("test/Good"), &["test/good", "by case alone", "rename it"]);
}

#[test]
fn what_systems_leave_behind_is_ignored() {
    let set = Set::mvfa();
    let before = test_set(&set).unwrap();
    for litter in ["thumbs.db", "THUMBS.DB", "Desktop.ini", "._a0.png", ".DS_Store", "Icon\r"] {
        set.write(&format!("test/Ungood/img/{litter}"), "x");
        set.write(&format!("test/Ungood/anomaly_mask/{litter}"), "x");
    }
    for litter in ["__MACOSX", "@eaDir", ".ipynb_checkpoints"] {
        set.image(&format!("test/good/img/{litter}/a0.png"), 3);
    }
    assert_eq!(test_set(&set).unwrap(), before);
    let set = mvtec(&["scratch"]);
    set.write("lists/1-shot.txt", "n-0: 000.png\na-0: scratch/000.png\n");
    set.image("test/__MACOSX/000.png", 3);
    assert_eq!(test_set(&set).unwrap().len(), 4 + 3);
}

#[test]
fn verify_reads_every_draw_of_every_list() {
    let set = Set::mvfa();
    let with = "support = \"lists/{shots}-shot.txt\"\n";
    let good = "n-0: n0.png\na-0: a0.png\n";
    let errors = |text: &[u8]| {
        set.write("lists/1-shot.txt", text);
        common::errors(&set.dataset_with(with))
    };
    assert!(errors(good.as_bytes()).is_empty());
    let found = errors(format!("{good}n-1: nope.png\na-1: a1.png\nn-2: n2.png\n").as_bytes());
    assert_eq!(found.len(), 2, "{found:?}");
    says(&found[0], &["1-shot.txt:3: ", "`nope.png` is not among the normal images"]);
    says(&found[1], &["no line `a-2:`"]);
    let found = errors(format!("{good}n-1: n1.png n2.png\na-1: a1.png\n").as_bytes());
    says(&found[0], &["lists 2 normal images for draw 1, 1 is wanted"]);
    let many: String = (1..20).map(|draw| format!("n-{draw}: x{draw}.png\na-{draw}: a1.png\n")).collect();
    let found = errors(format!("{good}{many}").as_bytes());
    assert_eq!(found.len(), 6, "{found:?}");
    says(&found[5], &["1-shot.txt", "14 more of its draws"]);
}

#[test]
fn a_list_or_table_of_another_encoding_is_told_to_be_saved_as_utf_8() {
    let set = Set::mvfa();
    let with = "support = \"lists/{shots}-shot.txt\"\n";
    let good = "n-0: n0.png\na-0: a0.png\n";
    let utf16: Vec<u8> = std::iter::once(0xFEFF).chain(good.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    for (bytes, part) in [(utf16, "UTF-16"), (b"n-0: n\xe4.png\na-0: a0.png\n".to_vec(), "line 1 is not UTF-8")] {
        set.write("lists/1-shot.txt", bytes);
        let dataset = set.dataset_with(with);
        let message = dataset.support(Shots::each(1), 0).unwrap_err().to_string();
        says(&message, &["1-shot.txt", part, "save it as UTF-8"]);
        assert_eq!(common::errors(&dataset), [message]);
    }
    set.write("lists/1-shot.txt", format!("\u{feff}{good}"));
    assert!(set.dataset_with(with).support(Shots::each(1), 0).is_ok());
    set.write("lists/1-shot.txt", "\u{feff}label,image\n0,n0.png\n1,a0.png\n");
    assert!(set.dataset_with(with).support(Shots::each(1), 0).is_ok());
    set.write("lists/1-shot.txt", "label;image\n0;n0.png\n1;a0.png\n");
    says(&set.dataset_with(with).support(Shots::each(1), 0).unwrap_err().to_string(), &["separated by `;`", "commas"]);
}

/// A table of four images under `pictures`, with masks.
fn csv(table: impl AsRef<[u8]>) -> Set {
    let set = Set::new("layout = \"csv\"\nmasks = true\n");
    for (i, name) in ["a", "b", "c", "d"].into_iter().enumerate() {
        set.image(&format!("pictures/{name}.png"), 10 * (i as u8 + 1));
        set.mask(&format!("marks/{name}.png"));
    }
    set.write("images.csv", table);
    set
}

const HEAD: &str = "image,label,mask,split";
const ROWS: [&str; 4] = [
    "pictures/a.png,0,,valid",
    "pictures/b.png,1,marks/b.png,valid",
    "pictures/c.png,0,,test",
    "pictures/d.png,1,marks/d.png,test",
];

#[test]
fn tables_are_read_as_spreadsheets_and_pandas_write_them() {
    let plain = format!("{HEAD}\n{}\n", ROWS.join("\n"));
    let items = |set: &Set| (set.dataset().test_set().unwrap(), set.dataset().support_pool().unwrap());
    let shape = |set: &Set| {
        let (test, (normal, abnormal)) = items(set);
        let all = test.into_iter().chain(normal).chain(abnormal);
        all.map(|item| (item.name, item.abnormal, item.mask.is_some())).collect::<Vec<_>>()
    };
    let expected = shape(&csv(&plain));
    for table in [
        plain.replace(",0,", ",0.0,").replace(",1,", ",1.0,"),
        plain.replace(",0,", ",False,").replace(",1,", ",True,"),
        plain.replace(",0,", ",FALSE,").replace(",1,", ",TRUE,"),
        plain.replace("pictures/", "pictures\\").replace("marks/", "marks\\"),
        plain.replace("pictures/", "./pictures/"),
        format!("\u{feff}{plain}"),
        plain.replace('\n', "\r\n"),
    ] {
        let set = csv(&table);
        assert_eq!(shape(&set), expected, "{table}");
        assert!(set.errors().is_empty() && warnings(&set).is_empty(), "{table}");
    }
    // Columns of other things, and the nameless one of pandas.
    let set = csv(format!(",{HEAD},age,sex\n{}", ROWS.map(|row| format!("7,{row},50,f\n")).concat()));
    assert_eq!(shape(&set), expected);
    assert!(set.errors().is_empty());
    assert_eq!(warnings(&set).len(), 1);
    says(&warnings(&set)[0], &["images.csv", "not read", "``, `age`, `sex`"]);
}

#[test]
fn what_may_be_a_known_column_misspelt_is_refused() {
    for (from, to) in
        [("mask", "Mask"), ("mask", "mask_path"), ("mask", "lesion mask"), ("label", "labels"), ("split", "Split")]
    {
        let set = csv(format!("{}\n{}\n", HEAD.replace(from, to), ROWS.join("\n")));
        let message = set.dataset().test_set().unwrap_err().to_string();
        says(&message, &["images.csv:1: ", &format!("unknown column `{to}` (did you mean `{from}`?)")]);
    }
    let set = csv(format!("{HEAD},patient_id\n"));
    says(&set.dataset().test_set().unwrap_err().to_string(), &["`patient_id` (did you mean `patient`?)"]);
    let set = csv(format!("{HEAD},label\n"));
    says(&set.dataset().test_set().unwrap_err().to_string(), &["two columns are called `label`"]);
    for (separator, named) in [(";", "`;`"), ("\t", "tabs")] {
        let set = csv(format!("{HEAD}\n{}\n", ROWS.join("\n")).replace(',', separator));
        says(&set.dataset().test_set().unwrap_err().to_string(), &["separated by", named, "by commas"]);
    }
}

#[test]
fn an_empty_table_is_refused_with_the_columns_it_needs() {
    for table in ["", "\n", "\u{feff}", "\n\n\n", "  \n", ",,\n"] {
        let errors = csv(table).errors();
        assert!(errors[0].contains("images.csv:1: the table is empty") && errors[0].contains("label"), "{errors:?}");
    }
    // A support list may be such a table too.
    let set = csv("image,label,split,mask\n");
    assert!(set.errors().iter().any(|error| error.contains("image")), "{:?}", set.errors());
}

#[test]
fn a_near_miss_in_a_table_is_told() {
    for (from, to, parts) in [
        (",test", ",train", ["split `train`", "did you mean `valid`?"]),
        (",test", ",Test", ["split `Test`", "did you mean `test`?"]),
        ("pictures/c.png", "pictures/c.jpg", ["no image", "`c.png` is there: write that name"]),
        ("marks/d.png", "marks/d_mask.png", ["no mask", "`d.png` is there: write that name"]),
        // Another picture's name is none of an image's.
        ("pictures/c.png", "pictures/c_mask.png", ["no image", "c_mask.png"]),
    ] {
        let set = csv(format!("{HEAD}\n{}\n", ROWS.join("\n")).replace(from, to));
        let errors = set.errors();
        assert!(errors.iter().any(|e| parts.iter().all(|part| e.contains(part))), "{parts:?}: {errors:?}");
        assert!(to != "pictures/c_mask.png" || !errors[0].contains("write that name"), "{errors:?}");
    }
    let set = Set::mvfa();
    set.write("lists/1-shot.txt", "n-0: n0.jpg\na-0: a0.png\n");
    let dataset = set.dataset_with("support = \"lists/{shots}-shot.txt\"\n");
    says(&dataset.support(Shots::each(1), 0).unwrap_err().to_string(), &["`n0.jpg`", "did you mean `n0.png`?"]);
}

#[test]
fn draws_of_the_same_images_have_one_unordered_hash() {
    let set = Set::mvfa();
    let dataset = set.dataset();
    let sets: Vec<_> = (0..6).map(|draw| dataset.support(Shots::each(3), draw).unwrap()).collect();
    assert!(sets.iter().any(|other| other.hash != sets[0].hash), "the order differs");
    assert!(sets.iter().all(|other| other.unordered == sets[0].unordered));
    let two: Vec<_> = (0..6).map(|draw| dataset.support(Shots::each(2), draw).unwrap()).collect();
    for one in &two {
        for other in &two {
            let sorted = |set: &harness_data::SupportSet| {
                let all = set.normal.iter().chain(&set.abnormal);
                let mut names: Vec<String> = all.map(|item| item.name.clone()).collect();
                names.sort();
                names
            };
            assert_eq!(one.unordered == other.unordered, sorted(one) == sorted(other));
        }
    }
    assert!(matches!(sets[0].normal[0].image, Source::File(_)));
}
