//! The vault's doors: messages are checked and become domain types here, refusals become statuses. No decisions.

use std::sync::Arc;

use layerlock_proto::vault::v1::designs_server::DesignsServer;
use layerlock_proto::vault::v1::jobs_server::JobsServer;
use layerlock_proto::vault::v1::sessions_server::SessionsServer;
use layerlock_seal::statement::Statement;
use tonic::Status;
use tonic::service::Routes;

use crate::Vault;

mod designs;
mod jobs;
mod sessions;
mod tickets;

/// Largest message taken: a chunk, or three statements with a full list of devices (Q5).
const MESSAGE_LIMIT: usize = 256 * 1024;

/// The three services, and the way in for the bytes of uploads.
pub(crate) fn routes(vault: &Arc<Vault>) -> Routes {
    let designs =
        DesignsServer::new(designs::Designs(vault.clone())).max_decoding_message_size(MESSAGE_LIMIT);
    let jobs = JobsServer::new(jobs::Jobs(vault.clone())).max_decoding_message_size(MESSAGE_LIMIT);
    let sessions =
        SessionsServer::new(sessions::Sessions(vault.clone())).max_decoding_message_size(MESSAGE_LIMIT);
    let calls = Routes::new(designs).add_service(jobs).add_service(sessions);
    calls.into_axum_router().merge(tickets::routes(vault)).into()
}

/// Reads a statement out of a message.
fn statement(bytes: &[u8], field: &'static str) -> Result<Statement, Status> {
    let malformed = |error| {
        layerlock_proto::refusal::Reason::InvalidField.status(format!("`{field}` is no statement: {error}"))
    };
    Statement::parse(bytes).map_err(malformed)
}
