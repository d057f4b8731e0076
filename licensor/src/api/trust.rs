//! Trust: what anyone may fetch to check what the parties sign. No caller is asked for a key here.

use layerlock_proto::licensor::v1 as wire;
use tonic::{Request, Response, Status};

use super::Door;

#[tonic::async_trait]
impl wire::trust_server::Trust for Door {
    async fn get_trust(
        &self,
        request: Request<wire::GetTrustRequest>,
    ) -> Result<Response<wire::GetTrustResponse>, Status> {
        let roots = self.0.trust.roots_after(request.into_inner().root_version);
        let service_certificates = self.0.trust.certificates();
        Ok(Response::new(wire::GetTrustResponse { roots, service_certificates }))
    }

    async fn get_revocations(
        &self,
        _request: Request<wire::GetRevocationsRequest>,
    ) -> Result<Response<wire::GetRevocationsResponse>, Status> {
        let revocations = self.0.revocations(self.0.clock.now()).await?.emit();
        Ok(Response::new(wire::GetRevocationsResponse { revocations }))
    }
}
