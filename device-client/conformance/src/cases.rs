//! The kit's own cases: whole talks between a vault and the client, one rule or a few of them each.

use std::num::NonZeroU64;

use layerlock_proto::vault::v1 as wire;
use layerlock_proto::vault::v1::device_message::Message as FromDevice;
use layerlock_proto::vault::v1::vault_message::Message as ToDevice;
use layerlock_seal::statement::Statement;
use layerlock_terms::ids::{DeviceId, LicenseId};
use layerlock_terms::license::{DeviceScope, Expiry, Release};
use layerlock_terms::receipt::{Event, Extent, Outcome};
use layerlock_terms::release::KeyRelease;
use layerlock_terms::toolpath::{Piece, Point, Step};
use layerlock_terms::units::{Celsius, Millis, Timestamp};
use layerlock_terms::wire::Noun;

use crate::bench::{Bench, Verdict, job_of, must, receipt};
use crate::motion;
use crate::world::{Nouns, Pressed, toolpath};

/// A case and the rules it is about: those of `proto/spec`, and the attacks `docs/oem.md` lists.
pub(crate) struct Case {
    pub name: &'static str,
    pub rules: &'static [&'static str],
    pub run: fn(&mut Bench) -> Verdict,
}

macro_rules! cases {
    ($($name:ident [$($rule:literal),+]),+ $(,)?) => {
        /// All of them, right ones first.
        pub(crate) const ALL: &[Case] = &[
            $(Case { name: concat!("session/", stringify!($name)), rules: &[$($rule),+], run: $name }),+
        ];
    };
}

cases! {
    a_print_goes_from_offer_to_ledger ["MODE-1", "RC-9", "RC-10", "RC-12", "RC-13"],
    two_prints_follow_each_other ["LOG-2", "SES-6"],
    every_session_proves_itself_anew ["SES-4", "SES-5", "SES-6"],
    a_lost_stream_is_taken_up_where_it_broke ["SEG-11"],
    receipts_are_said_again_byte_for_byte ["RC-14"],
    power_cut_in_motion_ends_the_job ["D3", "RC-14"],
    offline_keys_print_at_once_and_never_again ["REL-6"],
    a_job_is_printed_once ["D3"],
    a_clock_set_back_revives_nothing ["D5"],
    a_welcome_to_another_session_is_not_believed ["SES-7"],
    a_welcome_of_a_stranger_is_not_believed ["SES-7"],
    a_welcome_past_the_end_of_the_root_is_not_believed ["SES-10"],
    a_license_of_a_stranger_is_not_fetched ["TR-22"],
    a_hold_of_a_stranger_is_not_fetched ["TR-22"],
    a_header_of_a_stranger_is_not_fetched ["TR-22"],
    a_job_for_another_device_is_not_fetched ["N7"],
    a_job_for_another_machine_is_not_fetched ["N7"],
    a_license_that_leaves_this_device_out_is_not_fetched ["N7"],
    statements_of_different_jobs_are_not_fetched ["N7"],
    what_has_expired_is_not_fetched ["D5"],
    a_toolpath_outside_the_machine_is_not_printed ["S3"],
    nothing_moves_before_the_manifest ["MODE-1"],
    nothing_moves_without_a_key ["REL-5"],
    keys_of_a_stranger_move_nothing ["REL-1"],
    keys_wrapped_to_another_device_move_nothing ["EP-1"],
    motion_stops_where_keys_end ["REL-5"],
    a_command_beyond_the_machines_limits_is_not_carried_out ["S3"],
    a_toolpath_with_a_layer_missing_is_not_printed ["TP-1"],
    a_ledger_that_went_back_halts ["S4"],
    an_entry_of_another_job_halts ["S4"],
    a_message_out_of_turn_ends_the_stream ["SES-7"],
}

fn job(bench: &Bench, number: u8) -> Pressed {
    Nouns::of(&bench.maker, number).press(&bench.world, &bench.maker)
}

fn changed(bench: &Bench, change: impl FnOnce(&mut Nouns)) -> Pressed {
    let mut nouns = Nouns::of(&bench.maker, 5);
    change(&mut nouns);
    nouns.press(&bench.world, &bench.maker)
}

