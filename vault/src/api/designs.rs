//! The designs service: upload, one, all of a seller's. No call gives geometry back.

use std::sync::Arc;
use std::time::Duration;

use layerlock_engines::custom::CustomGcode;
use layerlock_proto::convert;
use layerlock_proto::refusal::Reason;
use layerlock_proto::vault::v1 as wire;
use layerlock_proto::vault::v1::upload_design_request::Part;
use layerlock_slicer::heal::Healing;
use layerlock_slicer::mesh::analysis::Analysis;
use layerlock_slicer::picture::View;
use layerlock_slicer::printability::{Fit, Printability, fit};
use layerlock_store::{Page, PageToken};
use layerlock_terms::ids::{DesignId, SellerId};
use layerlock_terms::machine::{MACHINES, Machine};
use tokio::time::timeout;
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status, Streaming};

use super::{statement, tickets};
use crate::Vault;
use crate::alike::Alike;
use crate::caller::Caller;
use crate::intake::Begun;
use crate::records::{Design, DesignName};
use crate::refusal::Refusal;
use crate::uploads::{Standing, State};

/// The service.
pub(super) struct Designs(pub(super) Arc<Vault>);

const PAGE: u32 = 50;
const LARGEST_PAGE: u32 = 100;

/// Most designs named as looking like another.
const MOST_ALIKE: usize = 20;

impl Designs {
    fn caller(&self, metadata: &MetadataMap) -> Result<Caller, Refusal> {
        Caller::check(metadata, &self.0.trust, self.0.vault_key(), self.0.clock.now())
    }

    async fn next(&self, stream: &mut Streaming<wire::UploadDesignRequest>) -> Result<Option<Part>, Status> {
        let stall = Duration::from_millis(self.0.limits.stall.0);
        let slow = |_| Reason::UploadMismatch.status("the upload paused too long: begin again");
        match timeout(stall, stream.message()).await.map_err(slow)?? {
            Some(message) => Ok(Some(convert::required(message.part, "part")?)),
            None => Ok(None),
        }
    }

    async fn receive(
        &self,
        caller: &Caller,
        mut stream: Streaming<wire::UploadDesignRequest>,
    ) -> Result<Design, Status> {
        let Some(Part::Manifest(manifest)) = self.next(&mut stream).await? else {
            return Err(Reason::InvalidField.status("`manifest` must come first"));
        };
        let manifest = statement(&manifest, "manifest")?;
        let mut intake = match self.0.begin_upload(caller, &manifest).await? {
            Begun::Known(design) => return Ok(*design),
            Begun::Wanted(intake) => intake,
        };
        while let Some(part) = self.next(&mut stream).await? {
            let Part::Chunk(chunk) = part else {
                return Err(Reason::InvalidField.status("`manifest` comes once, then chunks"));
            };
            intake.take(chunk.into()).await?;
        }
        Ok(intake.finish().await?)
    }

    fn upload(&self, standing: &Standing) -> wire::Upload {
        let mut upload = wire::Upload {
            design: standing.name.design.to_string(),
            version: standing.name.version.as_bytes().to_vec(),
            length: standing.length,
            offset: standing.received,
            ..wire::Upload::default()
        };
        let state = match &standing.state {
            State::Receiving(expires) => {
                let (ticket, until) = self.0.ticket(&standing.name);
                (upload.path, upload.path_expires) = (tickets::path(&ticket), until.0);
                upload.expires = expires.0;
                wire::UploadState::Receiving
            }
            State::Analysing => wire::UploadState::Analysing,
            State::Ready => wire::UploadState::Ready,
            State::Refused(refusal) => {
                upload.reason.clone_from(&refusal.words);
                wire::UploadState::Refused
            }
        };
        upload.set_state(state);
        upload
    }

