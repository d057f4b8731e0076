//! Who may open a session: an enrolled, unrevoked device that answers the challenge with a counter ahead of the
//! newest one known; and which session of a device is the living one.
//!
//! A counter that does not rise is a clone or a restored image (D4); a second session ends the first (D2), so
//! of two clones each sees the other throw it out, and the log says so. Two signed receipts that contradict each other prove a
//! clone, also one that skipped its counter ahead: both are kept, and that key opens no session any more. Deliberately absent: messages (`api`).

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use layerlock_proto::refusal::Reason;
use layerlock_seal::keys::VerifyingKey;
use layerlock_seal::statement::{Statement, Verified};
use layerlock_store::Expect;
use layerlock_terms::ids::DeviceId;
use layerlock_terms::receipt::Receipt;
use layerlock_terms::trust::{DeviceCertificate, SessionProof, SessionWelcome};
use tokio::sync::oneshot;

use crate::Vault;
use crate::job::Job;
use crate::refusal::Refusal;

/// The living session of each device.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    seats: Mutex<HashMap<DeviceId, Seat>>,
}

#[derive(Debug)]
struct Seat {
    counter: u64,
    /// Dropped to fence the session that sits here, used to send it away.
    door: oneshot::Sender<ComeBack>,
}

/// What a session hears when the vault stops: its device is welcome again.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ComeBack;

/// Sessions sent away in one second, at least: about as many as one node takes back in that time.
const PACE: usize = 5_000;
/// Between two handfuls.
const BEAT: Duration = Duration::from_millis(50);

/// A device that has proved itself. Made by [`Vault::admit_session`] alone.
#[derive(Debug)]
pub(crate) struct Entered {
    /// The device.
    pub(crate) device: DeviceId,
    /// Verifies what it signs.
    pub(crate) key: VerifyingKey,
    /// The session's number.
    pub(crate) counter: u64,
    /// Closes when a newer session takes over; says [`ComeBack`] when the vault stops.
    pub(crate) fenced: oneshot::Receiver<ComeBack>,
    /// The vault's answer to the device's challenge.
    pub(crate) welcome: Statement,
}

impl Sessions {
    /// Takes a device's seat; whoever sat there is fenced.
    fn enter(&self, device: DeviceId, counter: u64) -> oneshot::Receiver<ComeBack> {
        let (door, fenced) = oneshot::channel();
        let mut seats = self.seats.lock().expect("no code panics while it holds the seats");
        if let Some(old) = seats.insert(device, Seat { counter, door }) {
            tracing::warn!(%device, old = old.counter, new = counter, "a newer session fenced one still open");
        }
        metrics::gauge!("layerlock_sessions_open").set(seats.len() as f64);
        fenced
    }

    /// Whether this device has a seat.
    pub(crate) fn seats(&self, device: DeviceId) -> bool {
        self.seats.lock().expect("no code panics while it holds the seats").contains_key(&device)
    }

    /// Fences a session whose number is below this one: the device has opened another elsewhere.
    pub(crate) fn fence_below(&self, device: DeviceId, newest: u64) {
        let mut seats = self.seats.lock().expect("no code panics while it holds the seats");
        if let Some(old) = seats.get(&device).map(|seat| seat.counter).filter(|old| *old < newest) {
            tracing::warn!(%device, old, new = newest, "a newer session elsewhere fenced one still open");
            seats.remove(&device);
        }
    }

    /// Leaves the seat, unless a newer session has it.
    pub(crate) fn leave(&self, device: DeviceId, counter: u64) {
        let mut seats = self.seats.lock().expect("no code panics while it holds the seats");
        if seats.get(&device).is_some_and(|seat| seat.counter == counter) {
            seats.remove(&device);
        }
        metrics::gauge!("layerlock_sessions_open").set(seats.len() as f64);
    }

    /// Every device that has a seat, in no order anybody could know.
    fn seated(&self) -> Vec<DeviceId> {
        self.seats.lock().expect("no code panics while it holds the seats").keys().copied().collect()
    }

    fn send_away(&self, devices: &[DeviceId]) {
        let mut seats = self.seats.lock().expect("no code panics while it holds the seats");
        for seat in devices.iter().filter_map(|device| seats.remove(device)) {
            // A session that has ended by itself hears nothing more.
            let _ = seat.door.send(ComeBack);
        }
        metrics::gauge!("layerlock_sessions_open").set(seats.len() as f64);
    }
}

/// How many of these are sent away in one beat.
fn handful(seated: usize, longest: Duration) -> usize {
    let beats = usize::try_from(longest.as_millis() / BEAT.as_millis()).unwrap_or(usize::MAX).max(1);
    let usual = PACE / usize::try_from(Duration::from_secs(1).as_millis() / BEAT.as_millis()).unwrap_or(1);
    usual.max(seated.div_ceil(beats))
}

