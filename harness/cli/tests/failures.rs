//! What goes wrong in the middle: a cell fails with its reason, others go on, and nothing half written is left.
#![expect(clippy::unwrap_used, reason = "tests")]

mod common;

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use common::{Ended, Place};

#[test]
fn a_loss_that_is_no_number_fails_its_cells_with_epoch_and_batch_and_the_next_run_tries_again() {
    let place = Place::new();
    place.edit("epochs = 2", "epochs = 2\nlearning_rate = 1e30");
    let ended = place.run(&[]).expect(3);
    ended.says(&["failed", "epoch 0, batch 1", "not finite", "learning_rate"]);
    for row in place.results() {
        assert_eq!((row.get("status"), row.get("metric"), row.get("value")), ("failed", "", ""));
        assert!(row.get("message").contains("numeric: epoch 0, batch 1"), "{}", row.get("message"));
    }
    let report = std::fs::read_to_string(place.file("out/report.md")).unwrap();
    assert!(report.contains("Failed cells") && report.contains("not finite"), "{report}");
    assert_eq!(std::fs::read_dir(place.file("out/trainings")).unwrap().count(), 0);
    assert_eq!(place.run(&["--json"]).expect(3).last_event()["failed"], 2);
}

#[test]
fn a_dataset_that_fails_does_not_keep_the_others_from_their_numbers_and_is_tried_again() {
    let place = Place::new();
    place.edit("datasets = [\"Small\"]", "datasets = [\"Small\", \"Files\"]");
    files(&place);
    let registry = std::fs::read_to_string(place.file("datasets.toml")).unwrap();
    place.write("datasets.toml", &format!("{registry}\n[Files]\nroot = \"files\"\nlayout = \"mvfa\"\nobject = \"Liver\"\nmodality = \"none\"\nmasks = true\n"));
    // Cut short where decoding notices and listing does not.
    let victim = place.file("files/test/good/img/n0.png");
    let bytes = std::fs::read(&victim).unwrap();
    std::fs::write(&victim, &bytes[..bytes.len() - 20]).unwrap();
    let ended = place.run(&["--json"]).expect(3);
    let last = ended.last_event();
    assert_eq!((&last["done"], &last["failed"]), (&2.into(), &2.into()));
    let rows = place.results();
    let failed = rows.iter().find(|row| row.get("status") == "failed").unwrap();
    assert_eq!(failed.get("dataset"), "Files");
    assert!(failed.get("message").contains("n0.png"), "{}", failed.get("message"));
    // Mended, the same command does what is missing.
    std::fs::write(&victim, &bytes).unwrap();
    let last = place.run(&["--json"]).expect(0).last_event();
    assert_eq!((&last["reused"], &last["done"]), (&2.into(), &2.into()));
}

/// A dataset of files before the generated one.
fn with_files(place: &Place) {
    place.edit("datasets = [\"Small\"]", "datasets = [\"Files\", \"Small\"]");
    files(place);
    let registry = std::fs::read_to_string(place.file("datasets.toml")).unwrap();
    let entry = "[Files]\nroot = \"files\"\nlayout = \"mvfa\"\nobject = \"Liver\"\nmodality = \"none\"\nmasks = true\n";
    place.write("datasets.toml", &format!("{registry}\n{entry}"));
}

#[test]
fn a_bad_file_of_a_test_set_fails_its_cells_before_they_are_trained_and_the_run_goes_on() {
    let small = image::GrayImage::from_pixel(8, 8, image::Luma([255]));
    let empty = image::GrayImage::new(32, 32);
    let png = |image: &image::GrayImage| {
        let mut bytes = std::io::Cursor::new(Vec::new());
        image.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
        bytes.into_inner()
    };
    let whole = png(&image::GrayImage::from_fn(32, 32, |x, y| image::Luma([(x * y % 251) as u8])));
    let mask = "files/test/Ungood/anomaly_mask/a1.png";
    for (file, bytes, told) in [
        (mask, png(&small), "8 x 8 pixels, but its image"),
        (mask, png(&empty), "the mask of an abnormal image is empty"),
        (mask, b"GIF89a\x01\x00\x01\x00".to_vec(), "GIF"),
        (mask, Vec::new(), "empty"),
        ("files/test/Ungood/img/a1.png", whole[..whole.len() - 20].to_vec(), "a1.png"),
    ] {
        let place = Place::new();
        with_files(&place);
        let right = std::fs::read(place.file(file)).unwrap();
        std::fs::write(place.file(file), &bytes).unwrap();
        for (attempt, [done, reused]) in [[2, 0], [0, 2]].into_iter().enumerate() {
            let ended = place.run(&["--json"]).expect(3);
            let last = ended.last_event();
            let counts = ["done", "reused", "failed"].map(|name| last[name].as_u64().unwrap());
            assert_eq!(counts, [done, reused, 2], "{told}, attempt {attempt}");
            for row in place.results() {
                let failed = row.get("dataset") == "Files";
                assert_eq!(row.get("status"), if failed { "failed" } else { "done" }, "{told}");
                assert!(!failed || row.get("message").contains(told), "{told}: {}", row.get("message"));
            }
            // No training is paid for that comes to nothing.
            assert_eq!(std::fs::read_dir(place.file("out/trainings")).unwrap().count(), 1, "{told}");
            let report = std::fs::read_to_string(place.file("out/report.md")).unwrap();
            assert!(report.contains("## Failed cells"), "{report}");
        }
        std::fs::write(place.file(file), &right).unwrap();
        let last = place.run(&["--json"]).expect(0).last_event();
        assert_eq!((&last["reused"], &last["done"]), (&2.into(), &2.into()), "{told}");
        // What was measured before is no number of a mask that can't be read now.
        std::fs::write(place.file(file), &bytes).unwrap();
        if file == mask {
            let last = place.run(&["--json"]).expect(3).last_event();
            assert_eq!((&last["reused"], &last["failed"]), (&2.into(), &2.into()), "{told}");
            assert!(place.results().iter().all(|row| row.get("value").is_empty() == (row.get("dataset") == "Files")));
        }
    }
}

