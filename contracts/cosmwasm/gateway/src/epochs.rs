//! Signer sets by epoch, from 1, rising by exactly 1. The newest certifies its successor; after that it verifies for its grace.

use crate::certificates;
use crate::domain::Domain;
use crate::offices;
use crate::signer_set::SignerSet;
use crate::statements::{leaf, rotate_hash};
use xvm_common::chain;
use xvm_common::entry::{Env, Info};
use xvm_common::failure::{detailed, refuse_with, Result};
use xvm_common::fields::Fields;
use xvm_common::json_text::{quote, Object};
use xvm_common::response::{Event, Response};

const CURRENT: &[u8] = b"epoch";

/// The newest applied epoch; 0 before the first.
pub fn current() -> u64 {
    stored_number(CURRENT)
}

/// Errors: `UnknownEpoch`.
pub fn load(epoch: u64) -> Result<SignerSet> {
    let stored = chain::read(&key(b"signers", epoch)).ok_or_else(|| detailed("UnknownEpoch", epoch))?;
    SignerSet::of_stored(&stored)
}

/// Last second at which an epoch's set verifies; its successor may have brought it forward. 0 for an unknown one.
pub fn valid_until(epoch: u64) -> u64 {
    stored_number(&key(b"valid_until", epoch))
}

/// `rotate`: anybody brings the next set, certified by the newest. Errors: those of `certificates::verify` and
/// `SignerSet::check`, `NotCurrentEpoch`.
pub fn rotate(env: &Env, mut body: Fields, response: &mut Response) -> Result<()> {
    let set = SignerSet::read(body.fields("set")?)?;
    let certificate = body.base64("certificate")?;
    body.finish()?;
    let epoch = current();
    let root = leaf(&rotate_hash(&set.hash(), epoch + 1));
    let signed_by = certificates::verify(&Domain::own(env)?, env.time, &root, 1, &certificate)?;
    // SECURITY: an epoch in its grace has a successor; a second one would be a fork of the set
    if signed_by != epoch {
        return refuse_with("NotCurrentEpoch", signed_by);
    }
    let cut = env.time.saturating_add(load(epoch)?.grace_seconds);
    // SECURITY: who was rotated out for a leaked key must not verify for long
    if cut < valid_until(epoch) {
        chain::write(&key(b"valid_until", epoch), &cut.to_be_bytes());
    }
    apply(env, &set, epoch + 1, response)
}

/// `install`: the owner applies the first set, or one after the newest has lapsed. Errors: `NotOwner`, `EpochStillValid`, those of
/// `SignerSet::check`.
pub fn install(env: &Env, info: &Info, mut body: Fields, response: &mut Response) -> Result<()> {
    offices::require_owner(info)?;
    let set = SignerSet::read(body.fields("set")?)?;
    body.finish()?;
    let epoch = current();
    // SECURITY: while signers answer for the gateway, its owner does not
    if epoch != 0 && env.time <= valid_until(epoch) {
        return refuse_with("EpochStillValid", epoch);
    }
    apply(env, &set, epoch + 1, response)
}

/// `current_epoch`.
pub fn current_epoch(body: Fields) -> Result<String> {
    body.finish()?;
    Ok(quote(&current().to_string()))
}

/// `signer_set`. Errors: `UnknownEpoch`.
pub fn signer_set(mut body: Fields) -> Result<String> {
    let epoch = body.u64("epoch")?;
    body.finish()?;
    let set = load(epoch)?.json();
    Ok(Object::new().raw("set", &set).decimal("valid_until", valid_until(epoch)).finish())
}

fn apply(env: &Env, set: &SignerSet, epoch: u64, response: &mut Response) -> Result<()> {
    set.check(env.time)?;
    keep(epoch, set, set.valid_until);
    chain::write(CURRENT, &epoch.to_be_bytes());
    response.event(
        Event::new("XVMEpochApplied")
            .value("epoch", epoch)
            .hex("signer_set_hash", &set.hash())
            .value("valid_until", set.valid_until)
            .text("set", &set.json()),
    );
    Ok(())
}

/// Keeps a set that keeps the rules.
pub fn keep(epoch: u64, set: &SignerSet, valid_until: u64) {
    chain::write(&key(b"signers", epoch), &set.stored());
    chain::write(&key(b"valid_until", epoch), &valid_until.to_be_bytes());
}

fn key(space: &[u8], epoch: u64) -> Vec<u8> {
    [space, b"/", &epoch.to_be_bytes()].concat()
}

fn stored_number(key: &[u8]) -> u64 {
    let bytes = chain::read(key).and_then(|value| value.try_into().ok());
    bytes.map_or(0, u64::from_be_bytes)
}
