//! Health as gRPC has it (`grpc.health.v1`): a service serves, or it doesn't; who balances and restarts asks here.
//!
//! A service whose store has stopped answers nothing useful until it is started again: it is not serving. A vault whose
//! workers lack a guard serves, and says so under a name of its own.

use std::sync::Arc;
use std::time::Duration;

use layerlock_store::{Key, Store, StoreError};
use tonic::service::Routes;
use tonic_health::ServingStatus;
use tonic_health::server::{HealthReporter, health_reporter};

/// Pause between two looks at a store.
const PAUSE: Duration = Duration::from_secs(2);

/// The name under which a vault says whether its workers have every guard.
pub const CAGE: &str = "layerlock.vault.cage";

/// The health of one door's services.
#[derive(Clone)]
pub struct Health {
    reporter: HealthReporter,
    services: &'static [&'static str],
}

impl Health {
    /// Adds health and reflection to the routes of these services, which serve from now on.
    pub async fn on(routes: Routes, services: &'static [&'static str]) -> (Self, Routes) {
        let (reporter, server) = health_reporter();
        let health = Self { reporter, services };
        health.set(ServingStatus::Serving).await;
        let reflection = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(layerlock_proto::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            .build_v1()
            .expect("the descriptors come from the compiler");
        (health, routes.add_service(server).add_service(reflection))
    }

    async fn set(&self, status: ServingStatus) {
        // The empty name is the whole server's.
        for service in self.services.iter().chain(&[""]) {
            self.reporter.set_service_status(*service, status).await;
        }
    }

    /// Says whether every guard of the workers' cage is there.
    pub async fn say_caged(&self, whole: bool) {
        let status = if whole { ServingStatus::Serving } else { ServingStatus::NotServing };
        self.reporter.set_service_status(CAGE, status).await;
    }

    /// Before a door closes: nobody should come any more.
    pub async fn leave(&self) {
        self.set(ServingStatus::NotServing).await;
    }

    /// Watches the store until it stops, which it does once and for all.
    pub async fn watch(self, store: Arc<dyn Store>) {
        let key = Key::new("health", &[]).expect("a table's name is a key");
        while !matches!(store.load(&key).await, Err(StoreError::Stopped { .. })) {
            tokio::time::sleep(PAUSE).await;
        }
        self.leave().await;
    }
}
