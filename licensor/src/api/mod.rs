//! The licensor's doors: one file per gRPC service, each rpc as its comment in the proto file says.
//!
//! An rpc here says who may call, reads its message into domain types, and either reads records or drafts one
//! commit. Deliberately absent: rules. They are in the pure files beside.

mod copies;
mod devices;
mod ledger;
mod licenses;
mod listing;
mod sellers;
mod trust;

use std::sync::Arc;

use layerlock_proto::licensor::v1 as wire;
use tonic::service::Routes;

use crate::Licensor;

/// The largest message taken: a statement over terms with 1,024 devices, and room.
const LARGEST_REQUEST: usize = 256 * 1024;

/// The largest message answered: a full list of revocations, or a page of licenses.
const LARGEST_ANSWER: usize = 4 * 1024 * 1024;

/// One service of the licensor.
#[derive(Clone)]
pub(crate) struct Door(pub(crate) Arc<Licensor>);

pub(crate) fn routes(licensor: &Arc<Licensor>) -> Routes {
    let door = Door(Arc::clone(licensor));
    macro_rules! bounded {
        ($service:ty) => {
            <$service>::new(door.clone())
                .max_decoding_message_size(LARGEST_REQUEST)
                .max_encoding_message_size(LARGEST_ANSWER)
        };
    }
    Routes::new(bounded!(wire::sellers_server::SellersServer<Door>))
        .add_service(bounded!(wire::licenses_server::LicensesServer<Door>))
        .add_service(bounded!(wire::copies_server::CopiesServer<Door>))
        .add_service(bounded!(wire::devices_server::DevicesServer<Door>))
        .add_service(bounded!(wire::trust_server::TrustServer<Door>))
        .add_service(bounded!(wire::ledger_server::LedgerServer<Door>))
}
