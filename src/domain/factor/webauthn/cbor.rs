//! The part of CBOR that authenticators may write (CTAP 2.1 §8, RFC 8949): integers, byte and text strings, arrays, maps,
//! booleans and null.
//!
//! Refused: indefinite lengths, tags, floats, keys other than integers and texts, keys that occur twice, and values nested
//! more deeply than [`MAX_DEPTH`]. An announced length is only a bound of a loop that ends with the input.

use minicbor::data::Type;
use minicbor::decode::{Decoder, Error};

/// Arrays and maps that may lie within each other. CTAP allows authenticators four.
pub(super) const MAX_DEPTH: u32 = 8;
/// The members of one map. Real ones have at most ten; the limit keeps the search for duplicates cheap.
pub(super) const MAX_MEMBERS: usize = 64;

/// The input is not the CBOR that was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

impl From<Error> for Malformed {
    fn from(_: Error) -> Self {
        Self
    }
}

/// The key of a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key<'b> {
    Integer(i64),
    Text(&'b str),
}

/// A value without others inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scalar<'b> {
    Integer(i64),
    Bytes(&'b [u8]),
}

/// Reads one value after another.
pub(super) struct Reader<'b>(Decoder<'b>);

impl<'b> Reader<'b> {
    pub(super) fn new(bytes: &'b [u8]) -> Self {
        Self(Decoder::new(bytes))
    }

    /// The number of bytes read so far.
    pub(super) fn position(&self) -> usize {
        self.0.position()
    }

    /// Refuses bytes behind the last value.
    pub(super) fn finish(&self) -> Result<(), Malformed> {
        if self.position() == self.0.input().len() { Ok(()) } else { Err(Malformed) }
    }

    pub(super) fn bytes(&mut self) -> Result<&'b [u8], Malformed> {
        Ok(self.0.bytes()?)
    }

    pub(super) fn text(&mut self) -> Result<&'b str, Malformed> {
        Ok(self.0.str()?)
    }

    pub(super) fn scalar(&mut self) -> Result<Scalar<'b>, Malformed> {
        match self.0.datatype()? {
            Type::Bytes => Ok(Scalar::Bytes(self.bytes()?)),
            _ => Ok(Scalar::Integer(self.0.i64()?)),
        }
    }

    /// Reads a map. `member` is called behind each key and reads the value.
    pub(super) fn map(
        &mut self,
        member: &mut dyn FnMut(&mut Self, Key<'b>) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        let length = self.0.map()?.ok_or(Malformed)?;
        let mut keys = Vec::new();
        for _ in 0..length {
            let key = self.key()?;
            if keys.len() == MAX_MEMBERS || keys.contains(&key) {
                return Err(Malformed);
            }
            keys.push(key);
            member(self, key)?;
        }
        Ok(())
    }

    fn key(&mut self) -> Result<Key<'b>, Malformed> {
        match self.0.datatype()? {
            Type::String => Ok(Key::Text(self.text()?)),
            _ => Ok(Key::Integer(self.0.i64()?)),
        }
    }

    /// Reads a map whose members do not matter.
    pub(super) fn skip_map(&mut self) -> Result<(), Malformed> {
        self.skip_map_within(MAX_DEPTH)
    }

    pub(super) fn skip(&mut self) -> Result<(), Malformed> {
        self.skip_within(MAX_DEPTH)
    }

    fn skip_map_within(&mut self, depth: u32) -> Result<(), Malformed> {
        let below = depth.checked_sub(1).ok_or(Malformed)?;
        self.map(&mut |reader, _| reader.skip_within(below))
    }

    fn skip_array_within(&mut self, depth: u32) -> Result<(), Malformed> {
        let below = depth.checked_sub(1).ok_or(Malformed)?;
        let length = self.0.array()?.ok_or(Malformed)?;
        for _ in 0..length {
            self.skip_within(below)?;
        }
        Ok(())
    }

    fn skip_within(&mut self, depth: u32) -> Result<(), Malformed> {
        match self.0.datatype()? {
            Type::Map => self.skip_map_within(depth),
            Type::Array => self.skip_array_within(depth),
            Type::Bytes => self.bytes().map(drop),
            Type::String => self.text().map(drop),
            Type::Bool => Ok(self.0.bool().map(|_| ())?),
            Type::Null => Ok(self.0.null()?),
            _ => Ok(self.0.int().map(|_| ())?),
        }
    }
}

#[cfg(test)]
#[path = "cbor_tests.rs"]
mod tests;
