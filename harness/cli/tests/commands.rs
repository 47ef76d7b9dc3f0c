//! The commands besides `run`.
#![expect(clippy::unwrap_used, reason = "tests")]

mod common;

use common::Place;

#[test]
fn a_plan_tells_options_and_costs_and_writes_nothing() {
    let place = Place::new();
    let told = place.harness(&["plan", "small.toml", "--cache", "cache", "--cells"]).expect(0).out;
    for part in ["synthetic weights, seed 0", "dual_objective", "best-on-test", "trainings    1", "evaluations  2"] {
        assert!(told.contains(part), "`{part}` is not in: {told}");
    }
    assert!(!place.file("reports").exists());
    let frozen = place.harness(&["plan", "small.toml", "--cache", "cache", "--toml"]).expect(0).out;
    assert!(frozen.contains("format = 2"));
}

#[test]
fn a_plan_tells_hours_from_a_measurement_and_later_from_what_runs_took() {
    let place = Place::new();
    let plan = || place.harness(&["plan", "small.toml", "--cache", "cache", "--threads", "1"]).expect(0).out;
    let told = plan();
    assert!(told.contains("  time         about") && told.contains("from a short measurement"), "{told}");
    let measured = std::fs::read_to_string(place.file("cache/pace.toml")).unwrap();
    assert!(measured.contains("flex") && measured.contains("1 threads") && measured.contains("encode ="), "{measured}");
    place.write("cache/pace.toml", &format!("{measured}train = 1.0\nscore = 1.0\n"));
    let told = plan();
    let time = told.lines().find(|line| line.starts_with("  time ")).unwrap();
    assert!(time.contains("d ") && time.contains("at the pace of earlier runs"), "{told}");
}

#[test]
fn datasets_are_listed_with_counts_and_verified() {
    let place = Place::new();
    let told = place.harness(&["datasets", "list"]).expect(0).out;
    assert!(told.contains("| Small") && told.contains("4 + 4") && told.contains("6 + 6"), "{told}");
    let told = place.harness(&["datasets", "verify", "Small"]).expect(0).out;
    assert!(told.contains("0 errors"), "{told}");
    place.harness(&["datasets", "verify", "Smal"]).expect(2).says(&["did you mean `Small`"]);
}

#[test]
fn the_cache_is_listed_and_cleared() {
    let place = Place::new();
    place.run(&[]).expect(0);
    let told = place.harness(&["cache", "list", "--cache", "cache"]).expect(0).out;
    assert!(
        told.contains("Small test, 32 px, weights ") && told.contains(", flex, ") && told.contains("12 images"),
        "{told}"
    );
    place.harness(&["cache", "clear", "--cache", "cache", "--older-than", "1"]).expect(0);
    assert!(place.harness(&["cache", "list", "--cache", "cache"]).expect(0).out.contains("12 images"));
    place.harness(&["cache", "clear", "--cache", "cache"]).expect(0);
    assert!(!place.harness(&["cache", "list", "--cache", "cache"]).expect(0).out.contains("images"));
    // What is computed without it is the same.
    assert_eq!(place.run(&["--json"]).expect(0).last_event()["reused"], 2);
}

#[test]
fn the_doctor_tells_what_is_there() {
    let place = Place::new();
    let told = place.harness(&["doctor", "--cache", "cache"]).expect(0).out;
    for part in ["processor", "flex", "cpu", "Small: generated"] {
        assert!(told.contains(part), "`{part}` is not in: {told}");
    }
}

#[test]
fn backends_are_listed_with_what_they_can_do() {
    let told = Place::new().harness(&["backends", "list"]).expect(0).out;
    assert!(told.starts_with("flex ") && told.contains("cpu") && told.contains("trainer"), "{told}");
}

#[test]
fn a_backend_check_prints_a_line_a_quantity_and_fails_where_one_is_beyond_its_tolerance() {
    let place = Place::new();
    let golden = harness_tests::golden("");
    let golden = golden.to_str().unwrap();
    let told = place.harness(&["backends", "check", "flex", "--golden", golden]).expect(0).out;
    for quantity in [
        "tap.",
        "text.initial",
        "loss.detection",
        "gradients",
        "parameters",
        "maps",
        "detection",
        "mvfa-image-level",
        "detection.few",
        "april-gan",
    ] {
        assert!(told.contains(quantity), "{told}");
    }
    assert!(told.lines().filter(|line| line.starts_with("ok")).count() > 15, "{told}");

    // The same case with another seed has other values.
    let from = harness_tests::golden("as-pretrained");
    std::fs::create_dir_all(place.file("cases/wrong")).unwrap();
    let expected = "expected.safetensors";
    std::fs::copy(from.join(expected), place.file("cases/wrong").join(expected)).unwrap();
    let case = std::fs::read_to_string(from.join("case.toml")).unwrap();
    let seed = case.lines().find(|line| line.starts_with("seed = ")).unwrap();
    place.write("cases/wrong/case.toml", &case.replacen(seed, "seed = 424242", 1));
    let told = place.harness(&["backends", "check", "flex", "--golden", "cases"]).expect(1).out;
    assert!(told.contains("FAIL"), "{told}");
    place.harness(&["backends", "check", "flex", "--golden", "nothing"]).expect(2).says(&["nothing"]);
}

