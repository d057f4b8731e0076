//! Uploads in pieces by a ticket: nothing acknowledged is lost by a break, and nobody sends anything but what was signed for.

#![allow(clippy::unwrap_used, reason = "a failed unwrap in a test is the test failing")]

mod house;
#[path = "../../tests/src/meshes.rs"]
#[allow(dead_code, reason = "the slicer's tests need more of it")]
mod meshes;

use std::fs;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use futures_util::future::join_all;
use futures_util::{StreamExt as _, stream};
use house::{House, SELLER, as_seller, block, designs, key, manifest, mesh, reason, upload};
use layerlock_proto::refusal::Reason;
use layerlock_proto::vault::v1 as wire;
use layerlock_proto::vault::v1::UploadState as State;
use layerlock_seal::sha256;
use layerlock_seal::statement::Statement;
use layerlock_slicer::mesh::to_binary_stl;
use layerlock_store::{Page, Prefix, Store as _};
use layerlock_terms::ids::DesignId;
use layerlock_terms::trust::DesignManifest;
use layerlock_terms::units::Millis;
use layerlock_vault::Vault;
use tonic::Status;
use tower::ServiceExt as _;

const HOUR: u64 = 60 * 60 * 1000;

/// What a request was answered with.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn offset(&self) -> u64 {
        self.headers["upload-offset"].to_str().unwrap().parse().unwrap()
    }
}

async fn call(vault: &Arc<Vault>, request: Request<Body>) -> Answer {
    let answer = vault.routes().into_axum_router().oneshot(request).await.unwrap();
    let (parts, body) = answer.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    assert_eq!(parts.headers["tus-resumable"], "1.0.0");
    Answer { status: parts.status, headers: parts.headers, body: String::from_utf8(body.to_vec()).unwrap() }
}

async fn head(vault: &Arc<Vault>, path: &str) -> Answer {
    call(vault, Request::head(path).body(Body::empty()).unwrap()).await
}

async fn patch(vault: &Arc<Vault>, path: &str, offset: u64, body: impl Into<Body>) -> Answer {
    let request = Request::patch(path)
        .header("content-type", "application/offset+octet-stream")
        .header("upload-offset", offset)
        .body(body.into());
    call(vault, request.unwrap()).await
}

async fn create(vault: &Arc<Vault>, manifest: &DesignManifest) -> Result<wire::Upload, Status> {
    let manifest = Statement::sign(manifest, &key(SELLER)).emit();
    let call = as_seller(SELLER, wire::CreateUploadRequest { manifest });
    designs(vault).create_upload(call).await.map(tonic::Response::into_inner)
}

async fn begin(vault: &Arc<Vault>, bytes: &[u8]) -> wire::Upload {
    create(vault, &manifest(SELLER, bytes)).await.unwrap()
}

async fn stands(vault: &Arc<Vault>, upload: &wire::Upload) -> Result<wire::Upload, Status> {
    let (design, version) = (upload.design.clone(), upload.version.clone());
    let call = as_seller(SELLER, wire::GetUploadRequest { design, version });
    designs(vault).get_upload(call).await.map(tonic::Response::into_inner)
}

async fn design(vault: &Arc<Vault>, upload: &wire::Upload) -> Result<wire::Design, Status> {
    let (design, version) = (upload.design.clone(), upload.version.clone());
    let call = as_seller(SELLER, wire::GetDesignRequest { design, version, number: 0 });
    designs(vault).get_design(call).await.map(tonic::Response::into_inner)
}

fn plate(cuts: u32) -> Vec<u8> {
    to_binary_stl(&meshes::plate(cuts))
}

/// Waits until the vault keeps so many files: an unfinished one goes when its writer has seen that nobody feeds it.
async fn comes_to(house: &House, files: usize) {
    for _ in 0..200 {
        if house.files("designs").len() == files {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{} files are there, not {files}", house.files("designs").len());
}

/// What is to happen within any test's patience.
async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(15), what).await.expect("it happens in time")
}

