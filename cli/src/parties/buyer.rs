//! The buyer's calls: take a copy, have it pressed, watch it.

use layerlock_proto::licensor::v1 as licensor_wire;
use layerlock_proto::licensor::v1::copies_client::CopiesClient;
use layerlock_proto::licensor::v1::devices_client::DevicesClient;
use layerlock_proto::licensor::v1::licenses_client::LicensesClient;
use layerlock_proto::vault::v1 as vault_wire;
use layerlock_proto::vault::v1::jobs_client::JobsClient;
use layerlock_terms::ids::RequestId;
use tonic::Streaming;
use tonic::transport::Channel;

use crate::connect::with_key;
use crate::parties::PartyError;

/// A buyer, with its key.
pub struct Buyer {
    licensor: Channel,
    vault: Channel,
    api_key: zeroize::Zeroizing<String>,
}

/// What to print, where and how.
#[derive(Debug, Clone, Copy)]
pub struct Order<'a> {
    /// The license to take a copy of.
    pub license: &'a str,
    /// The device to print on.
    pub device: &'a str,
    /// Catalogue name.
    pub preset: &'a str,
    /// Catalogue name.
    pub material: &'a str,
    /// Settings over the preset.
    pub settings: &'a [(&'a str, &'a str)],
}

impl Buyer {
    /// A buyer that calls through these channels.
    pub fn new(licensor: Channel, vault: Channel, api_key: zeroize::Zeroizing<String>) -> Self {
        Self { licensor, vault, api_key }
    }

    /// One license.
    pub async fn license(&self, license: &str) -> Result<licensor_wire::License, PartyError> {
        let call = with_key(licensor_wire::GetLicenseRequest { license: license.to_owned() }, &self.api_key)?;
        Ok(LicensesClient::new(self.licensor.clone()).get_license(call).await?.into_inner())
    }

    /// All licenses.
    pub async fn licenses(&self) -> Result<Vec<licensor_wire::License>, PartyError> {
        super::seller::all_licenses(self.licensor.clone(), &self.api_key).await
    }

    /// Catalogue name of the machine behind a device.
    pub async fn machine_of(&self, device: &str) -> Result<String, PartyError> {
        let call = with_key(licensor_wire::GetDeviceRequest { device: device.to_owned() }, &self.api_key)?;
        Ok(DevicesClient::new(self.licensor.clone()).get_device(call).await?.into_inner().machine)
    }

    /// Takes a copy; the same request takes the same one.
    pub async fn place_hold(
        &self,
        license: &str,
        device: &str,
        request: RequestId,
    ) -> Result<licensor_wire::PlaceHoldResponse, PartyError> {
        let message = licensor_wire::PlaceHoldRequest {
            request_id: request.to_string(),
            license: license.to_owned(),
            device: device.to_owned(),
        };
        let call = with_key(message, &self.api_key)?;
        Ok(CopiesClient::new(self.licensor.clone()).place_hold(call).await?.into_inner())
    }

    /// Has the held copy pressed.
    pub async fn create_job(
        &self,
        held: &licensor_wire::PlaceHoldResponse,
        order: &Order<'_>,
    ) -> Result<vault_wire::Job, PartyError> {
        let setting = |(name, value): &(&str, &str)| vault_wire::Setting {
            name: (*name).to_owned(),
            value: (*value).to_owned(),
        };
        let message = vault_wire::CreateJobRequest {
            license: held.license.clone(),
            hold: held.hold.clone(),
            device_certificate: held.device_certificate.clone(),
            preset: order.preset.to_owned(),
            material: order.material.to_owned(),
            settings: order.settings.iter().map(setting).collect(),
        };
        Ok(JobsClient::new(self.vault.clone()).create_job(message).await?.into_inner())
    }

    /// The job now and after every change.
    pub async fn watch(&self, job: &str) -> Result<Streaming<vault_wire::Job>, PartyError> {
        let message = vault_wire::WatchJobRequest { job: job.to_owned() };
        Ok(JobsClient::new(self.vault.clone()).watch_job(message).await?.into_inner())
    }
}
