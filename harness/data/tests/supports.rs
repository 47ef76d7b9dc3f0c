//! Support sets: named in lists of two formats, or drawn; and what they must not share with the test set.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod common;

use common::{Set, says};
use harness_data::{
    Dataset, FileHashes, Item, Source, SupportImages, SupportSet, doubtful_patients, overlap, shared_patients,
};
use harness_method::{Draw, Shots, Variants};
use proptest::prelude::*;

const LIST: &str = "support = \"lists/{shots}-shot-draw{draw}.txt\"\n";

fn names(set: &SupportSet) -> Vec<String> {
    set.normal.iter().chain(&set.abnormal).map(|item| item.name.rsplit('/').next().unwrap().to_owned()).collect()
}

fn refusal(dataset: &Dataset, shots: u32, draw: u64) -> String {
    dataset.support(Shots::each(shots), draw).unwrap_err().to_string()
}

#[test]
fn a_list_of_either_format_names_its_images_in_its_order() {
    let set = Set::mvfa();
    set.write("lists/2-shot-draw0.txt", "label,image,mask\n1,a2.png,valid/Ungood/anomaly_mask/a2.png\n0,n1.png,\n0,n0.png,\n1,valid/Ungood/img/a0.png,\n");
    set.write(
        "lists/2-shot-draw1.txt",
        "\na-0: a0.png a1.png\nn-0: n0.png n1.png\n a-1: a2.png  a0.png \nn-1: n2.png n1.png\n",
    );
    let dataset = set.dataset_with(LIST);
    let table = dataset.support(Shots::each(2), 0).unwrap();
    assert_eq!(names(&table), ["n1.png", "n0.png", "a2.png", "a0.png"]);
    assert!(!table.drawn);
    assert_eq!(names(&dataset.support(Shots::each(2), 1).unwrap()), ["n2.png", "n1.png", "a2.png", "a0.png"]);
    assert!(common::errors(&dataset).is_empty(), "{:?}", common::errors(&dataset));
}

#[test]
fn one_file_of_lines_holds_every_draw_and_lists_may_lie_elsewhere() {
    let set = Set::mvfa();
    let elsewhere = Set::new("");
    elsewhere.write("Brain/1-shot.txt", "a-0: a0.png\nn-0: n0.png\na-1: a1.png\nn-1: n1.png\n");
    let pattern = elsewhere.path("Brain/{shots}-shot.txt");
    let dataset = set.dataset_with(&format!("support = {:?}\n", pattern.to_str().unwrap()));
    assert_eq!(names(&dataset.support(Shots::each(1), 0).unwrap()), ["n0.png", "a0.png"]);
    assert_eq!(names(&dataset.support(Shots::each(1), 1).unwrap()), ["n1.png", "a1.png"]);
    says(&refusal(&dataset, 1, 2), &["1-shot.txt", "no line `n-2:`", "draws 0, 1"]);
    assert_eq!(harness_data::Summary::of(&dataset).unwrap().lists.len(), 1);
    assert!(common::errors(&dataset).is_empty(), "{:?}", common::errors(&dataset));
}

#[test]
fn a_list_with_a_name_is_a_draw_beside_those_by_number() {
    let set = Set::mvfa();
    set.write("lists/1-shot.txt", "a-3: a1.png\nn-3: n2.png\n");
    set.write("lists/my1-shot.csv", "label,image\n1,a2.png\n0,n0.png\n");
    set.write("lists/several-1.txt", "a-0: a0.png\nn-0: n0.png\na-1: a1.png\nn-1: n1.png\n");
    let lists = "support_lists = { mvfa = \"lists/{shots}-shot.txt\", madclip = \"lists/my{shots}-shot.csv\" }\n";
    let dataset = set.dataset_with(lists);
    let draw = |name: &str| name.parse::<Draw>().unwrap();
    let of = |name: &str| dataset.support(Shots::each(1), draw(name)).unwrap();
    assert_eq!(
        (names(&of("mvfa")), names(&of("madclip"))),
        (["n2.png", "a1.png"].map(str::to_owned).to_vec(), ["n0.png", "a2.png"].map(str::to_owned).to_vec())
    );
    assert!(!of("mvfa").drawn && dataset.support(Shots::each(1), 0).unwrap().drawn);
    let normal = dataset.support(Shots { normal: 1, abnormal: 0 }, draw("mvfa")).unwrap();
    assert_eq!(names(&normal), ["n2.png"]);
    assert_eq!(harness_data::Summary::of(&dataset).unwrap().lists.len(), 2);
    assert!(common::errors(&dataset).is_empty(), "{:?}", common::errors(&dataset));
    let refused = |dataset: &Dataset, name: &str| dataset.support(Shots::each(1), draw(name)).unwrap_err().to_string();
    let advice = "support_lists = { other = \"support/{shots}-shot.txt\" }";
    says(&refused(&dataset, "other"), &["it has no draw `other`; it has madclip, mvfa, numbers", advice]);
    let message = dataset.support(Shots::each(2), draw("madclip")).unwrap_err().to_string();
    says(&message, &["read the support list", "my2-shot.csv"]);
    // A name stands for one draw, and for the K that its list has.
    let dataset =
        set.dataset_with("support_lists = { several = \"lists/several-{shots}.txt\", one = \"lists/my1-shot.csv\" }\n");
    let several = "the list holds the draws 0, 1, and the name `several` stands for one";
    says(&refused(&dataset, "several"), &["several-1.txt", several]);
    let message = dataset.support(Shots::each(2), draw("one")).unwrap_err().to_string();
    says(&message, &["lists 1 normal image for draw one, 2 are wanted"]);
    let errors = common::errors(&dataset);
    assert_eq!(errors.len(), 1, "{errors:?}");
    says(&errors[0], &[several]);
}

