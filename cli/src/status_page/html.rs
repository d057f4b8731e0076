//! The page itself: text and one picture, renewed every two seconds, without a script.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{State, Status};

const HEAD: &str = r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="refresh" content="2">
<title>Layerlock device</title>
<style>
:root { color-scheme: dark; }
body { margin: 0; background: #10131a; color: #dfe4ee; font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; display: grid; gap: 1.25rem; grid-template-columns: 1fr 25rem; }
header, pre { grid-column: 1 / -1; }
h1 { font-size: 1.1rem; font-weight: 600; margin: 0; }
a { color: inherit; }
small { color: #8b93a7; }
section { background: #181c26; border-radius: .75rem; padding: 1.25rem; }
b { display: block; font-size: 1.8rem; font-weight: 600; text-transform: capitalize; }
progress { width: 100%; height: .6rem; accent-color: #f08b5a; margin: .75rem 0 .25rem; }
dl { display: grid; grid-template-columns: auto 1fr; gap: .25rem 1rem; margin: 1rem 0 0; }
dt { color: #8b93a7; }
dd { margin: 0; font-variant-numeric: tabular-nums; }
img, .none { width: 100%; border-radius: .75rem; display: block; aspect-ratio: 4 / 3; background: #181c26; }
.none { display: grid; place-items: center; color: #8b93a7; }
pre { margin: 0; padding: 1rem; background: #0b0d12; border-radius: .75rem; white-space: pre-wrap; font-size: .85rem; }
@media (max-width: 50rem) { main { grid-template-columns: 1fr; } }
</style>
<main>
"#;

/// The whole page.
pub(super) fn of(status: &Status) -> String {
    let mut page = HEAD.to_owned();
    let _ = write!(
        page,
        "<header><h1>{}</h1><small>{} on {}</small></header>\n<section><b>{}</b>\n",
        escaped(&status.device),
        escaped(status.machine),
        escaped(&status.printer),
        words(status.state),
    );
    progress(&mut page, status);
    page += "<dl>\n";
    row(&mut page, "job", status.job.as_deref().unwrap_or("none"));
    if let Some(heat) = status.celsius {
        row(&mut page, "nozzle", &format!("{:.0} of {:.0} °C", heat.nozzle, heat.nozzle_target));
        row(&mut page, "bed", &format!("{:.0} of {:.0} °C", heat.bed, heat.bed_target));
    }
    if status.watchers > 0 {
        row(&mut page, "support", &format!("{} watching", status.watchers));
    }
    if status.segments > 0 {
        row(&mut page, "sealed segments", &status.segments.to_string());
    }
    page += "</dl></section>\n";
    page += match status.is_drawn {
        false => "<div class=\"none\">nothing printed yet</div>\n",
        true => "<img src=\"picture.png\" alt=\"what lies on the bed\">\n",
    };
    page += "<pre>";
    for line in &status.lines {
        page += &escaped(line);
        page.push('\n');
    }
    page += "</pre>\n</main>\n</html>\n";
    page
}

/// Several machines on one page; each leads to its own.
pub(super) fn of_all(machines: &BTreeMap<String, Status>) -> String {
    let mut page = HEAD.to_owned();
    let _ = writeln!(page, "<header><h1>{} machines</h1></header>", machines.len());
    for (name, status) in machines {
        let _ = writeln!(
            page,
            "<section><h1><a href=\"/{0}/\">{0}</a></h1><small>{1}</small><b>{2}</b>",
            escaped(name),
            escaped(status.machine),
            words(status.state),
        );
        progress(&mut page, status);
        page += "</section>\n";
    }
    page += "</main>\n</html>\n";
    page
}

fn progress(page: &mut String, status: &Status) {
    if status.layers > 0 {
        let (done, all) = (status.layers_printed, status.layers);
        let _ = writeln!(
            page,
            "<progress value=\"{done}\" max=\"{all}\"></progress><small>layer {done} of {all}</small>"
        );
    }
}

fn row(page: &mut String, name: &str, value: &str) {
    let _ = writeln!(page, "<dt>{name}</dt><dd>{}</dd>", escaped(value));
}

const fn words(state: State) -> &'static str {
    match state {
        State::NoLink => "looking for the vault",
        State::Idle => "idle",
        State::Waiting => "waiting for you",
        State::Fetching => "fetching",
        State::Checked => "checked",
        State::Heating => "heating",
        State::Printing => "printing",
        State::Paused => "paused",
        State::Stopping => "stopping, the machine is made safe",
        State::Reporting => "over, the ledger's entry is awaited",
    }
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\'' => out += "&#39;",
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}
