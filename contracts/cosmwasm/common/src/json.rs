//! Reading JSON strictly: UTF-8, whole numbers below 2^53, no field twice, bounded depth and number of fields. `slice` finds one
//! member without building the rest, for documents whose bulk others wrote. Errors: `NotUtf8`, `MalformedJson`, `TooDeep`,
//! `NumberTooLarge`, `DuplicateField`, `TooManyFields`.
//! Source: RFC 8259.

use crate::failure::{detailed, refuse, refuse_with, Failure, Result};
use std::borrow::Cow;

const MAX_DEPTH: u32 = 16;
const MAX_FIELDS: usize = 64;
const MAX_NUMBER: u64 = 1 << 53;

pub enum Value<'a> {
    Null,
    Flag(bool),
    Number(u64),
    Text(Cow<'a, str>),
    List(Vec<Value<'a>>),
    Object(Vec<(Cow<'a, str>, Value<'a>)>),
}

impl<'a> Value<'a> {
    /// A member of an object of the chain's, which may have others. Errors: `MissingField`.
    pub fn member(&self, name: &str) -> Result<&Value<'a>> {
        if let Value::Object(members) = self {
            for (key, value) in members {
                if key == name {
                    return Ok(value);
                }
            }
        }
        refuse_with("MissingField", name)
    }

    /// Errors: `MalformedJson`.
    pub fn text(&self) -> Result<&str> {
        match self {
            Value::Text(text) => Ok(text),
            _ => refuse_with("MalformedJson", "not a string"),
        }
    }

    /// Errors: `MalformedJson`.
    pub fn number(&self) -> Result<u64> {
        match self {
            Value::Number(number) => Ok(*number),
            _ => refuse_with("MalformedJson", "not a number"),
        }
    }
}

/// The whole document.
pub fn parse(document: &[u8]) -> Result<Value<'_>> {
    let mut reader = Reader::of(document)?;
    let value = reader.value()?;
    reader.end()?;
    Ok(value)
}

/// The raw text of a member of the document, which must be an object, or nothing if it has none of this name.
pub fn slice<'a>(document: &'a [u8], name: &str) -> Result<Option<&'a [u8]>> {
    let mut reader = Reader::of(document)?;
    reader.space();
    reader.expect(b'{')?;
    let mut found = None;
    let mut is_first = true;
    while reader.has_next(&mut is_first, b'}')? {
        let key = reader.string()?;
        reader.space();
        reader.expect(b':')?;
        reader.space();
        let start = reader.at;
        reader.skip(0)?;
        if key == name {
            found = Some(&document[start..reader.at]);
        }
    }
    reader.end()?;
    Ok(found)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: u32,
}

impl<'a> Reader<'a> {
    fn of(document: &'a [u8]) -> Result<Reader<'a>> {
        match std::str::from_utf8(document) {
            Ok(text) => Ok(Reader { text, at: 0, depth: 0 }),
            Err(_) => refuse("NotUtf8"),
        }
    }

    fn malformed(&self) -> Failure {
        detailed("MalformedJson", format!("at byte {}", self.at))
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    fn expect(&mut self, character: u8) -> Result<()> {
        if self.peek() != Some(character) {
            return Err(self.malformed());
        }
        self.at += 1;
        Ok(())
    }

    fn end(&mut self) -> Result<()> {
        self.space();
        if self.at == self.text.len() {
            Ok(())
        } else {
            Err(self.malformed())
        }
    }

    /// Whether another element comes before `close`, past the comma; past `close` if not.
    fn has_next(&mut self, is_first: &mut bool, close: u8) -> Result<bool> {
        self.space();
        if self.peek() == Some(close) {
            self.at += 1;
            return Ok(false);
        }
        if !*is_first {
            self.expect(b',')?;
            self.space();
        }
        *is_first = false;
        Ok(true)
    }

    fn deepen(&mut self) -> Result<()> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return refuse("TooDeep");
        }
        self.at += 1;
        Ok(())
    }