#[test]
fn lesions_that_vanish_in_resizing_are_told_once_and_counted_as_no_pixels() {
    let place = Place::new();
    with_files(&place);
    // 64 x 64 pixels, of which every second is left of each row and column: a lesion in one pixel of the others is
    // lost.
    let lesion =
        |image: u32| move |x: u32, y: u32| if image == 0 { (x, y) == (2, 4) } else { (20..40).contains(&x) && y < 40 };
    for split in ["valid", "test"] {
        for i in 0..3 {
            let lesion = lesion(if split == "test" { i } else { 1 });
            let number = i + if split == "test" { 3 } else { 0 };
            let picture = |x: u32, y: u32| {
                image::Luma([((x * 7 + y * 3 + number * 31) % 97) as u8 + 90 * u8::from(lesion(x, y))])
            };
            let mask = |x: u32, y: u32| image::Luma([255 * u8::from(lesion(x, y))]);
            let path = |kind: &str| place.file(&format!("files/{split}/Ungood/{kind}/a{i}.png"));
            image::GrayImage::from_fn(64, 64, picture).save(path("img")).unwrap();
            image::GrayImage::from_fn(64, 64, mask).save(path("anomaly_mask")).unwrap();
        }
    }
    let told = "[Files]: the lesion of 1 of 3 abnormal test images vanishes at 32 x 32 pixels; it counts as an abnormal \
                image without lesion pixels";
    let ended = place.run(&[]).expect(0);
    let flowed = ended.err.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(flowed.matches(told).count(), 1, "{}", ended.err);
    assert!(place.results().iter().all(|row| row.get("status") == "done"));
    let report = || std::fs::read_to_string(place.file("out/report.md")).unwrap();
    assert!(report().contains(told), "{}", report());
    place.harness(&["score", "out", "--cache", "cache"]).expect(0);
    assert!(report().contains(told), "{}", report());
    // Of three images two have lesion pixels, so a resample may have none.
    assert!(report().contains("pixel metrics have no intervals"), "{}", report());
    // A support lesion that is lost can't be trained on.
    for i in 0..3 {
        std::fs::copy(
            place.file("files/test/Ungood/anomaly_mask/a0.png"),
            place.file(&format!("files/valid/Ungood/anomaly_mask/a{i}.png")),
        )
        .unwrap();
    }
    place.run(&[]).expect(3);
    let failed = place.results().into_iter().find(|row| row.get("status") == "failed").unwrap();
    assert!(failed.get("message").contains("too small to survive resizing"), "{}", failed.get("message"));
}

/// A dataset of files in the mvfa layout.
fn files(place: &Place) {
    let write = |name: String, seed: u32, mask: bool| {
        let path = place.file("files").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let pixel = |x: u32, y: u32| match mask {
            true => {
                if (10..20).contains(&x) && (10..20).contains(&y) {
                    255
                } else {
                    0
                }
            }
            false => (x * 7 + y * 3 + seed * 31 + (x * y * (seed + 1)) % 97) as u8,
        };
        image::GrayImage::from_fn(32, 32, |x, y| image::Luma([pixel(x, y)])).save(path).unwrap();
    };
    for (split, offset) in [("valid", 0), ("test", 100)] {
        for i in 0..3 {
            write(format!("{split}/good/img/n{i}.png"), offset + i, false);
            write(format!("{split}/Ungood/img/a{i}.png"), offset + 50 + i, false);
            write(format!("{split}/Ungood/anomaly_mask/a{i}.png"), 0, true);
        }
    }
}

#[test]
fn a_support_image_that_is_also_a_test_image_is_refused_unless_allowed_and_then_every_row_says_so() {
    let place = Place::new();
    files(&place);
    place.write(
        "datasets.toml",
        "[Small]\nroot = \"files\"\nlayout = \"mvfa\"\nobject = \"Liver\"\nmodality = \"none\"\nmasks = true\n",
    );
    for i in 0..3 {
        let copy = format!("files/test/good/img/n{i}.png");
        std::fs::copy(place.file(&format!("files/valid/good/img/n{i}.png")), place.file(&copy)).unwrap();
    }
    place.run(&[]).expect(2).says(&["small.toml:", "also the test image", "--allow-overlap"]);
    assert!(!place.file("out").exists());
    place.run(&["--allow-overlap"]).expect(0).says(&["warning:", "also the test image"]);
    assert!(place.results().iter().all(|row| row.get("allow_overlap") == "true"));
}

