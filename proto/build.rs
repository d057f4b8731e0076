//! Compiles the protobuf files with protox, so that no `protoc` has to be installed.

use std::path::{Path, PathBuf};

use prost::Message as _;

const FILES: [&str; 10] = [
    "layerlock/types/v1/types.proto",
    "layerlock/licensor/v1/sellers.proto",
    "layerlock/licensor/v1/licenses.proto",
    "layerlock/licensor/v1/copies.proto",
    "layerlock/licensor/v1/devices.proto",
    "layerlock/licensor/v1/trust.proto",
    "layerlock/licensor/v1/ledger.proto",
    "layerlock/vault/v1/designs.proto",
    "layerlock/vault/v1/jobs.proto",
    "layerlock/vault/v1/sessions.proto",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=layerlock");
    let root = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?);
    let files: Vec<PathBuf> = FILES.iter().map(|file| root.join(file)).collect();
    let descriptors = protox::compile(&files, [&root as &Path])?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(out.join("descriptors.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure()
        .bytes(".layerlock.vault.v1.SealedSegment")
        .codec_path("crate::codec::Lean")
        .compile_fds(descriptors)?;
    Ok(())
}
