//! Protobuf messages in gRPC frames, as tonic carries them, with buffers that begin small.
//!
//! A hundred thousand device sessions wait for a job most of their lives, each with a buffer for either direction. Tonic's
//! begin at 8 KiB; these begin at `BEGIN` and grow to what a message needs.

use std::marker::PhantomData;

use prost::Message;
use tonic::codec::{BufferSettings, Codec};
use tonic_prost::ProstCodec;

/// Bytes a buffer begins with: a hello or an offer fits with little growing.
const BEGIN: usize = 512;
/// Bytes gathered into one write, as tonic has it.
const GATHERED: usize = 32 * 1024;

/// The codec of all services.
#[derive(Debug, Clone)]
pub struct Lean<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for Lean<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

fn buffers() -> BufferSettings {
    BufferSettings::new(BEGIN, GATHERED)
}

impl<T, U> Codec for Lean<T, U>
where
    T: Message + Send + 'static,
    U: Message + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = <ProstCodec<T, U> as Codec>::Encoder;
    type Decoder = <ProstCodec<T, U> as Codec>::Decoder;

    fn encoder(&mut self) -> Self::Encoder {
        ProstCodec::<T, U>::raw_encoder(buffers())
    }

    fn decoder(&mut self) -> Self::Decoder {
        ProstCodec::<T, U>::raw_decoder(buffers())
    }
}
