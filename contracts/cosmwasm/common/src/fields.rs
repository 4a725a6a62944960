//! The fields of an object in a message, each read once as what it must be, none left over. Numbers of more than 32 bits are
//! decimal strings; bytes of fixed length, ids and ERC-7930 addresses are hex with `0x`; other bytes are base64.
//! Errors: `MissingField`, `UnknownField`, `MalformedField`, each with the field's name.

use crate::failure::{detailed, refuse, refuse_with, Failure, Result};
use crate::json::Value;
use crate::word::Word;
use crate::{base64, chain, hex};
use std::borrow::Cow;

pub struct Fields<'a>(Vec<(Cow<'a, str>, Value<'a>)>);

impl<'a> Fields<'a> {
    /// Of an object. Errors: `MalformedField`.
    pub fn of(value: Value<'a>) -> Result<Fields<'a>> {
        match value {
            Value::Object(members) => Ok(Fields(members)),
            _ => refuse_with("MalformedField", "not an object"),
        }
    }

    /// Takes a field, or nothing if it is not there or null.
    pub fn optional(&mut self, name: &str) -> Option<Value<'a>> {
        let place = self.0.iter().position(|(key, _)| key == name)?;
        match self.0.swap_remove(place).1 {
            Value::Null => None,
            value => Some(value),
        }
    }

    /// Takes a field.
    pub fn value(&mut self, name: &str) -> Result<Value<'a>> {
        self.optional(name).ok_or_else(|| detailed("MissingField", name))
    }

    /// The one member of an object that has one: a message's name and its body.
    pub fn only(mut self) -> Result<(Cow<'a, str>, Value<'a>)> {
        match self.0.pop() {
            Some(member) if self.0.is_empty() => Ok(member),
            _ => refuse("NotOneMessage"),
        }
    }

    /// SECURITY: what nobody reads might be what the sender relied on.
    pub fn finish(self) -> Result<()> {
        match self.0.first() {
            None => Ok(()),
            Some((name, _)) => refuse_with("UnknownField", name),
        }
    }

    pub fn fields(&mut self, name: &str) -> Result<Fields<'a>> {
        Fields::of(self.value(name)?).map_err(|_| malformed(name))
    }

    pub fn list(&mut self, name: &str) -> Result<Vec<Value<'a>>> {
        match self.value(name)? {
            Value::List(values) => Ok(values),
            _ => Err(malformed(name)),
        }
    }

    pub fn text(&mut self, name: &str) -> Result<String> {
        match self.value(name)? {
            Value::Text(text) => Ok(text.into_owned()),
            _ => Err(malformed(name)),
        }
    }

    /// An address of this chain, in its normal form. Errors: `InvalidAddress`.
    pub fn address(&mut self, name: &str) -> Result<String> {
        let address = self.text(name)?;
        chain::validate(&address)?;
        Ok(address)
    }

    pub fn flag(&mut self, name: &str) -> Result<bool> {
        match self.value(name)? {
            Value::Flag(flag) => Ok(flag),
            _ => Err(malformed(name)),
        }
    }

    pub fn u8(&mut self, name: &str) -> Result<u8> {
        self.number(name)?.try_into().map_err(|_| malformed(name))
    }

    pub fn u16(&mut self, name: &str) -> Result<u16> {
        self.number(name)?.try_into().map_err(|_| malformed(name))
    }

    pub fn u32(&mut self, name: &str) -> Result<u32> {
        self.number(name)?.try_into().map_err(|_| malformed(name))
    }

    pub fn u64(&mut self, name: &str) -> Result<u64> {
        self.u128(name)?.try_into().map_err(|_| malformed(name))
    }

    pub fn u128(&mut self, name: &str) -> Result<u128> {
        decimal(&self.text(name)?).ok_or_else(|| malformed(name))
    }

    /// Hex of any length.
    pub fn hex(&mut self, name: &str) -> Result<Vec<u8>> {
        hex::decode(&self.text(name)?).map_err(|_| malformed(name))
    }

    /// Hex of 32 bytes.
    pub fn word(&mut self, name: &str) -> Result<Word> {
        self.hex(name)?.try_into().map_err(|_| malformed(name))
    }

    pub fn words(&mut self, name: &str) -> Result<Vec<Word>> {
        self.list(name)?.iter().map(|value| word_of(value).ok_or_else(|| malformed(name))).collect()
    }

    pub fn base64(&mut self, name: &str) -> Result<Vec<u8>> {
        base64::decode(&self.text(name)?).map_err(|_| malformed(name))
    }

    fn number(&mut self, name: &str) -> Result<u64> {
        match self.value(name)? {
            Value::Number(number) => Ok(number),
            _ => Err(malformed(name)),
        }
    }
}

/// A decimal number without sign or leading zeros.
pub fn decimal(text: &str) -> Option<u128> {
    let digits = text.as_bytes();
    if digits.is_empty() || digits.len() > 1 && digits[0] == b'0' {
        return None;
    }
    let mut number = 0u128;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        number = number.checked_mul(10)?.checked_add((digit - b'0') as u128)?;
    }
    Some(number)
}

/// What was read, or nothing if the field was not there.
pub fn where_given<T>(read: Result<T>) -> Result<Option<T>> {
    match read {
        Ok(value) => Ok(Some(value)),
        Err(failure) if failure.name == "MissingField" => Ok(None),
        Err(failure) => Err(failure),
    }
}

fn word_of(value: &Value) -> Option<Word> {
    match value {
        Value::Text(text) => hex::decode(text).ok()?.try_into().ok(),
        _ => None,
    }
}

fn malformed(name: &str) -> Failure {
    detailed("MalformedField", name)
}
