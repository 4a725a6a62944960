//! ERC-7930 (version 1) addresses: version(2) = 1 ‖ chain type(2) ‖ length(1) ‖ chain reference ‖ length(1) ‖ address. This chain's
//! type is 0xC001, its reference the chain id's characters, its addresses the canonical bytes.

use xvm_common::chain;
use xvm_common::entry::Env;
use xvm_common::failure::{refuse_with, Result};

const VERSION: [u8; 2] = [0, 1];
const COSMOS: [u8; 2] = [0xc0, 0x01];

/// Of a chain id, as CAIP-2 has references.
const MAX_REFERENCE: usize = 32;

/// Version ‖ type ‖ reference with its length of this chain. Errors: `UnsupportedChainId`.
pub fn chain_prefix(env: &Env) -> Result<Vec<u8>> {
    let reference = env.chain_id.as_bytes();
    let is_plain = reference.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if reference.is_empty() || reference.len() > MAX_REFERENCE || !is_plain {
        return refuse_with("UnsupportedChainId", &env.chain_id);
    }
    let mut prefix = [VERSION, COSMOS].concat();
    prefix.push(reference.len() as u8);
    prefix.extend_from_slice(reference);
    Ok(prefix)
}

/// An account of this chain.
pub fn of_account(env: &Env, human: &str) -> Result<Vec<u8>> {
    let canonical = chain::canonicalize(human)?;
    let mut account = chain_prefix(env)?;
    account.push(canonical.len() as u8);
    account.extend_from_slice(&canonical);
    Ok(account)
}

/// The canonical bytes of an account of this chain, or nothing if it is of another or has no length that one has here.
pub fn canonical_of<'a>(env: &Env, account: &'a [u8]) -> Result<Option<&'a [u8]>> {
    let prefix = chain_prefix(env)?;
    Ok(match account.strip_prefix(&prefix[..]).and_then(|rest| rest.split_first()) {
        Some((&length, address)) if address.len() == length as usize && matches!(length, 20 | 32) => Some(address),
        _ => None,
    })
}

/// Whether an account's chain is this one. Its address may still be malformed.
pub fn is_here(env: &Env, account: &[u8]) -> Result<bool> {
    Ok(account.starts_with(&chain_prefix(env)?))
}

/// A well-formed address.
pub struct Split<'a> {
    /// Version ‖ type ‖ reference with its length: the chain's identity.
    pub chain_prefix: &'a [u8],
    /// Empty for a chain alone.
    pub address: &'a [u8],
}

/// Reads any chain's address strictly, without judging its reference; nothing if it is not well formed.
pub fn split(account: &[u8]) -> Option<Split<'_>> {
    if account.len() < 7 || account[..2] != VERSION || account[4] == 0 {
        return None;
    }
    let position = 5 + account[4] as usize;
    let length = *account.get(position)? as usize;
    if account.len() != position + 1 + length {
        return None;
    }
    Some(Split { chain_prefix: &account[..position], address: &account[position + 1..] })
}

impl Split<'_> {
    /// The chain alone.
    pub fn chain(&self) -> Vec<u8> {
        let mut chain = self.chain_prefix.to_vec();
        chain.push(0);
        chain
    }
}