#[test]
fn every_mistake_in_a_list_is_told_with_its_line() {
    for (text, line, parts) in [
        ("", 1, ["is empty", ""]),
        ("hello\n", 1, ["neither `a-<draw>:", "label,image,mask"]),
        ("a-0: a0.png\nb-0: n0.png\n", 2, ["neither `a-<draw>:", ""]),
        ("a-0: a0.png\nn-0: n0.png\na-0: a1.png\n", 3, ["a second line `a-0:`", ""]),
        ("a-0: a0.png\n", 1, ["no line `n-0:`", "draws 0"]),
        ("a-0: a9.png\nn-0: n0.png\n", 1, ["`a9.png` is not among the abnormal images", "did you mean `a"]),
        (
            "a-0: /old/disk/Ungood/img/a1.png\nn-0: n0.png\n",
            1,
            ["is not among the abnormal images", "did you mean `valid/Ungood/img/a1.png`"],
        ),
        (
            "a-0: a0.png\nn-0: C:\\old\\good\\img\\n1.png\n",
            2,
            ["is not among the normal images", "did you mean `valid/good/img/n1.png`"],
        ),
        ("a-0: n0.png\nn-0: n0.png\n", 1, ["`n0.png` is not among the abnormal images", "valid/Ungood/img"]),
        ("label,image,mask\n0,n0.png,\n2,a0.png,\n", 3, ["label `2`", "0 (normal) or 1 (abnormal)"]),
        ("label,image,mask\n0,n0.png,\n1,a0.png,b.png\n", 3, ["mask `b.png`", "write that one"]),
        ("label,images\n0,n0.png\n", 1, ["unknown column `images`", "did you mean `image`?"]),
    ] {
        let set = Set::mvfa();
        set.write("lists/1-shot-draw0.txt", text);
        let message = refusal(&set.dataset_with(LIST), 1, 0);
        says(&message, &[&format!("1-shot-draw0.txt:{line}: ")]);
        says(&message, &parts);
    }
    let set = Set::mvfa();
    set.write("lists/2-shot-draw0.txt", "a-0: a0.png a0.png\nn-0: n0.png n1.png\n");
    says(
        &refusal(&set.dataset_with(LIST), 2, 0),
        &["2-shot-draw0.txt:1: ", "`valid/Ungood/img/a0.png`", "second time"],
    );
    set.write("lists/2-shot-draw0.txt", "a-0: a0.png a1.png\nn-0: n0.png\n");
    says(&refusal(&set.dataset_with(LIST), 2, 0), &["lists 1 normal image for draw 0, 2 are wanted", "ask for 1 shot"]);
    std::fs::rename(set.path("valid/good/img/n1.png"), set.path("valid/good/img/n1 (2).png")).unwrap();
    set.write("lists/2-shot-draw0.txt", "a-0: a0.png a1.png\nn-0: n0.png n1 (2).png\n");
    says(
        &refusal(&set.dataset_with(LIST), 2, 0),
        &["2-shot-draw0.txt:2: ", "`n1 (2).png` is the name of an image", "columns label,image"],
    );
    says(
        &refusal(&set.dataset_with(LIST), 3, 0),
        &["can't read the support list", "3-shot-draw0.txt", "there is `lists/2-shot-draw0.txt`", "choose shots"],
    );
    set.write("lists/2-shot-draw0.txt", [0xFF, 0xFE, 0x00]);
    says(&refusal(&set.dataset_with(LIST), 2, 0), &["2-shot-draw0.txt", "UTF-8"]);
}

