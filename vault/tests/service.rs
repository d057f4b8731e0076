//! The vault by its services, with a real worker process: uploads, jobs, sessions, and what is refused.

#![allow(clippy::unwrap_used, reason = "a failed unwrap in a test is the test failing")]

mod house;

use house::device::Session;
use house::{
    House, LEASE, Order, Printer, SELLER, as_seller, block, designs, jobs, manifest, mesh, pass, reason,
    upload, upload_as, with_pass,
};
use layerlock_proto::refusal::Reason;
use layerlock_proto::vault::v1 as wire;
use layerlock_proto::vault::v1::vault_message::Message as Answer;
use layerlock_seal::sha256;
use layerlock_seal::statement::Statement;
use layerlock_terms::digest::Digest;
use layerlock_terms::ids::{DesignId, HoldId, LicenseId};
use layerlock_terms::license::{DeviceScope, Expiry, Hold};
use layerlock_terms::receipt::{Event, Outcome};
use layerlock_terms::toolpath::Piece;
use layerlock_terms::trust::{DesignManifest, SellerPass, SessionProof};
use layerlock_terms::units::{Millis, Timestamp};
use layerlock_vault::licensor_link::Evidence;
use layerlock_vault::worker;

#[tokio::test]
async fn a_worker_reaches_no_file_no_socket_and_no_program() {
    let house = House::new();
    let confinement = worker::probe(&house.worker, 1 << 30).await.unwrap();
    let lacking: Vec<_> = confinement.lacking().collect();
    assert!(!lacking.contains(&worker::Guard::Reach), "{lacking:?}");
}

#[tokio::test]
async fn an_uploaded_design_is_measured_drawn_sealed_and_listed() {
    let house = House::new();
    let vault = house.open().await;
    let design = upload(&vault, &mesh()).await.unwrap();
    let analysis = design.analysis.clone().unwrap();
    assert_eq!((analysis.triangles, analysis.shells, analysis.open_edges), (12, 1, 0));
    assert_eq!(analysis.volume_milli_mm3, 8 * 6 * 12 * 1000);
    let views: Vec<_> = design.snapshots.iter().map(|snapshot| snapshot.view()).collect();
    assert_eq!(views, [wire::View::Corner, wire::View::Back, wire::View::Front, wire::View::Top]);
    assert!(design.snapshots.iter().all(|snapshot| snapshot.png.starts_with(b"\x89PNG")));
    let version = design.version.clone();
    let request = wire::GetDesignRequest { design: design.design.clone(), version, number: 0 };
    let found = designs(&vault).get_design(as_seller(SELLER, request)).await.unwrap().into_inner();
    assert_eq!(found, design);
    let listed = designs(&vault).list_designs(as_seller(SELLER, wire::ListDesignsRequest::default())).await;
    assert_eq!(listed.unwrap().into_inner().designs.len(), 1);
}

#[tokio::test]
async fn a_report_says_what_is_hard_to_print_and_where_it_fits() {
    let house = House::new();
    let vault = house.open().await;
    let analysis = upload(&vault, &block(200.0, 215.0, 0.5)).await.unwrap().analysis.unwrap();
    assert_eq!((analysis.area_um2, analysis.duplicate_faces), (86_415_000_000, 0));
    let found = analysis.printability.unwrap();
    assert_eq!((found.overhang_um2, found.islands, found.foot_um2), (0, 0, 43_000_000_000));
    let of = |name: &str| found.machines.iter().find(|machine| machine.machine == name).unwrap();
    let fits = |name: &str| (of(name).fit(), of(name).largest_scale_percent);
    assert_eq!(found.machines.len(), layerlock_terms::machine::MACHINES.len());
    assert_eq!(fits("ender-3"), (wire::Fit::AsItLies, 102));
    assert_eq!(fits("prusa-mk3s"), (wire::Fit::Turned, 105));
    assert_eq!(fits("prusa-mini"), (wire::Fit::TooLarge, 83));
}

