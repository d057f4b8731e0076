//! The real server, killed without warning in the middle of a print and started again: nothing that was answered
//! is lost, the print goes on, and one copy is spent once.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use layerlock_cli::commands::seller::widest;
use layerlock_cli::connect::Connection;
use layerlock_cli::ledger::{self, Witness};
use layerlock_cli::now;
use layerlock_cli::parties::buyer::{Buyer, Order};
use layerlock_cli::parties::home::Home;
use layerlock_cli::parties::operator::Operator;
use layerlock_cli::parties::seller::{Seller, Upload};
use layerlock_cli::random::{Random, id_bytes};
use layerlock_device::enrol::Enrolment;
use layerlock_device::keys::KeyPlace;
use layerlock_device::{Clock, Device, Notice, PrinterTarget, Until};
use layerlock_proto::types::v1::Counts;
use layerlock_proto::vault::v1::JobState;
use layerlock_seal::token::ApiKey;
use layerlock_slicer::mesh::{Mesh, to_binary_stl};
use layerlock_terms::ids::RequestId;
use layerlock_terms::license::{Release, Terms};
use layerlock_terms::receipt::Outcome;
use zeroize::Zeroizing;

/// `layerlock serve` as a child of this test.
struct Server<'a> {
    dir: &'a Path,
    child: Child,
}

impl<'a> Server<'a> {
    fn start(dir: &'a Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_layerlock"))
            .arg("serve")
            .args(["--data-dir".as_ref(), dir.join("server").as_os_str()])
            .args(["--config".as_ref(), dir.join("serve.toml").as_os_str()])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let lines = BufReader::new(child.stdout.as_mut().expect("its output is piped")).lines();
        let ready = lines.map_while(Result::ok).any(|line| line.starts_with("clients"));
        assert!(ready, "the server ended before it was ready");
        Self { dir, child }
    }

    /// SIGKILL, then a start on what it left, on the same ports.
    fn kill_and_restart(&mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it is gone");
        *self = Self::start(self.dir);
    }

    fn connection(&self) -> Connection {
        Connection::read(&self.dir.join("server/connect.toml")).expect("the server wrote it")
    }
}

impl Drop for Server<'_> {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// When the server is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    Held,
    Ordered,
    Fetching,
    Checked,
    Printing,
    Settled,
}

/// Ports of the first start, kept for the next ones, so that who was connected finds the server again.
fn keep_ports(server: &Server<'_>) {
    let connection = server.connection();
    let port = |address: &str| address.rsplit_once(':').expect("an address has a port").1.to_owned();
    let settings = format!(
        "licensor = \"127.0.0.1:{}\"\nvault = \"127.0.0.1:{}\"\nmetrics = \"off\"\n",
        port(&connection.licensor),
        port(&connection.vault)
    );
    fs::write(server.dir.join("serve.toml"), settings).expect("the folder is writable");
}

/// A tetrahedron of 10 mm: the smallest mesh there is.
fn model() -> Vec<u8> {
    let vertices = vec![[0.0, 0.0, 0.0], [10.0, 0.0, 0.0], [0.0, 10.0, 0.0], [0.0, 0.0, 10.0]];
    let triangles = vec![[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]];
    to_binary_stl(&Mesh { vertices, triangles })
}

