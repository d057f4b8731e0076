use layerlock_terms::ids::{HoldId, JobId};
use layerlock_terms::receipt::Event as Said;

use super::*;
use crate::check::examine;
use crate::testbed::{Dice, NOW, Nouns, World, enrol, press};

fn job() -> Job {
    Job { id: JobId::from_bytes([5; 16]), hold: HoldId::from_bytes([5; 16]), header: Digest([5; 32]) }
}

fn cleared() -> Box<Cleared> {
    let home = tempfile::tempdir().unwrap();
    let world = World::new(1);
    let mut device = enrol(&world, home.path(), 1);
    let pressed = press(Nouns::of(&device, 5), &world, &device);
    Box::new(examine(&pressed.recorded, &device.standing()).unwrap())
}

fn extent(layers: u32) -> Extent {
    Extent { layers, ..Extent::default() }
}

fn head() -> TreeHead {
    TreeHead { size: 1, root: Digest([1; 32]) }
}

fn after(events: impl IntoIterator<Item = Event>) -> Session {
    let idle = Session::Idle(Idle);
    events.into_iter().fold(idle, |session, event| session.step(event, NOW).unwrap().next)
}

/// One session in every state, in the order of a print's life.
fn all() -> Vec<Session> {
    let road =
        [Event::Offered(job()), Event::Cleared(cleared()), Event::KeyHeld, Event::Pause, Event::Resume];
    let states = (0..=4).map(|n| after(road[..n].to_vec()));
    let reporting = after([Event::Offered(job()), Event::Unfit]);
    let others = [Session::Unenrolled(Unenrolled), reporting, after([Event::Broken(Why::Fenced)])];
    states.chain(others).collect()
}

fn events() -> Vec<Event> {
    vec![
        Event::Enrolled,
        Event::LinkUp,
        Event::Offered(job()),
        Event::Stored(3),
        Event::Cleared(cleared()),
        Event::Unfit,
        Event::KeyHeld,
        Event::Layers(extent(1)),
        Event::Pause,
        Event::Resume,
        Event::Finished(Outcome::Printed, extent(7)),
        Event::Settled(head()),
        Event::Withdrawn,
        Event::Broken(Why::Revoked),
    ]
}

/// What the table says of an event in a state: the next state's name, or nothing.
fn table(state: &str, event: &str) -> Option<&'static str> {
    match (state, event) {
        (_, "broken") => Some("halted"),
        ("not enrolled", "enrolled") => Some("idle"),
        ("idle", "link up" | "withdrawn") => Some("idle"),
        ("idle" | "fetching", "offered") => Some("fetching"),
        ("fetching", "link up" | "stored") => Some("fetching"),
        ("fetching", "cleared") | ("checked", "link up") => Some("checked"),
        ("fetching" | "checked", "unfit") => Some("reporting"),
        ("fetching" | "checked", "settled" | "withdrawn") => Some("idle"),
        ("checked", "key held") | ("printing", "link up" | "layers") => Some("printing"),
        ("printing", "pause") | ("paused", "link up" | "layers") => Some("paused"),
        ("paused", "resume") => Some("printing"),
        ("printing" | "paused", "finished") | ("reporting", "link up") => Some("reporting"),
        ("reporting", "settled" | "withdrawn") => Some("idle"),
        _ => None,
    }
}

#[test]
fn every_event_in_every_state_does_what_the_table_says_or_changes_nothing() {
    let mut asked = 0;
    for session in all() {
        for event in events() {
            let (state, name) = (session.name(), event.name());
            let stepped = session.clone().step(event, NOW);
            let found = stepped.as_ref().map(|step| step.next.name()).ok();
            assert_eq!(found, table(state, name), "{name} while {state}");
            if let Err(misplaced) = stepped {
                assert_eq!(misplaced.session.name(), state);
            }
            asked += 1;
        }
    }
    assert_eq!(asked, 8 * 14, "every state and every event was asked for");
}

#[test]
fn motion_begins_from_checked_alone_and_is_recorded_before_it_begins() {
    for session in all() {
        for event in events() {
            let (state, name) = (session.name(), event.name());
            let Ok(step) = session.clone().step(event, NOW) else { continue };
            let moves = step.effects.iter().any(|effect| matches!(effect, Effect::Move(_)));
            assert_eq!(moves, state == "checked" && name == "key held", "{name} while {state}");
            if moves {
                assert!(matches!(step.effects[0], Effect::Record(Entry::Moving(_))));
            }
        }
    }
}

#[test]
fn a_job_is_recorded_as_accepted_before_its_first_segment_is_asked_for() {
    let step = Session::Idle(Idle).step(Event::Offered(job()), NOW).unwrap();
    assert!(matches!(
        step.effects[..],
        [Effect::Record(Entry::Accepted { .. }), Effect::Fetch { from: 0, .. }]
    ));
}

