//! Gives the component its memory at once.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_FAMILY").is_ok_and(|family| family == "wasm") {
        // What a call takes: each growth of the memory in a fresh instance is a system call, and another one takes it
        // back. Without this it depends on how far the data are from the end of a page whether there is one.
        println!("cargo::rustc-link-arg-cdylib=--initial-memory=2097152");
    }
}
