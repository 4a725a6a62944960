//! Outcomes: verified, paid for, told to who asked. For a callback the gateway calls itself: that call says that the outcome was
//! delivered and calls the handler, and if the handler fails, nothing of it stands and the chain tells so by a reply.
//!
//! SECURITY: the chain hands a reply everything that the called contract answered and all its events. A handler may answer more than
//! this contract's memory holds, and would so fail everybody's delivery: of a handler that succeeds there is no reply.

use crate::batches::Batch;
use crate::control::{self, require_direct_caller, Direction};
use crate::credits::Earnings;
use crate::packed::{Packer, Unpacker};
use crate::pending::{Pending, State};
use crate::statements::{kind, leaf, Outcome};
use xvm_common::chain;
use xvm_common::entry::{Env, Info};
use xvm_common::failure::{detailed, refuse_with, Result};
use xvm_common::fields::Fields;
use xvm_common::hex;
use xvm_common::json_text::Object;
use xvm_common::keccak::keccak256;
use xvm_common::response::{call, Event, ReplyOn, Response};
use xvm_common::word::Word;

/// The high half of the ids of replies to what is sent here.
pub const REPLY_SPACE: u64 = 2;

const CALLBACK: &[u8] = b"callback";

/// The number of the next callback. It outlives the transaction: whatever runs within whatever, no two have one number.
const NEXT: &[u8] = b"next_callback";

/// A callback that is to run.
struct Callback {
    request_id: Word,
    requester: String,
    gas_limit: u64,
    kind: u8,
    success: bool,
    return_data_hash: Word,
    outcome_hash: Word,
    deliverer: String,
    is_replay: bool,
}

/// Verifies batches of outcomes and has their callbacks run. Outcomes that are not pending are skipped; a failing callback harms no
/// other. Errors: `ContractCaller`, `Paused`, those of `Batch::verify`.
pub fn deliver(env: &Env, info: &Info, mut fields: Fields, response: &mut Response) -> Result<()> {
    let batches = fields.list("batches")?;
    fields.finish()?;
    require_direct_caller(info)?;
    control::require_open(env, Direction::Callbacks)?;
    let mut earnings = Earnings::default();
    let mut callbacks = Vec::new();
    for batch in batches {
        let (batch, items) = Batch::read(Fields::of(batch)?, "outcomes")?;
        let outcomes = items.into_iter().map(|item| Outcome::read(Fields::of(item)?)).collect::<Result<Vec<_>>>()?;
        let hashes: Vec<Word> = outcomes.iter().map(Outcome::hash).collect();
        let leaves: Vec<Word> = hashes.iter().map(leaf).collect();
        let epoch = batch.verify(env, &leaves)?;
        for (outcome, hash) in outcomes.into_iter().zip(hashes) {
            if let Some(callback) = conclude(info, &outcome, hash, epoch, &mut earnings, response)? {
                callbacks.push((callback, outcome.return_data));
            }
        }
    }
    earnings.settle();
    for (callback, return_data) in callbacks {
        callback.send(env, &return_data, response);
    }
    Ok(())
}

/// Replays the callback of an outcome whose handler failed, with at least the gas that the request asked for. Free for anyone; refused
/// if the handler fails again. Errors: `ContractCaller`, `Paused`, `NotHandlerFailed`, `OtherOutcome`, `CallbackGasTooLow`,
/// `HandlerFailedAgain`.
pub fn retry_callback(env: &Env, info: &Info, mut fields: Fields, response: &mut Response) -> Result<()> {
    let outcome = Outcome::read(fields.fields("outcome")?)?;
    let gas_limit = fields.u64("gas_limit")?;
    fields.finish()?;
    require_direct_caller(info)?;
    control::require_open(env, Direction::Callbacks)?;
    let request_id = outcome.request_id;
    let (pending, outcome_hash) = match Pending::load(&request_id) {
        Some(pending) => match pending.state {
            State::HandlerFailed { outcome_hash } => (pending, outcome_hash),
            _ => return refuse_with("NotHandlerFailed", hex::encode(&request_id)),
        },
        None => return refuse_with("NotHandlerFailed", hex::encode(&request_id)),
    };
    // SECURITY: only the certified outcome may be told
    if outcome.hash() != outcome_hash {
        return refuse_with("OtherOutcome", hex::encode(&request_id));
    }
    if gas_limit < pending.callback_gas_limit {
        return refuse_with("CallbackGasTooLow", format!("{gas_limit}, {}", pending.callback_gas_limit));
    }
    Pending::clear(&request_id);
    let callback = Callback { gas_limit, ..Callback::of(info, &outcome, outcome_hash, pending, true) };
    callback.send(env, &outcome.return_data, response);
    Ok(())
}

