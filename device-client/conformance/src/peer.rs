//! The client as a child process: a line to it, then lines from it up to `done`.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use layerlock_proto::vault::v1 as wire;
use layerlock_proto::vault::v1::device_message::Message as FromDevice;
use prost::Message;

use crate::Against;

/// How long a client may take over one line.
const PATIENCE: Duration = Duration::from_secs(20);
/// Longest line read, and most lines to one of ours.
const LINE_LIMIT: u64 = 1 << 20;
const MOST_LINES: usize = 1 << 20;

/// What a client says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Said {
    /// A message for the vault.
    Message(FromDevice),
    /// A command for the machine.
    Command(String),
    /// The machine was stopped.
    Stop,
    /// It ended the stream.
    Hangup,
    /// It couldn't do what was asked.
    Failed(String),
}

/// A running client. Killed when dropped.
pub(crate) struct Peer {
    child: Child,
    to: Option<ChildStdin>,
    from: Receiver<String>,
}

impl Peer {
    pub(crate) fn start(against: &Against) -> Result<Self, String> {
        let mut command = Command::new(&against.program);
        command.args(&against.arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let program = against.program.display();
        let mut child = command.spawn().map_err(|why| format!("`{program}` can't be started: {why}"))?;
        let to = child.stdin.take();
        let out = child.stdout.take().ok_or("the client has no standard output")?;
        // Ends with the child: when it is killed its output is closed.
        let (send, from) = sync_channel(1024);
        std::thread::spawn(move || {
            let mut out = BufReader::new(out);
            loop {
                let mut line = String::new();
                match std::io::Read::take(&mut out, LINE_LIMIT).read_line(&mut line) {
                    Ok(0) | Err(_) => return,
                    Ok(_) => {}
                }
                if send.send(line.trim_end().to_owned()).is_err() {
                    return;
                }
            }
        });
        Ok(Self { child, to, from })
    }

    /// Says a line and hears what the client does about it.
    pub(crate) fn ask(&mut self, line: &str) -> Result<Vec<Said>, String> {
        let verb = line.split(' ').next().unwrap_or_default();
        let to = self.to.as_mut().ok_or("the client has no standard input")?;
        let gone = |_| format!("the client was gone before it was told `{verb}`");
        writeln!(to, "{line}").and_then(|()| to.flush()).map_err(gone)?;
        let mut said = Vec::new();
        loop {
            match self.from.recv_timeout(PATIENCE) {
                Ok(line) if line == "done" => return Ok(said),
                Ok(line) => said.extend(read(&line)?),
                Err(RecvTimeoutError::Timeout) => {
                    return Err(format!("the client didn't say `done` to `{verb}` within {PATIENCE:?}"));
                }
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(format!("the client ended before it said `done` to `{verb}`"));
                }
            }
            if said.len() > MOST_LINES {
                return Err(format!("the client doesn't come to an end over `{verb}`"));
            }
        }
    }
}

impl Peer {
    /// Waits for a client that was told `end`: a sanitizer tells of what was never freed only then.
    pub(crate) fn end(mut self) -> Result<(), String> {
        drop(self.to.take());
        let late = Instant::now() + PATIENCE;
        loop {
            match self.child.try_wait().map_err(|why| why.to_string())? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => return Err(format!("after `end` the client must end well; {status}")),
                None if Instant::now() > late => return Err("the client doesn't end after `end`".into()),
                None => std::thread::sleep(Duration::from_millis(2)),
            }
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may be gone already; either way nothing of it stays.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read(line: &str) -> Result<Option<Said>, String> {
    let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
    Ok(Some(match verb {
        "device" => {
            let bytes = unhex(rest).ok_or("`device` is not followed by lower-case hex")?;
            let message = wire::DeviceMessage::decode(&bytes[..]).map_err(|why| why.to_string())?;
            Said::Message(message.message.ok_or("the client sent an empty DeviceMessage")?)
        }
        "command" => Said::Command(rest.to_owned()),
        "stop" => Said::Stop,
        "hangup" => Said::Hangup,
        "failed" => Said::Failed(rest.to_owned()),
        "note" => return Ok(None),
        _ => return Err(format!("the client said `{line:.60}`, which is no line of the protocol")),
    }))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| Some(digit(pair[0])? << 4 | digit(*pair.get(1)?)?)).collect()
}
