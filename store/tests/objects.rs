//! What holds of blobs and objects in any store of objects: in memory, and in a real one that speaks S3.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is the test failing")]

mod bucket;

use std::io::{Read as _, Write as _};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use layerlock_store::blobs::{BlobError, BlobName, Blobs, Credentials, Objects, ObjectsError, S3};
use tokio::task::spawn_blocking;

fn memory() -> impl Future<Output = Objects> {
    std::future::ready(Objects::memory())
}

fn key() -> Credentials {
    Credentials::Key { id: bucket::KEY_ID.into(), secret: bucket::SECRET.into() }
}

/// A folder of its own for each test.
async fn s3() -> Objects {
    static FOLDERS: AtomicU32 = AtomicU32::new(0);
    let folder = format!("objects/{}", FOLDERS.fetch_add(1, Ordering::Relaxed));
    Objects::s3(&S3::parse(&bucket::address(&folder)).unwrap(), &key()).await.unwrap()
}

fn name(text: &str) -> BlobName {
    BlobName::parse(text).unwrap()
}

fn write(objects: &Objects, text: &str, bytes: &[u8]) -> Result<u64, BlobError> {
    let mut writer = Blobs::Objects(objects.clone()).create(&name(text))?;
    writer.write_all(bytes).unwrap();
    writer.commit()
}

fn read(objects: &Objects, text: &str) -> Result<Vec<u8>, BlobError> {
    let mut reader = Blobs::Objects(objects.clone()).read(&name(text))?;
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).unwrap();
    assert_eq!(reader.size(), bytes.len() as u64);
    Ok(bytes)
}

fn blob_is_read_as_it_was_written(objects: &Objects) {
    // The larger one goes in three parts.
    for (text, length) in [("00", 0), ("01", 7), ("02", 20 << 20)] {
        let bytes: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
        assert_eq!(write(objects, text, &bytes).unwrap(), length as u64);
        assert!(read(objects, text).unwrap() == bytes, "{length} bytes");
    }
}

fn blob_never_changes_under_its_name(objects: &Objects) {
    write(objects, "0a", b"first").unwrap();
    assert!(matches!(write(objects, "0a", b"second"), Err(BlobError::Taken { .. })));
    assert_eq!(read(objects, "0a").unwrap(), b"first");
}

fn blob_whose_writer_is_dropped_is_not_there(objects: &Objects) {
    let blobs = Blobs::Objects(objects.clone());
    let mut writer = blobs.create(&name("0a")).unwrap();
    writer.write_all(&vec![1; 9 << 20]).unwrap();
    drop(writer);
    assert!(matches!(read(objects, "0a"), Err(BlobError::Absent { .. })));
}

fn blobs_are_named_by_age_and_removed_by_name(objects: &Objects) {
    write(objects, "0b", b"x").unwrap();
    write(objects, "0a", b"x").unwrap();
    let blobs = Blobs::Objects(objects.clone());
    let (past, future) = (Duration::from_secs(600), SystemTime::now() + Duration::from_secs(600));
    assert_eq!(blobs.names(future).unwrap(), [name("0a"), name("0b")]);
    assert_eq!(blobs.names(SystemTime::now() - past).unwrap(), []);
    blobs.delete(&name("0a")).unwrap();
    assert!(matches!(blobs.delete(&name("0a")), Err(BlobError::Absent { .. })));
    assert_eq!(blobs.names(future).unwrap(), [name("0b")]);
}

async fn objects_are_put_got_and_removed_by_folder(objects: Objects) {
    for name in ["envelopes/one/aa/0", "envelopes/one/bb/0", "envelopes/other/aa/0"] {
        objects.put(name, name.as_bytes().to_vec().into()).await.unwrap();
    }
    assert_eq!(&objects.get("envelopes/one/bb/0").await.unwrap()[..], b"envelopes/one/bb/0");
    let future = SystemTime::now() + Duration::from_secs(600);
    assert_eq!(objects.folders("envelopes", future).await.unwrap(), ["one", "other"]);
    let past = SystemTime::now() - Duration::from_secs(600);
    assert_eq!(objects.folders("envelopes", past).await.unwrap(), [""; 0]);
    objects.remove_folder("envelopes/one").await.unwrap();
    assert!(matches!(objects.get("envelopes/one/aa/0").await, Err(BlobError::Remote { .. })));
    assert_eq!(&objects.get("envelopes/other/aa/0").await.unwrap()[..], b"envelopes/other/aa/0");
}

macro_rules! on_every_store {
    ($($promise:ident)*) => {
        on_every_store! { @on memory $($promise)* }
        on_every_store! { @on s3 $($promise)* }
    };
    (@on $store:ident $($promise:ident)*) => {
        mod $store {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $promise() {
                    let objects = super::$store().await;
                    super::spawn_blocking(move || super::$promise(&objects)).await.unwrap();
                }
            )*

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn objects_are_put_got_and_removed_by_folder() {
                super::objects_are_put_got_and_removed_by_folder(super::$store().await).await;
            }
        }
    };
}

on_every_store! {
    blob_is_read_as_it_was_written
    blob_never_changes_under_its_name
    blob_whose_writer_is_dropped_is_not_there
    blobs_are_named_by_age_and_removed_by_name
}

#[tokio::test]
async fn a_bucket_that_takes_nothing_from_us_is_refused_when_it_is_opened() {
    let stranger = Credentials::Key { id: bucket::KEY_ID.into(), secret: "no such secret".into() };
    let address = S3::parse(&bucket::address("refused")).unwrap();
    let refused = Objects::s3(&address, &stranger).await.unwrap_err();
    assert!(matches!(refused, ObjectsError::Unavailable(_)), "{refused}");
}