/// The gateway's message to itself: says that an outcome was delivered, and calls its handler with the gas that was asked for. Errors:
/// `OnlyGateway`, and the handler's own.
pub fn call_back(env: &Env, info: &Info, mut fields: Fields, response: &mut Response) -> Result<()> {
    let (number, return_data) = (fields.u32("number")?, fields.base64("return_data")?);
    fields.finish()?;
    // SECURITY: or anybody could have a handler told anything while a delivery runs
    if info.sender != env.contract {
        return refuse_with("OnlyGateway", &info.sender);
    }
    let callback = Callback::take(number)?;
    response.event(callback.delivered());
    let told = Object::new()
        .hex("request_id", &callback.request_id)
        .flag("success", callback.success)
        .base64("return_data", &return_data)
        .finish();
    let message = Object::new().raw("xvm_callback", &told).finish();
    // SECURITY: without a limit a handler could burn what the whole delivery has
    response.submessage(0, &call(&callback.requester, message.as_bytes()), Some(callback.gas_limit), ReplyOn::Never);
    Ok(())
}

/// A callback failed, and all that its call did is undone. Errors: `UnknownReply`, `HandlerFailedAgain`.
pub fn reply(number: u32, response: &mut Response) -> Result<()> {
    let callback = Callback::take(number)?;
    if callback.is_replay {
        return refuse_with("HandlerFailedAgain", hex::encode(&callback.request_id));
    }
    response.event(callback.event("XVMHandlerFailed", "outcome_hash", &callback.outcome_hash));
    let pending = Pending {
        requester: callback.requester,
        is_eoa: false,
        callback_gas_limit: callback.gas_limit,
        state: State::HandlerFailed { outcome_hash: callback.outcome_hash },
    };
    pending.save(&callback.request_id);
    Ok(())
}

/// Concludes one certified outcome; the callback that is to run for it, if any.
fn conclude(
    info: &Info,
    outcome: &Outcome,
    outcome_hash: Word,
    epoch: u64,
    earnings: &mut Earnings,
    response: &mut Response,
) -> Result<Option<Callback>> {
    let request_id = &outcome.request_id;
    let pending = match Pending::load(request_id) {
        Some(pending) if !matches!(pending.state, State::HandlerFailed { .. }) => pending,
        _ => {
            response.event(Event::new("XVMOutcomeSkipped").hex("request_id", request_id));
            return Ok(None);
        }
    };
    // SECURITY: cleared before the call, which is all that keeps a delivery from happening twice
    Pending::clear(request_id);
    let (shares, is_cancelled) = match pending.state {
        State::Pending { shares, .. } => (shares, false),
        State::Cancelled { shares, .. } => (shares, true),
        State::HandlerFailed { .. } => return Ok(None),
    };
    let mut execution = shares.execution;
    if outcome.kind == kind::EXPIRED || outcome.kind == kind::DUPLICATE {
        let kept = shares.kept_of_expired();
        earnings.credit(&pending.requester, execution - kept);
        execution = kept;
    }
    earnings.credit_payee(&outcome.payee, execution)?;
    earnings.credit(&info.sender, shares.callback);
    earnings.pool(epoch, shares.signers);
    // SECURITY: who cancelled acts as if nothing were to come
    if is_cancelled {
        response.event(
            Event::new("XVMCancelledConcluded")
                .hex("request_id", request_id)
                .value("kind", outcome.kind)
                .text("deliverer", &info.sender),
        );
        return Ok(None);
    }
    let is_eoa = pending.is_eoa;
    let callback = Callback::of(info, outcome, outcome_hash, pending, false);
    if is_eoa {
        response.event(callback.delivered());
        return Ok(None);
    }
    Ok(Some(callback))
}