    /// All there is to say of a design.
    async fn answer(&self, design: &Design) -> Result<Response<wire::Design>, Status> {
        let snapshot = |(view, png)| wire::Snapshot { view: convert_view(view) as i32, png };
        let snapshots = self.0.open_pictures(design).await?.into_sides().map(snapshot).collect();
        let Alike { own, later, .. } = self.0.alike(design).await?;
        let mut alike = Vec::with_capacity(own.len().min(MOST_ALIKE));
        for (other, percent) in own.into_iter().take(MOST_ALIKE) {
            if let Some(other) = self.0.records.design(&other, &self.0.keys.keks).await? {
                alike.push(likeness(&other, percent));
            }
        }
        let manifest = design.statement.emit();
        Ok(Response::new(wire::Design {
            snapshots,
            manifest,
            alike,
            alike_of_others: later,
            ..message(design)
        }))
    }

    /// The version a request means.
    async fn named(&self, seller: SellerId, request: &wire::GetDesignRequest) -> Result<DesignName, Status> {
        let design: DesignId = convert::id(&request.design)?;
        if !request.version.is_empty() {
            let version = convert::digest(&request.version, "version")?;
            return Ok(DesignName { seller, design, version });
        }
        let number = (request.number > 0).then_some(request.number);
        let found = self.0.records.design_version(seller, design, number).await?;
        Ok(found.ok_or_else(|| match number {
            Some(number) => Refusal::new(Reason::NotFound, format!("{design} has no version {number} here")),
            None => Refusal::absent(design),
        })?)
    }
}

#[tonic::async_trait]
impl wire::designs_server::Designs for Designs {
    async fn upload_design(
        &self,
        request: Request<Streaming<wire::UploadDesignRequest>>,
    ) -> Result<Response<wire::Design>, Status> {
        let caller = self.caller(request.metadata())?;
        let busy = |_| Reason::Busy.status("too many uploads at once: try again later");
        let _slot = self.0.uploads.try_acquire().map_err(busy)?;
        let design = self.receive(&caller, request.into_inner()).await?;
        tracing::info!(design = %design.manifest.design, "a design version is here");
        self.answer(&design).await
    }

    async fn create_upload(
        &self,
        request: Request<wire::CreateUploadRequest>,
    ) -> Result<Response<wire::Upload>, Status> {
        let caller = self.caller(request.metadata())?;
        let manifest = statement(&request.get_ref().manifest, "manifest")?;
        let standing = self.0.create_upload(&caller, &manifest).await?;
        Ok(Response::new(self.upload(&standing)))
    }

    async fn get_upload(
        &self,
        request: Request<wire::GetUploadRequest>,
    ) -> Result<Response<wire::Upload>, Status> {
        let caller = self.caller(request.metadata())?;
        let request = request.into_inner();
        let design: DesignId = convert::id(&request.design)?;
        let version = convert::digest(&request.version, "version")?;
        let name = DesignName { seller: caller.seller(), design, version };
        let standing = self.0.upload_standing(&name).await?;
        Ok(Response::new(self.upload(&standing)))
    }

    async fn get_design(
        &self,
        request: Request<wire::GetDesignRequest>,
    ) -> Result<Response<wire::Design>, Status> {
        let caller = self.caller(request.metadata())?;
        let name = self.named(caller.seller(), request.get_ref()).await?;
        let found = self.0.records.design(&name, &self.0.keys.keks).await?;
        self.answer(&found.ok_or_else(|| Refusal::absent(name.design))?).await
    }

    async fn list_designs(
        &self,
        request: Request<wire::ListDesignsRequest>,
    ) -> Result<Response<wire::ListDesignsResponse>, Status> {
        let caller = self.caller(request.metadata())?;
        let request = request.into_inner();
        let size = if request.page_size == 0 { PAGE } else { request.page_size.min(LARGEST_PAGE) } as usize;
        let page = match &request.page_token[..] {
            [] => Page::first(size),
            token => Page::after(PageToken::parse(token).map_err(Refusal::from)?, size),
        };
        let (seller, keks) = (caller.seller(), &self.0.keys.keks);
        let (designs, next) = if request.design.is_empty() {
            self.0.records.designs(seller, page, keks).await?
        } else {
            self.0.records.design_versions(seller, convert::id(&request.design)?, page, keks).await?
        };
        Ok(Response::new(wire::ListDesignsResponse {
            designs: designs.iter().map(message).collect(),
            next_page_token: next.map(|token| token.as_bytes().to_vec()).unwrap_or_default(),
        }))
    }
}

