//! Who may change a gateway: its owner, its guardian, its treasury, and who is to own it next.

use xvm_common::chain;
use xvm_common::entry::Info;
use xvm_common::failure::{refuse_with, Result};
use xvm_common::fields::Fields;
use xvm_common::json_text::Object;

pub const OWNER: &[u8] = b"owner";
pub const GUARDIAN: &[u8] = b"guardian";
pub const TREASURY: &[u8] = b"treasury";

pub fn initialize(fields: &mut Fields) -> Result<()> {
    for (key, name) in [(OWNER, "owner"), (GUARDIAN, "guardian"), (TREASURY, "treasury")] {
        chain::write(key, fields.address(name)?.as_bytes());
    }
    Ok(())
}

/// The account in an office; empty if nobody is.
pub fn holder(key: &[u8]) -> String {
    String::from_utf8(chain::read(key).unwrap_or_default()).unwrap_or_default()
}

/// Errors: `NotOwner`.
pub fn require_owner(info: &Info) -> Result<()> {
    // SECURITY: the owner decides what this gateway believes
    if info.sender != holder(OWNER) {
        return refuse_with("NotOwner", &info.sender);
    }
    Ok(())
}

pub fn describe(object: Object) -> Object {
    object.text("owner", &holder(OWNER)).text("guardian", &holder(GUARDIAN)).text("treasury", &holder(TREASURY))
}