/// What a callback is told of an outcome.
fn is_success(outcome: &Outcome) -> bool {
    if outcome.kind != kind::DUPLICATE {
        return outcome.kind == kind::EXECUTED;
    }
    // a duplicate's data is the earlier attempt's slot word: kind ‖ low 248 bits of its id
    outcome.return_data.len() == 32 && outcome.return_data[0] == kind::EXECUTED
}

impl Callback {
    fn of(info: &Info, outcome: &Outcome, outcome_hash: Word, pending: Pending, is_replay: bool) -> Callback {
        Callback {
            request_id: outcome.request_id,
            requester: pending.requester,
            gas_limit: pending.callback_gas_limit,
            kind: outcome.kind,
            success: is_success(outcome),
            return_data_hash: keccak256(&outcome.return_data),
            outcome_hash,
            deliverer: info.sender.clone(),
            is_replay,
        }
    }

    /// Has it run after this call.
    fn send(&self, env: &Env, return_data: &[u8], response: &mut Response) {
        let number = chain::read(NEXT).map_or(0, |record| Unpacker::of(&record).u32());
        chain::write(NEXT, &Packer::new().u32(number.wrapping_add(1)).finish());
        chain::write(&Callback::key(number), &self.packed());
        let body = Object::new().number("number", number).base64("return_data", return_data).finish();
        let message = Object::new().raw("call_back", &body).finish();
        let reply_id = REPLY_SPACE << 32 | u64::from(number);
        response.submessage(reply_id, &call(&env.contract, message.as_bytes()), None, ReplyOn::Failure);
    }

    /// SECURITY: each is told once, and what nothing waits for is refused. Errors: `UnknownReply`.
    fn take(number: u32) -> Result<Callback> {
        let key = Callback::key(number);
        let record = chain::read(&key).ok_or_else(|| detailed("UnknownReply", number))?;
        chain::remove(&key);
        Ok(Callback::unpack(&record))
    }

    fn delivered(&self) -> Event {
        self.event("XVMCallbackDelivered", "return_data_hash", &self.return_data_hash)
    }

    fn event(&self, name: &'static str, hash_name: &str, hash: &Word) -> Event {
        Event::new(name)
            .hex("request_id", &self.request_id)
            .value("kind", self.kind)
            .value("success", self.success)
            .hex(hash_name, hash)
            .text("deliverer", &self.deliverer)
    }

    fn packed(&self) -> Vec<u8> {
        Packer::new()
            .word(&self.request_id)
            .text(&self.requester)
            .u64(self.gas_limit)
            .u8(self.kind)
            .flag(self.success)
            .word(&self.return_data_hash)
            .word(&self.outcome_hash)
            .text(&self.deliverer)
            .flag(self.is_replay)
            .finish()
    }

    fn unpack(record: &[u8]) -> Callback {
        let mut unpacker = Unpacker::of(record);
        Callback {
            request_id: unpacker.word(),
            requester: unpacker.text(),
            gas_limit: unpacker.u64(),
            kind: unpacker.u8(),
            success: unpacker.flag(),
            return_data_hash: unpacker.word(),
            outcome_hash: unpacker.word(),
            deliverer: unpacker.text(),
            is_replay: unpacker.flag(),
        }
    }

    fn key(number: u32) -> Vec<u8> {
        [CALLBACK, b"/", &number.to_be_bytes()[..]].concat()
    }
}
