//! `include/harness_backend.h` agrees with the Rust side in every size, offset and number, in C and in C++.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

#[path = "common/c.rs"]
mod c;

use std::fmt::Write;

use harness_backend_abi::status::{OK, Status};
use harness_backend_abi::table;
use harness_backend_abi::tensor::DType;

const STRUCTS: [(&str, &str); 3] =
    [("Tensor", "harness_tensor_t"), ("Memory", "harness_memory_t"), ("Table", "harness_backend_table_t")];

/// A file of assertions, in the dialect whose keyword this is.
fn assertions(keyword: &str) -> String {
    let mut file = String::from("#include \"harness_backend.h\"\n");
    let mut says = |condition: String| writeln!(file, "{keyword}({condition}, \"\");").unwrap();
    for &(name, size, fields) in table::LAYOUT {
        let (_, c_name) = STRUCTS.into_iter().find(|(rust, _)| *rust == name).unwrap();
        says(format!("sizeof({c_name}) == {size}"));
        for (field, offset) in fields {
            says(format!("offsetof({c_name}, {field}) == {offset}"));
        }
    }
    says(format!(
        "HARNESS_MAGIC == {}ull && HARNESS_MAJOR == {} && HARNESS_MINOR == {}",
        table::MAGIC,
        table::MAJOR,
        table::MINOR
    ));
    says(format!("HARNESS_REQUIRED_SIZE == {}", table::REQUIRED_SIZE));
    says(format!("HARNESS_OK == {OK}"));
    for status in Status::ALL {
        let name = status.to_string().replace(' ', "_").to_uppercase();
        says(format!("HARNESS_{name} == {}", status.code()));
    }
    for dtype in DType::ALL {
        says(format!("HARNESS_{} == {}", dtype.name().to_uppercase(), dtype.code()));
    }
    file
}

#[test]
fn rule_1_the_header_has_the_sizes_offsets_and_numbers_of_the_rust_side() {
    let folder = tempfile::tempdir().unwrap();
    for (file, standard, keyword) in
        [("layout.c", "-std=c11", "_Static_assert"), ("layout.cpp", "-std=c++11", "static_assert")]
    {
        let path = folder.path().join(file);
        std::fs::write(&path, assertions(keyword)).unwrap();
        c::cc(&[standard, "-fsyntax-only", path.to_str().unwrap()]);
    }
}

#[test]
fn the_layout_names_every_struct_of_the_interface() {
    let names: Vec<&str> = table::LAYOUT.iter().map(|(name, ..)| *name).collect();
    assert_eq!(names, STRUCTS.map(|(rust, _)| rust));
}