fn ready(bench: &mut Bench) -> Verdict {
    bench.begin()?;
    bench.connect().map(drop)
}

fn is_fetched(answers: &[FromDevice]) -> bool {
    answers.iter().any(|answer| matches!(answer, FromDevice::Fetch(_)))
}

fn refused(bench: &mut Bench, pressed: &Pressed, what: &str) -> Verdict {
    let answers = bench.offer(pressed)?;
    must(!is_fetched(&answers), &format!("{what} was fetched"))?;
    // A refusal is no reason to stop serving: what is right is still taken.
    let right = job(bench, 6);
    let answers = bench.offer(&right)?;
    must(is_fetched(&answers), &format!("after {what} a right job was not taken"))
}

fn whole(pressed: &Pressed) -> u32 {
    pressed.nouns.layers
}

fn printed(bench: &mut Bench, pressed: &Pressed) -> Verdict {
    let from = bench.commands.len();
    let ended = bench.print(pressed)?;
    let Some(Event::Ended(Outcome::Printed, Extent { layers, total_layers, .. })) = ended else {
        return Err(format!("a right job must end as printed; the last receipt says {ended:?}"));
    };
    must(
        (layers, total_layers) == (whole(pressed), whole(pressed)),
        "`printed` must mean every layer (RC-13)",
    )?;
    let places = motion::places(&pressed.pieces);
    must(
        motion::visits(&bench.commands[from..], &places),
        "the machine must go to every place of the toolpath, in its order",
    )
}

fn a_print_goes_from_offer_to_ledger(bench: &mut Bench) -> Verdict {
    ready(bench)?;
    let pressed = job(bench, 5);
    let answers = bench.offer(&pressed)?;
    let [FromDevice::Fetch(fetch)] = &answers[..] else {
        return Err("a right offer must be answered with one Fetch".into());
    };
    must(fetch.from_segment == 0, "the first Fetch must begin with segment 0")?;
    let header = Statement::parse(&pressed.recorded.header).map_err(|why| why.to_string())?.digest();
    must(fetch.header == header.as_bytes(), "Fetch must name the header that was offered (SES-11)")?;
    bench.see_through(&pressed, answers)?;
    let events: Vec<Event> =
        bench.receipts.iter().filter_map(|bytes| Some(receipt(bytes).ok()?.event)).collect();
    let manifest = Statement::parse(&pressed.recorded.manifest).map_err(|why| why.to_string())?.digest();
    must(
        events.first() == Some(&Event::Checked(manifest)),
        "`checked` comes first, of this manifest (RC-9, RC-10)",
    )?;
    let layers = whole(&pressed);
    let is_whole = |event: Option<&Event>| matches!(event, Some(Event::Ended(Outcome::Printed, extent)) if extent.layers == layers);
    must(is_whole(events.last()), "`over` comes last and says `printed`, every layer (RC-13)")?;
    must(
        motion::visits(&bench.commands, &motion::places(&pressed.pieces)),
        "the machine must go to every place of the toolpath, in its order",
    )?;
    must(bench.settle(&pressed)?.is_empty(), "a settled job must be answered with nothing")
}

fn two_prints_follow_each_other(bench: &mut Bench) -> Verdict {
    ready(bench)?;
    for number in [5, 6] {
        let pressed = job(bench, number);
        printed(bench, &pressed)?;
        bench.settle(&pressed)?;
    }
    Ok(())
}

fn every_session_proves_itself_anew(bench: &mut Bench) -> Verdict {
    ready(bench)?;
    bench.disconnect()?;
    bench.connect()?;
    bench.power_on()?;
    bench.connect().map(drop)
}