#[test]
fn a_backend_that_compiles_is_checked_with_an_empty_and_with_a_warm_cache_that_are_not_the_user_s() {
    let place = Place::new();
    std::fs::create_dir_all(place.file("backends")).unwrap();
    harness_faulty::install(&place.file("backends"), "faulty").unwrap();
    let check = |fault: Option<&str>| {
        let arguments = ["backends", "check", "faulty", "--backend-dir", "backends", "--case", "shapes-one-column"];
        let mut command = place.command(&arguments);
        command.env("HARNESS_FAULT_MODEL", "tuned").env("XDG_CACHE_HOME", place.path());
        command.envs(fault.map(|fault| ("HARNESS_FAULT", fault)));
        common::Ended::of(command.output().unwrap())
    };
    let well = check(None).expect(0);
    well.says(&["`faulty` compiles its kernels: 1 case twice", "1 of 1: shapes-one-column"]);
    let [empty, warm] = ["(empty cache)", "(warm cache)"].map(|which| well.out.matches(which).count());
    assert!(empty == 9 && warm == 9 && well.out.contains("with an empty and with a warm cache"), "{}", well.out);
    // What comes out of the cache is wrong, and nothing else.
    let ill = check(Some("cached-product")).expect(1).out;
    let failed = |which| ill.lines().filter(|line| line.starts_with("FAIL") && line.ends_with(which)).count();
    assert!(failed("(empty cache)") == 0 && failed("(warm cache)") > 2, "{ill}");
    let ill = check(Some("thread")).expect(1).out;
    assert!(ill.contains("a thread of the device panicked"), "{ill}");
    assert!(!place.file("harness-faulty").exists(), "the user's cache was written to");

    place.harness(&["backends", "check", "flex", "--case", "nothing"]).expect(2).says(&["shapes-one-column"]);
}

#[test]
fn weights_are_inspected_with_architecture_and_hash() {
    let Some(file) = harness_tests::shared("weights/formats/openai-torchscript.pt") else { return };
    let place = Place::new();
    let told = place.harness(&["weights", "inspect", file.to_str().unwrap()]).expect(0).out;
    for part in ["TorchScript", "width 128", "BLAKE3", "quick_gelu", "usable        yes"] {
        assert!(told.contains(part), "`{part}` is not in: {told}");
    }
    let json = place.harness(&["weights", "inspect", "--json", file.to_str().unwrap()]).expect(0).out;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["arch"]["width"], 128);
}

#[test]
fn completions_are_what_the_shell_reads_and_know_commands_and_options() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish"] {
        let told = place.harness(&["completions", shell]).expect(0).out;
        for word in ["verify", "smoke", "max-failures"] {
            assert!(told.contains(word), "{shell}: {word}");
        }
    }
    place.write("harness.bash", &place.harness(&["completions", "bash"]).expect(0).out);
    let script =
        "source harness.bash; COMP_WORDS=(harness ru); COMP_CWORD=1; _harness harness ru harness; echo ${COMPREPLY[@]}";
    if let Ok(output) = std::process::Command::new("bash").args(["-c", script]).current_dir(place.file(".")).output() {
        assert_eq!(
            String::from_utf8_lossy(&output.stdout).trim(),
            "run",
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

#[test]
fn every_command_has_a_manual_page_and_what_is_hidden_has_none() {
    let place = Place::new();
    place.harness(&["man", "pages/man1"]).expect(0).says(&["manual pages are in"]);
    let page = |name: &str| std::fs::read_to_string(place.file(&format!("pages/man1/{name}.1")));
    assert!(page("harness").unwrap().contains("harness\\-run(1)"), "{}", page("harness").unwrap());
    for (name, part) in [("harness-run", "smoke"), ("harness-datasets-verify", "Usage"), ("harness-clean", "yes")] {
        let page = page(name).unwrap();
        assert!(page.starts_with(".ie") && (page.contains(part) || part == "Usage"), "{name}: {page}");
    }
    assert!(page("harness-worker").is_err());
    place.write("a-file", "");
    place.harness(&["man", "a-file"]).expect(4).says(&["can't write manual pages to a-file"]);
}
