//! The three layouts: which images they find, in which order, and what they say of everything that does not fit.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod common;

use common::{Set, names, says};
use harness_data::{Item, Source};
use harness_method::{Draw, Shots};

fn listed(items: &[Item]) -> Vec<String> {
    items.iter().map(|item| item.name.clone()).collect()
}

fn mvtec() -> Set {
    mvtec_with("support = \"lists/{shots}-shot-draw{draw}.csv\"\n")
}

fn mvtec_with(lists: &str) -> Set {
    let set = Set::new(&format!("layout = \"mvtec\"\nmasks = true\n{lists}"));
    for i in 0..3u8 {
        set.image(&format!("train/good/{i:03}.png"), 10 + i);
        set.image(&format!("test/good/{i:03}.png"), 20 + i);
        for (d, defect) in ["scratch", "dent"].into_iter().enumerate() {
            set.image(&format!("test/{defect}/{i:03}.png"), 30 + i + 10 * d as u8);
            set.mask(&format!("ground_truth/{defect}/{i:03}_mask.png"));
        }
    }
    set.write(
        "lists/1-shot-draw0.csv",
        "label,image,mask\n0,000.png,\n1,test/dent/001.png,ground_truth/dent/001_mask.png\n",
    );
    set.write("lists/1-shot-draw1.csv", "label,image,mask\n0,001.png,\n1,test/scratch/002.png,\n");
    set
}

fn csv(rows: &str) -> Set {
    let set = Set::new("layout = \"csv\"\nmasks = true\n");
    for (i, name) in ["a", "b", "c", "d"].into_iter().enumerate() {
        set.image(&format!("pictures/{name}.png"), 10 * (i as u8 + 1));
        set.mask(&format!("marks/{name}.png"));
    }
    set.write("images.csv", format!("image,label,mask,split,patient\n{rows}"));
    set
}

const ROWS: &str = "pictures/a.png,0,,valid,p1\npictures/b.png,1,marks/b.png,valid,p1\npictures/d.png,1,marks/d.png,test,\n\
                    pictures/c.png,0,,test,p2\n";

#[test]
fn mvfa_lists_good_then_ungood_by_name_each_with_its_mask() {
    let set = Set::mvfa();
    set.write("test/good/img/.hidden.png", "");
    set.write("test/good/img/Thumbs.db", "");
    set.image("test/good/img/N9.PNG", 3);
    let test = set.dataset().test_set().unwrap();
    assert_eq!(
        listed(&test),
        [
            "test/good/img/N9.PNG",
            "test/good/img/n0.png",
            "test/good/img/n1.png",
            "test/good/img/n2.png",
            "test/Ungood/img/a0.png",
            "test/Ungood/img/a1.png",
            "test/Ungood/img/a2.png"
        ]
    );
    assert_eq!(test[4].mask, Some(Source::File(set.path("test/Ungood/anomaly_mask/a0.png"))));
    assert!(test[..4].iter().all(|item| item.mask.is_none() && !item.abnormal));
}

#[test]
fn mvtec_leaves_out_of_the_test_set_what_any_list_names() {
    let set = mvtec();
    let dataset = set.dataset();
    let test = listed(&dataset.test_set().unwrap());
    assert_eq!(test.len(), 3 + 6 - 2);
    assert!(!test.iter().any(|name| name == "test/dent/001.png" || name == "test/scratch/002.png"), "{test:?}");
    let (first, second) = (dataset.support(Shots::each(1), 0).unwrap(), dataset.support(Shots::each(1), 1).unwrap());
    assert_eq!(
        (listed(&first.normal), listed(&first.abnormal)),
        (vec!["train/good/000.png".into()], vec!["test/dent/001.png".into()])
    );
    assert_eq!(listed(&second.abnormal), ["test/scratch/002.png"]);
    assert_eq!(first.abnormal[0].mask, Some(Source::File(set.path("ground_truth/dent/001_mask.png"))));
    assert!(set.errors().is_empty(), "{:?}", set.errors());
}

#[test]
fn two_images_of_layout_mvtec_that_would_share_a_mask_are_refused() {
    let set = mvtec();
    set.image("test/dent/001.jpg", 99);
    let errors = set.errors();
    assert_eq!(errors.len(), 1, "{errors:?}");
    says(&errors[0], &["ground_truth/dent/001_mask.png", "would be the mask of two images", "001.jpg", "001.png"]);
    assert_eq!(set.dataset().test_set().unwrap_err().to_string(), errors[0]);
}

