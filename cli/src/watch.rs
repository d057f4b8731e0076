//! Watching a device by a support token: its lines, for people, as they come.

use std::io::{self, Write};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long a device may take to answer at all.
const PATIENCE: Duration = Duration::from_secs(10);

/// Longest line taken, and longest refusal, in bytes.
const LONGEST: usize = 64 * 1024;

/// Shows what happens until the token ends or the device goes.
///
/// # Errors
/// Nobody there, a token that is not good, and the terminal's.
pub async fn device(address: &str, token: &str, out: &mut (impl Write + Send)) -> io::Result<()> {
    let place = address.trim_start_matches("http://").trim_end_matches('/');
    let late = |_| io::Error::new(io::ErrorKind::TimedOut, format!("{place}: no answer in time"));
    let opening = timeout(PATIENCE, open(place, token)).await.map_err(late)?;
    let mut body = opening.map_err(|why| io::Error::other(format!("{place}: {why}")))?;
    let mut begun = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|why| io::Error::other(format!("{place}: {why}")))?;
        begun.extend_from_slice(frame.data_ref().map_or(&[][..], |bytes| bytes));
        if let Some(end) = begun.iter().rposition(|byte| *byte == b'\n') {
            let rest = begun.split_off(end + 1);
            for line in std::mem::replace(&mut begun, rest).split_inclusive(|byte| *byte == b'\n') {
                writeln!(out, "{}", in_words(line))?;
            }
        }
        if begun.len() > LONGEST {
            return Err(io::Error::other(format!("{place}: that is no device")));
        }
    }
    Ok(())
}

type Failed = Box<dyn std::error::Error + Send + Sync>;

async fn open(place: &str, token: &str) -> Result<hyper::body::Incoming, Failed> {
    // One of several machines has its name behind the place.
    let (place, below) = place.split_at(place.find('/').unwrap_or(place.len()));
    let below = below.trim_end_matches('/');
    let socket = TcpStream::connect(place).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(socket)).await?;
    tokio::spawn(connection);
    let request = http::Request::get(format!("{below}/support")).header("host", place);
    let request = request.header("authorization", format!("Bearer {token}")).body(Empty::<Bytes>::new())?;
    let response = sender.send_request(request).await?;
    if response.status().is_success() {
        return Ok(response.into_body());
    }
    let status = response.status();
    let words = Limited::new(response.into_body(), LONGEST).collect().await?.to_bytes();
    Err(format!("it answers {status}: {}", String::from_utf8_lossy(&words).trim()).into())
}

/// A line as it is shown; what isn't known is shown as it came.
fn in_words(line: &[u8]) -> String {
    let said: Value = serde_json::from_slice(line).unwrap_or_default();
    let text = |name: &str| said[name].as_str();
    let words = if let Some(sent) = text("sent") {
        format!("  → {sent}")
    } else if let Some(heard) = text("heard") {
        format!("  ← {heard}")
    } else if let Some(now) = said["now"].as_object() {
        let layers = match now["layers"].as_u64() {
            Some(0) | None => String::new(),
            Some(all) => format!(", layer {} of {all}", now["layers_printed"]),
        };
        let heat = now.get("celsius").map_or_else(String::new, |heat| {
            let degrees = |name: &str| heat[name].as_f64().unwrap_or_default();
            let pair =
                |part: &str| format!("{:.0} of {:.0} °C", degrees(part), degrees(&format!("{part}_target")));
            format!(", nozzle {}, bed {}", pair("nozzle"), pair("bed"))
        });
        format!("{}{layers}{heat}", now["state"].as_str().unwrap_or("?"))
    } else if let Some(count) = said["lost"].as_u64() {
        format!("  … {count} lines missed")
    } else if let Some(why) = text("over") {
        format!("over: {why}")
    } else {
        String::from_utf8_lossy(line).trim().to_owned()
    };
    words.chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_shown_in_words_and_never_as_commands_to_a_terminal() {
        for (line, shown) in [
            (r#"{"sent":"N1 G1 …"}"#, "  → N1 G1 …"),
            (r#"{"heard":"ok\u001b[2J"}"#, "  ← ok[2J"),
            (r#"{"now":{"state":"idle","layers_printed":0,"layers":0}}"#, "idle"),
            (
                r#"{"now":{"state":"printing","layers_printed":3,"layers":40,"celsius":{"nozzle":209.6,"nozzle_target":210,"bed":60,"bed_target":60}}}"#,
                "printing, layer 3 of 40, nozzle 210 of 210 °C, bed 60 of 60 °C",
            ),
            (r#"{"lost":7}"#, "  … 7 lines missed"),
            (r#"{"over":"x"}"#, "over: x"),
            (r#"{"else":1}"#, r#"{"else":1}"#),
        ] {
            assert_eq!(in_words(line.as_bytes()), shown);
        }
    }
}
