//! A licensor in miniature: what a device meets when it enrols, and nothing else.

use std::sync::{Arc, Mutex};

use hyper_util::rt::TokioIo;
use layerlock_proto::licensor::v1 as wire;
use layerlock_proto::licensor::v1::devices_server::{Devices, DevicesServer};
use layerlock_proto::licensor::v1::trust_server::{Trust, TrustServer};
use layerlock_proto::refusal::Reason;
use layerlock_seal::enrolment::{EnrolmentAnswer, EnrolmentCode};
use layerlock_seal::keys::{VerifyingKey, WrappingKey};
use layerlock_seal::statement::{Statement, Verified};
use layerlock_seal::trust::Endorsement;
use layerlock_terms::digest::OpenKey;
use layerlock_terms::ids::DeviceId;
use layerlock_terms::trust::{DeviceCertificate, EnrolmentRequest};
use layerlock_terms::wire::Noun;
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Response, Status};

use super::{Counted, FAR, MACHINE, World};

/// The one code that enrols.
pub(crate) const CODE: &str = "7K3D-Q0ZX-9MBA-4T1E";

/// The licensor's two services.
#[derive(Clone)]
pub(crate) struct FakeLicensor(Arc<Counter>);

struct Counter {
    world: World,
    /// The first and the last root it has.
    roots: Mutex<(u32, u32)>,
    /// What it certifies instead of the key asked for.
    swaps_open_key: Mutex<Option<OpenKey>>,
    /// Certificates given, by their bytes.
    given: Mutex<Vec<Vec<u8>>>,
}

impl FakeLicensor {
    pub(crate) fn new(world: World) -> Self {
        let (roots, swaps_open_key) = (Mutex::new((1, 1)), Mutex::new(None));
        Self(Arc::new(Counter { world, roots, swaps_open_key, given: Mutex::default() }))
    }

    pub(crate) fn world(&self) -> &World {
        &self.0.world
    }

    pub(crate) fn show_roots(&self, first: u32, last: u32) {
        *self.0.roots.lock().unwrap() = (first, last);
    }

    pub(crate) fn swap_open_key(&self, key: OpenKey) {
        *self.0.swaps_open_key.lock().unwrap() = Some(key);
    }

    pub(crate) fn given(&self) -> Vec<Vec<u8>> {
        self.0.given.lock().unwrap().clone()
    }

    /// A channel to it over pipes in memory.
    pub(crate) fn channel(&self) -> Channel {
        let (connect, connections) = mpsc::unbounded_channel();
        let incoming = UnboundedReceiverStream::new(connections).map(Ok::<_, std::io::Error>);
        let services = Server::builder()
            .add_service(DevicesServer::new(self.clone()))
            .add_service(TrustServer::new(self.clone()));
        tokio::spawn(services.serve_with_incoming(incoming));
        Endpoint::from_static("http://licensor.example").connect_with_connector_lazy(tower::service_fn(
            move |_| {
                let (near, far) = tokio::io::duplex(64 * 1024);
                let connected = connect.send(far).map_err(std::io::Error::other);
                async move { connected.map(|()| TokioIo::new(near)) }
            },
        ))
    }

    fn verify(bytes: &[u8]) -> Result<(Verified<EnrolmentRequest>, Statement), Status> {
        let statement = Statement::parse(bytes).unwrap();
        let named = EnrolmentRequest::parse(statement.payload()).unwrap();
        let request: Verified<EnrolmentRequest> =
            statement.verify(&VerifyingKey::try_from(named.sign).unwrap()).unwrap();
        if request.code != EnrolmentCode::parse(CODE).unwrap().digest() {
            return Err(Reason::EnrolmentCode.status("this code is unknown, used or expired"));
        }
        Ok((request, statement))
    }

    fn answer() -> EnrolmentAnswer {
        EnrolmentAnswer::from_bytes(&[0x5a; 32])
    }
}

#[tonic::async_trait]
impl Trust for FakeLicensor {
    async fn get_trust(
        &self,
        request: Request<wire::GetTrustRequest>,
    ) -> Result<Response<wire::GetTrustResponse>, Status> {
        let (first, last) = *self.0.roots.lock().unwrap();
        let from = request.into_inner().root_version.saturating_add(1).max(first).min(last);
        let roots = (from..=last).take(16).map(|version| self.0.world.root(version).emit()).collect();
        let service_certificates = self.0.world.services().iter().map(Endorsement::emit).collect();
        Ok(Response::new(wire::GetTrustResponse { roots, service_certificates }))
    }

    async fn get_revocations(
        &self,
        _: Request<wire::GetRevocationsRequest>,
    ) -> Result<Response<wire::GetRevocationsResponse>, Status> {
        Err(Status::unimplemented("not met in an enrolment"))
    }
}

#[tonic::async_trait]
impl Devices for FakeLicensor {
    async fn begin_enrolment(
        &self,
        request: Request<wire::BeginEnrolmentRequest>,
    ) -> Result<Response<wire::BeginEnrolmentResponse>, Status> {
        let (request, statement) = Self::verify(&request.into_inner().request)?;
        let to = WrappingKey::try_from(request.open).unwrap();
        let wrapped = Self::answer().wrap(&statement.digest(), &to, &mut Counted::from(3));
        let (encapsulated, ciphertext) = (wrapped.encapsulated().to_vec(), wrapped.ciphertext().to_vec());
        Ok(Response::new(wire::BeginEnrolmentResponse { encapsulated, ciphertext }))
    }

    async fn complete_enrolment(
        &self,
        request: Request<wire::CompleteEnrolmentRequest>,
    ) -> Result<Response<wire::CompleteEnrolmentResponse>, Status> {
        let wire::CompleteEnrolmentRequest { request, answer, .. } = request.into_inner();
        let (request, _) = Self::verify(&request)?;
        assert_eq!(answer, Self::answer().to_bytes()[..], "the device opened the challenge");
        let certificate = DeviceCertificate {
            device: DeviceId::from_bytes([8; 16]),
            sign: request.sign,
            open: self.0.swaps_open_key.lock().unwrap().unwrap_or(request.open),
            machine: MACHINE.to_owned(),
            expires: FAR,
        };
        let certificate = Statement::sign(&certificate, &self.0.world.licensor).emit();
        self.0.given.lock().unwrap().push(certificate.clone());
        Ok(Response::new(wire::CompleteEnrolmentResponse { certificate }))
    }

    async fn create_enrolment_code(
        &self,
        _: Request<wire::CreateEnrolmentCodeRequest>,
    ) -> Result<Response<wire::CreateEnrolmentCodeResponse>, Status> {
        Err(Status::unimplemented("not a device's call"))
    }

    async fn get_device(&self, _: Request<wire::GetDeviceRequest>) -> Result<Response<wire::Device>, Status> {
        Err(Status::unimplemented("not a device's call"))
    }

    async fn list_devices(
        &self,
        _: Request<wire::ListDevicesRequest>,
    ) -> Result<Response<wire::ListDevicesResponse>, Status> {
        Err(Status::unimplemented("not a device's call"))
    }

    async fn revoke_device(
        &self,
        _: Request<wire::RevokeDeviceRequest>,
    ) -> Result<Response<wire::Device>, Status> {
        Err(Status::unimplemented("not a device's call"))
    }
}