async fn print_through(moment: Moment) {
    let dir = tempfile::tempdir().expect("a folder");
    let anywhere = "licensor = \"127.0.0.1:0\"\nvault = \"127.0.0.1:0\"\nmetrics = \"off\"\n";
    fs::write(dir.path().join("serve.toml"), anywhere).expect("the folder is writable");
    let mut server = Server::start(dir.path());
    keep_ports(&server);
    let connection = server.connection();
    let licensor = connection.lazy(&connection.licensor).expect("an address");
    let vault = connection.lazy(&connection.vault).expect("an address");

    let key = fs::read_to_string(dir.path().join("server/keys/operator.key")).expect("the operator's key");
    let operator = Operator::new(licensor.clone(), ApiKey::parse(key.trim()).expect("an API key"));
    let home = Home::at(&dir.path().join("seller")).expect("a folder");
    let joined = operator.create_seller().await.expect("a seller is made");
    Seller::join(licensor.clone(), &home, &joined.api_key, now()).await.expect("it joins");
    let seller = Seller::open(licensor.clone(), vault.clone(), &home).await.expect("it opens");
    let upload = Upload { model: &model(), name: "part", design: None, terms: widest(2) };
    let uploaded = seller.upload(upload, now(), |_| {}).await.expect("it is a mesh");
    let terms = Terms { release: Release::Window(1), ..widest(2) };
    let offer = seller.offer(&uploaded.manifest, &terms).await.expect("an offer is made");
    let buyer = seller.create_buyer().await.expect("a buyer is made");
    let license = seller.license(&offer.offer, &buyer.buyer).await.expect("a license is issued").license;
    let buyer = Buyer::new(licensor.clone(), vault.clone(), Zeroizing::new(buyer.api_key));
    let code = operator.enrolment_code().await.expect("a code is made").code;
    let wanted = Enrolment {
        code: &code,
        machine: "prusa-mk3s",
        home: &dir.path().join("device"),
        root_digest: connection.root_digest(),
        attestation: None,
        keys: KeyPlace::File,
        clock: Clock::system(),
    };
    let mut device = Device::enrol(licensor.clone(), wanted, &mut Random).await.expect("it enrols");

    let id = device.id().to_string();
    let request = RequestId::from_bytes(id_bytes());
    let held = buyer.place_hold(&license, &id, request).await.expect("a copy is free");
    if moment == Moment::Held {
        server.kill_and_restart();
        let again = buyer.place_hold(&license, &id, request).await.expect("it remembers the request");
        assert_eq!(held, again, "the same request is the same hold");
    }
    let order = Order { license: &license, device: &id, preset: "draft", material: "pla", settings: &[] };
    let job = buyer.create_job(&held, &order).await.expect("it is admitted").job;
    if moment == Moment::Ordered {
        server.kill_and_restart();
        let again = buyer.create_job(&held, &order).await.expect("it remembers the job");
        assert_eq!(job, again.job, "the same hold is the same job");
    }

    let mut killed = matches!(moment, Moment::Held | Moment::Ordered);
    let mut watch = |notice: Notice<'_>| {
        let here = match notice {
            Notice::Segments { .. } => moment == Moment::Fetching,
            Notice::Checked(_) => moment == Moment::Checked,
            Notice::Progress { layers, .. } => moment == Moment::Printing && layers >= 9,
            Notice::Settled(_) => moment == Moment::Settled,
            _ => false,
        };
        if here && !killed {
            killed = true;
            server.kill_and_restart();
        }
    };
    let report = device.serve(vault.clone(), PrinterTarget::Simulated, &mut watch, Until::OneJob).await;
    let report = report.expect("it serves").expect("it prints");
    assert!(killed, "{moment:?} never came: this test tests nothing");
    assert_eq!(report.outcome, Outcome::Printed, "{:?}", report.failure);

    let mut jobs = buyer.watch(&job).await.expect("the vault knows the job");
    while let Some(job) = jobs.message().await.expect("the vault answers") {
        if job.state() == JobState::Settled {
            break;
        }
    }
    let counts = buyer.license(&license).await.expect("the license is there").counts;
    assert_eq!(counts, Some(Counts { granted: 2, free: 1, held: 0, spent: 1 }), "killed at {moment:?}");
    let witness =
        Witness::of(licensor.clone(), connection.root_digest(), now()).await.expect("the chain holds");
    let audited = ledger::audit(licensor, &witness).await.expect("the ledger holds");
    assert_eq!(audited.size, 1, "one print is one leaf");
}

macro_rules! killed_when {
    ($($name:ident: $moment:ident),+ $(,)?) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            print_through(Moment::$moment).await;
        }
    )+};
}

killed_when! {
    a_server_killed_after_a_hold_remembers_it: Held,
    a_server_killed_while_it_slices_presses_the_job_anew: Ordered,
    a_server_killed_while_a_device_fetches_is_fetched_from_again: Fetching,
    a_server_killed_when_the_envelope_is_checked_releases_its_keys_after_all: Checked,
    a_server_killed_in_mid_print_goes_on_releasing: Printing,
    a_server_killed_after_settling_has_settled_once: Settled,
}