#[test]
fn a_table_without_a_draw_in_its_name_holds_draw_0_alone() {
    let set = Set::mvfa();
    set.write("lists/1.csv", "label,image\n0,n0.png\n1,a0.png\n");
    let dataset = set.dataset_with("support = \"lists/{shots}.csv\"\n");
    assert!(dataset.support(Shots::each(1), 0).is_ok());
    says(&refusal(&dataset, 1, 1), &["one draw, 0, not 1", "put {draw}"]);
}

#[test]
fn drawn_sets_differ_by_draw_and_shots_and_come_again() {
    let set = Set::mvfa();
    let dataset = set.dataset();
    let drawn: Vec<Vec<String>> = (0..8).map(|draw| names(&dataset.support(Shots::each(2), draw).unwrap())).collect();
    assert_eq!(drawn, (0..8).map(|draw| names(&dataset.support(Shots::each(2), draw).unwrap())).collect::<Vec<_>>());
    assert!(drawn.iter().any(|other| *other != drawn[0]));
    assert!(dataset.support(Shots::each(2), 0).unwrap().drawn);
    says(&refusal(&dataset, 4, 0), &["4 normal support images are wanted", "has 3", "fewer shots"]);
    says(&refusal(&dataset, 0, 0), &["0 shots", "at least 1"]);
}

fn pair(normal: u32, abnormal: u32) -> Shots {
    Shots { normal, abnormal }
}

#[test]
fn the_normal_images_of_a_draw_do_not_depend_on_the_abnormal_ones_and_the_reverse() {
    let set = Set::mvfa();
    let dataset = set.dataset();
    for draw in 0..8 {
        let both = dataset.support(Shots::each(2), draw).unwrap();
        let (normals, unbalanced) =
            (dataset.support(pair(2, 0), draw).unwrap(), dataset.support(pair(2, 1), draw).unwrap());
        let names = |items: &[Item]| items.iter().map(|item| item.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&normals.normal), names(&both.normal));
        assert!(normals.abnormal.is_empty() && normals.drawn);
        assert_eq!(names(&unbalanced.normal), names(&both.normal));
        let one = dataset.support(Shots::each(1), draw).unwrap();
        assert_eq!(names(&unbalanced.abnormal), names(&one.abnormal));
        assert_eq!(names(&dataset.support(pair(0, 2), draw).unwrap().abnormal), names(&both.abnormal));
        // What a training sees is another set.
        assert_ne!(normals.hash, both.hash);
    }
    let message = dataset.support(pair(2, 9), 0).unwrap_err().to_string();
    says(&message, &["9 abnormal support images are wanted", "has 3"]);
}

#[test]
fn a_pair_takes_each_class_from_the_list_of_its_own_number() {
    let set = Set::mvfa();
    set.write("lists/2-shot-draw0.txt", "a-0: a2.png a0.png\nn-0: n1.png n0.png\n");
    set.write("lists/1-shot-draw0.txt", "a-0: a1.png\nn-0: n2.png\n");
    let dataset = set.dataset_with(LIST);
    let of = |shots: Shots| names(&dataset.support(shots, 0).unwrap());
    assert_eq!(of(pair(2, 0)), ["n1.png", "n0.png"]);
    assert_eq!(of(pair(2, 1)), ["n1.png", "n0.png", "a1.png"]);
    assert_eq!(of(pair(0, 2)), ["a2.png", "a0.png"]);
    let refused = |shots: Shots| dataset.support(shots, 0).unwrap_err().to_string();
    says(
        &refused(pair(2, 3)),
        &["3-shot-draw0.txt", "of shots 2+3 (normal+abnormal) the abnormal images are those of the list of 3 shots"],
    );
    set.write("lists/3-shot-draw0.txt", "a-0: a0.png a1.png\nn-0: n0.png n1.png n2.png\n");
    says(
        &refused(pair(2, 3)),
        &["lists 2 abnormal images for draw 0, 3 are wanted (shots 2+3 (normal+abnormal))", "ask for 2 abnormal"],
    );
    assert_eq!(of(pair(3, 0)), ["n0.png", "n1.png", "n2.png"]);
    // Of the class that nothing is taken from, nothing is asked.
    set.write("lists/3-shot-draw0.txt", "a-0:\nn-0: n0.png n1.png n2.png\n");
    assert_eq!(of(pair(3, 0)).len(), 3);
}