#[test]
fn a_test_set_that_lists_take_all_images_of_says_so() {
    let set = mvtec();
    let all: String =
        ["dent", "scratch"].iter().flat_map(|d| (0..3).map(move |i| format!(" {d}/{i:03}.png"))).collect();
    set.write("lists/6-shot-draw0.csv", format!("n-0: 000.png\na-0:{all}\n"));
    let message = set.dataset().test_set().unwrap_err().to_string();
    says(&message, &["no abnormal image", "all 6 that are there are named by support lists", "take some out"]);
    assert!(set.errors().contains(&message), "{:?}", set.errors());
}

#[test]
fn mvtec_leaves_out_what_lists_with_names_hold_and_draws_nothing() {
    let set = mvtec_with("support_lists = { theirs = \"lists/{shots}-shot-draw1.csv\" }\n");
    let dataset = set.dataset();
    let test = listed(&dataset.test_set().unwrap());
    assert!(test.len() == 8 && !test.contains(&"test/scratch/002.png".to_owned()), "{test:?}");
    let theirs = dataset.support(Shots::each(1), "theirs".parse::<Draw>().unwrap()).unwrap();
    assert_eq!(listed(&theirs.abnormal), ["test/scratch/002.png"]);
    says(&dataset.support(Shots::each(1), 0).unwrap_err().to_string(), &["it has no draw `0`; it has theirs"]);
    assert!(set.errors().is_empty(), "{:?}", set.errors());
}

#[test]
fn csv_takes_labels_splits_masks_and_patients_from_its_table() {
    let set = csv(ROWS);
    let dataset = set.dataset();
    assert_eq!(listed(&dataset.test_set().unwrap()), ["pictures/c.png", "pictures/d.png"]);
    let (normal, abnormal) = dataset.support_pool().unwrap();
    assert_eq!((normal[0].patient.as_deref(), abnormal[0].patient.as_deref()), (Some("p1"), Some("p1")));
    assert_eq!(abnormal[0].mask, Some(Source::File(set.path("marks/b.png"))));
    assert!(set.errors().is_empty(), "{:?}", set.errors());
}

#[test]
fn a_table_with_another_name_and_a_pattern_for_patients_will_do() {
    let set = Set::new("layout = \"csv\"\nmasks = false\ncsv = \"tables/all.csv\"\npatient = \"^(.)\"\n");
    for name in ["a1", "a2", "b1", "b2"] {
        set.image(&format!("tables/{name}.png"), 2 * name.as_bytes()[1] + name.as_bytes()[0] - 97);
    }
    set.write("tables/all.csv", "split,image,label\nvalid,a1.png,0\nvalid,a2.png,1\ntest,b1.png,0\ntest,b2.png,1\n");
    let test = set.dataset().test_set().unwrap();
    assert_eq!(test[1].patient.as_deref(), Some("b"));
    assert!(set.errors().is_empty(), "{:?}", set.errors());
}

#[test]
fn an_empty_folder_is_named() {
    let set = Set::mvfa();
    for i in 0..3 {
        set.remove(&format!("test/good/img/n{i}.png"));
    }
    names(&set.dataset().test_set().unwrap_err(), &set.path("test/good/img"), &["no image in this folder", "`mvfa`"]);
    set.remove("test/good/img");
    names(&set.dataset().test_set().unwrap_err(), &set.path("test/good/img"), &["no such folder"]);
    let set = mvtec();
    set.remove("train/good");
    names(&set.dataset().support_pool().unwrap_err(), &set.path("train/good"), &["no such folder", "`mvtec`"]);
}

#[test]
fn a_test_set_of_one_class_is_refused_with_the_class_that_is_missing() {
    let set = csv(&ROWS.replace("pictures/c.png,0,,test,p2\n", ""));
    let message = set.dataset().test_set().unwrap_err().to_string();
    says(&message, &["no normal image", "split test of", "images.csv", "need both classes"]);
    assert!(set.errors().contains(&message), "{:?}", set.errors());
}

