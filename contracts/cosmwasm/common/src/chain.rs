//! The chain's imports: storage, addresses, signatures, questions about contracts. Bech32 is the chain's business: nothing here
//! reads or writes it itself.

use crate::failure::{detailed, refuse, refuse_with, Result};
use crate::region::{take, View};
use crate::word::Word;
use crate::{base64, hex, json, json_text};

extern "C" {
    fn db_read(key: u32) -> u32;
    fn db_write(key: u32, value: u32);
    fn db_remove(key: u32);
    fn addr_validate(human: u32) -> u32;
    fn addr_canonicalize(human: u32, canonical: u32) -> u32;
    fn addr_humanize(canonical: u32, human: u32) -> u32;
    fn secp256k1_recover_pubkey(hash: u32, signature: u32, parity: u32) -> u64;
    fn query_chain(request: u32) -> u32;
    fn abort(message: u32);
}

/// The longest text of an address that the chain may write.
const MAX_HUMAN: usize = 256;

const MAX_CANONICAL: usize = 64;

/// Fails the call with a panic's message.
pub fn abort_with(message: &str) {
    let view = View::of(message.as_bytes());
    unsafe { abort(view.pointer()) }
}

pub fn read(key: &[u8]) -> Option<Vec<u8>> {
    let view = View::of(key);
    let value = unsafe { db_read(view.pointer()) };
    if value == 0 {
        return None;
    }
    Some(unsafe { take(value) })
}

/// `value` is not empty: the chain keeps no empty values.
pub fn write(key: &[u8], value: &[u8]) {
    let (key, value) = (View::of(key), View::of(value));
    unsafe { db_write(key.pointer(), value.pointer()) }
}

pub fn remove(key: &[u8]) {
    let key = View::of(key);
    unsafe { db_remove(key.pointer()) }
}

/// Refuses what is not an address of this chain in its normal form. Errors: `InvalidAddress`.
pub fn validate(human: &str) -> Result<()> {
    let view = View::of(human.as_bytes());
    match unsafe { addr_validate(view.pointer()) } {
        0 => Ok(()),
        message => refuse_with("InvalidAddress", text_of(message)),
    }
}

/// The bytes of an address of this chain. Errors: `InvalidAddress`.
pub fn canonicalize(human: &str) -> Result<Vec<u8>> {
    let mut canonical = Vec::with_capacity(MAX_CANONICAL);
    let (from, to) = (View::of(human.as_bytes()), View::over(&mut canonical));
    match unsafe { addr_canonicalize(from.pointer(), to.pointer()) } {
        0 => {
            unsafe { canonical.set_len(to.length()) };
            Ok(canonical)
        }
        message => refuse_with("InvalidAddress", text_of(message)),
    }
}

/// The text of an address of this chain. Errors: `InvalidAddress`.
pub fn humanize(canonical: &[u8]) -> Result<String> {
    let mut human = Vec::with_capacity(MAX_HUMAN);
    let (from, to) = (View::of(canonical), View::over(&mut human));
    match unsafe { addr_humanize(from.pointer(), to.pointer()) } {
        0 => {
            unsafe { human.set_len(to.length()) };
            String::from_utf8(human).or_else(|_| refuse("InvalidAddress"))
        }
        message => refuse_with("InvalidAddress", text_of(message)),
    }
}

/// The 64 bytes x ‖ y of the key that made `signature` (r ‖ s) over `hash`, or nothing if none could have.
pub fn recover(hash: &Word, signature: &[u8], is_odd: bool) -> Option<Vec<u8>> {
    let (hash, signature) = (View::of(hash), View::of(signature));
    let answer = unsafe { secp256k1_recover_pubkey(hash.pointer(), signature.pointer(), is_odd as u32) };
    if answer >> 32 != 0 {
        return None;
    }
    let key = unsafe { take(answer as u32) };
    if key.len() != 65 {
        return None;
    }
    Some(key[1..].to_vec())
}

/// What the chain keeps of a contract.
pub struct ContractInfo {
    pub code_id: u64,
    pub creator: String,
}

/// What the chain keeps of the contract at an address, or nothing if there is none. Errors: `QueryFailed`.
pub fn contract_info(address: &str) -> Result<Option<ContractInfo>> {
    let question = format!("{{\"wasm\":{{\"contract_info\":{{\"contract_addr\":{}}}}}}}", json_text::quote(address));
    let answer = match ask(&question)? {
        Some(answer) => answer,
        None => return Ok(None),
    };
    let value = json::parse(&answer)?;
    let creator = value.member("creator")?.text()?.to_string();
    Ok(Some(ContractInfo { code_id: value.member("code_id")?.number()?, creator }))
}

/// The checksum (sha256) of a code. Errors: `QueryFailed`.
pub fn checksum(code_id: u64) -> Result<Word> {
    let question = format!("{{\"wasm\":{{\"code_info\":{{\"code_id\":{code_id}}}}}}}");
    let answer = ask(&question)?.ok_or_else(|| detailed("QueryFailed", "no such code"))?;
    let value = json::parse(&answer)?;
    let checksum = hex::decode_bare(value.member("checksum")?.text()?)?;
    checksum.try_into().or_else(|_| refuse_with("QueryFailed", "checksum"))
}

/// Asks the chain a `QueryRequest` (JSON); nothing if what is asked for is no contract. SECURITY: any other error fails the call,
/// lest a question that the chain could not answer pass for the answer no. Errors: `QueryFailed`.
pub fn ask(question: &str) -> Result<Option<Vec<u8>>> {
    let view = View::of(question.as_bytes());
    let answer = unsafe { take(query_chain(view.pointer())) };
    if let Some(inner) = json::slice(&answer, "ok")? {
        return match json::slice(inner, "ok")? {
            Some(data) => Ok(Some(base64::decode(json::parse(data)?.text()?)?)),
            None => refuse_with("QueryFailed", String::from_utf8_lossy(inner)),
        };
    }
    if let Some(error) = json::slice(&answer, "error")? {
        if json::slice(error, "no_such_contract")?.is_some() {
            return Ok(None);
        }
    }
    refuse_with("QueryFailed", String::from_utf8_lossy(&answer))
}

fn text_of(region: u32) -> String {
    String::from_utf8_lossy(&unsafe { take(region) }).into_owned()
}
