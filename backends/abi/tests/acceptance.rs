//! Rules 1 and 2: which tables the host accepts, which it refuses and with what words, and what it never calls.
#![allow(unsafe_code, clippy::unwrap_used, missing_docs, reason = "tests read and change tables")]

mod common;

use common::*;
use harness_backend_abi::host::{Backend, LoadError, Version};
use harness_backend_abi::plugin;
use harness_backend_abi::plugin::{Absent, Capability, Plugin, SessionOptions, Status};
use harness_backend_abi::table::Table;

#[test]
fn rule_1_a_table_shorter_than_its_version_is_refused_with_sizes_and_versions_named() {
    let error = changed(|table| table.size = 176).unwrap_err();
    assert!(matches!(error, LoadError::Size { found: 176, plugin: Version::HARNESS }));
    let text = error.to_string();
    assert!(text.contains("176 bytes, at least 184") && text.contains("interface 2.4, the harness has 2.4"), "{text}");
}

#[test]
fn rule_1_a_shorter_table_works_without_the_functions_beyond_its_end() {
    let backend = changed(|table| table.size = 184);
    // It announces a function that lies beyond its end.
    assert!(backend.unwrap_err().to_string().contains("gemm_rate"));
    // SAFETY: the table of a built-in backend.
    let mut table = unsafe { *harness_backend_abi::table_of::<First>() };
    table.size = 184;
    // SAFETY: leaked, and longer than it says.
    let first = unsafe { Backend::from_table(Box::leak(Box::new(table))) }.unwrap();
    assert_eq!((first.interface(), first.has(Capability::Gemm)), (Version::HARNESS, false));
    let session = open_on(&first, "cpu");
    assert_eq!(session.memory().unwrap().device_peak_bytes, 1);
    assert!(session.gemm_rate().unwrap_err().to_string().contains("lacks the capability `gemm`"));
}

#[test]
fn rule_1_a_table_of_2_1_lacks_what_was_appended_since() {
    // SAFETY: the table of a built-in backend.
    let mut table = unsafe { *harness_backend_abi::table_of::<First>() };
    (table.size, table.minor) = (192, 1);
    // SAFETY: leaked, and longer than it says.
    let older = unsafe { Backend::from_table(Box::leak(Box::new(table))) }.unwrap();
    assert_eq!(older.interface(), Version { major: 2, minor: 1 });
    assert!(older.has(Capability::ImageTower) && !older.has(Capability::Windows) && !older.has(Capability::Nearest));
    let session = open_on(&older, "cpu");
    let error = image_tower(&session, 1.0).encode_windows_u8(&[0; 3 * S * S], 1, 2, &mut [0.0; W]).unwrap_err();
    assert!(error.to_string().contains("lacks the capability `windows`"), "{error}");
    let error = session.nearest(&[1.0], &[1.0], 1).unwrap_err();
    assert!(error.to_string().contains("lacks the capability `nearest`"), "{error}");
    let mut trainer = common::trainer(&session);
    assert!(!trainer.resumes());
    let error = trainer.read_moments(&[]).unwrap_err();
    assert!(error.to_string().contains("lacks the capability `resume`"), "{error}");
    assert!(trainer.write_moments(&[], 1).unwrap_err().to_string().contains("lacks the capability `resume`"));
    assert!(!trainer.holds_taps());
    let (a, b) = (taps(&[0.5]), taps(&[0.5]));
    for error in [trainer.room().unwrap_err(), trainer.hold_taps(&[&a, &b], 1).unwrap_err()] {
        assert!(error.to_string().contains("lacks the capability `held_taps`"), "{error}");
    }
}