/// What is said of a design in a list.
fn message(design: &Design) -> wire::Design {
    wire::Design {
        design: design.manifest.design.to_string(),
        version: design.manifest.version.as_bytes().to_vec(),
        name: design.manifest.name.clone(),
        analysis: Some(analysis(&design.analysis)),
        number: design.number,
        uploaded: design.uploaded.0,
        custom_gcode: design.gcode.iter().map(custom_gcode).collect(),
        ..wire::Design::default()
    }
}

fn custom_gcode(own: &CustomGcode) -> wire::CustomGcode {
    wire::CustomGcode {
        machine: own.machine.name.to_owned(),
        material: own.material.name().to_owned(),
        layers: own.layers,
        duration_ms: own.duration.0,
        filament_um: own.filament_um,
    }
}

fn likeness(other: &Design, percent: u32) -> wire::Likeness {
    wire::Likeness {
        design: other.manifest.design.to_string(),
        version: other.manifest.version.as_bytes().to_vec(),
        name: other.manifest.name.clone(),
        percent,
    }
}

fn convert_view(view: View) -> wire::View {
    match view {
        View::Corner => wire::View::Corner,
        View::Back => wire::View::Back,
        View::Front => wire::View::Front,
        View::Top => wire::View::Top,
    }
}

fn analysis(found: &Analysis) -> wire::Analysis {
    wire::Analysis {
        triangles: found.triangles,
        vertices: found.vertices,
        min_x: found.min.x,
        min_y: found.min.y,
        min_z: found.min.z,
        max_x: found.max.x,
        max_y: found.max.y,
        max_z: found.max.z,
        // Negative where the faces look inwards: the size is the same.
        volume_milli_mm3: found.volume_nl.unsigned_abs(),
        shells: found.shells,
        open_edges: found.open_edges,
        non_manifold_edges: found.non_manifold_edges,
        flipped_edges: found.flipped_edges,
        degenerate_faces: found.degenerate_faces,
        healing: Some(healing(&found.healing)),
        area_um2: found.area_um2,
        duplicate_faces: found.duplicate_faces,
        printability: Some(printability(found)),
    }
}

fn printability(found: &Analysis) -> wire::Printability {
    let Printability { overhang_um2, islands, foot_um2, .. } = found.printability;
    let machines = MACHINES.iter().map(|machine| machine_fit(found, machine)).collect();
    wire::Printability { overhang_um2, islands, foot_um2, machines }
}

fn machine_fit(found: &Analysis, machine: &Machine) -> wire::MachineFit {
    let (fit, largest_scale_percent) = fit(found.size(), machine);
    let fit = match fit {
        Fit::AsItLies => wire::Fit::AsItLies,
        Fit::Turned => wire::Fit::Turned,
        Fit::TooLarge => wire::Fit::TooLarge,
    };
    wire::MachineFit {
        machine: machine.name.to_owned(),
        fit: fit as i32,
        largest_scale_percent,
        thin_walls_ppm: found.printability.thin_for(machine.nozzle),
    }
}

fn healing(found: &Healing) -> wire::Healing {
    wire::Healing {
        collapsed_faces: found.collapsed_faces,
        twin_faces: found.twin_faces,
        joined_corners: found.joined_corners,
        turned_faces: found.turned_faces,
        turned_shells: found.turned_shells,
        t_junctions: found.t_junctions,
        filled_holes: found.filled_holes,
        open_edges: found.open_edges,
        crowded_edges: found.crowded_edges,
        overlapping_sections: found.overlapping_layers,
    }
}
