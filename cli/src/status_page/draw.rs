//! The picture of what lies on the bed, drawn by a thread of its own.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use layerlock_terms::toolpath::{Layer, Point3};

use crate::picture::BodyPicture;

/// Width and height, in pixels: a picture costs some twenty bytes for each while a part is printed.
pub(super) const SIZE: [u32; 2] = [400, 300];

/// Layers on their way; one that finds no room is left out of the picture.
const QUEUE: usize = 4;

/// Pause between two pictures made while layers come.
const PAUSE: Duration = Duration::from_secs(2);

/// See the module.
pub(super) struct Drawing {
    orders: SyncSender<Order>,
    png: Arc<Mutex<Option<Arc<[u8]>>>>,
}

enum Order {
    Begin(Point3, Point3),
    Add(Layer),
}

impl Drawing {
    pub(super) fn begin() -> io::Result<Self> {
        let (orders, queue) = sync_channel(QUEUE);
        let png = Arc::new(Mutex::new(None));
        let shown = png.clone();
        thread::Builder::new().name("picture".into()).spawn(move || draw(&queue, &shown))?;
        Ok(Self { orders, png })
    }

    /// A part between two corners comes.
    pub(super) fn begin_part(&self, min: Point3, max: Point3) {
        let _ = self.orders.try_send(Order::Begin(min, max));
    }

    /// Its next layer.
    pub(super) fn add(&self, layer: &Layer) {
        let _ = self.orders.try_send(Order::Add(layer.clone()));
    }

    /// The newest picture.
    pub(super) fn png(&self) -> Option<Arc<[u8]>> {
        self.png.lock().expect("nothing panics while it holds a picture").clone()
    }
}

fn draw(queue: &Receiver<Order>, shown: &Mutex<Option<Arc<[u8]>>>) {
    let (mut body, mut due, mut is_new) = (None::<BodyPicture>, Instant::now(), false);
    loop {
        // The last layers of a part are shown once nothing follows.
        let order = queue.recv_timeout(PAUSE);
        let is_last = order.is_err();
        is_new |= order.is_ok();
        match order {
            Ok(Order::Begin(min, max)) => body = Some(BodyPicture::new(min, max, SIZE[0], SIZE[1])),
            Ok(Order::Add(layer)) => {
                if let Some(body) = &mut body {
                    body.add(&layer);
                }
            }
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {}
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => return,
        }
        if let Some(part) = &body
            && is_new
            && (is_last || Instant::now() >= due)
        {
            let png: Arc<[u8]> = part.image().to_png().into();
            *shown.lock().expect("nothing panics while it holds a picture") = Some(png);
            (due, is_new) = (Instant::now() + PAUSE, false);
        }
    }
}