#[test]
fn a_mask_without_an_image_and_an_image_without_a_mask_are_named() {
    let set = Set::mvfa();
    set.mask("test/Ungood/anomaly_mask/zz.png");
    names(
        &set.dataset().test_set().unwrap_err(),
        &set.path("test/Ungood/anomaly_mask/zz.png"),
        &["a mask without an image", set.path("test/Ungood/img").to_str().unwrap()],
    );
    set.remove("test/Ungood/anomaly_mask/zz.png");
    set.remove("test/Ungood/anomaly_mask/a1.png");
    let missing =
        ["no mask", set.path("test/Ungood/anomaly_mask/a1.png").to_str().unwrap(), "masks = false"].map(str::to_owned);
    let missing = missing.each_ref().map(String::as_str);
    says(&set.errors()[0], &missing);
    // It fails what reads it, and what is planned of the others goes on; adding it makes another test set.
    let dataset = set.dataset();
    let items = dataset.test_set().unwrap();
    let hash = || harness_data::items_hash(&items, dataset.mask_values(), &Source::content_hash).unwrap();
    let without = hash();
    names(&items[4].truth(8, dataset.mask_values()).unwrap_err(), &set.path("test/Ungood/img/a1.png"), &missing);
    assert!(items[3].truth(8, dataset.mask_values()).is_ok());
    let looked: Vec<_> =
        items.iter().map(|item| harness_data::Looked::at(item, &harness_data::FileHashes::in_memory())).collect();
    let unusable = harness_data::inspect(&dataset, &looked).unusable;
    assert_eq!((unusable.len(), unusable[0].0), (1, harness_data::Unusable::Missing));
    set.mask("test/Ungood/anomaly_mask/a1.png");
    assert_ne!(hash(), without);
    // Where not a single one is there, they were never meant to be.
    for i in 0..3 {
        set.remove(&format!("test/Ungood/anomaly_mask/a{i}.png"));
        set.mask(&format!("test/Ungood/anomaly_mask/a{i}_mask.png"));
    }
    names(&set.dataset().test_set().unwrap_err(), &set.path("test/Ungood/img/a0.png"), &["no mask", "rename it"]);
    let set = mvtec();
    set.mask("ground_truth/dent/other_mask.png");
    set.remove("ground_truth/scratch/001_mask.png");
    let errors = set.errors();
    assert_eq!(errors.len(), 2, "{errors:?}");
    says(&errors[0], &["ground_truth/dent/other_mask.png", "a mask without an image", "test/dent"]);
    says(&errors[1], &["test/scratch/001.png", "ground_truth/scratch/001_mask.png"]);
}

#[test]
fn a_mask_of_another_size_is_told_with_both_sizes() {
    let set = Set::mvfa();
    let mask = image::GrayImage::from_pixel(8, 9, image::Luma([255]));
    let path = set.write("test/Ungood/anomaly_mask/a2.png", common::png(&mask));
    let test = set.dataset().test_set().unwrap();
    let error = test[5].truth(8, set.dataset().mask_values()).unwrap_err();
    names(&error, &path, &["8 x 9 pixels", "a2.png has 8 x 8"]);
    assert_eq!(set.errors(), [error.to_string()]);
}

#[test]
fn the_empty_mask_of_an_abnormal_image_is_told_with_the_reason() {
    for (value, advice) in
        [(0u8, "every value is zero"), (1, "mask_values = \"nonzero\""), (127, "largest value is 127 of 255")]
    {
        let set = Set::mvfa();
        let mask = image::GrayImage::from_pixel(8, 8, image::Luma([value]));
        let path = set.write("test/Ungood/anomaly_mask/a0.png", common::png(&mask));
        let test = set.dataset().test_set().unwrap();
        names(&test[3].truth(8, set.dataset().mask_values()).unwrap_err(), &path, &["is empty", advice]);
        let errors = set.errors();
        assert_eq!(errors.len(), 1, "{errors:?}");
        says(&errors[0], &[path.to_str().unwrap(), advice]);
    }
}

