//! `layerlock operator …`: what only the keeper of the server's folder may do.

use std::io::Write;
use std::path::PathBuf;

use layerlock_proto::licensor::v1::DeviceState;
use layerlock_seal::token::ApiKey;
use layerlock_terms::units::Timestamp;

use crate::args::{Operator as Args, Server};
use crate::ceremony;
use crate::connect::Connection;
use crate::files;
use crate::keyring;
use crate::ledger::{self, Witness};
use crate::parties::PartyError;
use crate::parties::home::{CONNECT, server_dir};
use crate::parties::operator::Operator;

mod copies;
pub mod kek;
mod status;

/// Runs one command.
pub async fn run(args: Args, now: Timestamp, out: &mut impl Write) -> Result<(), PartyError> {
    match args {
        Args::CreateSeller { server } => {
            let seller = open(&server).await?.create_seller().await?;
            writeln!(out, "{}\nAPI key (shown once): {}", seller.seller, seller.api_key)?;
        }
        Args::EnrolmentCode { server } => {
            writeln!(out, "{}", open(&server).await?.enrolment_code().await?.code)?;
        }
        Args::Devices { server } => {
            for device in open(&server).await?.devices().await? {
                let state = match device.state() {
                    DeviceState::Unspecified => "of unknown state",
                    DeviceState::Enrolled => "enrolled",
                    DeviceState::Revoked => "revoked",
                };
                let maker = match device.attested_by.as_str() {
                    "" => String::new(),
                    maker => format!("  attested by {maker}"),
                };
                writeln!(out, "{}  {}  {state}{maker}", device.device, device.machine)?;
            }
        }
        Args::RevokeDevice { device, server } => {
            let device = open(&server).await?.revoke_device(&device).await?;
            writeln!(out, "{} revoked", device.device)?;
        }
        Args::Oem(args) => {
            ceremony::attest(&args, out).map_err(|error| PartyError::Ceremony(Box::new(error)))?;
        }
        Args::Root(args) => {
            ceremony::run(args, now, out).map_err(|error| PartyError::Ceremony(Box::new(error)))?
        }
        Args::Kek(args) => {
            kek::run(args, out).await.map_err(|error| PartyError::Rotation(Box::new(error)))?
        }
        Args::Backup { to, server } => copies::back_up(&folder(&server), &to, now, out)?,
        Args::Restore { from, keys, server } => {
            copies::restore(&from, &folder(&server), keys.as_deref(), out)?
        }
        Args::Verify { folder: backup, server } => {
            copies::verify(&backup.unwrap_or_else(|| folder(&server)), out)?
        }
        Args::Status { server } => status::run(&connection(&server)?, out).await?,
        Args::Audit { server } => {
            let connection = connection(&server)?;
            let licensor = connection.licensor().await?;
            let witness = Witness::of(licensor.clone(), connection.root_digest(), now).await?;
            let audited = ledger::audit(licensor, &witness).await?;
            writeln!(
                out,
                "the ledger of {} leaves is what its signed checkpoint says\n{audited}",
                audited.size
            )?;
        }
    }
    Ok(())
}

fn folder(server: &Server) -> PathBuf {
    server_dir(server.data_dir.as_deref())
}

fn connection(server: &Server) -> Result<Connection, PartyError> {
    Ok(Connection::read(&folder(server).join(CONNECT))?)
}

async fn open(server: &Server) -> Result<Operator, PartyError> {
    let file = keyring::operator_key_file(&folder(server));
    let not = || PartyError::Malformed(format!("{}: not an API key", file.display()));
    let text = String::from_utf8(files::read(&file)?).map_err(|_| not())?;
    let key = ApiKey::parse(text.trim()).map_err(|_| not())?;
    Ok(Operator::new(connection(server)?.licensor().await?, key))
}
