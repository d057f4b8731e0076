//! A house whose records are in PostgreSQL: the same road, and the same account of it after a restart.

use std::fs;

use crate::cluster;
use crate::road::{DESIGN, Server, model, walk};

#[test]
fn a_house_with_its_records_in_postgresql_walks_the_same_road_and_goes_on_after_a_restart() {
    let dir = tempfile::tempdir().expect("a folder");
    let records = format!("records = \"{}\"\n", cluster::address());
    let server = Server::start_with(dir.path(), &records);
    fs::write(dir.path().join(format!("{}.stl", DESIGN)), model()).expect("writable");
    walk(&server);
    let audit = server.run(&["operator", "audit"]);
    assert!(audit.contains("1 leaves"), "{audit}");
    assert!(!dir.path().join("house/licensor").exists() && !dir.path().join("house/vault").exists());
    assert!(!server.log().contains("host=/"), "the log shows the database's address");
    drop(server);
    let server = Server::start_with(dir.path(), &records);
    assert_eq!(server.run(&["operator", "audit"]), audit);
    assert!(server.run(&["seller", "designs", "--home", "seller"]).contains(DESIGN));
}