#[test]
fn a_list_without_its_number_in_the_name_serves_the_pair_that_it_has() {
    let set = Set::mvfa();
    set.write("lists/all.txt", "a-0: a0.png\nn-0: n0.png n1.png n2.png\n");
    let dataset = set.dataset_with("support = \"lists/all.txt\"\n");
    assert!(common::errors(&dataset).is_empty(), "{:?}", common::errors(&dataset));
    assert_eq!(names(&dataset.support(pair(3, 1), 0).unwrap()), ["n0.png", "n1.png", "n2.png", "a0.png"]);
    assert_eq!(names(&dataset.support(pair(3, 0), 0).unwrap()).len(), 3);
    says(&dataset.support(pair(2, 1), 0).unwrap_err().to_string(), &["lists 3 normal images", "ask for 3 normal"]);
    set.write("lists/all.txt", "a-0:\nn-0:\n");
    says(&common::errors(&dataset)[0], &["0 shots"]);
}

#[test]
fn normal_images_alone_are_augmented_and_have_empty_masks() {
    let set = Set::mvfa();
    let dataset = set.dataset();
    let images =
        SupportImages::load(&dataset, &dataset.support(pair(2, 0), 0).unwrap(), 8, Variants::Madclip, 0).unwrap();
    assert_eq!((images.images.len(), images.shots), (32, pair(2, 0)));
    assert_eq!((images.labels, &images.origins[..4]), (vec![0; 32], &[0, 1, 0, 1][..]));
    assert!(images.masks.unwrap().iter().all(|mask| !mask.contains(&1)));
}

#[test]
fn the_hash_of_a_support_set_follows_content_order_and_label_but_no_name() {
    let (one, two) = (Set::mvfa(), Set::mvfa());
    for (set, list) in
        [(&one, "a-0: a0.png a1.png\nn-0: n0.png n1.png\n"), (&two, "a-0: a0.png b1.png\nn-0: n0.png n1.png\n")]
    {
        set.write("lists/2-shot-draw0.txt", list);
    }
    // The same picture under another name.
    two.image("valid/Ungood/img/b1.png", 25);
    two.mask("valid/Ungood/anomaly_mask/b1.png");
    let hash = |set: &Set| set.dataset_with(LIST).support(Shots::each(2), 0).unwrap().hash;
    let first = hash(&one);
    assert_eq!(first, hash(&two));
    two.image("valid/Ungood/img/b1.png", 26);
    assert_ne!(first, hash(&two), "another picture");
    two.write("lists/2-shot-draw0.txt", "a-0: a1.png a0.png\nn-0: n0.png n1.png\n");
    assert_ne!(first, hash(&two), "another order");
    let nonzero = |set: &Set| {
        set.dataset_with(&format!("{LIST}mask_values = \"nonzero\"\n")).support(Shots::each(2), 0).unwrap().hash
    };
    assert_ne!(first, nonzero(&one), "masks are read differently");
}

#[test]
fn a_support_image_that_is_a_test_image_is_found_by_content() {
    let set = Set::mvfa();
    let dataset = set.dataset();
    // valid/good/img/n1.png holds 20, test/good/img/n2.png is made to.
    set.image("test/good/img/n2.png", 20);
    let hashes = FileHashes::in_memory();
    let (normal, abnormal) = dataset.support_pool().unwrap();
    let support: Vec<_> = normal.into_iter().chain(abnormal).collect();
    let pairs = overlap(&support, &dataset.test_set().unwrap(), &|source| hashes.of_source(source)).unwrap();
    assert_eq!(pairs, [("valid/good/img/n1.png".to_owned(), "test/good/img/n2.png".to_owned())]);
    let errors = set.errors();
    assert_eq!(errors.len(), 1, "{errors:?}");
    says(&errors[0], &["valid/good/img/n1.png", "test/good/img/n2.png", "could train on its test image"]);
}

#[test]
fn a_patient_in_support_and_test_is_named_once() {
    let set = Set::mvfa();
    let dataset = set.dataset_with("patient = \"([0-9])\"\n");
    let (normal, _) = dataset.support_pool().unwrap();
    assert_eq!(shared_patients(&normal[..2], &dataset.test_set().unwrap()), ["0", "1"]);
    let dataset = set.dataset_with("patient = \"^x([0-9])\"\n");
    let (normal, _) = dataset.support_pool().unwrap();
    assert!(shared_patients(&normal, &dataset.test_set().unwrap()).is_empty(), "unknown patients are not one patient");
}

