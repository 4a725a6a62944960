//! What the chain tells of a submessage that has run. Only the members that count are built: a target's events can be long.

use crate::base64;
use crate::failure::{refuse, refuse_with, Result};
use crate::json;

pub struct Reply {
    pub id: u64,
    /// The data that the called contract answered, or the chain's text of why it failed.
    pub result: core::result::Result<Vec<u8>, String>,
}

impl Reply {
    /// Of a submessage that executed a contract.
    pub fn read(document: &[u8]) -> Result<Reply> {
        let id = json::parse(required(document, "id")?)?.number()?;
        let result = required(document, "result")?;
        if let Some(error) = json::slice(result, "error")? {
            return Ok(Reply { id, result: Err(json::parse(error)?.text()?.to_string()) });
        }
        let data = match json::slice(required(result, "ok")?, "data")? {
            None | Some(b"null") => Vec::new(),
            Some(data) => answered_data(&base64::decode(json::parse(data)?.text()?)?)?,
        };
        Ok(Reply { id, result: Ok(data) })
    }
}

fn required<'a>(document: &'a [u8], name: &str) -> Result<&'a [u8]> {
    match json::slice(document, name)? {
        Some(value) => Ok(value),
        None => refuse_with("MissingField", name),
    }
}

/// The bytes in `MsgExecuteContractResponse {bytes data = 1}`, as protobuf; nothing written is no bytes.
fn answered_data(message: &[u8]) -> Result<Vec<u8>> {
    const DATA_FIELD: u8 = 1 << 3 | 2;
    let rest = match message.split_first() {
        None => return Ok(Vec::new()),
        Some((&DATA_FIELD, rest)) => rest,
        Some(_) => return refuse("MalformedAnswer"),
    };
    let (mut length, mut at) = (0usize, 0);
    loop {
        let byte = match rest.get(at) {
            Some(byte) if at < 4 => *byte,
            _ => return refuse("MalformedAnswer"),
        };
        length |= ((byte & 0x7f) as usize) << (7 * at);
        at += 1;
        if byte & 0x80 == 0 {
            break;
        }
    }
    if rest.len() != at + length {
        return refuse("MalformedAnswer");
    }
    Ok(rest[at..].to_vec())
}
