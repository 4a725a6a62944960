//! Why a call failed: a name that is the same on every VM, and perhaps a detail for people.

use std::fmt::{Display, Formatter};

pub type Result<T> = core::result::Result<T, Failure>;

/// Shown as `Name` or `Name: detail`.
pub struct Failure {
    pub name: &'static str,
    pub detail: String,
}

/// A failure whose name says all.
pub fn named(name: &'static str) -> Failure {
    Failure { name, detail: String::new() }
}

/// A failure with a detail.
pub fn detailed(name: &'static str, detail: impl Display) -> Failure {
    Failure { name, detail: detail.to_string() }
}

/// `Err` of `named(name)`.
pub fn refuse<T>(name: &'static str) -> Result<T> {
    Err(named(name))
}

/// `Err` of `detailed(name, detail)`.
pub fn refuse_with<T>(name: &'static str, detail: impl Display) -> Result<T> {
    Err(detailed(name, detail))
}

impl Display for Failure {
    fn fmt(&self, out: &mut Formatter<'_>) -> std::fmt::Result {
        out.write_str(self.name)?;
        if self.detail.is_empty() {
            return Ok(());
        }
        write!(out, ": {}", self.detail)
    }
}