#[tokio::test]
async fn versions_of_a_design_are_numbered_in_order_and_had_by_number() {
    let house = House::new();
    let vault = house.open().await;
    for height in [5.0, 6.0, 7.0] {
        upload(&vault, &block(8.0, 6.0, height)).await.unwrap();
    }
    let other = DesignManifest { design: DesignId::from_bytes([12; 16]), ..manifest(SELLER, &mesh()) };
    assert_eq!(upload_as(&vault, SELLER, &other, &mesh()).await.unwrap().number, 1);
    let design = manifest(SELLER, &mesh()).design.to_string();
    let request = wire::ListDesignsRequest { design: design.clone(), page_size: 2, ..Default::default() };
    let first = designs(&vault).list_designs(as_seller(SELLER, request.clone())).await.unwrap().into_inner();
    let request = wire::ListDesignsRequest { page_token: first.next_page_token, ..request };
    let rest = designs(&vault).list_designs(as_seller(SELLER, request)).await.unwrap().into_inner();
    let listed = [first.designs, rest.designs].concat();
    let heights = |design: &wire::Design| (design.number, design.analysis.as_ref().unwrap().max_z);
    assert_eq!(listed.iter().map(heights).collect::<Vec<_>>(), [(1, 5000), (2, 6000), (3, 7000)]);
    let get = |number: u32| {
        let request = wire::GetDesignRequest { design: design.clone(), version: Vec::new(), number };
        let mut designs = designs(&vault);
        async move { designs.get_design(as_seller(SELLER, request)).await.map(|found| found.into_inner()) }
    };
    assert_eq!(heights(&get(2).await.unwrap()), (2, 6000));
    let newest = get(0).await.unwrap();
    assert_eq!(heights(&newest), (3, 7000));
    let signed = Statement::parse(&newest.manifest).unwrap();
    let signed = signed.verify::<DesignManifest>(&house::key(SELLER).verifying_key()).unwrap();
    assert_eq!(signed.version, sha256(&block(8.0, 6.0, 7.0)));
    assert_eq!(reason(&get(4).await.unwrap_err()), Reason::NotFound);
}

#[tokio::test]
async fn versions_uploaded_at_once_have_a_number_each() {
    let house = House::new();
    let vault = house.open().await;
    let uploads = (1..=4).map(|height| {
        let vault = vault.clone();
        async move { upload(&vault, &block(8.0, 6.0, height as f32)).await.unwrap().number }
    });
    let mut numbers = futures_util::future::join_all(uploads).await;
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2, 3, 4]);
}

#[tokio::test]
async fn a_design_that_looks_like_anothers_is_told_to_who_was_first_and_names_nobody() {
    let house = House::new();
    let vault = house.open().await;
    let of = |number: u8, id: u8, bytes: &[u8]| {
        let design = DesignId::from_bytes([id; 16]);
        (number, DesignManifest { design, ..manifest(number, bytes) }, bytes.to_vec())
    };
    let put = |(number, manifest, bytes): (u8, DesignManifest, Vec<u8>)| {
        let vault = vault.clone();
        async move { upload_as(&vault, number, &manifest, &bytes).await.unwrap() }
    };
    let (plain, twice) = (block(20.0, 30.0, 80.0), block(60.0, 160.0, 40.0));
    let first = put(of(SELLER, 1, &plain)).await;
    assert_eq!((first.alike.len(), first.alike_of_others), (0, 0));
    house.turn_clock(1000);
    // Twice as large and lying down, by the same seller and by another.
    let again = put(of(SELLER, 2, &twice)).await;
    assert_eq!((&again.alike[0].design, &again.alike[0].name), (&first.design, &first.name));
    assert!(again.alike.len() == 1 && again.alike[0].percent >= 95 && again.alike_of_others == 0);
    let theirs = put(of(77, 3, &block(160.0, 60.0, 40.0))).await;
    assert_eq!((theirs.alike.len(), theirs.alike_of_others), (0, 0), "who comes later learns of nobody");
    put(of(77, 4, &block(20.0, 20.0, 20.0))).await;
    // And so it is after a restart, when what is here is read anew.
    drop(vault);
    let vault = house.open().await;
    let request = wire::GetDesignRequest { design: first.design, version: Vec::new(), number: 0 };
    let first = designs(&vault).get_design(as_seller(SELLER, request)).await.unwrap().into_inner();
    assert_eq!((first.alike[0].design.clone(), first.alike_of_others), (again.design, 1));
}

#[tokio::test]
async fn nothing_on_the_disk_shows_a_name_or_a_coordinate() {
    let house = House::new();
    let vault = house.open().await;
    let bytes = mesh();
    upload(&vault, &bytes).await.unwrap();
    let canary = &bytes[84..134];
    let files = house.files("designs");
    assert_eq!(files.len(), 2);
    for file in files {
        let kept = std::fs::read(house.dir.path().join("designs").join(file)).unwrap();
        assert!(!kept.windows(canary.len()).any(|window| window == canary));
        assert!(!kept.windows(6).any(|window| window == b"secret"));
    }
}