fn a_lost_stream_is_taken_up_where_it_broke(bench: &mut Bench) -> Verdict {
    ready(bench)?;
    let pressed = job(bench, 5);
    bench.offer(&pressed)?;
    bench.deliver_some(&pressed, 0, 12)?;
    bench.disconnect()?;
    bench.connect()?;
    let answers = bench.offer(&pressed)?;
    let from = answers.iter().find_map(|answer| match answer {
        FromDevice::Fetch(fetch) => Some(fetch.from_segment),
        _ => None,
    });
    must(
        from.is_some_and(|from| from <= 12),
        "after a loss it must fetch from a segment it lacks, or earlier",
    )?;
    let ended = bench.see_through(&pressed, answers)?;
    must(matches!(ended, Some(Event::Ended(Outcome::Printed, _))), "a job fetched in two parts must print")
}

fn receipts_are_said_again_byte_for_byte(bench: &mut Bench) -> Verdict {
    ready(bench)?;
    let pressed = job(bench, 5);
    printed(bench, &pressed)?;
    let last = bench.receipts.last().cloned().ok_or("no receipt")?;
    for restart in [false, true] {
        bench.disconnect()?;
        if restart {
            bench.power_on()?;
        }
        let said = bench.connect()?;
        let again =
            said.iter().any(|message| matches!(message, FromDevice::Receipt(bytes) if *bytes == last));
        must(
            again,
            "a final receipt that was not answered must be said again, the same bytes, also after a restart",
        )?;
    }
    bench.settle(&pressed)?;
    Ok(())
}

fn power_cut_in_motion_ends_the_job(bench: &mut Bench) -> Verdict {
    ready(bench)?;
    let pressed = job(bench, 5);
    bench.withhold_from = Some(2);
    bench.print(&pressed)?;
    must(!bench.commands.is_empty(), "it must print as far as its keys reach")?;
    let attested =
        bench.receipts.iter().filter_map(|bytes| receipt(bytes).ok()).filter_map(|it| match it.event {
            Event::Progress(extent) => Some(extent.layers),
            _ => None,
        });
    let attested = attested.max().unwrap_or(0);
    bench.withhold_from = None;
    bench.power_on()?;
    let (before, answers) = (bench.commands.len(), bench.connect()?);
    bench.offer(&pressed)?;
    bench.run_machine()?;
    must(
        bench.commands.len() == before,
        "a job that was in motion when power was cut must never move again",
    )?;
    let ended = answers.iter().find_map(|message| match message {
        FromDevice::Receipt(bytes) => receipt(bytes).ok().filter(|it| matches!(it.event, Event::Ended(..))),
        _ => None,
    });
    let is_fair = ended.is_some_and(
        |it| matches!(it.event, Event::Ended(Outcome::Failed, extent) if extent.layers >= attested && extent.layers < whole(&pressed)),
    );
    must(
        is_fair,
        "after a power cut in motion the final receipt must say `failed`, and no less than was attested",
    )
}

fn offline(bench: &Bench, number: u8, count: u64) -> Pressed {
    let mut nouns = Nouns::of(&bench.maker, number);
    nouns.license.terms.release = Release::Offline;
    nouns.offline = NonZeroU64::new(count).unwrap_or(NonZeroU64::MIN);
    nouns.press(&bench.world, &bench.maker)
}

fn offline_keys_print_at_once_and_never_again(bench: &mut Bench) -> Verdict {
    ready(bench)?;
    let pressed = offline(bench, 5, 4);
    printed(bench, &pressed)?;
    bench.settle(&pressed)?;
    for (number, count) in [(6, 4), (7, 3)] {
        let (old, before) = (offline(bench, number, count), bench.commands.len());
        bench.print(&old)?;
        must(
            bench.commands.len() == before,
            "keys of an offline print that was used must move nothing (REL-6)",
        )?;
        bench.settle(&old)?;
    }
    Ok(())
}

fn a_job_is_printed_once(bench: &mut Bench) -> Verdict {
    ready(bench)?;
    let pressed = job(bench, 5);
    printed(bench, &pressed)?;
    bench.settle(&pressed)?;
    let answers = bench.offer(&pressed)?;
    must(!is_fetched(&answers), "a job that was printed was fetched again")?;
    bench.power_on()?;
    bench.connect()?;
    let answers = bench.offer(&pressed)?;
    must(!is_fetched(&answers), "a job that was printed was fetched again after a restart")
}