#[test]
fn ctrl_c_leaves_a_clean_state_and_the_same_command_goes_on() {
    let place = Place::new();
    place.edit("epochs = 2", "epochs = 20000");
    place.edit("selection = [\"last\", \"best-on-test\"]", "selection = [\"last\"]");
    place.edit("seeds = [0]", "seeds = [0, 1]");
    let mut child = place
        .command(&["run", "small.toml", "--cache", "cache", "--out", "out", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.contains("\"event\":\"epoch\"")));
    interrupt(child.id());
    let rest: Vec<String> = lines.collect();
    let ended = Ended::of(child.wait_with_output().unwrap());
    assert_eq!(ended.code, Some(130), "{}", ended.err);
    let last: serde_json::Value = serde_json::from_str(rest.last().unwrap()).unwrap();
    assert_eq!((&last["event"], &last["failed"]), (&"finished".into(), &0.into()));
    let left = std::fs::read_dir(place.file("out/trainings")).unwrap().map(|e| e.unwrap().file_name());
    assert!(left.into_iter().all(|name| !name.to_string_lossy().starts_with('.')));
    assert!(place.results().iter().any(|row| row.get("status") == "not run"));
    place.edit("epochs = 20000", "epochs = 3");
    assert_eq!(place.run(&["--json"]).expect(0).last_event()["done"], 2);
}

/// Sends SIGINT.
fn interrupt(process: u32) {
    assert!(std::process::Command::new("kill").args(["-INT", &process.to_string()]).status().unwrap().success());
}

#[test]
fn a_results_folder_that_cannot_be_written_to_is_told_before_anything_is_computed() {
    let place = Place::new();
    place.write("out", "a file where the folder should be");
    let ended = place.run(&["--json"]).expect(4);
    ended.says(&["cannot create the folder", "out"]);
    assert!(!ended.out.contains("progress"));
}

#[test]
fn a_disk_that_fills_up_fails_with_its_reason_and_with_more_room_the_same_command_goes_on() {
    let place = Place::new();
    // Grids and states fit, about 0.7 MB; figures don't any more.
    let Some(disk) = SmallDisk::at(&place, "out", "1m") else { return };
    place.edit("seeds = [0]", "seeds = [0, 1]");
    let ended = place.run(&[]);
    assert!(matches!(ended.code, Some(3 | 4)), "{:?} {}", ended.code, ended.err);
    assert!(ended.err.contains("No space left"), "{}", ended.err);
    for part in ["trainings", "evaluations"] {
        for entry in std::fs::read_dir(place.file("out").join(part)).into_iter().flatten() {
            let name = entry.unwrap().file_name();
            assert!(!name.to_string_lossy().starts_with('.'), "half written: {name:?}");
        }
    }
    disk.resize("20m");
    place.run(&[]).expect(0);
}

#[test]
fn a_cache_that_cannot_hold_the_encoded_images_is_refused_and_a_budget_is_the_way_out() {
    let place = Place::new();
    let Some(_disk) = SmallDisk::at(&place, "cache", "100k") else { return };
    place.run(&[]).expect(4).says(&["encoded images need", "are free", "--cache-budget"]);
    assert!(!place.file("out/results.csv").exists());
    place.run(&["--cache-budget", "0.00003"]).expect(0);
}

/// A file system of a few kilobytes, unmounted in the end.
struct SmallDisk(std::path::PathBuf);

impl SmallDisk {
    /// Nothing, with a word, where there is no right to mount one.
    fn at(place: &Place, folder: &str, size: &str) -> Option<Self> {
        let path = place.file(folder);
        std::fs::create_dir(&path).unwrap();
        let options = format!("size={size}");
        let mut mount = std::process::Command::new("mount");
        let mounted = mount.args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(&path).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self(path));
        }
        say_skipped();
        None
    }

    fn resize(&self, size: &str) {
        let options = format!("remount,size={size}");
        let mut mount = std::process::Command::new("mount");
        assert!(mount.args(["-o", &options]).arg(&self.0).status().unwrap().success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(&self.0).status();
    }
}

#[expect(clippy::print_stderr, reason = "a skipped test says so")]
fn say_skipped() {
    eprintln!("skipped: no right to mount a small disk");
}

#[test]
fn two_runs_on_one_results_folder_wait_for_each_other() {
    let place = Place::new();
    let arguments = ["run", "small.toml", "--cache", "cache", "--out", "out", "--json"];
    let start = || place.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (first, second) = (start(), start());
    let ended = [first, second].map(|child| Ended::of(child.wait_with_output().unwrap()).expect(0));
    let mut done: Vec<u64> = ended.iter().map(|ended| ended.last_event()["done"].as_u64().unwrap()).collect();
    done.sort_unstable();
    assert_eq!(done, [0, 2]);
}
