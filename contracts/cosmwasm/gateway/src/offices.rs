//! Who may change a gateway: its owner and who is to own it next, its guardian, its treasury.

use xvm_common::chain;
use xvm_common::entry::{Env, Info};
use xvm_common::failure::{refuse_with, Result};
use xvm_common::fields::{where_given, Fields};
use xvm_common::json_text::{quote, Object};
use xvm_common::response::{migrate as migration, Event, Response};

const OWNER: &[u8] = b"owner";
const NEXT_OWNER: &[u8] = b"next_owner";
const GUARDIAN: &[u8] = b"guardian";
const TREASURY: &[u8] = b"treasury";

/// What `instantiate` says of offices.
pub fn initialize(fields: &mut Fields, response: &mut Response) -> Result<()> {
    let owner = fields.address("owner")?;
    chain::write(OWNER, owner.as_bytes());
    response.event(Event::new("OwnershipTransferred").text("new_owner", &owner));
    let (guardian, treasury) = read(fields)?;
    set(guardian, &treasury, response);
    Ok(())
}

/// Names guardian and treasury; the owner's.
pub fn set_offices(info: &Info, mut fields: Fields, response: &mut Response) -> Result<()> {
    let (guardian, treasury) = read(&mut fields)?;
    fields.finish()?;
    require_owner(info)?;
    set(guardian, &treasury, response);
    Ok(())
}

/// Names the next owner, who must accept: a slip of the pen would otherwise lose the gateway. The owner's.
pub fn transfer_ownership(info: &Info, mut fields: Fields, response: &mut Response) -> Result<()> {
    let to = fields.address("to")?;
    fields.finish()?;
    require_owner(info)?;
    chain::write(NEXT_OWNER, to.as_bytes());
    response.event(Event::new("OwnershipTransferStarted").text("previous_owner", &info.sender).text("new_owner", &to));
    Ok(())
}

/// Errors: `NotPendingOwner`.
pub fn accept_ownership(info: &Info, fields: Fields, response: &mut Response) -> Result<()> {
    fields.finish()?;
    // SECURITY: only who was named
    if holder(NEXT_OWNER).as_ref() != Some(&info.sender) {
        return refuse_with("NotPendingOwner", &info.sender);
    }
    let previous = owner();
    chain::remove(NEXT_OWNER);
    chain::write(OWNER, info.sender.as_bytes());
    response.event(Event::new("OwnershipTransferred").text("previous_owner", &previous).text("new_owner", &info.sender));
    Ok(())
}

/// Replaces the gateway's code, whose administrator is the gateway itself; the owner's.
pub fn migrate(env: &Env, info: &Info, mut fields: Fields, response: &mut Response) -> Result<()> {
    let (code_id, message) = (fields.u64("code_id")?, fields.base64("msg")?);
    fields.finish()?;
    require_owner(info)?;
    response.message(&migration(&env.contract, code_id, &message));
    Ok(())
}

/// Errors: `NotOwner`.
pub fn require_owner(info: &Info) -> Result<()> {
    // SECURITY: the owner decides what this gateway believes
    if info.sender != owner() {
        return refuse_with("NotOwner", &info.sender);
    }
    Ok(())
}

pub fn owner() -> String {
    holder(OWNER).unwrap_or_default()
}

pub fn guardian() -> Option<String> {
    holder(GUARDIAN)
}

/// Whom unclaimable shares go to.
pub fn treasury() -> String {
    holder(TREASURY).unwrap_or_default()
}

/// Adds what `config` says of offices.
pub fn describe(object: Object) -> Object {
    let or_null = |account: Option<String>| account.map_or("null".to_string(), |account| quote(&account));
    object
        .text("owner", &owner())
        .raw("pending_owner", &or_null(holder(NEXT_OWNER)))
        .raw("guardian", &or_null(guardian()))
        .text("treasury", &treasury())
}

fn read(fields: &mut Fields) -> Result<(Option<String>, String)> {
    let guardian = where_given(fields.address("guardian"))?;
    Ok((guardian, fields.address("treasury")?))
}

fn set(guardian: Option<String>, treasury: &str, response: &mut Response) {
    match &guardian {
        Some(guardian) => chain::write(GUARDIAN, guardian.as_bytes()),
        None => chain::remove(GUARDIAN),
    }
    chain::write(TREASURY, treasury.as_bytes());
    response.event(Event::new("XVMGuardianChanged").text("guardian", guardian.as_deref().unwrap_or_default()));
    response.event(Event::new("XVMTreasuryChanged").text("treasury", treasury));
}

fn holder(key: &[u8]) -> Option<String> {
    Some(String::from_utf8_lossy(&chain::read(key)?).into_owned())
}
