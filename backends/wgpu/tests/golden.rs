//! The plugin that cargo built, loaded as the harness loads it: the golden cases on the first adapter there is.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, reason = "tests")]

#[path = "../../burn/tests/plugin/mod.rs"]
mod plugin;

#[test]
fn wgpu_reproduces_the_golden_cases() {
    let backend = plugin::load("wgpu");
    if let Some(device) = plugin::devices(&backend).first() {
        println!("device {device}");
        let session = plugin::open(&backend, device, None);
        plugin::reproduces_the_golden_cases(&session);
        assert!(session.memory().unwrap().device_peak_bytes > 0);
    }
}

#[test]
fn without_an_adapter_it_says_so_in_one_line() {
    let backend = plugin::load("wgpu");
    let description = backend.describe();
    assert_eq!(description.devices.is_empty(), description.note.is_some());
    assert!(description.note.iter().all(|note| note.lines().count() == 1));
}