fn a_clock_set_back_revives_nothing(bench: &mut Bench) -> Verdict {
    ready(bench)?;
    let begun = bench.now;
    bench.disconnect()?;
    bench.set_clock(begun.plus(Millis(100_000_000)))?;
    bench.connect()?;
    bench.disconnect()?;
    bench.set_clock(Timestamp(begun.0 - 1_000_000))?;
    bench.power_on()?;
    // A vault that plays along with the thief can't be told from one whose clock is behind.
    bench.connect()?;
    let old = changed(bench, |nouns| nouns.hold.settle_by = begun.plus(Millis(50_000_000)));
    let answers = bench.offer(&old)?;
    must(!is_fetched(&answers), "a hold that had ended was fetched once the clock was set back")
}

fn left(bench: &mut Bench, what: &str) -> Verdict {
    let said = bench.connect()?;
    must(said.is_empty(), &format!("{what} was answered"))?;
    let pressed = job(bench, 5);
    let answers = bench.offer(&pressed)?;
    must(bench.has_hung_up, &format!("{what} was not left"))?;
    must(!is_fetched(&answers), &format!("after {what} a job was fetched"))
}

fn a_welcome_to_another_session_is_not_believed(bench: &mut Bench) -> Verdict {
    bench.begin()?;
    bench.welcome_nonce = Some([7; 32]);
    left(bench, "a welcome to another nonce")
}

fn a_welcome_of_a_stranger_is_not_believed(bench: &mut Bench) -> Verdict {
    bench.begin()?;
    bench.world =
        crate::world::World { licensor: bench.world.licensor.clone(), ..crate::world::World::new(2) };
    left(bench, "a welcome by a vault the root does not certify")
}

fn a_welcome_past_the_end_of_the_root_is_not_believed(bench: &mut Bench) -> Verdict {
    bench.begin()?;
    bench.welcome_now = Some(bench.world.ends);
    left(bench, "a welcome that names a moment past the end of the root")
}

fn a_license_of_a_stranger_is_not_fetched(bench: &mut Bench) -> Verdict {
    ready(bench)?;
    let mut pressed = job(bench, 5);
    pressed.recorded.license = Statement::sign(&pressed.nouns.license, &Bench::stranger()).emit();
    refused(bench, &pressed, "a license by a stranger")
}

fn a_hold_of_a_stranger_is_not_fetched(bench: &mut Bench) -> Verdict {
    ready(bench)?;
    let mut pressed = job(bench, 5);
    pressed.recorded.hold = Statement::sign(&pressed.nouns.hold, &Bench::stranger()).emit();
    refused(bench, &pressed, "a hold by a stranger")
}

fn a_header_of_a_stranger_is_not_fetched(bench: &mut Bench) -> Verdict {
    ready(bench)?;
    let mut pressed = job(bench, 5);
    pressed.recorded.header = Statement::sign(&pressed.nouns.header, &Bench::stranger()).emit();
    refused(bench, &pressed, "a header by a stranger")
}

fn a_job_for_another_device_is_not_fetched(bench: &mut Bench) -> Verdict {
    ready(bench)?;
    let other = DeviceId::from_bytes([0xee; 16]);
    let by_hold = changed(bench, |nouns| nouns.hold.device = other);
    refused(bench, &by_hold, "a hold for another device")?;
    Ok(())
}

fn a_job_for_another_machine_is_not_fetched(bench: &mut Bench) -> Verdict {
    ready(bench)?;
    let pressed = changed(bench, |nouns| nouns.header.machine = "prusa-mk3s".into());
    refused(bench, &pressed, "a job sliced for another machine")
}

fn a_license_that_leaves_this_device_out_is_not_fetched(bench: &mut Bench) -> Verdict {
    ready(bench)?;
    let other = DeviceId::from_bytes([0xee; 16]);
    let pressed = changed(bench, |nouns| nouns.license.terms.devices = DeviceScope::Listed(vec![other]));
    refused(bench, &pressed, "a job under a license that names other devices")
}

