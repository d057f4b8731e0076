//! The two signed ends of an envelope: the header before the first segment, the manifest after the last.
//!
//! Both are nouns of `proto/spec/sealed-toolpath.md`; the segments between them are sealed and checked in
//! `layerlock_seal::toolpath`. Nothing here is secret: a header and a manifest travel and rest in the clear.

use crate::digest::Digest;
use crate::ids::{DeviceId, HoldId, JobId, LicenseId};
use crate::toolpath::Point3;
use crate::units::{Millis, Timestamp};
use crate::wire::{Malformed, Noun, Reader, Writer};
use alloc::string::String;
use alloc::vec::Vec;

/// The one suite there is: Ed25519, ChaCha20-Poly1305, HPKE with X25519, SHA-256, BLAKE3. No negotiation:
/// another suite is another number, and a reader refuses every number it doesn't know (HDR-1).
pub const SUITE: u16 = 1;

/// Largest plaintext a segment may hold, in bytes (HDR-2).
pub const SEGMENT_LIMIT: u32 = 64 * 1024;

/// Most epochs an envelope may have (MAN-9).
pub const EPOCH_LIMIT: u32 = 4096;

/// Longest machine name, in bytes (HDR-4).
pub const MACHINE_NAME_LIMIT: u32 = 64;

/// What a toolpath was sealed for. Signed by the vault's delivery key before the first segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvelopeHeader {
    /// The print job this envelope serves.
    pub job: JobId,
    /// The hold that allowed slicing.
    pub hold: HoldId,
    /// The license the hold was taken from.
    pub license: LicenseId,
    /// The design version that was sliced.
    pub design_version: Digest,
    /// The one device that can open it.
    pub device: DeviceId,
    /// Catalogue name of the machine the toolpath was made for.
    pub machine: String,
    /// Hash of the profile it was sliced with.
    pub profile: Digest,
    /// When slicing began.
    pub created: Timestamp,
    /// Most plaintext bytes in one segment; 1 to [`SEGMENT_LIMIT`].
    pub segment_limit: u32,
    /// Layers that share one epoch secret; at least 1 (HDR-3).
    pub epoch_layers: u32,
}

/// What an envelope holds, known when slicing has ended. Signed by the key that signed the header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Hash of the header's statement.
    pub header: Digest,
    /// Number of segments.
    pub segments: u32,
    /// Length of all sealed segments together, in bytes.
    pub sealed_bytes: u64,
    /// BLAKE3 of the BLAKE3 hashes of all sealed segments.
    pub digest: Digest,
    /// Number of layers.
    pub layers: u32,
    /// One for each epoch, in order: what its secret must give. At most [`EPOCH_LIMIT`].
    pub commitments: Vec<[u8; 32]>,
    /// What the print takes.
    pub summary: Summary,
}

/// What a print takes in time, material and room; from the slicer's epilogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// Estimated printing time.
    pub duration: Millis,
    /// Filament used, in micrometres of filament.
    pub filament_um: u64,
    /// Lowest corner of everything extruded.
    pub min: Point3,
    /// Highest corner of everything extruded.
    pub max: Point3,
}

impl Manifest {
    /// Number of epochs.
    pub fn epochs(&self) -> u32 {
        u32::try_from(self.commitments.len()).expect("at most the limit")
    }
}

impl Noun for EnvelopeHeader {
    const TYPE: &'static str = "layerlock/envelope-header/v1";

    fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        if reader.u16("suite")? != SUITE {
            return Err(Malformed::Value("suite"));
        }
        let header = Self {
            job: JobId::from_bytes(reader.array("job")?),
            hold: HoldId::from_bytes(reader.array("hold")?),
            license: LicenseId::from_bytes(reader.array("license")?),
            design_version: Digest(reader.array("design_version")?),
            device: DeviceId::from_bytes(reader.array("device")?),
            machine: reader.text("machine", MACHINE_NAME_LIMIT)?,
            profile: Digest(reader.array("profile")?),
            created: Timestamp(reader.u64("created")?),
            segment_limit: in_range(reader.u32("segment_limit")?, SEGMENT_LIMIT, "segment_limit")?,
            epoch_layers: in_range(reader.u32("epoch_layers")?, u32::MAX, "epoch_layers")?,
        };
        reader.finish()?;
        Ok(header)
    }

    fn emit(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.u16(SUITE);
        writer.raw(self.job.as_bytes()).raw(self.hold.as_bytes()).raw(self.license.as_bytes());
        writer.raw(self.design_version.as_bytes()).raw(self.device.as_bytes());
        writer.bytes(self.machine.as_bytes()).raw(self.profile.as_bytes());
        writer.u64(self.created.0).u32(self.segment_limit).u32(self.epoch_layers);
        writer.finish()
    }
}