#[test]
fn a_lesion_lost_in_resizing_is_no_lesion_pixel_of_a_test_image_and_can_not_be_trained_on() {
    // One pixel, which nearest neighbour steps over.
    let set = Set::mvfa();
    let mask = image::GrayImage::from_fn(8, 8, |x, y| image::Luma([if (x, y) == (0, 0) { 255 } else { 0 }]));
    let path = set.write("test/Ungood/anomaly_mask/a0.png", common::png(&mask));
    let test = set.dataset().test_set().unwrap();
    let values = set.dataset().mask_values();
    assert_eq!(test[3].truth(2, values).unwrap(), [0; 4]);
    assert_eq!(test[3].truth(8, values).unwrap().iter().map(|v| usize::from(*v)).sum::<usize>(), 1);
    names(&test[3].soft_truth(2, values).unwrap_err(), &path, &["is empty at 2 x 2", "too small to survive resizing"]);
    // The same lesion as a label, which only `nonzero` takes for one.
    let mask = image::GrayImage::from_fn(8, 8, |x, y| image::Luma([u8::from((x, y) == (0, 0))]));
    set.write("test/Ungood/anomaly_mask/a0.png", common::png(&mask));
    assert_eq!(test[3].truth(2, harness_data::MaskValues::Nonzero).unwrap(), [0; 4]);
    assert!(test[3].truth(2, harness_data::MaskValues::Half).is_err());
}

#[test]
fn masks_are_not_looked_for_where_the_entry_says_there_are_none() {
    let set = Set::new("layout = \"mvfa\"\nmasks = false\n");
    for split in ["valid", "test"] {
        set.image(&format!("{split}/good/img/a.png"), split.len() as u8);
        set.image(&format!("{split}/Ungood/img/b.png"), 10 + split.len() as u8);
    }
    assert!(set.errors().is_empty(), "{:?}", set.errors());
    assert!(set.dataset().test_set().unwrap().iter().all(|item| item.mask.is_none()));
}

#[test]
fn what_is_no_image_by_its_name_is_told_to_be_moved_away() {
    let set = Set::mvfa();
    let path = set.write("test/good/img/notes.txt", "hello");
    names(&set.dataset().test_set().unwrap_err(), &path, &["not an image's extension", "move it away"]);
    set.remove("test/good/img/notes.txt");
    let path = set.image("test/good/img/more/a.png", 1);
    names(&set.dataset().test_set().unwrap_err(), path.parent().unwrap(), &["a folder among images"]);
}

#[test]
fn every_mistake_in_a_table_is_told_with_its_line() {
    for (rows, line, parts) in [
        (ROWS.replace("a.png,0", "a.png,2"), 2, ["label `2`", "must be 0 (normal) or 1 (abnormal)"]),
        (ROWS.replace("marks/b.png,valid", "marks/b.png,vald"), 3, ["split `vald`", "did you mean `valid`?"]),
        (format!("{ROWS}pictures/a.png,0,,test,\n"), 6, ["listed a second time", "first in line 2"]),
        (ROWS.replace("pictures/a.png,0,,valid", "/etc/a.png,0,,valid"), 2, ["/etc/a.png", "below the table's folder"]),
        (ROWS.replace("marks/d.png", "../d.png"), 4, ["../d.png", "without `.` and `..`"]),
        (ROWS.replace("pictures/c.png", "pictures/x.png"), 5, ["no image", "x.png"]),
        (ROWS.replace("1,marks/d.png", "1,"), 4, ["names no mask", "masks = false"]),
        (ROWS.replace("a.png,0,,", "a.png,0,marks/a.png,"), 2, ["is normal", "leave the field empty"]),
        (ROWS.replace("pictures/c.png,0,,test,p2", "pictures/c.png,0,,test"), 5, ["not valid CSV", "fields"]),
    ] {
        let set = csv(&rows);
        let errors = set.errors();
        let place = format!("images.csv:{line}: ");
        assert!(
            errors.iter().any(|e| e.contains(&place) && parts.iter().all(|p| e.contains(p))),
            "{parts:?}: {errors:?}"
        );
    }
    let set = csv(ROWS);
    set.write("images.csv", "image,lable,split\n");
    let message = set.dataset().test_set().unwrap_err().to_string();
    says(&message, &["images.csv:1: ", "unknown column `lable`", "did you mean `label`?"]);
    set.write("images.csv", "image,label\n");
    says(&set.dataset().test_set().unwrap_err().to_string(), &["images.csv:1: ", "no column `split`"]);
    set.remove("images.csv");
    says(&set.dataset().test_set().unwrap_err().to_string(), &["can't read the table", "images.csv"]);
}
