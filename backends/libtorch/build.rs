//! Where the plugin looks for LibTorch: beside itself, then where it was built with. Nothing is downloaded.

use std::path::PathBuf;

fn main() {
    println!("cargo:rerun-if-env-changed=LIBTORCH");
    println!("cargo:rerun-if-env-changed=LIBTORCH_LIB");
    let Some(folder) = ["LIBTORCH_LIB", "LIBTORCH"].into_iter().find_map(std::env::var_os).map(PathBuf::from) else {
        println!("cargo:warning=LIBTORCH is not set: scripts/install-libtorch.sh gets LibTorch and says how to set it");
        return;
    };
    if !folder.join("lib").is_dir() {
        println!(
            "cargo:warning={} holds no LibTorch: scripts/install-libtorch.sh gets it, or set LIBTORCH to yours",
            folder.display()
        );
        return;
    }
    let os = std::env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    let beside = match os.as_str() {
        "macos" => "@loader_path/libtorch/lib",
        "windows" => return,
        _ => "$ORIGIN/libtorch/lib",
    };
    // What burn-tch calls is in libraries that the linker would otherwise drop as unused, CUDA's among them.
    if os == "linux" {
        println!("cargo:rustc-link-arg-cdylib=-Wl,--no-as-needed");
    }
    println!("cargo:rustc-link-arg-cdylib=-Wl,-rpath,{beside}");
    println!("cargo:rustc-link-arg-cdylib=-Wl,-rpath,{}", folder.join("lib").display());
}
