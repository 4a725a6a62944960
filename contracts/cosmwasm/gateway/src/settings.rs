//! What a gateway is given once, when it is instantiated, and the version of what it stores.

use crate::{control, credits, erc7930, offices, senders};
use xvm_common::entry::{Env, Info};
use xvm_common::failure::{refuse, refuse_with, Result};
use xvm_common::fields::Fields;
use xvm_common::json_text::Object;
use xvm_common::response::{create, Response};
use xvm_common::sha256::sha256;
use xvm_common::word::Word;
use xvm_common::{chain, json};

const KEY: &[u8] = b"settings";
const LAYOUT_KEY: &[u8] = b"layout";

/// Rises by one with every change of what stands in storage.
const LAYOUT: &[u8] = b"1";

const EXECUTOR_SALT: &[u8] = b"executor";

pub struct Settings {
    /// Fees are one coin of this denomination.
    pub fee_denom: String,
    pub max_pause_blocks: u32,
    pub quote_validity_blocks: u32,
    /// How long a block takes, for turning an expiry into a deadline.
    pub block_milliseconds: u32,
    pub account_code_id: u64,
    /// Checksum of that code.
    pub account_checksum: Word,
}

impl Settings {
    pub fn load() -> Result<Settings> {
        let stored = chain::read(KEY).unwrap_or_default();
        let mut fields = Fields::of(json::parse(&stored)?)?;
        Settings::take(&mut fields)
    }

    fn take(fields: &mut Fields) -> Result<Settings> {
        Ok(Settings {
            fee_denom: fields.text("fee_denom")?,
            max_pause_blocks: fields.u32("max_pause_blocks")?,
            quote_validity_blocks: fields.u32("quote_validity_blocks")?,
            block_milliseconds: fields.u32("block_milliseconds")?,
            account_code_id: fields.u64("account_code_id")?,
            account_checksum: fields.word("account_checksum")?,
        })
    }

    fn json(&self) -> Object {
        Object::new()
            .text("fee_denom", &self.fee_denom)
            .number("max_pause_blocks", self.max_pause_blocks)
            .number("quote_validity_blocks", self.quote_validity_blocks)
            .number("block_milliseconds", self.block_milliseconds)
            .decimal("account_code_id", self.account_code_id)
            .hex("account_checksum", &self.account_checksum)
    }

    /// The address of the instance of the account code that this gateway creates, or has created, with `salt`.
    /// SECURITY: it commits to code, creator and salt, so nobody else can be there.
    /// Source: `instantiate2_address` of CosmWasm, without the message.
    pub fn address_with(&self, env: &Env, salt: &[u8]) -> Result<String> {
        let mut key = b"wasm\0".to_vec();
        for part in [&self.account_checksum[..], &chain::canonicalize(&env.contract)?, salt, b""] {
            key.extend_from_slice(&(part.len() as u64).to_be_bytes());
            key.extend_from_slice(part);
        }
        let mut hashed = sha256(b"module").to_vec();
        hashed.extend_from_slice(&key);
        chain::humanize(&sha256(&hashed))
    }

    /// The common caller of targets.
    pub fn executor(&self, env: &Env) -> Result<String> {
        self.address_with(env, EXECUTOR_SALT)
    }

    /// The message that creates the instance with `salt`.
    pub fn create_with(&self, label: &str, salt: &[u8]) -> String {
        create(self.account_code_id, label, b"{}", salt)
    }
}

/// Errors: `WrongChecksum`, those of fields and of `senders::initialize`.
pub fn instantiate(env: &Env, info: &Info, mut fields: Fields, response: &mut Response) -> Result<()> {
    credits::require_unpaid(info)?;
    let settings = Settings::take(&mut fields)?;
    if settings.fee_denom.is_empty() {
        return refuse("EmptyDenomination");
    }
    // SECURITY: by a wrong one own accounts would be looked for where others could come to stand
    if chain::checksum(settings.account_code_id)? != settings.account_checksum {
        return refuse("WrongChecksum");
    }
    offices::initialize(&mut fields, response)?;
    senders::initialize(&mut fields, response)?;
    fields.finish()?;
    chain::write(KEY, settings.json().finish().as_bytes());
    chain::write(LAYOUT_KEY, LAYOUT);
    response.message(&settings.create_with("xvm executor", EXECUTOR_SALT));
    erc7930::of_account(env, &env.contract).map(|_| ())
}

/// To this code, from one with the same layout. Errors: `OtherLayout`.
pub fn migrate(fields: Fields) -> Result<()> {
    fields.finish()?;
    // SECURITY: storage that another layout wrote would be read as what it is not
    match chain::read(LAYOUT_KEY) {
        Some(layout) if layout == LAYOUT => Ok(()),
        layout => refuse_with("OtherLayout", String::from_utf8_lossy(&layout.unwrap_or_default())),
    }
}

/// Everything that a gateway is set to.
pub fn config(env: &Env, body: Fields) -> Result<String> {
    body.finish()?;
    let settings = Settings::load()?;
    let object = settings
        .json()
        .text("executor", &settings.executor(env)?)
        .hex("gateway", &erc7930::of_account(env, &env.contract)?)
        .text("version", "1");
    Ok(senders::describe(control::describe(env, offices::describe(object))).finish())
}
