//! Designs that look alike: each new one is compared with all that are here, by shape descriptors alone.
//!
//! The seller who was first hears of it, with a count and no names; whoever comes second is told of designs of their own
//! only, so that nobody can probe what a vault holds; the operator finds both ids in the log. Descriptors rest sealed in
//! the designs' records and are kept at hand from the first comparison on. Deliberately
//! absent: refusing an upload for what it looks like.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use layerlock_slicer::descriptor::Descriptor;
use layerlock_store::Page;
use layerlock_terms::units::Timestamp;

use crate::Vault;
use crate::records::{Design, DesignName};
use crate::refusal::Refusal;

/// From here on two designs look alike, in percent: of the shapes it is tried on, copies that were moved, turned, mirrored,
/// scaled or cut into other triangles have as much in common, different ones less (`vault/slicer/tests/alike.rs`).
pub(crate) const ALIKE: u32 = 95;

/// Names of designs that came from elsewhere and were not looked at yet. More, and all are read again.
const PENDING: usize = 4096;

/// What the designs here look like.
#[derive(Default)]
pub(crate) struct Gallery {
    shapes: Arc<RwLock<HashMap<DesignName, Shape>>>,
    /// One reads at a time.
    reading: tokio::sync::Mutex<()>,
    unread: Mutex<Unread>,
}

#[derive(Clone, Copy)]
struct Shape {
    uploaded: Timestamp,
    descriptor: Descriptor,
}

/// What the gallery lacks.
#[derive(Default)]
enum Unread {
    /// These, at most.
    Named(Vec<DesignName>),
    /// Nobody knows.
    #[default]
    Any,
}

/// What looks like a design.
#[derive(Debug, Default)]
pub(crate) struct Alike {
    /// Its seller's other designs, the most alike first, and how far.
    pub(crate) own: Vec<(DesignName, u32)>,
    /// Designs of others, and how far.
    pub(crate) of_others: Vec<(DesignName, u32)>,
    /// How many of them came later.
    pub(crate) later: u32,
}

impl Gallery {
    /// A design that was uploaded somewhere.
    pub(crate) fn note(&self, name: DesignName) {
        let mut unread = self.unread.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *unread {
            Unread::Named(names) if names.len() < PENDING => names.push(name),
            Unread::Named(_) | Unread::Any => *unread = Unread::Any,
        }
    }

    /// Word of some may have been missed.
    pub(crate) fn note_any(&self) {
        *self.unread.lock().unwrap_or_else(PoisonError::into_inner) = Unread::Any;
    }

    fn show(&self, design: &Design) {
        let shape = Shape { uploaded: design.uploaded, descriptor: design.analysis.descriptor };
        let mut shapes = self.shapes.write().unwrap_or_else(PoisonError::into_inner);
        shapes.insert(DesignName::of(&design.manifest), shape);
    }
}

impl Vault {
    /// What looks like this design. Versions of one design are no news.
    pub(crate) async fn alike(&self, design: &Design) -> Result<Alike, Refusal> {
        self.read_shapes().await?;
        let (shapes, name) = (self.gallery.shapes.clone(), DesignName::of(&design.manifest));
        let (uploaded, descriptor) = (design.uploaded, design.analysis.descriptor);
        let compare = move || {
            let mut alike = Alike::default();
            for (other, shape) in shapes.read().unwrap_or_else(PoisonError::into_inner).iter() {
                let is_version = (other.seller, other.design) == (name.seller, name.design);
                let percent = if is_version { 0 } else { descriptor.likeness(&shape.descriptor) };
                if percent < ALIKE {
                    continue;
                }
                if other.seller == name.seller {
                    alike.own.push((*other, percent));
                } else {
                    alike.later += u32::from(shape.uploaded > uploaded);
                    alike.of_others.push((*other, percent));
                }
            }
            alike.own.sort_unstable_by_key(|(other, percent)| (u32::MAX - percent, other.version.0));
            alike
        };
        Ok(tokio::task::spawn_blocking(compare).await.expect("comparing does not panic"))
    }

    /// Tells the operator, and whoever asks later, what a new design looks like.
    pub(crate) async fn note_alike(&self, design: &Design) {
        self.gallery.show(design);
        let alike = match self.alike(design).await {
            Ok(alike) => alike,
            Err(refusal) => {
                return tracing::warn!(%refusal, "a new design could not be compared with the others");
            }
        };
        let DesignName { seller, design, .. } = DesignName::of(&design.manifest);
        for (other, percent) in &alike.of_others {
            metrics::counter!("layerlock_designs_alike_total").increment(1);
            tracing::warn!(
                %seller, %design, percent, other_seller = %other.seller, other_design = %other.design,
                "a new design looks like another seller's"
            );
        }
    }

    async fn read_shapes(&self) -> Result<(), Refusal> {
        let _one = self.gallery.reading.lock().await;
        let unread = {
            let mut unread = self.gallery.unread.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *unread, Unread::Named(Vec::new()))
        };
        let read = match unread {
            Unread::Named(names) => self.read_named(names).await,
            Unread::Any => self.read_all().await,
        };
        if read.is_err() {
            self.gallery.note_any();
        }
        read
    }

    async fn read_all(&self) -> Result<(), Refusal> {
        let mut page = Page::first(Page::MAX_LIMIT);
        loop {
            let (names, next) = self.records.design_names(page).await?;
            self.read_named(names).await?;
            match next {
                Some(token) => page = Page::after(token, Page::MAX_LIMIT),
                None => return Ok(()),
            }
        }
    }

    async fn read_named(&self, names: Vec<DesignName>) -> Result<(), Refusal> {
        for name in names {
            let is_known =
                self.gallery.shapes.read().unwrap_or_else(PoisonError::into_inner).contains_key(&name);
            if is_known {
                continue;
            }
            match self.records.design(&name, &self.keys.keks).await {
                Ok(found) => found.iter().for_each(|design| self.gallery.show(design)),
                // What can't be opened is compared with nothing; it is named wherever somebody asks for it.
                Err(refusal) => {
                    tracing::warn!(design = %name.design, %refusal, "a design is compared with nothing")
                }
            }
        }
        Ok(())
    }
}