#[tokio::test]
async fn the_same_upload_twice_is_one_design() {
    let house = House::new();
    let vault = house.open().await;
    let first = upload(&vault, &mesh()).await.unwrap();
    assert_eq!(upload(&vault, &mesh()).await.unwrap(), first);
    assert_eq!(house.files("designs").len(), 2);
}

#[tokio::test]
async fn another_sellers_design_is_absent() {
    let house = House::new();
    let vault = house.open().await;
    let design = upload(&vault, &mesh()).await.unwrap();
    let request = wire::GetDesignRequest { design: design.design, version: design.version, number: 0 };
    let refused = designs(&vault).get_design(as_seller(77, request.clone())).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::NotFound);
    let anonymous = designs(&vault).get_design(request).await.unwrap_err();
    assert_eq!(reason(&anonymous), Reason::Unauthenticated);
}

#[tokio::test]
async fn a_pass_of_another_key_seller_or_vault_or_past_its_end_opens_nothing() {
    let house = House::new();
    let vault = house.open().await;
    let right = pass(SELLER);
    let passes = [
        (right.clone(), 77),
        (SellerPass { seller: house::seller(77), ..right.clone() }, SELLER),
        (SellerPass { vault: house::key(77).verifying_key().into(), ..right.clone() }, SELLER),
        (SellerPass { expires: Timestamp(house::NOON), ..right.clone() }, SELLER),
    ];
    let request = wire::ListDesignsRequest::default;
    for (pass, by) in passes {
        let signed = Statement::sign(&pass, &house::key(by));
        let refused = designs(&vault).list_designs(with_pass(SELLER, &signed, request())).await.unwrap_err();
        assert_eq!(reason(&refused), Reason::Unauthenticated, "{refused:?}");
    }
    let signed = Statement::sign(&right, &house::key(SELLER));
    assert!(designs(&vault).list_designs(with_pass(SELLER, &signed, request())).await.is_ok());
}

#[tokio::test]
async fn a_manifest_of_another_seller_is_refused() {
    let house = House::new();
    let vault = house.open().await;
    let refused = upload_as(&vault, 77, &manifest(SELLER, &mesh()), &mesh()).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::NotTrusted);
}

#[tokio::test]
async fn bad_uploads_are_refused_in_words_and_leave_nothing() {
    let house = House::new();
    let vault = house.open().await;
    let good = mesh();
    let mut not_a_number = good.clone();
    not_a_number[96..100].copy_from_slice(&f32::NAN.to_le_bytes());
    let mut absurd = good.clone();
    absurd[80..84].copy_from_slice(&4_000_000_000u32.to_le_bytes());
    let bad: [&[u8]; 6] =
        [&good[..good.len() - 20], &not_a_number, &absurd, b"PK\x03\x04 no archive", b"G28\n", &[0; 300]];
    for bytes in bad {
        let refused = upload(&vault, bytes).await.unwrap_err();
        assert_eq!(reason(&refused), Reason::BadMesh, "{refused:?}");
        assert!(refused.message().len() > 20, "{refused:?}");
    }
    let others = manifest(SELLER, &good);
    for bytes in [&good[..100], &block(9.0, 6.0, 12.0), &[&good[..], b"x"].concat(), b""] {
        let refused = upload_as(&vault, SELLER, &others, bytes).await.unwrap_err();
        assert_eq!(reason(&refused), Reason::UploadMismatch, "{refused:?}");
    }
    drop(vault);
    nothing_is_left(&house).await;
}

async fn nothing_is_left(house: &House) {
    // Writers remove their files on threads of their own; opening again waits for them by the directory's lock.
    let vault = house.open().await;
    assert_eq!(house.files("designs"), Vec::<String>::new());
    let listed = designs(&vault).list_designs(as_seller(SELLER, wire::ListDesignsRequest::default())).await;
    assert_eq!(listed.unwrap().into_inner().designs, []);
}

/// A binary STL of triangles that share no corner, so far apart.
fn loose_triangles(count: u32, apart_mm: f32) -> Vec<u8> {
    let mut file = vec![0; 84];
    file[80..84].copy_from_slice(&count.to_le_bytes());
    for x in (0..count).map(|nth| nth as f32 * apart_mm) {
        let corners = [[x, 0.0, 0.0], [x, 1.0, 0.0], [x, 0.0, 1.0]];
        file.extend([0; 12]);
        file.extend(corners.iter().flatten().flat_map(|c| c.to_le_bytes()));
        file.extend([0; 2]);
    }
    file
}