#[test]
fn rule_1_a_table_of_2_3_without_the_capability_that_came_later_trains_and_scores() {
    // SAFETY: the table of a built-in backend.
    let mut table = unsafe { *harness_backend_abi::table_of::<First>() };
    (table.size, table.minor) = (224, 3);
    // SAFETY: leaked, and longer than it says.
    let older = unsafe { Backend::from_table(Box::leak(Box::new(table))) }.unwrap();
    assert_eq!((older.interface(), older.has(Capability::HeldTaps)), (Version { major: 2, minor: 3 }, false));
    let mut trainer = common::trainer(&open_on(&older, "cpu"));
    let (a, b) = (taps(&[0.5]), taps(&[0.25]));
    trainer.append_support(&[&a, &b], &[1], None).unwrap();
    trainer.step(&[0]).unwrap();
    assert_eq!(trainer.score(&[&a, &b], 1, false).unwrap().grids.len(), TAPS * G * G);
    assert!(!trainer.holds_taps());
    // One that announces it all the same is refused.
    let text = changed(|table| table.size = 224).unwrap_err().to_string();
    assert!(text.contains("announces `held_taps`, but its table lacks `trainer_room`"), "{text}");
}

#[test]
fn rule_1_a_longer_table_of_a_newer_minor_version_works() {
    #[repr(C)]
    struct Newer {
        table: Table,
        appended: [usize; 3],
    }
    // SAFETY: the table of a built-in backend.
    let mut newer = Newer { table: unsafe { *common::table() }, appended: [usize::MAX; 3] };
    newer.table.size = size_of::<Newer>();
    newer.table.minor = 7;
    let newer: &'static Newer = Box::leak(Box::new(newer));
    // SAFETY: leaked, and `size` bytes long.
    let backend = unsafe { Backend::from_table((&raw const *newer).cast()) }.unwrap();
    assert_eq!(backend.interface(), Version { major: 2, minor: 7 });
    let mut trainer = trainer(&open_on(&backend, "cpu"));
    assert_eq!(trainer.text().unwrap(), [0.0; 2 * E]);
    assert_eq!(newer.appended, [usize::MAX; 3]);
}

#[test]
fn rule_2_a_wrong_magic_is_refused_with_both_versions_named() {
    let error = changed(|table| table.magic = 7).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, LoadError::Magic { found: 7, .. }));
    assert!(text.contains("0x0000000000000007, expected 0x4841524e45535342"), "{text}");
    assert!(text.contains("interface 2.4, the harness has 2.4"), "{text}");
}

#[test]
fn rule_2_another_major_version_is_refused_with_both_versions_named() {
    for major in [1, 3] {
        let text = changed(|table| (table.major, table.minor) = (major, 9)).unwrap_err().to_string();
        assert!(text.contains(&format!("interface {major}.9, the harness has 2.4")), "{text}");
    }
    // Another major may have another layout: its size is not looked at.
    assert!(matches!(changed(|table| (table.major, table.size) = (3, 8)).unwrap_err(), LoadError::Major { .. }));
}

#[test]
fn rule_2_no_table_is_an_error() {
    for address in [0_usize, 12] {
        // SAFETY: null or misaligned, so that nothing is read.
        let error = unsafe { Backend::from_table(std::ptr::without_provenance(address)) }.unwrap_err();
        assert!(matches!(error, LoadError::NoTable { address: found } if found == address));
    }
}

#[test]
fn rule_2_a_null_function_that_every_backend_has_is_refused() {
    let text = changed(|table| table.session_open = None).unwrap_err().to_string();
    assert!(text.contains("`session_open`"), "{text}");
}

#[test]
fn rule_2_a_capability_without_its_function_is_refused() {
    let text = changed(|table| table.trainer_score = None).unwrap_err().to_string();
    assert!(text.contains("`dummy` announces `trainer`") && text.contains("`trainer_score`"), "{text}");
}

/// Dummy without its last function.
struct First;

impl Plugin for First {
    const CAPABILITIES: &'static [Capability] = &[
        Capability::ImageTower,
        Capability::TextTower,
        Capability::Trainer,
        Capability::Gradients,
        Capability::Maps,
        Capability::Memory,
    ];
    type Session = common::Open;

    fn describe() -> plugin::Description {
        Dummy::describe()
    }

    fn open(options: SessionOptions) -> Result<Self::Session, plugin::Failure> {
        Dummy::open(options)
    }
}

