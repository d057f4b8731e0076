//! What the licensor stores and how: one type per table, one byte form each, and the keys they stand under.
//!
//! Signed things are kept as the statements they were issued as and verified again whenever they are used (L5);
//! beside them stands only what changes. A record begins with its version; another version is refused by name,
//! never guessed at. Deliberately absent: decisions, and secrets: of API keys and codes only hashes come here.

use layerlock_seal::statement::Statement;
use layerlock_store::{Revision, StoreError};
use layerlock_terms::digest::{Digest, SignKey};
use layerlock_terms::ids::{BuyerId, DesignId, DeviceId, HoldId, SellerId};
use layerlock_terms::license::Terms;
use layerlock_terms::receipt::Counts;
use layerlock_terms::units::Timestamp;
use layerlock_terms::wire::{Malformed, Reader, Writer};

use crate::copies::Copies;
use crate::license::{Revocation, Standing};

pub(crate) mod shelf;
pub(crate) mod tables;

pub(crate) use shelf::Shelf;

/// The first byte of every record.
const VERSION: u8 = 1;

/// The longest statement that is stored.
const STATEMENT_LIMIT: u32 = 128 * 1024;

/// Most bytes of an answer that is remembered for its request id.
const ANSWER_LIMIT: u32 = 512 * 1024;

/// Devices a list of revocations holds: as many as fit one signed statement.
pub(crate) const REVOCATIONS_LIMIT: u32 = 60_000;

/// A record with one byte form.
pub(crate) trait Stored: Sized {
    /// What our log calls it.
    const WHAT: &'static str;

    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed>;

    fn write(&self, w: &mut Writer);

    fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(bytes);
        if r.u8("version")? != VERSION {
            return Err(Malformed::Value("version"));
        }
        let record = Self::read(&mut r)?;
        r.finish()?;
        Ok(record)
    }

    fn emit(&self) -> Vec<u8> {
        let mut w = Writer::new();
        self.write(w.u8(VERSION));
        w.finish()
    }
}

/// A record and the commit that wrote it.
#[derive(Debug, Clone)]
pub(crate) struct Loaded<T> {
    pub(crate) value: T,
    pub(crate) revision: Revision,
}

/// Why a record can't be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ReadError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the {what} record does not parse: {why}")]
    Malformed { what: &'static str, why: Malformed },
}