#[tokio::test]
async fn a_fault_early_in_a_large_file_is_said_in_the_readers_own_words() {
    let house = House::new();
    let vault = house.open().await;
    let refused = upload(&vault, &loose_triangles(100_000, 1.0)).await.map(drop).unwrap_err();
    assert_eq!(reason(&refused), Reason::BadMesh, "{refused:?}");
    assert!(refused.message().contains("lies more than 10 m from the origin"), "{refused:?}");
}

#[tokio::test]
async fn a_worker_that_wants_more_memory_or_time_than_it_may_is_ended_and_nothing_stays() {
    // A mesh of 58 MB, and what it takes to find that out.
    let large = loose_triangles(1_200_000, 0.005);
    for (memory, time, wanted) in [(60 << 20, 60_000, "memory"), (4 << 30, 0, "longer")] {
        let mut house = House::new();
        house.limits.worker_memory = memory;
        house.limits.worker_time = Millis(time);
        let vault = house.open().await;
        let refused = upload(&vault, &large).await.map(drop).unwrap_err();
        assert_eq!(reason(&refused), Reason::BadMesh, "{refused:?}");
        assert!(refused.message().contains(wanted), "{refused:?}");
        drop(vault);
        nothing_is_left(&house).await;
    }
}

#[tokio::test]
async fn a_program_that_is_no_worker_does_not_open_a_vault() {
    let mut house = House::new();
    house.worker.program = "/bin/false".into();
    let refused = house.try_open().await.err().expect("no worker, no vault");
    assert!(matches!(refused, layerlock_vault::OpenError::Worker(_)), "{refused}");
    house.worker.program = "/no/such/program".into();
    let refused = house.try_open().await.err().expect("no worker, no vault");
    assert!(refused.to_string().contains("/no/such/program"), "{refused}");
}

#[tokio::test]
async fn a_print_goes_from_upload_to_settlement() {
    let house = House::new();
    let vault = house.open().await;
    upload(&vault, &mesh()).await.unwrap();
    let printer = Printer::new(40);
    let order = Order::new(21, &mesh(), &printer);
    order.create(&vault).await.unwrap();
    let mut session = Session::open(&vault, &printer, 1).await.unwrap();
    let delivered = session.receive(&order).await;
    assert!(delivered.manifest.epochs() >= 4, "several epochs: {}", delivered.manifest.epochs());
    let toolpath = session.print(&order, &delivered).await;
    let Answer::Settled(settled) = session.next_but_keys().await.unwrap() else { panic!("not settled") };
    assert_eq!(settled.entry.unwrap().index, 5);
    let job = order.settled(&vault).await;
    assert_eq!((job.outcome.as_str(), job.layers_printed), ("printed", delivered.manifest.layers));
    assert_eq!(job.plain_bytes, toolpath.len() as u64);
    assert_eq!(house.files("envelopes"), Vec::<String>::new());
    assert!(matches!(&house.licensor.settled.lock().unwrap()[..], [(_, Evidence::Receipt { .. })]));
}

#[tokio::test]
async fn the_toolpath_that_comes_out_is_a_prologue_layers_and_an_epilogue() {
    let house = House::new();
    let vault = house.open().await;
    upload(&vault, &mesh()).await.unwrap();
    let printer = Printer::new(40);
    let order = Order::new(21, &mesh(), &printer);
    order.create(&vault).await.unwrap();
    let mut session = Session::open(&vault, &printer, 1).await.unwrap();
    let delivered = session.receive(&order).await;
    let toolpath = session.print(&order, &delivered).await;
    // The first piece fits one segment, so its end is known.
    let first = (1..200).find_map(|end| Piece::parse(&toolpath[..end]).ok());
    assert!(matches!(first, Some(Piece::Prologue(prologue)) if prologue.machine == "prusa-mk3s"));
}

#[tokio::test]
async fn a_request_replayed_is_the_same_job_and_never_a_second_print() {
    let house = House::new();
    let vault = house.open().await;
    upload(&vault, &mesh()).await.unwrap();
    let order = Order::new(21, &mesh(), &Printer::new(40));
    let (first, second) = tokio::join!(order.create(&vault), order.create(&vault));
    assert_eq!(first.unwrap().job, second.unwrap().job);
    order.sealed(&vault).await;
    house.turn_clock(1_000_000);
    assert_eq!(order.create(&vault).await.unwrap().job, order.hold.job.to_string());
    let other = Order { hold: Hold { id: HoldId::from_bytes([99; 16]), ..order.hold.clone() }, ..order };
    assert_eq!(reason(&other.create(&vault).await.unwrap_err()), Reason::HoldUsed);
}

