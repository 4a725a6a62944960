//! What became of each request that was consumed here, for good: the guard against a second time.

use crate::request::Request;
use crate::statements::kind;
use xvm_common::chain;
use xvm_common::failure::Result;
use xvm_common::fields::Fields;
use xvm_common::json_text::quote;
use xvm_common::hex;
use xvm_common::word::{Word, ZERO};

/// Kind ‖ low 248 bits of the consuming attempt's id.
pub fn word(kind: u8, request_id: &Word) -> Word {
    let mut word = *request_id;
    word[0] = kind;
    word
}

/// The slot word of a request, or nothing if it was not consumed.
pub fn read(request_id: &Word) -> Option<Word> {
    chain::read(&key(request_id)).and_then(|value| value.try_into().ok())
}

pub fn write(slot: &Word, word: &Word) {
    chain::write(&key(slot), word);
}

/// The slot word of the attempts before this one, if any was consumed.
pub fn earlier(request: &Request) -> Option<Word> {
    if request.origin == ZERO {
        return None;
    }
    read(&request.origin)
}

/// Whether an earlier attempt's slot word leaves a later one nothing to do.
pub fn is_taken(earlier: &Option<Word>) -> bool {
    matches!(earlier, Some(word) if word[0] != kind::EXPIRED)
}

/// Whether a slot word names this attempt.
pub fn names(word: &Word, request_id: &Word) -> bool {
    word[1..] == request_id[1..]
}

pub fn is_lapsed(request_id: &Word) -> bool {
    chain::read(&lapse_key(request_id)).is_some()
}

pub fn set_lapsed(request_id: &Word) {
    chain::write(&lapse_key(request_id), b"1");
}

/// `consumed`: the slot word; zero if the request was not consumed.
pub fn tell_consumed(mut body: Fields) -> Result<String> {
    let request_id = body.word("request_id")?;
    body.finish()?;
    Ok(quote(&hex::encode(&read(&request_id).unwrap_or(ZERO))))
}

/// `is_lapsed`: whether the request was shown to be past its expiry.
pub fn tell_lapsed(mut body: Fields) -> Result<String> {
    let request_id = body.word("request_id")?;
    body.finish()?;
    Ok(is_lapsed(&request_id).to_string())
}

fn key(request_id: &Word) -> Vec<u8> {
    [b"slot/", &request_id[..]].concat()
}

fn lapse_key(request_id: &Word) -> Vec<u8> {
    [b"lapsed/", &request_id[..]].concat()
}
