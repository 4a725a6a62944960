//! Words of 32 bytes, big-endian: ids, hashes, uint256. As arrays they compare as numbers do.

pub type Word = [u8; 32];

pub const ZERO: Word = [0; 32];

pub fn of_u64(number: u64) -> Word {
    let mut word = ZERO;
    word[24..].copy_from_slice(&number.to_be_bytes());
    word
}

pub fn of_bool(flag: bool) -> Word {
    of_u64(flag as u64)
}

/// Words one behind another, as ABI encoding of static values lays them.
pub fn join(words: &[Word]) -> Vec<u8> {
    words.concat()
}