#[tokio::test]
async fn every_order_that_does_not_hold_is_refused_by_its_reason() {
    let house = House::new();
    let vault = house.open().await;
    upload(&vault, &mesh()).await.unwrap();
    let printer = Printer::new(40);
    let order = || Order::new(21, &mesh(), &printer);
    let cases: Vec<(Reason, Order)> = vec![
        (
            Reason::LicenseExpired,
            with(order(), |o| o.license.terms.expires = Expiry::At(Timestamp(house::NOON))),
        ),
        (Reason::HoldExpired, with(order(), |o| o.hold.admit_by = Timestamp(house::NOON))),
        (Reason::NotTrusted, with(order(), |o| o.hold.license = LicenseId::from_bytes([9; 16]))),
        (Reason::NotTrusted, with(order(), |o| o.hold.device = Printer::new(41).id)),
        (
            Reason::DeviceNotAllowed,
            with(order(), |o| o.license.terms.devices = DeviceScope::Listed(vec![Printer::new(41).id])),
        ),
        (Reason::BeyondTerms, with(order(), |o| o.settings = vec![("scale", "201%")])),
        (Reason::BeyondTerms, with(order(), |o| o.material = "abs")),
        (Reason::InvalidField, with(order(), |o| o.settings = vec![("layer-hight", "0.2mm")])),
        (Reason::InvalidField, with(order(), |o| o.settings = vec![("layer-height", "9mm")])),
        (Reason::NotFound, with(order(), |o| o.license.seller = house::seller(77))),
    ];
    for (wanted, order) in cases {
        let refused = order.create(&vault).await.unwrap_err();
        assert_eq!(reason(&refused), wanted, "{refused:?}");
        let absent = jobs(&vault).get_job(wire::GetJobRequest { job: order.hold.job.to_string() }).await;
        assert_eq!(reason(&absent.unwrap_err()), Reason::NotFound);
    }
    assert!(house.licensor.admitted.lock().unwrap().is_empty(), "no hold was used up");
}

#[tokio::test]
async fn one_copy_never_becomes_more_than_one_part() {
    let house = House::new();
    let vault = house.open().await;
    upload(&vault, &mesh()).await.unwrap();
    for parts in ["2", "100"] {
        let order = with(Order::new(21, &mesh(), &Printer::new(40)), |o| o.settings = vec![("parts", parts)]);
        let refused = order.create(&vault).await.unwrap_err();
        assert_eq!(reason(&refused), Reason::BeyondTerms);
        assert!(refused.message().contains("`parts`"), "{refused:?}");
    }
    let one = with(Order::new(21, &mesh(), &Printer::new(40)), |o| o.settings = vec![("parts", "1")]);
    assert!(one.create(&vault).await.is_ok());
    assert_eq!(house.licensor.admitted.lock().unwrap().len(), 1, "only the one used up a hold");
}

fn with(mut order: Order, change: impl FnOnce(&mut Order)) -> Order {
    change(&mut order);
    order
}

#[tokio::test]
async fn a_hold_ordered_again_with_other_content_is_refused_and_with_the_same_finds_its_job() {
    let house = House::new();
    let vault = house.open().await;
    upload(&vault, &mesh()).await.unwrap();
    let order = Order::new(21, &mesh(), &Printer::new(40));
    let first = order.create(&vault).await.unwrap();
    let others = [
        with(order.clone(), |o| o.material = "petg"),
        with(order.clone(), |o| o.settings = vec![("scale", "101%")]),
        with(order.clone(), |o| o.license.buyer = layerlock_terms::ids::BuyerId::from_bytes([99; 16])),
    ];
    for other in others {
        let refused = other.create(&vault).await.unwrap_err();
        assert_eq!(reason(&refused), Reason::RequestIdReused, "{refused:?}");
    }
    let preset = wire::CreateJobRequest { preset: "fine".into(), ..order.request() };
    assert_eq!(reason(&jobs(&vault).create_job(preset).await.unwrap_err()), Reason::RequestIdReused);
    assert_eq!(order.create(&vault).await.unwrap().job, first.job);
}

