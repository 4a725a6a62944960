//! Batches as they come in messages: which leaves are given as items and which as bare hashes, and the certificate over their root.

use crate::certificates;
use crate::domain::Domain;
use crate::merkle;
use xvm_common::entry::Env;
use xvm_common::failure::{refuse, Result};
use xvm_common::fields::Fields;
use xvm_common::json::Value;
use xvm_common::word::Word;

/// The most leaves a batch may have.
const MAX_LEAVES: usize = 256;

pub struct Batch {
    /// Big-endian, at most 32 bytes: bit i, from the least significant, says that leaf i is the next item.
    given: Vec<u8>,
    bare: Vec<Word>,
    certificate: Vec<u8>,
}

impl Batch {
    /// Reads a batch and, apart, its items, which stand in the field `items`.
    pub fn read<'a>(mut fields: Fields<'a>, items: &str) -> Result<(Batch, Vec<Value<'a>>)> {
        let batch = Batch {
            given: fields.hex("given")?,
            bare: fields.words("bare")?,
            certificate: fields.base64("certificate")?,
        };
        let items = fields.list(items)?;
        fields.finish()?;
        if items.len() + batch.bare.len() > MAX_LEAVES {
            return refuse("MalformedBatch");
        }
        Ok((batch, items))
    }

    /// The epoch that certified the batch with these leaves for its items, in order. Errors: `EmptyBatch`, `MalformedBatch`, those
    /// of `certificates::verify`.
    pub fn verify(&self, env: &Env, items: &[Word]) -> Result<u64> {
        let count = items.len() + self.bare.len();
        if count == 0 {
            return refuse("EmptyBatch");
        }
        let is_beyond = (count..8 * self.given.len()).any(|index| self.is_given(index));
        if is_beyond || self.given.len() > 32 {
            return refuse("MalformedBatch");
        }
        let (mut items, mut bare) = (items.iter(), self.bare.iter());
        let mut leaves = Vec::with_capacity(count);
        for index in 0..count {
            let next = if self.is_given(index) { items.next() } else { bare.next() };
            // SECURITY: an item that no leaf covers would be acted on uncertified
            match next {
                Some(leaf) => leaves.push(*leaf),
                None => return refuse("MalformedBatch"),
            }
        }
        let domain = Domain::own(env)?;
        certificates::verify(&domain, env.time, &merkle::root(&leaves), count as u32, &self.certificate)
    }

    fn is_given(&self, index: usize) -> bool {
        let length = self.given.len();
        index / 8 < length && (self.given[length - 1 - index / 8] >> (index % 8)) & 1 == 1
    }
}
