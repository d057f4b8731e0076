//! Random lives of one license against a model a child could check: a list of holds and what each ended as.

use std::collections::HashSet;
use std::sync::Arc;

use layerlock_proto::refusal::Reason;
use layerlock_store::{Fault, MemoryStore};
use layerlock_terms::ids::HoldId;
use layerlock_terms::license::Hold;
use layerlock_terms::receipt::{Counts, JobEvent, Outcome};
use layerlock_terms::units::Millis;
use proptest::prelude::*;

use crate::support::*;

const COPIES: u32 = 3;

#[derive(Debug, Clone, Copy)]
enum Step {
    Place,
    Admit(usize),
    Print(usize),
    Cancel(usize, u32),
    Withdraw(usize),
    Wait(u64),
    Sweep,
    Reopen,
    Fail(Fault),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Placed,
    Admitted,
    Spent,
    Returned,
}

struct Life {
    world: World,
    store: Arc<MemoryStore>,
    sale: Sale,
    holds: Vec<(Hold, Fate)>,
    /// The holds a vault admitted: of those alone a receipt is heard.
    admitted: HashSet<HoldId>,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let which = 0usize..6;
    let step = prop_oneof![
        4 => Just(Step::Place),
        3 => which.clone().prop_map(Step::Admit),
        2 => which.clone().prop_map(Step::Print),
        2 => (which.clone(), 0u32..=10).prop_map(|(hold, layers)| Step::Cancel(hold, layers)),
        1 => which.prop_map(Step::Withdraw),
        2 => prop_oneof![Just(60_000u64), Just(15 * 60_000), Just(7 * 86_400_000)].prop_map(Step::Wait),
        2 => Just(Step::Sweep),
        1 => Just(Step::Reopen),
        2 => prop_oneof![Just(Fault::FailBefore), Just(Fault::FailAfter), Just(Fault::Conflict)]
            .prop_map(Step::Fail),
    ];
    prop::collection::vec(step, 1..30)
}

impl Life {
    async fn begin() -> Self {
        let store = Arc::new(MemoryStore::new());
        let world = World::on(store.clone()).await.unwrap();
        let sale = world.sale(COPIES).await;
        Self { world, store, sale, holds: Vec::new(), admitted: HashSet::new() }
    }

    fn count(&self, fates: &[Fate]) -> u32 {
        self.holds.iter().filter(|(_, fate)| fates.contains(fate)).count() as u32
    }

    fn expected(&self) -> Counts {
        let (held, spent) = (self.count(&[Fate::Placed, Fate::Admitted]), self.count(&[Fate::Spent]));
        Counts { granted: COPIES, free: COPIES - held - spent, held, spent }
    }

    fn end(&mut self, hold: usize, fate: Fate) {
        let running = [Fate::Placed, Fate::Admitted].contains(&self.holds[hold].1);
        if running {
            self.holds[hold].1 = fate;
        }
    }

    async fn take(&mut self, step: Step) {
        match step {
            Step::Place => self.place().await,
            Step::Admit(hold) if hold < self.holds.len() => self.admit(hold).await,
            Step::Print(hold) => self.report(hold, Outcome::Printed, 10).await,
            Step::Cancel(hold, layers) => self.report(hold, Outcome::Cancelled, layers).await,
            Step::Withdraw(hold) if hold < self.holds.len() => self.withdraw(hold).await,
            Step::Admit(_) | Step::Withdraw(_) => {}
            Step::Wait(span) => self.world.wait(Millis(span)),
            Step::Sweep => self.sweep().await,
            Step::Reopen => {
                self.store.restart();
                self.world.reopen().await.unwrap();
            }
            Step::Fail(fault) => self.store.inject(fault),
        }
    }

    async fn place(&mut self) {
        let request = self.world.request_id();
        let free = self.expected().free;
        for _ in 0..40 {
            match self.world.place(&request, &self.sale).await {
                Ok(answer) => {
                    assert!(free > 0, "a copy was held that was not free");
                    return self.holds.push((hold_of(&answer), Fate::Placed));
                }
                Err(status) if lost(&status) => {}
                Err(_) => return assert_eq!(free, 0, "a free copy was refused"),
            }
        }
        panic!("every fault was met and still no answer");
    }

    async fn admit(&mut self, hold: usize) {
        let (terms, fate) = self.holds[hold].clone();
        let in_time = self.world.now() < terms.admit_by;
        for _ in 0..40 {
            match self.world.admit(&terms).await {
                Ok(_) => {
                    assert!(fate == Fate::Admitted || (fate == Fate::Placed && in_time));
                    self.holds[hold].1 = Fate::Admitted;
                    self.admitted.insert(terms.id);
                    return;
                }
                Err(status) if lost(&status) => {}
                Err(_) => return assert!(!(fate == Fate::Admitted || (fate == Fate::Placed && in_time))),
            }
        }
        panic!("every fault was met and still no answer");
    }

    async fn report(&mut self, hold: usize, outcome: Outcome, layers: u32) {
        let Some((terms, _)) = self.holds.get(hold).cloned() else { return };
        let receipt = self.sale.device.ended(&terms, outcome, extent(layers, 10));
        for _ in 0..40 {
            match self.world.settle(terms.id, &receipt).await {
                Ok(_) => {
                    assert!(self.admitted.contains(&terms.id), "a receipt settled what no vault admitted");
                    return self.end(hold, if layers >= 5 { Fate::Spent } else { Fate::Returned });
                }
                Err(status) if lost(&status) => {}
                Err(status) => {
                    assert!(!self.admitted.contains(&terms.id), "{status:?}");
                    return assert_eq!(reason(&status), Reason::NotTrusted);
                }
            }
        }
        panic!("every fault was met and still no answer");
    }

    async fn withdraw(&mut self, hold: usize) {
        let terms = self.holds[hold].0.clone();
        let report = report(&terms, JobEvent::Withdrawn, &vault());
        for _ in 0..40 {
            match self.world.withdraw(terms.id, &report).await {
                Ok(_) => return self.end(hold, Fate::Returned),
                Err(status) => assert!(lost(&status), "{status:?}"),
            }
        }
        panic!("every fault was met and still no answer");
    }

    async fn sweep(&mut self) {
        let now = self.world.now();
        while self.world.licensor.sweep(now).await.unwrap().failed > 0 {}
        for hold in &mut self.holds {
            match hold.1 {
                Fate::Placed if hold.0.admit_by <= now => hold.1 = Fate::Returned,
                Fate::Admitted if hold.0.settle_by <= now => hold.1 = Fate::Spent,
                Fate::Placed | Fate::Admitted | Fate::Spent | Fate::Returned => {}
            }
        }
    }
}

/// The store gave no verdict: try again.
fn lost(status: &tonic::Status) -> bool {
    matches!(reason(status), Reason::Stopped | Reason::Busy)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// A failing case prints its steps, which are all it takes to see it again.
    #[test]
    fn any_life_of_a_license_counts_as_the_model_does(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut life = Life::begin().await;
            for step in steps {
                life.take(step).await;
                assert_eq!(life.world.counts(&life.sale).await, life.expected(), "after {step:?}");
                let settled = life.count(&[Fate::Spent, Fate::Returned]);
                assert_eq!(life.world.audit().await.size, u64::from(settled), "after {step:?}");
            }
            life.store.restart();
            life.world.reopen().await.unwrap();
        });
    }
}