#[tokio::test]
async fn what_the_licensor_refuses_is_refused_now_and_when_asked_again() {
    let house = House::new();
    let vault = house.open().await;
    upload(&vault, &mesh()).await.unwrap();
    let order = Order::new(21, &mesh(), &Printer::new(40));
    // The list of revocations is had first, so that only the admission is refused.
    Order::new(22, &mesh(), &Printer::new(41)).create(&vault).await.unwrap();
    house.licensor.refuse(Reason::HoldUsed);
    for _ in 0..2 {
        assert_eq!(reason(&order.create(&vault).await.unwrap_err()), Reason::HoldUsed);
        house.licensor.recover();
    }
    let job = order.when(&vault, |job| job.state() == wire::JobState::Refused).await;
    assert_eq!(job.reason, "says the test");
}

#[tokio::test]
async fn a_license_a_device_forged_is_not_trusted() {
    let house = House::new();
    let vault = house.open().await;
    upload(&vault, &mesh()).await.unwrap();
    let order = Order::new(21, &mesh(), &Printer::new(40));
    for part in 0..3 {
        let mut request = order.request();
        let bytes =
            [&mut request.license, &mut request.hold, &mut request.device_certificate][part].as_mut_slice();
        let end = bytes.len() - 70;
        bytes[end] ^= 1;
        let refused = jobs(&vault).create_job(request).await.unwrap_err();
        assert_eq!(reason(&refused), Reason::NotTrusted, "{refused:?}");
    }
}

#[tokio::test]
async fn an_unprintable_job_is_withdrawn_in_words_and_its_copy_given_back() {
    let house = House::new();
    let vault = house.open().await;
    let tall = block(8.0, 6.0, 400.0);
    upload(&vault, &tall).await.unwrap();
    let order = Order::new(21, &tall, &Printer::new(40));
    order.create(&vault).await.unwrap();
    let job = order.settled(&vault).await;
    assert_eq!(job.outcome, "withdrawn");
    assert!(job.reason.contains("prusa-mk3s"), "{}", job.reason);
    assert!(matches!(&house.licensor.settled.lock().unwrap()[..], [(_, Evidence::Withdrawal(_))]));
}

#[tokio::test]
async fn a_design_that_rots_on_the_disk_fails_by_name_and_the_rest_is_served() {
    let house = House::new();
    let vault = house.open().await;
    let (rotten, sound) = (mesh(), block(7.0, 7.0, 7.0));
    upload(&vault, &rotten).await.unwrap();
    let blobs = house.files("designs");
    upload(&vault, &sound).await.unwrap();
    for blob in blobs {
        let path = house.dir.path().join("designs").join(blob);
        let mut bytes = std::fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&path, bytes).unwrap();
    }
    let printer = Printer::new(40);
    let order = Order::new(21, &rotten, &printer);
    order.create(&vault).await.unwrap();
    let job = order.settled(&vault).await;
    assert!(job.reason.contains("design-0b0b"), "{}", job.reason);
    let order = Order::new(22, &sound, &printer);
    order.create(&vault).await.unwrap();
    assert_eq!(order.sealed(&vault).await.state(), wire::JobState::Sealed);
}

#[tokio::test]
async fn keys_flow_only_against_receipts_and_never_more_than_the_window() {
    let house = House::new();
    let vault = house.open().await;
    upload(&vault, &mesh()).await.unwrap();
    let printer = Printer::new(40);
    let order = Order::new(21, &mesh(), &printer);
    order.create(&vault).await.unwrap();
    let mut session = Session::open(&vault, &printer, 1).await.unwrap();
    let delivered = session.receive(&order).await;
    session.report(&order, 0, Event::Checked(delivered.manifest.statement().digest())).await;
    // The window is one epoch beyond the one printed: two keys, and after each epoch printed one more.
    assert_eq!(session.key(&delivered).await.epoch(), 0);
    assert_eq!(session.key(&delivered).await.epoch(), 1);
    session.report(&order, 1, Event::Progress(delivered.extent(7))).await;
    session.report(&order, 2, Event::Progress(delivered.extent(8))).await;
    assert_eq!(session.key(&delivered).await.epoch(), 2);
    session.report(&order, 3, Event::Ended(Outcome::Cancelled, delivered.extent(9))).await;
    let next = session.next().await.unwrap();
    assert!(matches!(next, Answer::Settled(_)), "no key in between: {next:?}");
}