struct NoParity;

impl Plugin for NoParity {
    const CAPABILITIES: &'static [Capability] = &[Capability::ImageTower, Capability::TextTower, Capability::Trainer];
    type Session = common::Open;

    fn describe() -> plugin::Description {
        Dummy::describe()
    }

    fn open(options: SessionOptions) -> Result<Self::Session, plugin::Failure> {
        Dummy::open(options)
    }
}

struct Encoder;
struct EncoderSession;

impl Plugin for Encoder {
    const CAPABILITIES: &'static [Capability] = &[Capability::ImageTower];
    type Session = EncoderSession;

    fn describe() -> plugin::Description {
        plugin::Description { name: "encoder".into(), version: "0".into(), ..plugin::Description::default() }
    }

    fn open(_: SessionOptions) -> Result<Self::Session, plugin::Failure> {
        Ok(EncoderSession)
    }
}

impl plugin::Session for EncoderSession {
    type ImageTower = common::Image;
    type TextTower = Absent;
    type Trainer = Absent;

    fn load_image_tower(
        &mut self,
        options: &plugin::ImageTowerOptions,
        tensors: &plugin::Tensors<'_>,
    ) -> Result<Self::ImageTower, plugin::Failure> {
        Dummy::open(SessionOptions::on("cpu"))?.load_image_tower(options, tensors)
    }

    fn load_text_tower(
        &mut self,
        _: &plugin::TextTowerOptions,
        _: &plugin::Tensors<'_>,
    ) -> Result<Absent, plugin::Failure> {
        Err(plugin::Failure::unsupported("no text tower"))
    }

    fn create_trainer(
        &mut self,
        _: &plugin::TrainerOptions,
        _: Option<&Absent>,
        _: &plugin::Tensors<'_>,
        _: &plugin::Tensors<'_>,
    ) -> Result<Absent, plugin::Failure> {
        Err(plugin::Failure::unsupported("no trainer"))
    }
}

#[test]
fn rule_2_a_missing_capability_is_an_error_before_the_call() {
    let table = harness_backend_abi::table_of::<Encoder>();
    // SAFETY: the table of a built-in backend.
    let functions = unsafe { &*table };
    assert!(functions.image_tower_load.is_some());
    assert!(functions.text_tower_load.is_none() && functions.trainer_create.is_none() && functions.memory.is_none());

    let backend = Backend::built_in::<Encoder>().unwrap();
    assert_eq!(backend.capabilities(), [Capability::ImageTower]);
    let session = open_on(&backend, "any");
    let text = session.load_text_tower(&text_options(), &[]).unwrap_err();
    let trainer = session.create_trainer(&trainer_options(true), None, &[], &state()).unwrap_err();
    for (error, capability) in [
        (text, "text_tower"),
        (trainer, "trainer"),
        (session.memory().unwrap_err(), "memory"),
        (session.gemm_rate().unwrap_err(), "gemm"),
    ] {
        assert_eq!(error.status, Status::Unsupported);
        assert!(error.to_string().contains(&format!("lacks the capability `{capability}`")), "{error}");
    }
    image_tower(&session, 1.0);
}

#[test]
fn rule_2_maps_and_gradients_are_not_asked_of_a_backend_without_them() {
    let session = open_on(&Backend::built_in::<NoParity>().unwrap(), "cpu");
    let mut trainer = trainer(&session);
    let (a, b) = (taps(&[0.5]), taps(&[0.5]));
    trainer.append_support(&[&a, &b], &[1], None).unwrap();
    let gradients = trainer.gradients(&[0], &[("bias", &[2])]).unwrap_err();
    let maps = trainer.score(&[&a, &b], 1, true).unwrap_err();
    assert_eq!([gradients.status, maps.status], [Status::Unsupported; 2]);
    assert_eq!(trainer.score(&[&a, &b], 1, false).unwrap().maps, None);
}
