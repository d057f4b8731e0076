//! From a buyer's request to an admitted job: check, keep, ask the licensor, press.
//!
//! The order is the design: the request is durable before the licensor marks the hold as used, so a crash in
//! between leaves a job that recovery asks about again. The hold names the job, so a request that is replayed
//! finds the job it made and never makes another (D3).

use std::sync::Arc;

use layerlock_engines::custom::{CustomError, CustomGcode};
use layerlock_proto::refusal::Reason;
use layerlock_terms::license::Hold;
use layerlock_terms::profile::Engine;
use layerlock_terms::receipt::JobEvent;

use crate::Vault;
use crate::admit::{Order, Request};
use crate::desk::Live;
use crate::job::{Event, Job, Requested};
use crate::licensor_link::LinkError;
use crate::records::DesignName;
use crate::refusal::Refusal;

/// Whether a request is the one an order was made of. The order was checked when it was made, so what expired since
/// is no hindrance to asking again.
///
/// # Errors
/// [`Refusal`] when it asks for something else by the same hold or job.
fn repeats(request: &Request, order: &Order) -> Result<(), Refusal> {
    if order.hold().statement() != &request.hold {
        return Err(Refusal::new(Reason::HoldUsed, "another hold made this job: place a new one"));
    }
    if order.is_asked_by(request)? {
        return Ok(());
    }
    let words = "this hold was ordered with another license, preset, material or settings: repeat that \
                 order, or place a new hold";
    Err(Refusal::new(Reason::RequestIdReused, words))
}

impl Vault {
    /// Admits a job by its license and hold. Twice: the same job.
    ///
    /// # Errors
    /// [`Refusal`] names what does not hold; of a job the licensor refused, what it said.
    pub(crate) async fn create_job(self: &Arc<Self>, request: &Request) -> Result<Arc<Live>, Refusal> {
        let hold = self.by_licensor::<Hold>("hold", &request.hold)?;
        let live = match self.find_job(hold.job).await? {
            Some(live) => live,
            None => {
                let order = Order::check(request, &self.trust, self.clock.now())?;
                // Where this process presses nothing, another one may have the engine.
                if self.limits.concurrent_jobs > 0 {
                    self.engines.of(order.profile())?;
                }
                self.check_order(&order).await?;
                self.open_job(Job::Requested(Requested { order })).await?
            }
        };
        // Of two requests at once, one made the job and the other is held against it here.
        repeats(request, live.view().job.order())?;
        self.ask_licensor(&live).await?;
        match &*live.view().job {
            Job::Refused(refused) => Err(refused.refusal.clone()),
            _ => Ok(live.clone()),
        }
    }

    /// What can be known before the hold is used up: the design is here, with the seller's own G-code where that is asked
    /// for, and the device is not revoked.
    async fn check_order(&self, order: &Order) -> Result<(), Refusal> {
        let license = order.license();
        let name = DesignName { seller: license.seller, design: license.design, version: license.version };
        let Some(design) = self.records.design(&name, &self.keys.keks).await? else {
            let words = format!("{} is not in this vault: its seller must upload it", name.design);
            return Err(Refusal::new(Reason::NotFound, words));
        };
        let (machine, material) = (order.profile().machine(), order.profile().material());
        let fits = |own: &CustomGcode| own.machine.name == machine.name && own.material == material;
        if order.profile().engine() == Engine::Custom && !design.gcode.iter().any(fits) {
            let none = CustomError::None { machine: machine.name, material: material.name() };
            return Err(Refusal::new(Reason::InvalidField, none.to_string()));
        }
        self.with_revocations(|fresh| fresh.clear(order.device())).await
    }

    /// Has the licensor mark a requested job's hold as used; of any other job nothing is asked.
    async fn ask_licensor(self: &Arc<Self>, live: &Arc<Live>) -> Result<(), Refusal> {
        let job = live.view().job;
        let Job::Requested(requested) = &*job else { return Ok(()) };
        let report = self.report(&requested.order, JobEvent::Admitted);
        let event = match self.licensor.admit_hold(report, self.keys.certificate.clone()).await {
            Ok(revocations) => {
                self.learn_revocations(&revocations).await?;
                Event::Admitted
            }
            Err(LinkError::Refused(refusal)) => Event::Refused(refusal),
            Err(error @ LinkError::Unreachable(_)) => {
                return Err(Refusal::new(Reason::Stopped, error.to_string()));
            }
        };
        match self.advance(live, event).await {
            // The same request, asked twice at once: the other was faster.
            Err(_) if !matches!(&*live.view().job, Job::Requested(_)) => Ok(()),
            answer => answer.map(drop),
        }
    }

    /// Asks about a job that whoever made it left unasked, and ends it once the hold is past its moment.
    pub(crate) async fn admit_late(self: &Arc<Self>, live: &Arc<Live>) {
        let Err(refusal) = self.ask_licensor(live).await else { return };
        tracing::warn!(job = %live.id, %refusal, "the licensor was not asked yet");
        if self.clock.now() >= live.view().job.order().hold().admit_by {
            let late = Refusal::new(Reason::HoldExpired, "the hold expired before it was admitted");
            if let Err(refusal) = self.advance(live, Event::Refused(late)).await {
                tracing::warn!(job = %live.id, %refusal, "the end of its hold is not recorded");
            }
        }
    }
}