#[tokio::test]
async fn a_receipt_for_another_manifest_releases_no_key() {
    let house = House::new();
    let vault = house.open().await;
    upload(&vault, &mesh()).await.unwrap();
    let printer = Printer::new(40);
    let order = Order::new(21, &mesh(), &printer);
    order.create(&vault).await.unwrap();
    order.sealed(&vault).await;
    let mut session = Session::open(&vault, &printer, 1).await.unwrap();
    session.offer().await;
    session.report(&order, 0, Event::Checked(Digest([1; 32]))).await;
    assert_eq!(reason(&session.next().await.unwrap_err()), Reason::NotTrusted);
}

#[tokio::test]
async fn a_fetch_from_any_segment_gives_the_same_bytes() {
    let house = House::new();
    let vault = house.open().await;
    upload(&vault, &mesh()).await.unwrap();
    let printer = Printer::new(40);
    let order = Order::new(21, &mesh(), &printer);
    order.create(&vault).await.unwrap();
    let mut session = Session::open(&vault, &printer, 1).await.unwrap();
    let whole = session.receive(&order).await;
    for from in 0..=whole.segments.len() {
        let (rest, manifest) = session.fetch_all(&order, from as u32).await;
        assert_eq!(rest, whole.segments[from..], "from {from}");
        assert_eq!(&manifest, whole.manifest.statement());
    }
}

