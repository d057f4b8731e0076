//! Links the C library, which the standard library would else have brought.

fn main() {
    println!("cargo::rustc-link-lib=c");
    println!("cargo::rerun-if-changed=build.rs");
}
