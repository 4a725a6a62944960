//! Pauses, and how often a sender may ask.

use xvm_common::entry::Env;
use xvm_common::failure::Result;
use xvm_common::fields::Fields;
use xvm_common::json_text::Object;

/// What can be paused by itself.
#[derive(Clone, Copy)]
pub enum Direction {
    Requests = 0,
    Executions = 1,
    Callbacks = 2,
}

/// What `instantiate` says of senders.
pub fn initialize(fields: &mut Fields) -> Result<()> {
    fields.u32("sender_window_blocks")?;
    fields.u32("sender_max_requests")?;
    Ok(())
}

/// Errors: `Paused`.
pub fn require_open(_env: &Env, _direction: Direction) -> Result<()> {
    Ok(())
}

/// Adds what `config` says of this.
pub fn describe(_env: &Env, object: Object) -> Object {
    object
}