/// A body that breaks off behind these bytes.
fn broken(bytes: &[u8]) -> Body {
    let parts =
        [Ok(Bytes::copy_from_slice(bytes)), Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset))];
    Body::from_stream(stream::iter(parts))
}

#[tokio::test]
async fn an_upload_goes_on_after_every_break_and_a_restart_and_is_the_same_design() {
    let house = House::new();
    let bytes = plate(170);
    assert!(bytes.len() > 5 << 20, "more than a piece");
    let vault = house.open().await;
    let begun = begin(&vault, &bytes).await;
    assert_eq!((begun.state(), begun.offset, begun.length), (State::Receiving, 0, bytes.len() as u64));
    let answer = patch(&vault, &begun.path, 0, bytes[..1000].to_vec()).await;
    assert_eq!((answer.status, answer.offset()), (StatusCode::NO_CONTENT, 1000));
    // What came before the line broke counts.
    let answer = patch(&vault, &begun.path, 1000, broken(&bytes[1000..4_500_000])).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{answer:?}");
    assert_eq!(head(&vault, &begun.path).await.offset(), 4_500_000);
    drop(vault);
    let vault = house.open().await;
    let again = begin(&vault, &bytes).await;
    assert_eq!((again.state(), again.offset), (State::Receiving, 4_500_000));
    assert_eq!(design(&vault, &again).await.unwrap_err().code(), tonic::Code::NotFound);
    let answer = patch(&vault, &again.path, 4_500_000, bytes[4_500_000..].to_vec()).await;
    assert_eq!((answer.status, answer.offset()), (StatusCode::NO_CONTENT, bytes.len() as u64));
    let found = design(&vault, &again).await.unwrap();
    assert_eq!(found.analysis.unwrap().triangles, 2 * (2 * 170 * 170 + 4 * 170));
    assert_eq!(stands(&vault, &again).await.unwrap().state(), State::Ready);
    comes_to(&house, 2).await;
    assert_eq!(begin(&vault, &bytes).await.state(), State::Ready);
}

#[tokio::test]
async fn an_upload_in_pieces_and_one_in_one_go_give_one_design() {
    let house = House::new();
    let vault = house.open().await;
    let begun = begin(&vault, &mesh()).await;
    let at_once = upload(&vault, &mesh()).await.unwrap();
    let answer = patch(&vault, &begun.path, 0, mesh()).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT, "{answer:?}");
    assert_eq!(design(&vault, &begun).await.unwrap(), at_once);
    assert_eq!(head(&vault, &begun.path).await.offset(), mesh().len() as u64);
}

#[tokio::test]
async fn bytes_that_do_not_follow_are_refused_with_the_offset_and_disturb_nothing() {
    let house = House::new();
    let vault = house.open().await;
    let (bytes, begun) = (mesh(), begin(&vault, &mesh()).await);
    patch(&vault, &begun.path, 0, bytes[..100].to_vec()).await;
    for offset in [0, 99, 101, u64::MAX] {
        let answer = patch(&vault, &begun.path, offset, bytes[100..].to_vec()).await;
        assert_eq!(answer.status, StatusCode::CONFLICT);
        assert!(
            answer.body.contains("100 bytes are here") && answer.body.contains("UPLOAD_OFFSET"),
            "{answer:?}"
        );
    }
    let answer = patch(&vault, &begun.path, 100, [&bytes[100..], b"more"].concat()).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    let answer = patch(&vault, &begun.path, 100, bytes[100..].to_vec()).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT, "{answer:?}");
    assert!(design(&vault, &begun).await.is_ok());
}