/// Whose API key it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Party {
    Seller(SellerId),
    Buyer(BuyerId),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seller {
    /// The newest seller certificate; none before the seller certified a key.
    pub(crate) certificate: Option<Statement>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Buyer {
    pub(crate) seller: SellerId,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Offer {
    pub(crate) seller: SellerId,
    pub(crate) design: DesignId,
    pub(crate) version: Digest,
    pub(crate) terms: Terms,
    /// Which of the seller's statements the offer stands on. Its text names the design: that rests sealed, in the vault.
    pub(crate) manifest: Digest,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct License {
    pub(crate) statement: Statement,
    pub(crate) standing: Standing,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hold {
    pub(crate) statement: Statement,
    pub(crate) stage: Stage,
}

/// How far a hold has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stage {
    Placed,
    /// By the vault with this key.
    Admitted(SignKey),
    /// By the vault that had admitted it, if one had.
    Settled(Option<SignKey>, Opening),
}

/// What opens a leaf of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Opening {
    pub(crate) settlement: Statement,
    pub(crate) blinding: [u8; 32],
    pub(crate) index: u64,
}

/// What a maker said of a device, as it was believed when the device was enrolled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attestation {
    pub(crate) maker: String,
    pub(crate) statement: Statement,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Device {
    pub(crate) certificate: Statement,
    pub(crate) revocation: Revocation,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Code {
    pub(crate) expires: Timestamp,
    /// Challenges made and answers refused, together.
    pub(crate) tries: u8,
    pub(crate) stage: CodeStage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CodeStage {
    Open,
    Challenged(Challenge),
    Used(Challenge, DeviceId),
}

/// What was asked and what answers it, both by digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Challenge {
    pub(crate) request: Digest,
    pub(crate) answer: Digest,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Revoked {
    pub(crate) version: u64,
    /// In id order.
    pub(crate) devices: Vec<DeviceId>,
}

/// The ledger's newest head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) size: u64,
    /// The signed checkpoint.
    pub(crate) note: String,
}

/// What a request id was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Remembered {
    pub(crate) request: Digest,
    pub(crate) answer: Vec<u8>,
}

/// A row of an index: the id it points to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pointer(pub(crate) [u8; 16]);

/// A leaf hash of the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Leaf(pub(crate) [u8; 32]);

fn read_statement(r: &mut Reader<'_>, field: &'static str) -> Result<Statement, Malformed> {
    Statement::parse(r.bytes(field, STATEMENT_LIMIT)?)
}

fn read_revocation(r: &mut Reader<'_>) -> Result<Revocation, Malformed> {
    match (r.flag("revocation")?, r.u64("revocation")?) {
        (false, 0) => Ok(Revocation::Never),
        (true, at) => Ok(Revocation::At(Timestamp(at))),
        (false, _) => Err(Malformed::Value("revocation")),
    }
}

fn write_revocation(revocation: Revocation, w: &mut Writer) {
    match revocation {
        Revocation::Never => w.u8(0).u64(0),
        Revocation::At(Timestamp(at)) => w.u8(1).u64(at),
    };
}

impl Stored for Party {
    const WHAT: &'static str = "API key";

    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        match (r.u8("kind")?, r.array("id")?) {
            (1, id) => Ok(Self::Seller(SellerId::from_bytes(id))),
            (2, id) => Ok(Self::Buyer(BuyerId::from_bytes(id))),
            (_, _) => Err(Malformed::Value("kind")),
        }
    }

    fn write(&self, w: &mut Writer) {
        match self {
            Self::Seller(id) => w.u8(1).raw(id.as_bytes()),
            Self::Buyer(id) => w.u8(2).raw(id.as_bytes()),
        };
    }
}

impl Stored for Seller {
    const WHAT: &'static str = "seller";

    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        let certificate = match r.flag("certificate")? {
            true => Some(read_statement(r, "certificate")?),
            false => None,
        };
        Ok(Self { certificate })
    }

    fn write(&self, w: &mut Writer) {
        match &self.certificate {
            Some(certificate) => w.u8(1).bytes(&certificate.emit()),
            None => w.u8(0),
        };
    }
}

impl Stored for Buyer {
    const WHAT: &'static str = "buyer";

    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self { seller: SellerId::from_bytes(r.array("seller")?) })
    }

    fn write(&self, w: &mut Writer) {
        w.raw(self.seller.as_bytes());
    }
}

impl Stored for Offer {
    const WHAT: &'static str = "offer";

    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            seller: SellerId::from_bytes(r.array("seller")?),
            design: DesignId::from_bytes(r.array("design")?),
            version: Digest(r.array("version")?),
            terms: Terms::read(r)?,
            manifest: Digest(r.array("manifest")?),
        })
    }

    fn write(&self, w: &mut Writer) {
        w.raw(self.seller.as_bytes()).raw(self.design.as_bytes()).raw(self.version.as_bytes());
        self.terms.write(w);
        w.raw(self.manifest.as_bytes());
    }
}

impl Stored for License {
    const WHAT: &'static str = "license";

    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        let statement = read_statement(r, "statement")?;
        let copies = Copies::of(Counts::read(r)?).ok_or(Malformed::Value("counts"))?;
        Ok(Self { statement, standing: Standing { copies, revocation: read_revocation(r)? } })
    }

    fn write(&self, w: &mut Writer) {
        w.bytes(&self.statement.emit());
        self.standing.copies.counts().write(w);
        write_revocation(self.standing.revocation, w);
    }
}

impl Stored for Hold {
    const WHAT: &'static str = "hold";

    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        let statement = read_statement(r, "statement")?;
        let stage = match r.u8("stage")? {
            1 => Stage::Placed,
            2 => Stage::Admitted(SignKey(r.array("vault")?)),
            3 => Stage::Settled(None, Opening::read(r)?),
            4 => Stage::Settled(Some(SignKey(r.array("vault")?)), Opening::read(r)?),
            _ => return Err(Malformed::Value("stage")),
        };
        Ok(Self { statement, stage })
    }

    fn write(&self, w: &mut Writer) {
        w.bytes(&self.statement.emit());
        match &self.stage {
            Stage::Placed => {
                w.u8(1);
            }
            Stage::Admitted(vault) => {
                w.u8(2).raw(vault.as_bytes());
            }
            Stage::Settled(None, opening) => opening.write(w.u8(3)),
            Stage::Settled(Some(vault), opening) => opening.write(w.u8(4).raw(vault.as_bytes())),
        }
    }
}

