//! Bytes as lower-case hexadecimal digits, with `0x` and without. One text per value: capitals and odd lengths are refused.

use crate::failure::{refuse, Result};

pub fn encode_bare(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        text.push(DIGITS[(byte >> 4) as usize] as char);
        text.push(DIGITS[(byte & 15) as usize] as char);
    }
    text
}

/// With `0x`.
pub fn encode(bytes: &[u8]) -> String {
    format!("0x{}", encode_bare(bytes))
}

/// Errors: `MalformedHex`.
pub fn decode_bare(text: &str) -> Result<Vec<u8>> {
    let digits = text.as_bytes();
    if digits.len() % 2 != 0 {
        return refuse("MalformedHex");
    }
    digits.chunks(2).map(|pair| Ok(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
}

/// Of a text with `0x`. Errors: `MalformedHex`.
pub fn decode(text: &str) -> Result<Vec<u8>> {
    match text.strip_prefix("0x") {
        Some(digits) => decode_bare(digits),
        None => refuse("MalformedHex"),
    }
}

fn digit(character: u8) -> Result<u8> {
    match character {
        b'0'..=b'9' => Ok(character - b'0'),
        b'a'..=b'f' => Ok(character - b'a' + 10),
        _ => refuse("MalformedHex"),
    }
}