impl Noun for Manifest {
    const TYPE: &'static str = "layerlock/envelope-manifest/v1";

    fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let manifest = Self {
            header: Digest(reader.array("header")?),
            segments: reader.u32("segments")?,
            sealed_bytes: reader.u64("sealed_bytes")?,
            digest: Digest(reader.array("digest")?),
            layers: reader.u32("layers")?,
            commitments: reader.list("commitments", EPOCH_LIMIT, |reader| reader.array("commitment"))?,
            summary: Summary {
                duration: Millis(reader.u64("duration")?),
                filament_um: reader.u64("filament_um")?,
                min: parse_point(&mut reader, "min")?,
                max: parse_point(&mut reader, "max")?,
            },
        };
        reader.finish()?;
        Ok(manifest)
    }

    fn emit(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.raw(self.header.as_bytes()).u32(self.segments).u64(self.sealed_bytes);
        writer.raw(self.digest.as_bytes()).u32(self.layers);
        writer.list(&self.commitments, |writer, commitment| {
            writer.raw(commitment);
        });
        writer.u64(self.summary.duration.0).u64(self.summary.filament_um);
        emit_point(&mut writer, self.summary.min);
        emit_point(&mut writer, self.summary.max);
        writer.finish()
    }
}

fn in_range(value: u32, most: u32, field: &'static str) -> Result<u32, Malformed> {
    if (1..=most).contains(&value) { Ok(value) } else { Err(Malformed::Value(field)) }
}

fn parse_point(reader: &mut Reader<'_>, field: &'static str) -> Result<Point3, Malformed> {
    Ok(Point3 { x: reader.i32(field)?, y: reader.i32(field)?, z: reader.i32(field)? })
}

fn emit_point(writer: &mut Writer, point: Point3) {
    writer.i32(point.x).i32(point.y).i32(point.z);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> EnvelopeHeader {
        EnvelopeHeader {
            job: JobId::from_bytes([1; 16]),
            hold: HoldId::from_bytes([2; 16]),
            license: LicenseId::from_bytes([3; 16]),
            design_version: Digest([4; 32]),
            device: DeviceId::from_bytes([5; 16]),
            machine: "prusa-mk3s".into(),
            profile: Digest([6; 32]),
            created: Timestamp(1_700_000_000_000),
            segment_limit: SEGMENT_LIMIT,
            epoch_layers: 8,
        }
    }

    #[test]
    fn a_header_reads_back_from_its_bytes() {
        assert_eq!(EnvelopeHeader::parse(&header().emit()), Ok(header()));
    }

    #[test]
    fn a_header_of_an_unknown_suite_is_refused() {
        let mut bytes = header().emit();
        bytes[1] = 2;
        assert_eq!(EnvelopeHeader::parse(&bytes), Err(Malformed::Value("suite")));
    }

    #[test]
    fn a_header_with_limits_out_of_range_is_refused() {
        let no_room = EnvelopeHeader { segment_limit: 0, ..header() };
        let too_much = EnvelopeHeader { segment_limit: SEGMENT_LIMIT + 1, ..header() };
        let no_epochs = EnvelopeHeader { epoch_layers: 0, ..header() };
        for wrong in [no_room, too_much, no_epochs] {
            assert!(EnvelopeHeader::parse(&wrong.emit()).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_manifest_reads_back_and_every_shorter_or_longer_form_is_refused() {
        let manifest = Manifest {
            header: Digest([9; 32]),
            segments: 7,
            sealed_bytes: 1 << 40,
            digest: Digest([8; 32]),
            layers: 3,
            commitments: vec![[8; 32]],
            summary: Summary {
                duration: Millis(5),
                filament_um: 6,
                min: Point3 { x: -1, y: 2, z: 3 },
                max: Point3 { x: 4, y: 5, z: i32::MAX },
            },
        };
        let bytes = manifest.emit();
        assert_eq!(Manifest::parse(&bytes), Ok(manifest));
        assert!((0..bytes.len()).all(|end| Manifest::parse(&bytes[..end]).is_err()));
        assert!(Manifest::parse(&[&bytes[..], &[0]].concat()).is_err());
    }
}
