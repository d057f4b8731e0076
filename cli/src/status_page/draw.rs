//! The picture of what lies on the bed, drawn by a thread of its own, and only for whoever looks.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use layerlock_terms::toolpath::{Layer, Point3};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use crate::picture::BodyPicture;

/// Width and height, in pixels: a picture costs some twenty bytes for each while a part is printed.
pub(super) const SIZE: [u32; 2] = [400, 300];

/// Layers on their way; one that finds no room is left out of the picture.
const QUEUE: usize = 4;

/// The least time between two pictures, however many look.
const PAUSE: Duration = Duration::from_secs(2);
/// How long a picture is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// Between two tries to be heard.
const BUSY: Duration = Duration::from_millis(20);

/// See the module.
pub(super) struct Drawing(SyncSender<Order>);

enum Order {
    Begin(Point3, Point3),
    Add(Layer),
    Show(oneshot::Sender<Arc<[u8]>>),
}

/// What lies there, and its newest picture.
#[derive(Default)]
struct Easel {
    body: Option<BodyPicture>,
    png: Option<Arc<[u8]>>,
    drawn: Option<Instant>,
    is_new: bool,
}

impl Drawing {
    pub(super) fn begin() -> io::Result<Self> {
        let (orders, queue) = sync_channel(QUEUE);
        let work = move || {
            let mut easel = Easel::default();
            queue.iter().for_each(|order| easel.take(order, Instant::now()));
        };
        thread::Builder::new().name("picture".into()).spawn(work)?;
        Ok(Self(orders))
    }

    /// A part between two corners comes.
    pub(super) fn begin_part(&self, min: Point3, max: Point3) {
        let _ = self.0.try_send(Order::Begin(min, max));
    }

    /// Its next layer.
    pub(super) fn add(&self, layer: &Layer) {
        let _ = self.0.try_send(Order::Add(layer.clone()));
    }

    /// The newest picture; `None` before the first part, and where the hand that draws is busy for too long.
    pub(super) async fn png(&self) -> Option<Arc<[u8]>> {
        let asked = async {
            loop {
                let (show, shown) = oneshot::channel();
                match self.0.try_send(Order::Show(show)) {
                    Ok(()) => return shown.await.ok(),
                    // Layers come faster than they are drawn.
                    Err(TrySendError::Full(_)) => sleep(BUSY).await,
                    Err(TrySendError::Disconnected(_)) => return None,
                }
            }
        };
        timeout(PATIENCE, asked).await.ok()?
    }
}

impl Easel {
    fn take(&mut self, order: Order, now: Instant) {
        match order {
            Order::Begin(min, max) => {
                self.body = Some(BodyPicture::new(min, max, SIZE[0], SIZE[1]));
                (self.is_new, self.drawn) = (true, None);
            }
            Order::Add(layer) => {
                if let Some(body) = &mut self.body {
                    body.add(&layer);
                    self.is_new = true;
                }
            }
            Order::Show(show) => {
                self.draw(now);
                // Whoever asked may have gone.
                let _ = self.png.clone().map(|png| show.send(png));
            }
        }
    }

    /// Draws what is new, unless that was done a moment ago.
    fn draw(&mut self, now: Instant) {
        let is_due = self.drawn.is_none_or(|drawn| now >= drawn + PAUSE);
        if let Some(body) = self.body.as_ref().filter(|_| self.is_new && is_due) {
            self.png = Some(body.image().to_png().into());
            (self.drawn, self.is_new) = (Some(now), false);
        }
    }
}

#[cfg(test)]
mod tests {
    use layerlock_terms::units::Micrometres;

    use super::*;

    fn layer(index: u32) -> Order {
        Order::Add(Layer { index, z: Micrometres(200), height: Micrometres(200), steps: Vec::new() })
    }

    fn shown(easel: &mut Easel, now: Instant) -> Option<Arc<[u8]>> {
        let (show, mut shown) = oneshot::channel();
        easel.take(Order::Show(show), now);
        shown.try_recv().ok()
    }

    #[test]
    fn a_picture_is_drawn_for_whoever_looks_once_for_what_is_new_and_not_too_often() {
        let (mut easel, begun) = (Easel::default(), Instant::now());
        assert_eq!(shown(&mut easel, begun), None, "no part, no picture");
        let corner = |um: i32| Point3 { x: um, y: um, z: um };
        easel.take(Order::Begin(corner(0), corner(10_000)), begun);
        (0..100).for_each(|index| easel.take(layer(index), begun));
        assert!(easel.png.is_none(), "nobody has looked");
        let first = shown(&mut easel, begun).expect("a picture");
        let is_first = |png: Option<Arc<[u8]>>| png.is_some_and(|png| Arc::ptr_eq(&png, &first));
        assert!(is_first(shown(&mut easel, begun + PAUSE)), "nothing is new");
        easel.take(layer(100), begun);
        assert!(is_first(shown(&mut easel, begun + PAUSE / 2)), "it was drawn a moment ago");
        assert!(!is_first(shown(&mut easel, begun + PAUSE)));
    }
}