fn statements_of_different_jobs_are_not_fetched(bench: &mut Bench) -> Verdict {
    ready(bench)?;
    let mut pressed = job(bench, 5);
    let other = changed(bench, |nouns| {
        nouns.license.id = LicenseId::from_bytes([0xaa; 16]);
        nouns.hold.license = nouns.license.id;
    });
    pressed.recorded.license = other.recorded.license;
    refused(bench, &pressed, "a license of another job beside a hold and header of this one")
}

fn what_has_expired_is_not_fetched(bench: &mut Bench) -> Verdict {
    ready(bench)?;
    let now = bench.now;
    let hold = changed(bench, |nouns| nouns.hold.settle_by = now);
    let answers = bench.offer(&hold)?;
    must(!is_fetched(&answers), "a hold whose time is over was fetched")?;
    let license = changed(bench, |nouns| nouns.license.terms.expires = Expiry::At(now));
    refused(bench, &license, "a license that has expired")
}

fn a_toolpath_outside_the_machine_is_not_printed(bench: &mut Bench) -> Verdict {
    ready(bench)?;
    let pressed = changed(bench, |nouns| nouns.summary.max.x = 10_000_000);
    bench.print(&pressed)?;
    must(!bench.has_checked(), "a manifest that leaves the machine's volume was called checked")?;
    must(bench.commands.is_empty(), "a toolpath that leaves the machine's volume was begun")
}

fn nothing_moves_before_the_manifest(bench: &mut Bench) -> Verdict {
    ready(bench)?;
    let pressed = job(bench, 5);
    bench.offer(&pressed)?;
    // Keys that come too early move nothing either.
    bench.deliver_some(&pressed, 0, u32::MAX)?;
    bench.release(&pressed, 0)?;
    bench.run_machine()?;
    must(bench.commands.is_empty(), "the machine moved before the manifest (MODE-1)")
}

fn nothing_moves_without_a_key(bench: &mut Bench) -> Verdict {
    ready(bench)?;
    let pressed = job(bench, 5);
    bench.withhold_from = Some(0);
    let ended = bench.print(&pressed)?;
    must(bench.has_checked(), "an envelope that is whole must be called checked before any key is here")?;
    must(bench.commands.is_empty(), "the machine moved without a key")?;
    must(ended.is_none(), "a job whose keys are late is not over yet")
}

fn keys_of_a_stranger_move_nothing(bench: &mut Bench) -> Verdict {
    ready(bench)?;
    let mut pressed = job(bench, 5);
    for release in &mut pressed.keys {
        let noun = KeyRelease::parse(release.payload()).map_err(|why| why.to_string())?;
        *release = Statement::sign(&noun, &Bench::stranger());
    }
    bench.print(&pressed)?;
    must(bench.commands.is_empty(), "keys a stranger released moved the machine")
}

fn keys_wrapped_to_another_device_move_nothing(bench: &mut Bench) -> Verdict {
    ready(bench)?;
    let mut other = bench.maker.clone();
    other.open_seed = [0x99; 32];
    let pressed = Nouns::of(&bench.maker, 5).press(&bench.world, &other);
    let ended = bench.print(&pressed)?;
    must(bench.commands.is_empty(), "keys wrapped to another device moved the machine")?;
    must(!matches!(ended, Some(Event::Ended(Outcome::Printed, _))), "a job without a key was called printed")
}

fn motion_stops_where_keys_end(bench: &mut Bench) -> Verdict {
    ready(bench)?;
    let pressed = job(bench, 5);
    bench.withhold_from = Some(1);
    let ended = bench.print(&pressed)?;
    must(ended.is_none(), "a job whose keys are late is not over yet")?;
    let held = usize::try_from(pressed.nouns.header.epoch_layers).unwrap_or(usize::MAX);
    let layers = pressed.pieces.iter().filter(|piece| matches!(piece, Piece::Layer(_))).take(held);
    let reach: Vec<Piece> = layers.cloned().collect();
    must(motion::visits(&bench.commands, &motion::places(&reach)), "it must print as far as its keys reach")?;
    must(
        !motion::visits(&bench.commands, &motion::places(&pressed.pieces)),
        "it printed layers whose key it was never given",
    )?;
    bench.withhold_from = None;
    let answers = bench.release(&pressed, 2)?;
    let ended = bench.see_through(&pressed, answers)?;
    must(
        matches!(ended, Some(Event::Ended(Outcome::Printed, _))),
        "once the keys come it must go on to the end",
    )
}

