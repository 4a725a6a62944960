//! What a source gateway keeps of a request: nothing before it is asked, nothing after it is over.

use crate::control;
use crate::packed::{Packer, Unpacker};
use crate::pricing::Shares;
use xvm_common::chain;
use xvm_common::entry::Env;
use xvm_common::failure::{detailed, Failure, Result};
use xvm_common::fields::Fields;
use xvm_common::hex;
use xvm_common::json_text::{quote, Object};
use xvm_common::word::Word;

const KEY: &[u8] = b"request";

const PENDING: u8 = 1;
const HANDLER_FAILED: u8 = 2;
const CANCELLED: u8 = 3;

pub struct Pending {
    /// Account that asked.
    pub requester: String,
    /// It is no contract: its outcome is an event and no call.
    pub is_eoa: bool,
    pub callback_gas_limit: u64,
    pub state: State,
}

#[derive(Clone, Copy)]
pub enum State {
    /// Waits for its certified outcome. `deadline` is in blocks of the callbacks' clock, which stands still while callbacks are paused.
    Pending { deadline: u64, shares: Shares },
    /// Delivered and paid, but its handler failed: anyone may replay the callback of the outcome with this struct hash.
    HandlerFailed { outcome_hash: Word },
    /// Given up at that second; the shares of execution and signers are still owed to someone.
    Cancelled { at: u64, shares: Shares },
}

impl Pending {
    pub fn load(request_id: &Word) -> Option<Pending> {
        let record = chain::read(&key(request_id))?;
        let mut unpacker = Unpacker::of(&record);
        let (requester, is_eoa, callback_gas_limit) = (unpacker.text(), unpacker.flag(), unpacker.u64());
        let state = match unpacker.u8() {
            PENDING => State::Pending { deadline: unpacker.u64(), shares: Shares::unpack(&mut unpacker) },
            HANDLER_FAILED => State::HandlerFailed { outcome_hash: unpacker.word() },
            _ => State::Cancelled { at: unpacker.u64(), shares: Shares::unpack(&mut unpacker) },
        };
        Some(Pending { requester, is_eoa, callback_gas_limit, state })
    }

    pub fn save(&self, request_id: &Word) {
        let packer = Packer::new().text(&self.requester).flag(self.is_eoa).u64(self.callback_gas_limit).u8(self.number());
        let packer = match &self.state {
            State::Pending { deadline, shares } => shares.pack(packer.u64(*deadline)),
            State::HandlerFailed { outcome_hash } => packer.word(outcome_hash),
            State::Cancelled { at, shares } => shares.pack(packer.u64(*at)),
        };
        chain::write(&key(request_id), &packer.finish());
    }

    pub fn clear(request_id: &Word) {
        chain::remove(&key(request_id));
    }

    fn number(&self) -> u8 {
        match self.state {
            State::Pending { .. } => PENDING,
            State::HandlerFailed { .. } => HANDLER_FAILED,
            State::Cancelled { .. } => CANCELLED,
        }
    }
}

/// The query `pending_request`.
pub fn pending_request(env: &Env, mut fields: Fields) -> Result<String> {
    let request_id = fields.word("request_id")?;
    fields.finish()?;
    let pending = match Pending::load(&request_id) {
        Some(pending) => pending,
        None => return Ok(told("null", false, 0, 0, 0, 0)),
    };
    let (deadline, fee) = match &pending.state {
        State::Pending { deadline, shares } => (deadline + control::paused_blocks(env), shares.total()),
        State::HandlerFailed { .. } => (0, 0),
        State::Cancelled { shares, .. } => (0, shares.total()),
    };
    let requester = quote(&pending.requester);
    Ok(told(&requester, pending.is_eoa, pending.callback_gas_limit, deadline, pending.number(), fee))
}

/// That a request is not pending.
pub fn not_pending(request_id: &Word) -> Failure {
    detailed("NotPending", hex::encode(request_id))
}

fn told(requester: &str, is_eoa: bool, callback_gas_limit: u64, deadline: u64, state: u8, fee: u128) -> String {
    Object::new()
        .raw("requester", requester)
        .flag("is_eoa", is_eoa)
        .decimal("callback_gas_limit", callback_gas_limit)
        .decimal("deadline", deadline)
        .number("state", state.into())
        .decimal("fee", fee)
        .finish()
}

fn key(request_id: &Word) -> Vec<u8> {
    [KEY, &request_id[..]].concat()
}