impl Opening {
    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        let settlement = read_statement(r, "settlement")?;
        Ok(Self { settlement, blinding: r.array("blinding")?, index: r.u64("index")? })
    }

    fn write(&self, w: &mut Writer) {
        w.bytes(&self.settlement.emit()).raw(&self.blinding).u64(self.index);
    }
}

impl Stored for Device {
    const WHAT: &'static str = "device";

    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self { certificate: read_statement(r, "certificate")?, revocation: read_revocation(r)? })
    }

    fn write(&self, w: &mut Writer) {
        write_revocation(self.revocation, w.bytes(&self.certificate.emit()));
    }
}

impl Stored for Attestation {
    const WHAT: &'static str = "attestation";

    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self { maker: r.text("maker", 64)?, statement: read_statement(r, "attestation")? })
    }

    fn write(&self, w: &mut Writer) {
        w.bytes(self.maker.as_bytes()).bytes(&self.statement.emit());
    }
}

impl Challenge {
    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self { request: Digest(r.array("request")?), answer: Digest(r.array("answer")?) })
    }

    fn write(&self, w: &mut Writer) {
        w.raw(self.request.as_bytes()).raw(self.answer.as_bytes());
    }
}

impl Stored for Code {
    const WHAT: &'static str = "enrolment code";

    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        let (expires, tries) = (Timestamp(r.u64("expires")?), r.u8("tries")?);
        let stage = match r.u8("stage")? {
            1 => CodeStage::Open,
            2 => CodeStage::Challenged(Challenge::read(r)?),
            3 => CodeStage::Used(Challenge::read(r)?, DeviceId::from_bytes(r.array("device")?)),
            _ => return Err(Malformed::Value("stage")),
        };
        Ok(Self { expires, tries, stage })
    }

    fn write(&self, w: &mut Writer) {
        w.u64(self.expires.0).u8(self.tries);
        match &self.stage {
            CodeStage::Open => {
                w.u8(1);
            }
            CodeStage::Challenged(challenge) => challenge.write(w.u8(2)),
            CodeStage::Used(challenge, device) => {
                challenge.write(w.u8(3));
                w.raw(device.as_bytes());
            }
        }
    }
}

impl Stored for Revoked {
    const WHAT: &'static str = "revocations";

    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        let version = r.u64("version")?;
        let devices =
            r.list("devices", REVOCATIONS_LIMIT, |r| Ok(DeviceId::from_bytes(r.array("device")?)))?;
        Ok(Self { version, devices })
    }

    fn write(&self, w: &mut Writer) {
        w.u64(self.version).list(&self.devices, |w, id| {
            w.raw(id.as_bytes());
        });
    }
}

impl Stored for Head {
    const WHAT: &'static str = "ledger head";

    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self { size: r.u64("size")?, note: r.text("note", 4096)? })
    }

    fn write(&self, w: &mut Writer) {
        w.u64(self.size).bytes(self.note.as_bytes());
    }
}

impl Stored for Remembered {
    const WHAT: &'static str = "request";

    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        let request = Digest(r.array("request")?);
        Ok(Self { request, answer: r.bytes("answer", ANSWER_LIMIT)?.to_vec() })
    }

    fn write(&self, w: &mut Writer) {
        w.raw(self.request.as_bytes()).bytes(&self.answer);
    }
}

impl Stored for Pointer {
    const WHAT: &'static str = "index row";

    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        r.array("id").map(Self)
    }

    fn write(&self, w: &mut Writer) {
        w.raw(&self.0);
    }
}

impl Stored for Leaf {
    const WHAT: &'static str = "leaf";

    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        r.array("leaf").map(Self)
    }

    fn write(&self, w: &mut Writer) {
        w.raw(&self.0);
    }
}

impl From<HoldId> for Pointer {
    fn from(id: HoldId) -> Self {
        Self(*id.as_bytes())
    }
}