#[tokio::test]
async fn a_device_that_comes_back_prints_on_and_its_final_receipt_is_answered_twice() {
    let house = House::new();
    let vault = house.open().await;
    upload(&vault, &mesh()).await.unwrap();
    let printer = Printer::new(40);
    let order = Order::new(21, &mesh(), &printer);
    order.create(&vault).await.unwrap();
    let mut first = Session::open(&vault, &printer, 1).await.unwrap();
    let delivered = first.receive(&order).await;
    first.report(&order, 0, Event::Checked(delivered.manifest.statement().digest())).await;
    first.key(&delivered).await;
    drop(first);
    let mut second = Session::open(&vault, &printer, 2).await.unwrap();
    second.offer().await;
    second.print(&order, &delivered).await;
    let Answer::Settled(settled) = second.next_but_keys().await.unwrap() else { panic!("not settled") };
    drop(second);
    // A device says all of it again, from the beginning, and is told once.
    let mut third = Session::open(&vault, &printer, 3).await.unwrap();
    third.report(&order, 0, Event::Checked(delivered.manifest.statement().digest())).await;
    third.report(&order, 1, Event::Progress(delivered.extent(1))).await;
    let sequence = delivered.manifest.epochs() + 1;
    third
        .report(&order, sequence, Event::Ended(Outcome::Printed, delivered.extent(delivered.manifest.layers)))
        .await;
    assert_eq!(third.next().await.unwrap(), Answer::Settled(settled));
    assert_eq!(house.licensor.settled.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_proof_of_another_challenge_or_device_opens_no_session_and_uses_up_no_counter() {
    let house = House::new();
    let vault = house.open().await;
    let printer = Printer::new(40);
    let changes: [fn(&mut SessionProof); 2] =
        [|proof| proof.challenge[0] ^= 1, |proof| proof.device = Printer::new(41).id];
    for change in changes {
        let refused = Session::open_with(&vault, &printer, 5, change).await.err().expect("not the device");
        assert_eq!(reason(&refused), Reason::NotTrusted, "{refused:?}");
    }
    assert!(Session::open(&vault, &printer, 5).await.is_ok());
}

#[tokio::test]
async fn a_counter_that_does_not_rise_is_a_clone_and_a_newer_session_fences_the_older() {
    let house = House::new();
    let vault = house.open().await;
    let printer = Printer::new(40);
    let mut first = Session::open(&vault, &printer, 5).await.unwrap();
    for counter in [0, 4, 5] {
        let refused = Session::open(&vault, &printer, counter).await.err().expect("behind");
        assert_eq!(reason(&refused), Reason::SessionBehind);
    }
    let _second = Session::open(&vault, &printer, 6).await.unwrap();
    assert_eq!(reason(&first.next().await.unwrap_err()), Reason::SessionFenced);
}

#[tokio::test]
async fn two_receipts_of_one_number_prove_a_clone_which_is_let_in_no_more() {
    let house = House::new();
    let vault = house.open().await;
    upload(&vault, &mesh()).await.unwrap();
    let printer = Printer::new(40);
    let order = Order::new(21, &mesh(), &printer);
    order.create(&vault).await.unwrap();
    let mut session = Session::open(&vault, &printer, 1).await.unwrap();
    let delivered = session.receive(&order).await;
    let checked = Event::Checked(delivered.manifest.statement().digest());
    session.report(&order, 0, checked).await;
    session.key(&delivered).await;
    session.report(&order, 1, Event::Progress(delivered.extent(1))).await;
    order.when(&vault, |job| job.layers_printed == 1).await;
    drop(session);

    // Another one with the same key counts ahead, which is all the counter asks of it, and knows nothing of number 1.
    let mut clone = Session::open(&vault, &printer, 1_000).await.unwrap();
    clone.report(&order, 0, checked).await;
    clone.report(&order, 1, Event::Progress(delivered.extent(2))).await;
    let refused = loop {
        match clone.next().await {
            Ok(_) => {}
            Err(refused) => break refused,
        }
    };
    assert_eq!(reason(&refused), Reason::DeviceCloned);
    let refused = Session::open(&vault, &printer, 1_001).await.err().expect("nobody comes in by that key");
    assert_eq!(reason(&refused), Reason::DeviceCloned);
    drop((vault, clone));
    let vault = house.open().await;
    let refused = Session::open(&vault, &printer, 1_002).await.err().expect("nor after a restart");
    assert_eq!(reason(&refused), Reason::DeviceCloned);
    Session::open(&vault, &Printer::new(41), 1).await.expect("others are not concerned");
}

#[tokio::test]
async fn a_revoked_device_gets_no_key_once_the_list_is_stale() {
    let house = House::new();
    let vault = house.open().await;
    upload(&vault, &mesh()).await.unwrap();
    let printer = Printer::new(40);
    let order = Order::new(21, &mesh(), &printer);
    order.create(&vault).await.unwrap();
    let mut session = Session::open(&vault, &printer, 1).await.unwrap();
    let delivered = session.receive(&order).await;
    house.licensor.revoked.lock().unwrap().push(printer.id);
    house.turn_clock(LEASE);
    session.report(&order, 0, Event::Checked(delivered.manifest.statement().digest())).await;
    assert_eq!(reason(&session.next().await.unwrap_err()), Reason::DeviceRevoked);
    let refused = Session::open(&vault, &printer, 2).await.err().expect("revoked");
    assert_eq!(reason(&refused), Reason::DeviceRevoked);
}

#[tokio::test]
async fn without_a_fresh_list_no_key_is_released() {
    let house = House::new();
    let vault = house.open().await;
    upload(&vault, &mesh()).await.unwrap();
    let printer = Printer::new(40);
    let order = Order::new(21, &mesh(), &printer);
    order.create(&vault).await.unwrap();
    let mut session = Session::open(&vault, &printer, 1).await.unwrap();
    let delivered = session.receive(&order).await;
    house.licensor.fail();
    house.turn_clock(LEASE);
    session.report(&order, 0, Event::Checked(delivered.manifest.statement().digest())).await;
    assert_eq!(reason(&session.next().await.unwrap_err()), Reason::Stopped);
}

#[tokio::test]
async fn a_device_that_takes_nothing_is_left_after_a_stall_with_a_handful_in_flight() {
    let house = House::new();
    let vault = house.open().await;
    upload(&vault, &mesh()).await.unwrap();
    let printer = Printer::new(40);
    let order = Order::new(21, &mesh(), &printer);
    order.create(&vault).await.unwrap();
    order.sealed(&vault).await;
    let mut session = Session::open(&vault, &printer, 1).await.unwrap();
    session.offer().await;
    // From here on time is tokio's own: it jumps ahead only when everything waits.
    tokio::time::pause();
    session.fetch(&order, 0).await;
    tokio::time::sleep(std::time::Duration::from_millis(2 * house.limits.stall.0)).await;
    let mut taken = 0;
    while session.next().await.is_ok() {
        taken += 1;
    }
    assert!((1..=4).contains(&taken), "{taken} messages were in flight");
}

#[tokio::test]
async fn another_devices_job_is_absent_to_a_device() {
    let house = House::new();
    let vault = house.open().await;
    upload(&vault, &mesh()).await.unwrap();
    let order = Order::new(21, &mesh(), &Printer::new(40));
    order.create(&vault).await.unwrap();
    let mut stranger = Session::open(&vault, &Printer::new(41), 1).await.unwrap();
    stranger.fetch(&order, 0).await;
    let Answer::Ended(ended) = stranger.next().await.unwrap() else { panic!("not ended") };
    assert_eq!(ended.reason, "there is no such job");
}