#[tokio::test]
async fn all_at_once_by_put_is_an_upload_too() {
    let house = House::new();
    let vault = house.open().await;
    let put = |path: &str, bytes: Vec<u8>| {
        Request::put(path).header("content-length", bytes.len()).body(Body::from(bytes)).unwrap()
    };
    let begun = begin(&vault, &mesh()).await;
    let answer = call(&vault, put(&begun.path, mesh()[1..].to_vec())).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(answer.body.contains("684 bytes"), "{answer:?}");
    let answer = call(&vault, put(&begun.path, mesh())).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT, "{answer:?}");
    assert!(design(&vault, &begun).await.is_ok());
}

#[tokio::test]
async fn what_is_no_tus_request_is_refused_in_words() {
    let house = House::new();
    let vault = house.open().await;
    let begun = begin(&vault, &mesh()).await;
    let request = |method: Method, headers: &[(&str, &str)]| {
        let mut request = Request::builder().method(method).uri(&begun.path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(Body::from(mesh())).unwrap()
    };
    let piece = ("content-type", "application/offset+octet-stream");
    for (request, status) in [
        (request(Method::PATCH, &[("upload-offset", "0")]), StatusCode::UNSUPPORTED_MEDIA_TYPE),
        (
            request(Method::PATCH, &[("content-type", "text/plain"), ("upload-offset", "0")]),
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ),
        (request(Method::PATCH, &[piece]), StatusCode::BAD_REQUEST),
        (request(Method::PATCH, &[piece, ("upload-offset", "-1")]), StatusCode::BAD_REQUEST),
        (request(Method::PATCH, &[piece, ("tus-resumable", "0.2.2")]), StatusCode::PRECONDITION_FAILED),
        (request(Method::POST, &[]), StatusCode::METHOD_NOT_ALLOWED),
        (request(Method::GET, &[]), StatusCode::METHOD_NOT_ALLOWED),
    ] {
        let method = request.method().clone();
        assert_eq!(call(&vault, request).await.status, status, "{method}");
    }
    let options = call(&vault, request(Method::OPTIONS, &[])).await;
    assert_eq!(
        (options.status, &options.headers["tus-version"]),
        (StatusCode::NO_CONTENT, &"1.0.0".parse().unwrap())
    );
    assert_eq!(head(&vault, &begun.path).await.offset(), 0, "none of it was taken");
}

#[tokio::test]
async fn a_ticket_that_was_changed_made_elsewhere_or_has_ended_takes_nothing() {
    let house = House::new();
    let vault = house.open().await;
    let begun = begin(&vault, &mesh()).await;
    let mut changed = begun.path.clone().into_bytes();
    let near_the_end = changed.len() - 10;
    changed[near_the_end] = if changed[near_the_end] == b'A' { b'B' } else { b'A' };
    let other = House::new();
    let there = other.open().await;
    let elsewhere = begin(&there, &mesh()).await;
    for path in [String::from_utf8(changed).unwrap(), "/uploads/nothing".into(), "/uploads/%20".into()] {
        let answer = patch(&vault, &path, 0, mesh()).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path} {answer:?}");
    }
    // Another house's vault has the same key in these tests, and no such upload.
    let another = begin(&there, &block(1.0, 2.0, 3.0)).await;
    assert_eq!(patch(&vault, &another.path, 0, mesh()).await.status, StatusCode::NOT_FOUND);
    house.turn_clock(HOUR);
    for path in [&begun.path, &elsewhere.path] {
        let answer = patch(&vault, path, 0, mesh()).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        assert!(answer.body.contains("ask for another"), "{answer:?}");
    }
    let fresh = begin(&vault, &mesh()).await;
    assert_eq!(patch(&vault, &fresh.path, 0, mesh()).await.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn other_bytes_than_were_signed_for_and_no_mesh_are_refused_leave_nothing_and_may_come_anew() {
    let house = House::new();
    let vault = house.open().await;
    let mut other = mesh();
    *other.last_mut().unwrap() ^= 1;
    let begun = begin(&vault, &mesh()).await;
    let answer = patch(&vault, &begun.path, 0, other).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(answer.body.contains("UPLOAD_MISMATCH"), "{answer:?}");
    let stood = stands(&vault, &begun).await.unwrap();
    assert_eq!((stood.state(), stood.path.as_str()), (State::Refused, ""));
    assert!(stood.reason.contains("hash"), "{}", stood.reason);
    assert_eq!(head(&vault, &begun.path).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    comes_to(&house, 0).await;
    let anew = begin(&vault, &mesh()).await;
    assert_eq!((anew.state(), anew.offset), (State::Receiving, 0));
    assert_eq!(patch(&vault, &anew.path, 0, mesh()).await.status, StatusCode::NO_CONTENT);

    let no_mesh = vec![7; 300];
    let begun = begin(&vault, &no_mesh).await;
    let answer = patch(&vault, &begun.path, 0, no_mesh).await;
    assert!(answer.body.contains("BAD_MESH"), "{answer:?}");
    comes_to(&house, 2).await;
}

#[tokio::test]
async fn an_upload_that_was_whole_when_its_vault_ended_is_looked_at_by_the_next() {
    let mut house = House::new();
    let (program, worker) = (house.worker.program.clone(), house.dir.path().join("worker"));
    fs::copy(&program, &worker).unwrap();
    house.worker.program = worker.clone();
    let vault = house.open().await;
    let begun = begin(&vault, &mesh()).await;
    // No worker comes up when the last byte is here.
    fs::remove_file(&worker).unwrap();
    let answer = patch(&vault, &begun.path, 0, mesh()).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{answer:?}");
    drop(vault);
    fs::copy(&program, &worker).unwrap();
    let vault = house.open().await;
    for _ in 0..200 {
        if stands(&vault, &begun).await.unwrap().state() == State::Ready {
            return comes_to(&house, 2).await;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{:?}", stands(&vault, &begun).await);
}

#[tokio::test]
async fn two_that_send_one_upload_make_one_design_and_no_byte_counts_twice() {
    let house = House::new();
    let vault = house.open().await;
    let bytes = plate(60);
    let begun = begin(&vault, &bytes).await;
    let half = bytes.len() / 2;
    let first = join_all((0..4).map(|_| patch(&vault, &begun.path, 0, bytes[..half].to_vec()))).await;
    let taken = first.iter().filter(|answer| answer.status == StatusCode::NO_CONTENT).count();
    assert_eq!(taken, 1, "{first:?}");
    let rest =
        join_all((0..4).map(|_| patch(&vault, &begun.path, half as u64, bytes[half..].to_vec()))).await;
    assert!(rest.iter().any(|answer| answer.status == StatusCode::NO_CONTENT), "{rest:?}");
    assert!(design(&vault, &begun).await.is_ok());
    comes_to(&house, 2).await;
}

#[tokio::test]
async fn pieces_show_no_name_and_no_coordinate() {
    let house = House::new();
    let vault = house.open().await;
    let (bytes, begun) = (plate(6), begin(&vault, &plate(6)).await);
    patch(&vault, &begun.path, 0, bytes[..bytes.len() - 1].to_vec()).await;
    let files = house.files("designs");
    assert_eq!(files.len(), 1);
    let kept = fs::read(house.dir.path().join("designs").join(&files[0])).unwrap();
    let canary = &bytes[84..134];
    assert!(!kept.windows(canary.len()).any(|window| window == canary));
    let every = Prefix::new("upload", &[]).unwrap();
    let records = house.store.list(&every, Page::first(10)).await.unwrap().records;
    let records: Vec<Vec<u8>> = records.into_iter().map(|(_, record)| record.value).collect();
    assert!(records.iter().any(|record| record.len() > 500), "the upload's record is looked at");
    for shown in [canary, b"secret name"] {
        assert!(!records.iter().any(|record| record.windows(shown.len()).any(|window| window == shown)));
    }
}

#[tokio::test]
async fn an_upload_nobody_goes_on_with_is_forgotten_after_a_day_and_its_pieces_with_it() {
    let house = House::new();
    let vault = house.open().await;
    let begun = begin(&vault, &mesh()).await;
    patch(&vault, &begun.path, 0, mesh()[..200].to_vec()).await;
    drop(vault);
    house.turn_clock(24 * HOUR - 1);
    let vault = house.open().await;
    assert_eq!(stands(&vault, &begun).await.unwrap().offset, 200, "a piece is no left-over");
    drop(vault);
    house.turn_clock(1);
    let vault = house.open().await;
    assert_eq!(reason(&stands(&vault, &begun).await.unwrap_err()), Reason::NotFound);
    comes_to(&house, 0).await;
}

#[tokio::test]
async fn uploads_under_way_are_bounded_for_each_seller_and_so_are_the_pieces_of_one() {
    let house = House::new();
    let vault = house.open().await;
    let of = |n: u8| DesignManifest { design: DesignId::from_bytes([n; 16]), ..manifest(SELLER, &mesh()) };
    for n in 0..32 {
        create(&vault, &of(n)).await.unwrap();
    }
    assert_eq!(reason(&create(&vault, &of(32)).await.unwrap_err()), Reason::Busy);
    assert!(create(&vault, &of(31)).await.is_ok(), "one that is there goes on");

    let bytes = plate(6);
    let begun =
        create(&vault, &DesignManifest { version: sha256(&bytes), length: bytes.len() as u64, ..of(31) })
            .await;
    assert_eq!(reason(&begun.unwrap_err()), Reason::Busy, "another version is another upload");
    let path = create(&vault, &of(0)).await.unwrap().path;
    assert_eq!(patch(&vault, &path, 0, mesh()).await.status, StatusCode::NO_CONTENT);
    let begun = begin(&vault, &bytes).await;
    for n in 0..256 {
        assert_eq!(
            patch(&vault, &begun.path, n, vec![bytes[n as usize]]).await.status,
            StatusCode::NO_CONTENT
        );
    }
    let answer = patch(&vault, &begun.path, 256, vec![bytes[256]]).await;
    assert!(answer.body.contains("too many requests"), "{answer:?}");
    // It is not lost: it begins anew, and what came in crumbs is gone.
    let anew = begin(&vault, &bytes).await;
    assert_eq!((anew.state(), anew.offset), (State::Receiving, 0));
    // The upload that is a design has its bytes and its pictures there.
    assert_eq!(house.files("designs").len(), 2);
    assert_eq!(patch(&vault, &anew.path, 0, bytes).await.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn whoever_lets_requests_hang_keeps_no_other_seller_out() {
    let house = House::new();
    let vault = house.open().await;
    let begun = begin(&vault, &mesh()).await;
    let (asked, mut begun_ones) = tokio::sync::mpsc::unbounded_channel();
    let hanging: Vec<_> = (0..8)
        .map(|_| {
            let (vault, path, asked) = (vault.clone(), begun.path.clone(), asked.clone());
            let never = stream::poll_fn(move |_| {
                asked.send(()).unwrap();
                Poll::<Option<Result<Bytes, std::io::Error>>>::Pending
            });
            tokio::spawn(async move { patch(&vault, &path, 0, Body::from_stream(never)).await })
        })
        .collect();
    for _ in 0..8 {
        soon(begun_ones.recv()).await.unwrap();
    }
    let refused = patch(&vault, &begun.path, 0, mesh()).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(refused.body.contains("8 requests bring this seller's bytes"), "{refused:?}");
    let manifest = Statement::sign(&manifest(77, &mesh()), &key(77)).emit();
    let call = as_seller(77, wire::CreateUploadRequest { manifest });
    let other = designs(&vault).create_upload(call).await.unwrap().into_inner();
    assert_eq!(patch(&vault, &other.path, 0, mesh()).await.status, StatusCode::NO_CONTENT);
    hanging.iter().for_each(tokio::task::JoinHandle::abort);
    for hung in hanging {
        assert!(hung.await.unwrap_err().is_cancelled());
    }
    assert_eq!(
        patch(&vault, &begun.path, 0, mesh()).await.status,
        StatusCode::NO_CONTENT,
        "their places are free"
    );
}

#[tokio::test]
async fn a_request_that_pauses_too_long_ends_and_what_it_brought_is_kept() {
    let mut house = House::new();
    house.limits.stall = Millis(100);
    let vault = house.open().await;
    let begun = begin(&vault, &mesh()).await;
    let some = stream::iter([Ok::<_, std::io::Error>(Bytes::from(mesh()[..77].to_vec()))]);
    let body = Body::from_stream(some.chain(stream::pending()));
    let answer = soon(patch(&vault, &begun.path, 0, body)).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(answer.body.contains("paused too long"), "{answer:?}");
    assert_eq!(head(&vault, &begun.path).await.offset(), 77);
}

#[tokio::test]
async fn a_request_that_drips_ends_and_its_place_is_anothers() {
    let mut house = House::new();
    house.limits.stall = Millis(100);
    let vault = house.open().await;
    let begun = begin(&vault, &mesh()).await;
    let drops = stream::unfold(0, |n| async move {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        Some((Ok::<_, std::io::Error>(Bytes::from(vec![mesh()[n]])), n + 1))
    });
    let answer = soon(patch(&vault, &begun.path, 0, Body::from_stream(drops.take(400)))).await;
    assert!(answer.body.contains("too slowly"), "{answer:?}");
    assert!((3..40).contains(&head(&vault, &begun.path).await.offset()));
}

#[tokio::test]
async fn an_upload_whose_key_was_retired_begins_anew() {
    let mut house = House::new();
    let vault = house.open().await;
    let begun = begin(&vault, &mesh()).await;
    patch(&vault, &begun.path, 0, mesh()[..300].to_vec()).await;
    drop(vault);
    house.kek_bytes = vec![10, 9];
    house.rewrap().await.unwrap();
    house.kek_bytes = vec![10];
    let vault = house.open().await;
    let anew = begin(&vault, &mesh()).await;
    assert_eq!((anew.state(), anew.offset), (State::Receiving, 0));
    assert_eq!(patch(&vault, &anew.path, 0, mesh()).await.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn an_upload_whose_pieces_are_gone_is_refused_and_begins_anew() {
    let house = House::new();
    let vault = house.open().await;
    let begun = begin(&vault, &mesh()).await;
    patch(&vault, &begun.path, 0, mesh()[..300].to_vec()).await;
    for file in house.files("designs") {
        fs::remove_file(house.dir.path().join("designs").join(file)).unwrap();
    }
    let answer = patch(&vault, &begun.path, 300, mesh()[300..].to_vec()).await;
    assert!(answer.body.contains("a piece of the upload is damaged"), "{answer:?}");
    let anew = begin(&vault, &mesh()).await;
    assert_eq!((anew.state(), anew.offset), (State::Receiving, 0));
    assert_eq!(patch(&vault, &anew.path, 0, mesh()).await.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn anothers_upload_is_absent_and_anothers_manifest_begins_none() {
    let house = House::new();
    let vault = house.open().await;
    let begun = begin(&vault, &mesh()).await;
    let (design, version) = (begun.design, begun.version);
    let call = as_seller(77, wire::GetUploadRequest { design, version });
    assert_eq!(reason(&designs(&vault).get_upload(call).await.unwrap_err()), Reason::NotFound);
    let manifest = Statement::sign(&manifest(SELLER, &mesh()), &key(SELLER)).emit();
    let call = as_seller(77, wire::CreateUploadRequest { manifest });
    assert_eq!(reason(&designs(&vault).create_upload(call).await.unwrap_err()), Reason::NotTrusted);
}