    fn value(&mut self) -> Result<Value<'a>> {
        self.space();
        match self.peek() {
            Some(b'{') => self.object(),
            Some(b'[') => self.list(),
            Some(b'"') => Ok(Value::Text(self.string()?)),
            Some(b'0'..=b'9') => Ok(Value::Number(self.number()?)),
            _ => self.literal(),
        }
    }

    fn object(&mut self) -> Result<Value<'a>> {
        self.deepen()?;
        let mut members: Vec<(Cow<'a, str>, Value<'a>)> = Vec::new();
        let mut is_first = true;
        while self.has_next(&mut is_first, b'}')? {
            let key = self.string()?;
            // SECURITY: of two fields of one name, readers might disagree which counts
            if members.iter().any(|(other, _)| *other == key) {
                return refuse_with("DuplicateField", key);
            }
            if members.len() == MAX_FIELDS {
                return refuse("TooManyFields");
            }
            self.space();
            self.expect(b':')?;
            let value = self.value()?;
            members.push((key, value));
        }
        self.depth -= 1;
        Ok(Value::Object(members))
    }

    fn list(&mut self) -> Result<Value<'a>> {
        self.deepen()?;
        let mut values = Vec::new();
        let mut is_first = true;
        while self.has_next(&mut is_first, b']')? {
            values.push(self.value()?);
        }
        self.depth -= 1;
        Ok(Value::List(values))
    }

    fn literal(&mut self) -> Result<Value<'a>> {
        for (word, value) in [("true", Value::Flag(true)), ("false", Value::Flag(false)), ("null", Value::Null)] {
            if self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
                self.at += word.len();
                return Ok(value);
            }
        }
        Err(self.malformed())
    }

    fn number(&mut self) -> Result<u64> {
        let start = self.at;
        let mut number = 0u64;
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            number = 10 * number + (digit - b'0') as u64;
            // SECURITY: above this, readers that keep numbers as doubles see another one
            if number > MAX_NUMBER {
                return refuse("NumberTooLarge");
            }
            self.at += 1;
        }
        let has_leading_zero = self.at - start > 1 && self.text.as_bytes()[start] == b'0';
        if has_leading_zero || matches!(self.peek(), Some(b'.' | b'e' | b'E')) {
            return Err(self.malformed());
        }
        Ok(number)
    }

    fn string(&mut self) -> Result<Cow<'a, str>> {
        self.expect(b'"')?;
        let start = self.at;
        self.plain()?;
        if self.peek() == Some(b'"') {
            self.at += 1;
            return Ok(Cow::Borrowed(&self.text[start..self.at - 1]));
        }
        let mut string = self.text[start..self.at].to_string();
        while self.peek() == Some(b'\\') {
            self.at += 1;
            string.push(self.escape()?);
            let from = self.at;
            self.plain()?;
            string.push_str(&self.text[from..self.at]);
        }
        self.expect(b'"')?;
        Ok(Cow::Owned(string))
    }

    /// Up to a quotation mark or an escape.
    fn plain(&mut self) -> Result<()> {
        loop {
            match self.peek() {
                Some(b'"' | b'\\') => return Ok(()),
                Some(character) if character >= 0x20 => self.at += 1,
                _ => return Err(self.malformed()),
            }
        }
    }

    fn escape(&mut self) -> Result<char> {
        let escaped = self.peek().ok_or_else(|| self.malformed())?;
        self.at += 1;
        Ok(match escaped {
            b'"' | b'\\' | b'/' => escaped as char,
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode(),
            _ => return Err(self.malformed()),
        })
    }

    /// The character of `\uXXXX`, or of two that are a pair of surrogates.
    fn unicode(&mut self) -> Result<char> {
        let first = self.code_unit()?;
        let code = if (0xd800..0xdc00).contains(&first) {
            self.expect(b'\\')?;
            self.expect(b'u')?;
            let second = self.code_unit()?;
            if !(0xdc00..0xe000).contains(&second) {
                return Err(self.malformed());
            }
            0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)
        } else {
            first
        };
        char::from_u32(code).ok_or_else(|| self.malformed())
    }

    fn code_unit(&mut self) -> Result<u32> {
        let mut unit = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|character| (character as char).to_digit(16));
            unit = unit << 4 | digit.ok_or_else(|| self.malformed())?;
            self.at += 1;
        }
        Ok(unit)
    }

    /// Passes over any value: numbers that this reader would refuse, too.
    fn skip(&mut self, depth: u32) -> Result<()> {
        if depth > MAX_DEPTH {
            return refuse("TooDeep");
        }
        self.space();
        match self.peek() {
            Some(b'{') => {
                self.at += 1;
                let mut is_first = true;
                while self.has_next(&mut is_first, b'}')? {
                    self.skip_string()?;
                    self.space();
                    self.expect(b':')?;
                    self.skip(depth + 1)?;
                }
                Ok(())
            }
            Some(b'[') => {
                self.at += 1;
                let mut is_first = true;
                while self.has_next(&mut is_first, b']')? {
                    self.skip(depth + 1)?;
                }
                Ok(())
            }
            Some(b'"') => self.skip_string(),
            Some(b'-' | b'0'..=b'9') => {
                while let Some(b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9') = self.peek() {
                    self.at += 1;
                }
                Ok(())
            }
            _ => self.literal().map(|_| ()),
        }
    }

    fn skip_string(&mut self) -> Result<()> {
        self.expect(b'"')?;
        self.plain()?;
        while self.peek() == Some(b'\\') {
            self.at += 1;
            self.escape()?;
            self.plain()?;
        }
        self.expect(b'"')
    }
}
