//! `datasets.toml`: any text is a registry, or a list of mistakes with positions.
#![no_main]

use std::path::Path;

use harness_data::{DataError, Registry};
use harness_fuzz::tokens;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let text = tokens::text(bytes, tokens::REGISTRY);
    match Registry::parse(&text, Path::new("sets/datasets.toml")) {
        Ok(registry) => {
            for name in registry.names() {
                let entry = registry.get(name).expect("a name of the registry");
                for value in [None, Some("x"), Some("")] {
                    let lookup = |_: &str| value.map(str::to_owned);
                    let _ = (entry.root_with(&lookup), entry.lists_with(&lookup), entry.named_lists_with(&lookup));
                }
            }
        }
        Err(DataError::Registry(problems)) => {
            assert!(!problems.list.is_empty());
            let lines = text.lines().count() + 1;
            for problem in &problems.list {
                assert!((1..=lines).contains(&problem.line) && problem.column >= 1, "{problem:?}");
            }
        }
        Err(error) => panic!("{error}"),
    }
});