#[test]
fn augmented_support_images_are_abnormal_first_with_their_origin() {
    let set = Set::mvfa();
    let dataset = set.dataset();
    let support = dataset.support(Shots::each(2), 0).unwrap();
    let images = SupportImages::load(&dataset, &support, 8, Variants::Madclip, 0).unwrap();
    assert_eq!((images.images.len(), images.labels.len(), images.shots), (64, 64, Shots::each(2)));
    assert_eq!(images.labels[..32], [1; 32]);
    assert_eq!(images.labels[32..], [0; 32]);
    assert_eq!(images.origins[..4], [0, 1, 0, 1]);
    assert_eq!(images.origins[32..36], [2, 3, 2, 3]);
    let masks = images.masks.unwrap();
    assert!(masks[..32].iter().all(|mask| mask.contains(&1)) && masks[32..].iter().all(|mask| !mask.contains(&1)));
}

#[test]
fn a_file_that_changes_between_plan_and_read_is_an_error() {
    let set = Set::mvfa();
    let dataset = set.dataset();
    let support = dataset.support(Shots::each(3), 0).unwrap();
    set.image("valid/good/img/n0.png", 250);
    let message = SupportImages::load(&dataset, &support, 8, Variants::Madclip, 0).unwrap_err().to_string();
    says(&message, &["[Set]", "changed since it was first read", "start the run again"]);
}

/// A list with one line of text, read for K = 1.
fn read_list(text: &str) -> Result<SupportSet, String> {
    let set = Set::mvfa();
    set.write("lists/1-shot-draw0.txt", text);
    set.dataset_with(LIST).support(Shots::each(1), 0).map_err(|error| error.to_string())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_text_is_a_list_or_a_message_with_its_place(text in "[an0-2:,.\n png-]{0,40}|(label|image|mask|,|\n|a0.png|0|1){0,12}") {
        if let Err(message) = read_list(&text) {
            prop_assert!(message.contains("1-shot-draw0.txt"), "{message}");
        }
    }

    #[test]
    fn a_list_as_lines_and_as_a_table_is_the_same_set(abnormal in 0usize..3, normal in 0usize..3, swapped in any::<bool>()) {
        let lines = [format!("a-0: a{abnormal}.png"), format!("n-0: n{normal}.png")];
        let rows = [format!("1,a{abnormal}.png,"), format!("0,n{normal}.png,")];
        let order = if swapped { [1, 0] } else { [0, 1] };
        let lines = order.map(|i| lines[i].clone()).join("\n");
        let table = format!("label,image,mask\n{}\n", order.map(|i| rows[i].clone()).join("\n"));
        let (lines, table) = (read_list(&lines).unwrap(), read_list(&table).unwrap());
        prop_assert_eq!(lines.hash, table.hash);
    }
}

#[test]
fn the_source_of_a_hash_may_be_remembered_or_read() {
    let set = Set::mvfa();
    let source = Source::File(set.path("test/good/img/n0.png"));
    assert_eq!(FileHashes::in_memory().of_source(&source).unwrap(), source.content_hash().unwrap());
}

#[test]
fn patterns_that_fit_no_name_or_one_patient_alone_are_told() {
    let set = Set::mvfa();
    let told = |keys: &str| {
        let dataset = set.dataset_with(keys);
        let (normal, abnormal) = dataset.support_pool().unwrap();
        let supports = [normal, abnormal].concat();
        doubtful_patients(&dataset, &supports, &dataset.test_set().unwrap())
            .into_iter()
            .map(|finding| finding.message)
            .collect::<Vec<_>>()
    };
    assert_eq!(told(""), [""; 0]);
    assert_eq!(told("patient = \"[an]([0-9])\"\n"), [""; 0]);
    let none = told("patient = \"^TCGA_(.+)_\"\n");
    assert_eq!(none.len(), 1, "{none:?}");
    says(&none[0], &["[Set]: `patient` does not fit any of 12 file names", "a patient of its own"]);
    let some = told("patient = \"[0-1]\"\n");
    assert_eq!(some.len(), 1, "{some:?}");
    says(&some[0], &["does not fit 4 of 12 file names"]);
    let one = told("patient = \"png\"\n");
    assert_eq!(one.len(), 2, "{one:?}");
    says(&one[0], &["all 3 normal test images are of one patient, `png`", "there are no intervals"]);
    says(&one[1], &["all 3 abnormal test images are of one patient"]);
}