#[test]
fn an_offer_in_a_new_stream_is_answered_with_the_first_missing_segment() {
    let fetching = after([Event::Offered(job()), Event::Stored(17), Event::LinkUp]);
    let step = fetching.step(Event::Offered(job()), NOW).unwrap();
    assert!(matches!(step.effects[..], [Effect::Fetch { from: 17, .. }]));
}

#[test]
fn an_envelope_pressed_anew_is_accepted_anew_and_fetched_whole() {
    let anew = Job { header: Digest([6; 32]), ..job() };
    let fetching = after([Event::Offered(job()), Event::Stored(17), Event::LinkUp]);
    let step = fetching.step(Event::Offered(anew), NOW).unwrap();
    assert!(matches!(
        step.effects[..],
        [Effect::Record(Entry::Accepted { .. }), Effect::Fetch { from: 0, .. }]
    ));
}

#[test]
fn an_envelope_of_another_hold_does_not_take_the_running_ones_place() {
    let other = Job { hold: HoldId::from_bytes([6; 16]), ..job() };
    assert!(after([Event::Offered(job())]).step(Event::Offered(other), NOW).is_err());
}

#[test]
fn the_final_receipt_comes_before_the_ciphertext_goes() {
    let printing = after([Event::Offered(job()), Event::Cleared(cleared()), Event::KeyHeld]);
    let step = printing.step(Event::Finished(Outcome::Printed, extent(7)), NOW).unwrap();
    let said = Said::Ended(Outcome::Printed, extent(7));
    assert!(
        matches!(step.effects[..], [Effect::Attest { event, at: NOW }, Effect::Clear] if event == said),
        "{:?}",
        step.effects
    );
}

#[test]
fn a_settled_job_is_forgotten_only_after_the_ledgers_head_is_remembered() {
    let reporting = after([Event::Offered(job()), Event::Unfit]);
    let step = reporting.step(Event::Settled(head()), NOW).unwrap();
    assert!(matches!(
        step.effects[..],
        [Effect::Record(Entry::Head(_)), Effect::Record(Entry::Closed(_)), Effect::Clear]
    ));
}

/// What must hold of one life of a device, whatever happens to it.
#[derive(Default)]
struct Life {
    /// Of the running job.
    accepted: bool,
    moving: bool,
    ended: bool,
}

impl Life {
    fn follow(&mut self, step: &Step, named: &str) {
        for effect in &step.effects {
            match effect {
                Effect::Record(Entry::Accepted { .. }) => {
                    assert!(!self.moving, "{named}: another job while the machine moves");
                    *self = Self { accepted: true, ..Self::default() };
                }
                Effect::Record(Entry::Moving(_)) => {
                    assert!(self.accepted && !self.moving && !self.ended, "{named}: it moves once");
                    self.moving = true;
                }
                Effect::Move(_) => assert!(self.moving, "{named}: it moves unrecorded"),
                Effect::Attest { event: Said::Ended(..), .. } => {
                    assert!(self.accepted && !self.ended, "{named}: it ends once");
                    self.ended = true;
                }
                Effect::Attest { event: Said::Progress(_), .. } => {
                    assert!(self.moving && !self.ended, "{named}: progress of what doesn't move");
                }
                Effect::Record(Entry::Closed(_)) => {
                    // A job that never moved may be over without a word of ours: the vault withdrew it.
                    assert!(self.ended || !self.moving, "{named}: closed with no receipt for what moved");
                    *self = Self::default();
                }
                _ => {}
            }
        }
    }
}

#[test]
fn a_million_events_in_any_order_move_each_job_once_and_end_it_once() {
    let (events, halts) = (events(), |event: &Event| matches!(event, Event::Broken(_)));
    let mut dice = Dice(1);
    let mut reached = std::collections::BTreeMap::new();
    let (mut session, mut life) = (Session::Idle(Idle), Life::default());
    for number in 0..1_000_000 {
        let event = dice.one_of(&events).clone();
        // A halted device stays so; without this there would be little else.
        if halts(&event) && dice.below(100) > 0 {
            continue;
        }
        let named = format!("step {number}, {} while {}", event.name(), session.name());
        session = match session.step(event, NOW) {
            Ok(step) => {
                life.follow(&step, &named);
                step.next
            }
            Err(misplaced) => misplaced.session,
        };
        *reached.entry(session.name()).or_insert(0_u32) += 1;
        if matches!(session, Session::Halted(_)) {
            (session, life) = (Session::Idle(Idle), Life::default());
        }
    }
    for state in ["idle", "fetching", "checked", "printing", "paused", "reporting", "halted"] {
        assert!(
            reached.get(state).is_some_and(|times| *times > 300),
            "{state} is hardly reached: {reached:?}"
        );
    }
}
