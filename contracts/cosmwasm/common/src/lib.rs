//! What every contract here needs of the chain and of plain data: the region ABI with the chain's imports, strict JSON, text
//! codecs, hashes, 256-bit words, responses, named failures. It knows nothing of requests or of any contract.

pub mod base64;
pub mod chain;
pub mod entry;
pub mod failure;
pub mod fields;
pub mod hex;
pub mod json;
pub mod json_text;
pub mod keccak;
pub mod region;
pub mod reply;
pub mod response;
pub mod sha256;
pub mod wide;
pub mod word;
