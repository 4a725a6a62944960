//! Records as bytes in storage: numbers big-endian, one behind another, bytes with their length. Reading trusts what writing left:
//! a record that is too short is a broken chain, and ends the call.

use xvm_common::word::Word;

#[derive(Default)]
pub struct Packer(Vec<u8>);

impl Packer {
    pub fn new() -> Packer {
        Packer::default()
    }

    pub fn u8(mut self, number: u8) -> Packer {
        self.0.push(number);
        self
    }

    pub fn flag(self, flag: bool) -> Packer {
        self.u8(flag as u8)
    }

    pub fn u16(self, number: u16) -> Packer {
        self.fixed(&number.to_be_bytes())
    }

    pub fn u32(self, number: u32) -> Packer {
        self.fixed(&number.to_be_bytes())
    }

    pub fn u64(self, number: u64) -> Packer {
        self.fixed(&number.to_be_bytes())
    }

    pub fn u128(self, number: u128) -> Packer {
        self.fixed(&number.to_be_bytes())
    }

    pub fn word(self, word: &Word) -> Packer {
        self.fixed(word)
    }

    pub fn bytes(self, bytes: &[u8]) -> Packer {
        self.u32(bytes.len() as u32).fixed(bytes)
    }

    pub fn text(self, text: &str) -> Packer {
        self.bytes(text.as_bytes())
    }

    pub fn finish(self) -> Vec<u8> {
        self.0
    }

    fn fixed(mut self, bytes: &[u8]) -> Packer {
        self.0.extend_from_slice(bytes);
        self
    }
}

pub struct Unpacker<'a>(&'a [u8]);

impl<'a> Unpacker<'a> {
    pub fn of(record: &'a [u8]) -> Unpacker<'a> {
        Unpacker(record)
    }

    pub fn u8(&mut self) -> u8 {
        self.fixed::<1>()[0]
    }

    pub fn flag(&mut self) -> bool {
        self.u8() != 0
    }

    pub fn u16(&mut self) -> u16 {
        u16::from_be_bytes(self.fixed())
    }

    pub fn u32(&mut self) -> u32 {
        u32::from_be_bytes(self.fixed())
    }

    pub fn u64(&mut self) -> u64 {
        u64::from_be_bytes(self.fixed())
    }

    pub fn u128(&mut self) -> u128 {
        u128::from_be_bytes(self.fixed())
    }

    pub fn word(&mut self) -> Word {
        self.fixed()
    }

    pub fn bytes(&mut self) -> Vec<u8> {
        let length = self.u32() as usize;
        self.take(length).to_vec()
    }

    pub fn text(&mut self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }

    fn fixed<const N: usize>(&mut self) -> [u8; N] {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N));
        array
    }

    fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(length);
        self.0 = rest;
        taken
    }
}