fn a_command_beyond_the_machines_limits_is_not_carried_out(bench: &mut Bench) -> Verdict {
    ready(bench)?;
    let mut pieces = toolpath(7);
    if let Some(Piece::Layer(layer)) = pieces.get_mut(2)
        && let Some(Step::Travel { to, .. }) = layer.steps.get_mut(1)
    {
        *to = vec![Point { x: 900_000, y: 50_000 }];
    }
    let far = Nouns::of(&bench.maker, 5).press_pieces(&bench.world, &bench.maker, pieces);
    let ended = bench.print(&far)?;
    let is_far = motion::visited(&bench.commands).iter().any(|(x, _)| *x >= 900_000);
    must(
        !is_far,
        "a move to 900 mm was carried out on a machine a quarter of that wide, since it was signed",
    )?;
    must(
        !matches!(ended, Some(Event::Ended(Outcome::Printed, _))),
        "a job with a refused command was called printed",
    )?;
    must(bench.has_stopped, "a job broken off in motion must leave the machine stopped")?;
    bench.settle(&far)?;
    let mut pieces = toolpath(7);
    if let Some(Piece::Prologue(prologue)) = pieces.get_mut(0) {
        prologue.nozzle = Celsius(600);
    }
    let hot = Nouns::of(&bench.maker, 6).press_pieces(&bench.world, &bench.maker, pieces);
    bench.print(&hot)?;
    must(motion::hottest(&bench.commands) < 600, "the nozzle was told to reach 600 °C, since it was signed")
}

fn a_toolpath_with_a_layer_missing_is_not_printed(bench: &mut Bench) -> Verdict {
    ready(bench)?;
    let mut pieces = toolpath(7);
    if let Some(Piece::Layer(layer)) = pieces.get_mut(4) {
        layer.index += 1;
    }
    let pressed = Nouns::of(&bench.maker, 5).press_pieces(&bench.world, &bench.maker, pieces);
    let ended = bench.print(&pressed)?;
    must(
        !matches!(ended, Some(Event::Ended(Outcome::Printed, _))),
        "a toolpath whose layers don't count up was called printed",
    )
}

/// After something that must halt it, no job is taken.
fn halted(bench: &mut Bench, what: &str) -> Verdict {
    let next = job(bench, 9);
    let answers = bench.offer(&next)?;
    must(!is_fetched(&answers), &format!("after {what} the next job was fetched"))
}

fn a_ledger_that_went_back_halts(bench: &mut Bench) -> Verdict {
    ready(bench)?;
    let first = job(bench, 5);
    printed(bench, &first)?;
    bench.settle(&first)?;
    let second = job(bench, 6);
    printed(bench, &second)?;
    bench.leaves = 1;
    bench.settle(&second)?;
    halted(bench, "a ledger that lost leaves")
}

fn an_entry_of_another_job_halts(bench: &mut Bench) -> Verdict {
    ready(bench)?;
    let (pressed, other) = (job(bench, 5), job(bench, 6));
    printed(bench, &pressed)?;
    let entry = Some(bench.world.settle(&other.nouns, 3));
    bench.say(ToDevice::Settled(wire::Settled { job: job_of(&pressed), entry }))?;
    halted(bench, "a settlement of another job")
}

fn a_message_out_of_turn_ends_the_stream(bench: &mut Bench) -> Verdict {
    bench.begin()?;
    let pressed = job(bench, 5);
    bench.begin_stream()?;
    let answers = bench.offer(&pressed)?;
    must(!is_fetched(&answers), "a job was fetched before the vault had proved itself")?;
    must(bench.has_hung_up, "an offer before the challenge must end the stream")
}
