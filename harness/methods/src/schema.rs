//! The keys of a table of options, `[base]` or a variant, for its schema.

use harness_config::schema;
use harness_config::{Key, suggest};

use crate::list::{KEY, Method};

/// Those of all methods: which method a variant has may stand in `[base]`, so an option of another method
/// is left to the reader.
pub fn options() -> Vec<Key> {
    let mut keys = vec![
        Key::new(KEY, "How a model is made, and what it learns", schema::names(&Method::ALL.map(Method::name))),
        Key::new("preset", "Where the method's options start", schema::names(&presets())),
    ];
    for method in Method::ALL {
        for option in method.declared() {
            match keys.iter_mut().find(|key| key.name == option.name) {
                Some(key) => key.schema = schema::either([key.schema.take(), option.schema]),
                None => keys.push(Key::new(option.name, option.meaning, option.schema)),
            }
        }
    }
    for key in &mut keys[2..] {
        let having = || Method::ALL.into_iter().filter(|method| method.options().contains(&key.name));
        if having().count() < Method::ALL.len() {
            key.default = format!("the preset's; an option of {}", suggest::list(having().map(Method::name)));
        }
    }
    keys
}

/// Every method's, each once.
fn presets() -> Vec<&'static str> {
    let mut presets = Vec::new();
    for preset in Method::ALL.into_iter().flat_map(Method::presets) {
        if !presets.contains(&preset) {
            presets.push(preset);
        }
    }
    presets
}
