//! The schema of an experiment file, from the declarations that the reader uses.

use harness_config::schema::{self, Schema};
use harness_config::{Describe, Key};
use harness_method::{Arch, Options};

use crate::rules::Rule;
use crate::spec::{EncoderSpec, ReportSpec, TopSpec, TrainSpec};

/// A JSON schema of experiment files.
pub fn schema() -> Schema {
    let rules = schema::list(Key::schema_of(&Rule::keys()));
    let mut options = harness_methods::schema::options();
    options.push(Key::new("label", "The variant's name in print", String::schema()));
    let options = Key::schema_of(&options);
    let mut keys = TopSpec::keys();
    keys.extend([
        Key::new("include", "Where there are any, a cell must meet one of these rules", rules.clone()),
        Key::new("exclude", "A cell must meet none of these rules", rules),
        Key { required: true, ..Key::new("encoder", "The frozen encoder", encoder()) },
        Key::new("train", "How a training goes", Key::schema_of(&TrainSpec::keys())),
        Key::new("report", "How tables and figures are printed", Key::schema_of(&ReportSpec::keys())),
        Key::new("base", "The options that every variant starts from", options.clone()),
        Key::new("variants", "Variants by name: what each changes of `[base]`", schema::map(options)),
    ]);
    schema::document("An experiment of harness", Key::schema_of(&keys))
}

fn encoder() -> Schema {
    let mut keys = EncoderSpec::keys();
    for option in Options::declared().into_iter().filter(|option| option.shared) {
        keys.push(Key::new(option.name, option.meaning, option.schema));
    }
    keys.push(Key::new("arch", "Sizes of synthetic weights", Key::schema_of(&Arch::keys())));
    Key::schema_of(&keys)
}
