//! The operator's calls.

use layerlock_proto::licensor::v1 as wire;
use layerlock_proto::licensor::v1::devices_client::DevicesClient;
use layerlock_proto::licensor::v1::sellers_client::SellersClient;
use layerlock_seal::token::ApiKey;
use tonic::transport::Channel;

use crate::connect::with_key;
use crate::parties::{PartyError, request_id};

/// The operator, with its key.
pub struct Operator {
    licensor: Channel,
    key: ApiKey,
}

impl Operator {
    /// An operator that calls through `licensor`.
    pub fn new(licensor: Channel, key: ApiKey) -> Self {
        Self { licensor, key }
    }

    /// Makes a seller; answers its id and API key.
    pub async fn create_seller(&self) -> Result<wire::CreateSellerResponse, PartyError> {
        let message = wire::CreateSellerRequest { request_id: request_id() };
        let call = with_key(message, &self.key.reveal())?;
        Ok(SellersClient::new(self.licensor.clone()).create_seller(call).await?.into_inner())
    }

    /// Makes an enrolment code.
    pub async fn enrolment_code(&self) -> Result<wire::CreateEnrolmentCodeResponse, PartyError> {
        let call =
            with_key(wire::CreateEnrolmentCodeRequest { request_id: request_id() }, &self.key.reveal())?;
        Ok(DevicesClient::new(self.licensor.clone()).create_enrolment_code(call).await?.into_inner())
    }

    /// All devices.
    pub async fn devices(&self) -> Result<Vec<wire::Device>, PartyError> {
        let mut client = DevicesClient::new(self.licensor.clone());
        let (mut devices, mut page_token) = (Vec::new(), Vec::new());
        loop {
            let message = wire::ListDevicesRequest { page_size: 100, page_token };
            let page = client.list_devices(with_key(message, &self.key.reveal())?).await?.into_inner();
            devices.extend(page.devices);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(devices);
            }
        }
    }

    /// Revokes a device.
    pub async fn revoke_device(&self, device: &str) -> Result<wire::Device, PartyError> {
        let message = wire::RevokeDeviceRequest { request_id: request_id(), device: device.to_owned() };
        let call = with_key(message, &self.key.reveal())?;
        Ok(DevicesClient::new(self.licensor.clone()).revoke_device(call).await?.into_inner())
    }
}
