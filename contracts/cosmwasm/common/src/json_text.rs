//! Writing JSON: compact, strings escaped as little as JSON allows.

use std::fmt::Display;

/// A string with its quotation marks.
pub fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            control if (control as u32) < 0x20 => quoted.push_str(&format!("\\u{:04x}", control as u32)),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

/// A list of values that are JSON already.
pub fn list(values: &[String]) -> String {
    format!("[{}]", values.join(","))
}

/// An object in the making; members stand in the order in which they are added.
#[derive(Default)]
pub struct Object(String);

impl Object {
    pub fn new() -> Object {
        Object::default()
    }

    /// A value that is JSON already.
    pub fn raw(mut self, name: &str, json: &str) -> Object {
        self.0.push(if self.0.is_empty() { '{' } else { ',' });
        self.0.push_str(&quote(name));
        self.0.push(':');
        self.0.push_str(json);
        self
    }

    pub fn text(self, name: &str, text: &str) -> Object {
        let quoted = quote(text);
        self.raw(name, &quoted)
    }

    /// A number of at most 32 bits.
    pub fn number(self, name: &str, number: u32) -> Object {
        self.raw(name, &number.to_string())
    }

    /// A longer number, as a decimal string.
    pub fn decimal(self, name: &str, number: impl Display) -> Object {
        self.text(name, &number.to_string())
    }

    pub fn flag(self, name: &str, flag: bool) -> Object {
        self.raw(name, if flag { "true" } else { "false" })
    }

    /// Bytes as `0x` and digits.
    pub fn hex(self, name: &str, bytes: &[u8]) -> Object {
        self.text(name, &crate::hex::encode(bytes))
    }

    pub fn base64(self, name: &str, bytes: &[u8]) -> Object {
        self.text(name, &crate::base64::encode(bytes))
    }

    pub fn finish(mut self) -> String {
        self.0.push_str(if self.0.is_empty() { "{}" } else { "}" });
        self.0
    }
}
