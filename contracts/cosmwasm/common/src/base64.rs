//! Bytes as base64, padded. One text per value: other alphabets, missing padding and stray bits are refused.
//! Source: RFC 4648, sections 3.5 and 4.

use crate::failure::{refuse, Result};

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity((bytes.len() + 2) / 3 * 4);
    for group in bytes.chunks(3) {
        let mut word = 0u32;
        for i in 0..3 {
            word = word << 8 | *group.get(i).unwrap_or(&0) as u32;
        }
        for i in 0..4 {
            let index = (word >> (18 - 6 * i)) & 63;
            text.push(if i <= group.len() { ALPHABET[index as usize] as char } else { '=' });
        }
    }
    text
}

/// Errors: `MalformedBase64`.
pub fn decode(text: &str) -> Result<Vec<u8>> {
    let characters = text.as_bytes();
    if characters.len() % 4 != 0 {
        return refuse("MalformedBase64");
    }
    let mut bytes = Vec::with_capacity(characters.len() / 4 * 3);
    let groups = characters.len() / 4;
    for (position, group) in characters.chunks(4).enumerate() {
        let padding = match (group[2], group[3]) {
            _ if position + 1 < groups => 0,
            (b'=', b'=') => 2,
            (_, b'=') => 1,
            _ => 0,
        };
        let mut word = 0u32;
        for character in &group[..4 - padding] {
            word = word << 6 | sextet(*character)?;
        }
        word <<= 6 * padding;
        let whole = word.to_be_bytes();
        if whole[4 - padding..].iter().any(|byte| *byte != 0) {
            return refuse("MalformedBase64");
        }
        bytes.extend_from_slice(&whole[1..4 - padding]);
    }
    Ok(bytes)
}

fn sextet(character: u8) -> Result<u32> {
    Ok(match character {
        b'A'..=b'Z' => character - b'A',
        b'a'..=b'z' => character - b'a' + 26,
        b'0'..=b'9' => character - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return refuse("MalformedBase64"),
    } as u32)
}
