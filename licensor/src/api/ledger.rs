//! Ledger: the public log, and the opened entries for those they concern.
//!
//! The log's leaves are blinded, so checkpoint, leaves and consistency are for anyone. An entry is opened for the
//! license's two sides and the operator only (L9).

use layerlock_proto::convert;
use layerlock_proto::licensor::v1 as wire;
use layerlock_store::{Page, PageToken};
use layerlock_terms::ids::HoldId;
use layerlock_terms::license as terms;
use tonic::{Request, Response, Status};

use super::Door;
use crate::caller::Caller;
use crate::records::{Hold, Leaf, License, Opening, Stage, tables};
use crate::refuse;

/// The most leaves one answer carries.
const LARGEST_PAGE: u32 = 1000;

#[tonic::async_trait]
impl wire::ledger_server::Ledger for Door {
    async fn get_checkpoint(
        &self,
        _request: Request<wire::GetCheckpointRequest>,
    ) -> Result<Response<wire::GetCheckpointResponse>, Status> {
        let (_, head) = self.0.log().await?;
        Ok(Response::new(wire::GetCheckpointResponse { checkpoint: head.value.note.into_bytes() }))
    }

    async fn list_leaves(
        &self,
        request: Request<wire::ListLeavesRequest>,
    ) -> Result<Response<wire::ListLeavesResponse>, Status> {
        let wire::ListLeavesRequest { start, page_size } = request.into_inner();
        let limit = match page_size {
            0 => LARGEST_PAGE,
            asked @ 1..=LARGEST_PAGE => asked,
            asked => return Err(refuse::invalid(format!("`page_size` is {asked}: at most {LARGEST_PAGE}"))),
        };
        let after = start.checked_sub(1).map(|index| PageToken::parse(tables::leaf(index).as_bytes()));
        let after = after.transpose().map_err(|error| refuse::store(&error))?;
        let page = Page { after, limit: limit as usize };
        let leaves = self.0.shelf.page::<Leaf>(&tables::leaves(), page).await?;
        let leaf_hashes = leaves.rows.into_iter().map(|(_, leaf)| leaf.0.to_vec()).collect();
        Ok(Response::new(wire::ListLeavesResponse { leaf_hashes }))
    }

    async fn get_consistency(
        &self,
        request: Request<wire::GetConsistencyRequest>,
    ) -> Result<Response<wire::GetConsistencyResponse>, Status> {
        let wire::GetConsistencyRequest { old_size, new_size } = request.into_inner();
        let (log, _) = self.0.log().await?;
        let proof = log.prove_consistency(old_size, new_size).map_err(refuse::invalid)?;
        let hashes = proof.path.iter().map(|hash| hash.0.to_vec()).collect();
        Ok(Response::new(wire::GetConsistencyResponse { hashes }))
    }

    async fn get_entry(
        &self,
        request: Request<wire::GetEntryRequest>,
    ) -> Result<Response<wire::GetEntryResponse>, Status> {
        let (caller, body) = self.0.opened(request).await?;
        let opening = self.opening_for(caller, convert::id(&body.hold)?).await?;
        let entry = self.0.entry(&opening).await?;
        Ok(Response::new(wire::GetEntryResponse { entry: Some(entry) }))
    }
}

impl Door {
    /// The opening of a settled hold, for a caller it concerns.
    async fn opening_for(&self, caller: Caller, id: HoldId) -> Result<Opening, Status> {
        let licensor = &self.0;
        let hold = licensor.shelf.find::<Hold>(&tables::hold(&id), id).await?.value;
        let terms: terms::Hold = licensor.issued(&hold.statement)?;
        let license = licensor.shelf.owned::<License>(&tables::license(&terms.license)).await?;
        let license: terms::License = licensor.issued(&license.value.statement)?;
        match caller {
            Caller::Operator => {}
            Caller::Seller(seller) if seller == license.seller => {}
            Caller::Buyer(buyer) if buyer == license.buyer => {}
            Caller::Seller(_) | Caller::Buyer(_) => return Err(refuse::not_found(id)),
        }
        match hold.stage {
            Stage::Settled(_, opening) => Ok(opening),
            Stage::Placed | Stage::Admitted(_) => {
                Err(refuse::not_found(format!("the entry of {id}, which still runs,")))
            }
        }
    }
}
