//! Trust: what anyone may fetch to check what the parties sign. No caller is asked for a key here.

use layerlock_proto::licensor::v1 as wire;
use tonic::{Request, Response, Status};

use super::Door;

#[tonic::async_trait]
impl wire::trust_server::Trust for Door {
    async fn get_trust(
        &self,
        _request: Request<wire::GetTrustRequest>,
    ) -> Result<Response<wire::GetTrustResponse>, Status> {
        let (root, service_certificates) = self.0.trust.statements();
        Ok(Response::new(wire::GetTrustResponse { root, service_certificates }))
    }

    async fn get_revocations(
        &self,
        _request: Request<wire::GetRevocationsRequest>,
    ) -> Result<Response<wire::GetRevocationsResponse>, Status> {
        let revocations = self.0.revocations(self.0.clock.now()).await?.emit();
        Ok(Response::new(wire::GetRevocationsResponse { revocations }))
    }
}
