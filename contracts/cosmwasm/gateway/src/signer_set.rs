//! Signer sets: their rules, their hash, how they are read and kept. Scheme 1, ecdsa-secp256k1: a key is the 20 bytes of an address.

use xvm_common::failure::{named, refuse, refuse_with, Result};
use xvm_common::fields::Fields;
use xvm_common::json_text::{list, Object};
use xvm_common::keccak::keccak256;
use xvm_common::word::{join, of_u64, Word};

pub const SCHEME: u8 = 1;

const MAX_SIGNERS: usize = 256;

const KEY_LENGTH: usize = 20;

const SET_TYPE: &[u8] = b"SignerSet(uint8 scheme,uint64 threshold,uint64 validUntil,uint64 graceSeconds,Signer[] signers)Signer(bytes key,uint64 weight,bytes32 operator)";
const SIGNER_TYPE: &[u8] = b"Signer(bytes key,uint64 weight,bytes32 operator)";

/// Bytes of a stored set before its signers, and of each signer: key ‖ weight ‖ operator.
const STORED_HEAD: usize = 25;
const STORED_SIGNER: usize = KEY_LENGTH + 8 + 32;

pub struct Signer {
    pub key: Vec<u8>,
    pub weight: u64,
    pub operator: Word,
}

pub struct SignerSet {
    pub scheme: u8,
    pub threshold: u64,
    /// Last second at which it may verify.
    pub valid_until: u64,
    /// How long it still verifies once it has a successor.
    pub grace_seconds: u64,
    pub signers: Vec<Signer>,
}

impl SignerSet {
    pub fn read(mut fields: Fields) -> Result<SignerSet> {
        let mut signers = Vec::new();
        for value in fields.list("signers")? {
            let mut signer = Fields::of(value)?;
            signers.push(Signer {
                key: signer.hex("key")?,
                weight: signer.u64("weight")?,
                operator: signer.word("operator")?,
            });
            signer.finish()?;
        }
        let set = SignerSet {
            scheme: fields.u8("scheme")?,
            threshold: fields.u64("threshold")?,
            valid_until: fields.u64("valid_until")?,
            grace_seconds: fields.u64("grace_seconds")?,
            signers,
        };
        fields.finish()?;
        Ok(set)
    }

    /// EIP-712 struct hash.
    pub fn hash(&self) -> Word {
        let signer_type = keccak256(SIGNER_TYPE);
        let mut hashes = Vec::with_capacity(self.signers.len());
        for signer in &self.signers {
            let words = [signer_type, keccak256(&signer.key), of_u64(signer.weight), signer.operator];
            hashes.push(keccak256(&join(&words)));
        }
        keccak256(&join(&[
            keccak256(SET_TYPE),
            of_u64(self.scheme as u64),
            of_u64(self.threshold),
            of_u64(self.valid_until),
            of_u64(self.grace_seconds),
            keccak256(&join(&hashes)),
        ]))
    }

    /// Every rule that a set must keep to be applied at `now`. Errors: `WrongScheme`, `EmptySignerSet`, `TooManySigners`,
    /// `MalformedKey`, `ZeroKey`, `RepeatedKey`, `ZeroWeight`, `ThresholdTooLow`, `ThresholdTooHigh`, `OperatorTooHeavy`, `ZeroGrace`,
    /// `ExpiredSignerSet`.
    pub fn check(&self, now: u64) -> Result<()> {
        if self.scheme != SCHEME {
            return refuse_with("WrongScheme", self.scheme);
        }
        if self.signers.is_empty() {
            return refuse("EmptySignerSet");
        }
        if self.signers.len() > MAX_SIGNERS {
            return refuse_with("TooManySigners", self.signers.len());
        }
        let mut total = 0u128;
        for (index, signer) in self.signers.iter().enumerate() {
            if signer.key.len() != KEY_LENGTH {
                return refuse_with("MalformedKey", index);
            }
            if signer.key.iter().all(|byte| *byte == 0) {
                return refuse_with("ZeroKey", index);
            }
            // SECURITY: a key that stands twice would count twice
            if self.signers[..index].iter().any(|other| other.key == signer.key) {
                return refuse_with("RepeatedKey", index);
            }
            if signer.weight == 0 {
                return refuse_with("ZeroWeight", index);
            }
            total += signer.weight as u128;
        }
        let threshold = self.threshold as u128;
        // SECURITY: or two disjoint quorums could certify a contradiction
        if 2 * threshold <= total {
            return refuse_with("ThresholdTooLow", format!("{threshold} of {total}"));
        }
        if threshold > total {
            return refuse_with("ThresholdTooHigh", format!("{threshold} of {total}"));
        }
        self.check_operators(threshold)?;
        if self.grace_seconds == 0 {
            return refuse("ZeroGrace");
        }
        if self.valid_until <= now {
            return refuse_with("ExpiredSignerSet", self.valid_until);
        }
        Ok(())
    }

    /// SECURITY: a quorum means several people.
    fn check_operators(&self, threshold: u128) -> Result<()> {
        for signer in &self.signers {
            let same = self.signers.iter().filter(|other| other.operator == signer.operator);
            let weight: u128 = same.map(|other| other.weight as u128).sum();
            if weight >= threshold {
                return refuse_with("OperatorTooHeavy", xvm_common::hex::encode(&signer.operator));
            }
        }
        Ok(())
    }

    pub fn json(&self) -> String {
        let signers: Vec<String> = self
            .signers
            .iter()
            .map(|signer| {
                Object::new()
                    .hex("key", &signer.key)
                    .decimal("weight", signer.weight)
                    .hex("operator", &signer.operator)
                    .finish()
            })
            .collect();
        Object::new()
            .number("scheme", self.scheme as u32)
            .decimal("threshold", self.threshold)
            .decimal("valid_until", self.valid_until)
            .decimal("grace_seconds", self.grace_seconds)
            .raw("signers", &list(&signers))
            .finish()
    }

    /// As it is kept; of a set that keeps the rules.
    pub fn stored(&self) -> Vec<u8> {
        let mut bytes = vec![self.scheme];
        for number in [self.threshold, self.valid_until, self.grace_seconds] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        for signer in &self.signers {
            bytes.extend_from_slice(&signer.key);
            bytes.extend_from_slice(&signer.weight.to_be_bytes());
            bytes.extend_from_slice(&signer.operator);
        }
        bytes
    }

    /// Of what `stored` wrote. Errors: `DamagedStorage`.
    pub fn of_stored(bytes: &[u8]) -> Result<SignerSet> {
        if bytes.len() < STORED_HEAD || (bytes.len() - STORED_HEAD) % STORED_SIGNER != 0 {
            return refuse("DamagedStorage");
        }
        let signers = bytes[STORED_HEAD..].chunks_exact(STORED_SIGNER).map(|chunk| {
            let (key, rest) = chunk.split_at(KEY_LENGTH);
            Ok(Signer {
                key: key.to_vec(),
                weight: number_at(rest, 0)?,
                operator: rest[8..].try_into().map_err(|_| named("DamagedStorage"))?,
            })
        });
        Ok(SignerSet {
            scheme: bytes[0],
            threshold: number_at(bytes, 1)?,
            valid_until: number_at(bytes, 9)?,
            grace_seconds: number_at(bytes, 17)?,
            signers: signers.collect::<Result<Vec<Signer>>>()?,
        })
    }
}

fn number_at(bytes: &[u8], place: usize) -> Result<u64> {
    match bytes[place..place + 8].try_into() {
        Ok(eight) => Ok(u64::from_be_bytes(eight)),
        Err(_) => refuse("DamagedStorage"),
    }
}
