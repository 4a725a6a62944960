//! Certificates: that a quorum of an epoch's signers signed a batch in this gateway's domain. Scheme 1:
//! scheme(1) ‖ epoch(8) ‖ chain tag(4) ‖ gateway tag(4) ‖ bitmap(32) ‖ 64 bytes (EIP-2098) a set bit, by ascending signer.

use crate::domain::Domain;
use crate::epochs;
use crate::signer_set::{Signer, SCHEME};
use xvm_common::chain::recover;
use xvm_common::failure::{refuse, refuse_with, Result};
use xvm_common::hex;
use xvm_common::keccak::keccak256;
use xvm_common::word::{Word, ZERO};

const HEAD_LENGTH: usize = 49;
const SIGNATURE_LENGTH: usize = 64;

/// Half of the curve's order, rounded down (EIP-2).
const HALF_ORDER: Word = [
    0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x5d, 0x57, 0x6e, 0x73,
    0x57, 0xa4, 0x50, 0x1d, 0xdf, 0xe9, 0x2f, 0x46, 0x68, 0x1b, 0x20, 0xa0,
];

/// The signing epoch of a certificate over `Batch(root, count, epoch)` in a domain, at `now`. Errors, in this order: `MalformedCertificate`,
/// `WrongScheme`, `OtherChain`, `OtherGateway`, `ZeroRoot`, `EmptyBatch`, `UnknownEpoch`, `ExpiredEpoch`, `UnknownSigner`, for each
/// signature `HighS`, `RepeatedSigner`, `SignerOutOfOrder`, `ForgedSignature`, then `BelowThreshold`.
pub fn verify(domain: &Domain, now: u64, root: &Word, count: u32, certificate: &[u8]) -> Result<u64> {
    if certificate.len() < HEAD_LENGTH {
        return refuse("MalformedCertificate");
    }
    let (head, signatures) = certificate.split_at(HEAD_LENGTH);
    let bitmap = &head[17..];
    let signed: u32 = bitmap.iter().map(|byte| byte.count_ones()).sum();
    if signatures.len() != SIGNATURE_LENGTH * signed as usize {
        return refuse("MalformedCertificate");
    }
    if head[0] != SCHEME {
        return refuse_with("WrongScheme", head[0]);
    }
    if head[9..13] != *domain.chain_tag() {
        return refuse_with("OtherChain", hex::encode(&head[9..13]));
    }
    if head[13..17] != *domain.gateway_tag() {
        return refuse_with("OtherGateway", hex::encode(&head[13..17]));
    }
    // SECURITY: a zero root or an empty batch is what uninitialised memory looks like
    if *root == ZERO {
        return refuse("ZeroRoot");
    }
    if count == 0 {
        return refuse("EmptyBatch");
    }
    let mut epoch_bytes = [0u8; 8];
    epoch_bytes.copy_from_slice(&head[1..9]);
    let epoch = u64::from_be_bytes(epoch_bytes);
    let set = epochs::load(epoch)?;
    // SECURITY: after this, stake may be gone and keys thrown away
    if now > epochs::valid_until(epoch) {
        return refuse_with("ExpiredEpoch", epoch);
    }
    let digest = domain.digest(root, count, epoch);
    let members: Vec<usize> = (0..256).filter(|index| is_set(bitmap, *index)).collect();
    // SECURITY: a bit beyond the set names nobody, and must not count
    if let Some(stranger) = members.iter().find(|index| **index >= set.signers.len()) {
        return refuse_with("UnknownSigner", stranger);
    }
    let mut weight = 0u128;
    for (index, signature) in members.iter().zip(signatures.chunks_exact(SIGNATURE_LENGTH)) {
        check_signature(&digest, *index, signature, &set.signers, bitmap)?;
        weight += set.signers[*index].weight as u128;
    }
    // SECURITY: fewer signers than the set's own rule
    if weight < set.threshold as u128 {
        return refuse_with("BelowThreshold", format!("{weight} of {}", set.threshold));
    }
    Ok(epoch)
}

/// Bit `index`, counted from the least significant of a big-endian word.
fn is_set(bitmap: &[u8], index: usize) -> bool {
    (bitmap[31 - index / 8] >> (index % 8)) & 1 == 1
}

/// Refuses a signature that is not that of the signer at `index`, by what is wrong with it.
fn check_signature(digest: &Word, index: usize, signature: &[u8], signers: &[Signer], bitmap: &[u8]) -> Result<()> {
    let mut plain = signature.to_vec();
    let is_odd = plain[32] >> 7 == 1;
    plain[32] &= 0x7f;
    // SECURITY: a high s is the twin that anyone can make of a signature
    if plain[32..] > HALF_ORDER[..] {
        return refuse_with("HighS", index);
    }
    let key = match recover(digest, &plain, is_odd) {
        Some(public_key) => keccak256(&public_key)[12..].to_vec(),
        None => return refuse_with("ForgedSignature", index),
    };
    if key == signers[index].key {
        return Ok(());
    }
    match signers.iter().position(|signer| signer.key == key) {
        Some(other) if other < index && is_set(bitmap, other) => refuse_with("RepeatedSigner", index),
        Some(_) => refuse_with("SignerOutOfOrder", index),
        None => refuse_with("ForgedSignature", index),
    }
}
