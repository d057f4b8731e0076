//! A house of the real program, and what it leaves for operators: figures, logs, backups; and one of several processes.

mod backup;
#[path = "../../../store/tests/bucket/mod.rs"]
mod bucket;
#[path = "../../../store/tests/cluster/mod.rs"]
mod cluster;
mod custom;
mod database;
mod device_keys;
mod faults;
mod full;
mod hand;
mod killed;
mod killing;
mod machines;
#[path = "../../../tests/src/meshes.rs"]
#[allow(dead_code, reason = "the slicer's tests need more of it")]
mod meshes;
mod nodes;
mod picture;
mod road;
mod rotation;
mod sight;
mod support;
mod uploads;
mod written;