impl Vault {
    /// Ends all sessions with a word to come back, handful by handful: `PACE` a second, or faster if it would last longer
    /// than `longest` otherwise. Whoever stops a vault lets no new ones in meanwhile.
    pub async fn send_away(&self, longest: Duration) {
        let seated = self.sessions.seated();
        let handful = handful(seated.len(), longest);
        tracing::info!(sessions = seated.len(), "sending the devices away");
        let mut beat = tokio::time::interval(BEAT);
        for devices in seated.chunks(handful) {
            beat.tick().await;
            self.sessions.send_away(devices);
        }
    }

    /// Checks a device's answer to `challenge`; its counter is durable before it is let in.
    ///
    /// # Errors
    /// [`Reason::NotTrusted`], [`Reason::DeviceRevoked`], [`Reason::SessionBehind`], and what the store says.
    pub(crate) async fn admit_session(
        &self,
        challenge: &[u8; 32],
        certificate: &Statement,
        proof: &Statement,
    ) -> Result<Entered, Refusal> {
        let certificate = self.check_device(certificate)?;
        let device = certificate.device;
        let no = |words: String| Refusal::new(Reason::NotTrusted, words);
        let key = VerifyingKey::try_from(certificate.sign).map_err(|error| no(error.to_string()))?;
        let proof = proof.verify::<SessionProof>(&key).map_err(|why| no(format!("the proof: {why}")))?;
        if proof.device != device || proof.challenge != *challenge {
            return Err(no("the proof answers another challenge: open a new session".into()));
        }
        self.with_revocations(|fresh| fresh.clear(device)).await?;
        if self.records.is_forked(device).await? {
            let words = "two receipts signed by this device contradict each other: its key or its journal was copied, enrol it anew";
            return Err(Refusal::new(Reason::DeviceCloned, words));
        }
        self.count_session(device, proof.counter).await?;
        let welcome = SessionWelcome { nonce: proof.nonce, now: self.clock.now() };
        let welcome = Statement::sign(&welcome, &self.keys.delivery);
        let fenced = self.sessions.enter(device, proof.counter);
        Ok(Entered { device, key, counter: proof.counter, fenced, welcome })
    }

    fn check_device(&self, certificate: &Statement) -> Result<Verified<DeviceCertificate>, Refusal> {
        let certificate = self.trust.device(certificate, self.clock.now());
        certificate.map_err(|why| Refusal::not_the_licensors("device certificate", &why))
    }

    /// Keeps the proof that somebody else holds this device's key, and lets nobody in by it from here on.
    pub(crate) async fn note_fork(&self, job: &Job, receipt: &Verified<Receipt>) -> Result<(), Refusal> {
        let Some(kept) = job.forked_by(receipt) else { return Ok(()) };
        let device = receipt.device;
        self.records.keep_fork(device, [kept.statement(), receipt.statement()]).await?;
        let [first, second] = [kept, receipt].map(|said| said.statement().digest());
        tracing::error!(
            %device, job = %receipt.job, sequence = receipt.sequence, %first, %second,
            "a device signed two receipts that contradict each other: its key or its journal was copied; revoke it"
        );
        metrics::counter!("layerlock_devices_forked_total").increment(1);
        Ok(())
    }

    /// Two that come with one counter at once: the store lets one of them in.
    async fn count_session(&self, device: DeviceId, counter: u64) -> Result<(), Refusal> {
        let known = self.records.counter(device).await?;
        let behind = known.as_ref().is_some_and(|known| counter <= known.value);
        if behind {
            tracing::warn!(%device, counter, "a session counter did not rise: a clone or a restored image");
            let words = "the session counter is behind: this device was cloned or restored, enrol it anew";
            return Err(Refusal::new(Reason::SessionBehind, words));
        }
        let expect = known.map_or(Expect::Absent, |known| Expect::At(known.revision));
        Ok(self.records.keep_counter(device, counter, expect).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(n: u8) -> DeviceId {
        DeviceId::from_bytes([n; 16])
    }

    #[test]
    fn a_session_sent_away_hears_that_it_may_come_back_and_a_fenced_one_does_not() {
        let sessions = Sessions::default();
        let mut cloned = sessions.enter(device(1), 1);
        let mut first = sessions.enter(device(1), 2);
        let mut second = sessions.enter(device(2), 1);
        assert!(matches!(cloned.try_recv(), Err(oneshot::error::TryRecvError::Closed)));
        let seated = sessions.seated();
        assert_eq!(seated.len(), 2);
        assert!(matches!(first.try_recv(), Err(oneshot::error::TryRecvError::Empty)));
        sessions.send_away(&seated);
        assert!(first.try_recv().is_ok() && second.try_recv().is_ok());
        assert!(sessions.seated().is_empty());
    }

    #[test]
    fn devices_are_sent_away_at_a_pace_unless_that_takes_too_long() {
        let longest = Duration::from_secs(20);
        let lasts =
            |seated: usize| BEAT * u32::try_from(seated.div_ceil(handful(seated, longest))).expect("small");
        assert_eq!(lasts(1), BEAT);
        assert_eq!(lasts(50_000), Duration::from_secs(10));
        assert_eq!(lasts(100_000), longest);
        assert!(lasts(1_000_000) <= longest, "a million take {:?}", lasts(1_000_000));
    }
}
