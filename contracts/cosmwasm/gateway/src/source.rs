//! Source side: emits requests, escrows their fees, gives them up and asks again. What becomes of them arrives in `delivering`.

use crate::control::{self, Direction};
use crate::credits::{self, give, paid};
use crate::erc7930;
use crate::packed::{Packer, Unpacker};
use crate::pending::{not_pending, Pending, State};
use crate::request::Request;
use crate::routes::{self, Options, CALL};
use crate::senders;
use xvm_common::chain;
use xvm_common::entry::{Env, Info};
use xvm_common::failure::{refuse, refuse_with, Result};
use xvm_common::fields::Fields;
use xvm_common::hex;
use xvm_common::json_text::{quote, Object};
use xvm_common::keccak::keccak256;
use xvm_common::response::{Event, Response};
use xvm_common::wide::{multiply_divide, sum};
use xvm_common::word::{of_u64, Word, ZERO};

/// How far two chains' clocks may stand apart when an expiry is said to be over.
const CLOCK_SKEW_SECONDS: u64 = 5 * 60;

/// How long a cancelled request's execution share waits for who may have earned it.
const RECLAIM_SECONDS: u64 = 7 * 24 * 60 * 60;

/// What the first ordered request of a sender on a route runs after.
const FIRST_ORDERED: u64 = 1;

const ORDERED: &[u8] = b"ordered";

/// What a retry takes from the earlier attempt.
struct Attempt {
    origin: Word,
    destination_gateway: Vec<u8>,
}

/// The last ordered request of a sender on a route; zeros before the first.
#[derive(Default)]
struct Ordered {
    request_id: Word,
    expiry: u64,
}

/// Asks for a call. What is out of bounds, unpaid, unrouted, paused or not supported is refused by name.
pub fn xvm_execute(env: &Env, info: &Info, mut fields: Fields, response: &mut Response) -> Result<()> {
    let (target, payload) = (fields.hex("target")?, fields.base64("payload")?);
    let options = Options::read(fields.fields("options")?)?;
    fields.finish()?;
    ask(env, info, target, payload, options, None, response)
}

/// Raises a pending request's fee by the coin sent, split between its execution and callback shares as they stand. Errors:
/// `NotPending`, `InsufficientFee`, `FeeTooHigh`.
pub fn add_fee(info: &Info, mut fields: Fields, response: &mut Response) -> Result<()> {
    let request_id = fields.word("request_id")?;
    fields.finish()?;
    let amount = paid(info)?;
    let mut pending = Pending::load(&request_id).ok_or_else(|| not_pending(&request_id))?;
    let (deadline, mut shares) = match pending.state {
        State::Pending { deadline, shares } => (deadline, shares),
        _ => return Err(not_pending(&request_id)),
    };
    if amount == 0 {
        return refuse_with("InsufficientFee", "1, 0");
    }
    let work = shares.execution + shares.callback;
    let to_execution = if work == 0 { 0 } else { multiply_divide(amount, shares.execution, work)? };
    shares.execution = sum(shares.execution, to_execution)?;
    shares.callback = sum(shares.callback, amount - to_execution)?;
    shares.require_storable()?;
    pending.state = State::Pending { deadline, shares };
    pending.save(&request_id);
    response.event(
        Event::new("XVMFeeAdded").hex("request_id", &request_id).value("amount", amount).value("fee", shares.total()),
    );
    Ok(())
}

/// Gives a pending request up and returns its callback share, for its requester alone. Never paused. Errors: `NotPending`,
/// `NotRequester`, `DeadlineNotOver`, `ExpiryNotOver`.
pub fn cancel(env: &Env, info: &Info, mut fields: Fields, response: &mut Response) -> Result<()> {
    let request = Request::read(fields.fields("request")?, false)?;
    fields.finish()?;
    give_up(env, info, &request, &request.id(), response)
}

/// Asks again for what may not have happened: the same fields but nonce, expiry and origin, paid anew. It cannot run twice.
/// Errors: `NotRetriable`, `NotPending`, `NotRequester`, `RouteMoved`, those of `cancel` and `xvm_execute`.
pub fn retry(env: &Env, info: &Info, mut fields: Fields, response: &mut Response) -> Result<()> {
    let request = Request::read(fields.fields("request")?, false)?;
    let (expiry, deadline_blocks) = (fields.u64("expiry")?, fields.u64("deadline_blocks")?);
    fields.finish()?;
    let earlier = request.id();
    if request.mode != CALL || request.ordered_after != ZERO {
        return refuse_with("NotRetriable", hex::encode(&earlier));
    }
    match Pending::load(&earlier) {
        // SECURITY: the attempts of a request are its requester's
        Some(Pending { requester, state: State::Cancelled { .. }, .. }) => require_requester(info, &requester)?,
        _ => give_up(env, info, &request, &earlier, response)?,
    }
    let options = Options {
        own_account: request.own_account,
        execution_gas_limit: request.execution_gas_limit,
        callback_gas_limit: request.callback_gas_limit,
        return_limit: request.return_limit,
        expiry,
        code_hash: request.code_hash,
        dispute_blocks: request.dispute_blocks,
        deadline_blocks,
        metadata: request.metadata,
        ..Options::default()
    };
    let attempt = Attempt {
        origin: if request.origin == ZERO { earlier } else { request.origin },
        destination_gateway: request.destination_gateway,
    };
    ask(env, info, request.target, request.payload, options, Some(attempt), response)
}

/// Credits what is left of a cancelled request's fee, if no outcome arrived for 7 days. Anyone may call. Errors: `NotCancelled`,
/// `TooEarlyToReclaim`.
pub fn reclaim(env: &Env, mut fields: Fields, response: &mut Response) -> Result<()> {
    let request_id = fields.word("request_id")?;
    fields.finish()?;
    let (requester, at, shares) = match Pending::load(&request_id) {
        Some(Pending { requester, state: State::Cancelled { at, shares }, .. }) => (requester, at, shares),
        _ => return refuse_with("NotCancelled", hex::encode(&request_id)),
    };
    let from = at + RECLAIM_SECONDS;
    // SECURITY: until then whoever executed may show the outcome and be paid
    if env.time < from {
        return refuse_with("TooEarlyToReclaim", from);
    }
    Pending::clear(&request_id);
    let amount = shares.total();
    response.event(Event::new("XVMReclaimed").hex("request_id", &request_id).value("returned", amount));
    credits::credit(&requester, amount);
    Ok(())
}

/// The query `quote`.
pub fn quote_query(env: &Env, mut fields: Fields) -> Result<String> {
    let (target, payload_length) = (fields.hex("target")?, fields.u32("payload_length")?);
    let options = Options::read(fields.fields("options")?)?;
    fields.finish()?;
    require_supported(&options)?;
    Ok(quote(&routes::quote(env, &target, payload_length as usize, &options)?.to_string()))
}

/// The query `last_ordered`.
pub fn last_ordered(mut fields: Fields) -> Result<String> {
    let (sender, route_hash) = (fields.address("sender")?, fields.word("route_hash")?);
    fields.finish()?;
    let last = Ordered::load(&sender, &route_hash);
    Ok(Object::new().hex("request_id", &last.request_id).decimal("expiry", last.expiry).finish())
}

/// Makes a request for the caller.
fn ask(
    env: &Env,
    info: &Info,
    target: Vec<u8>,
    payload: Vec<u8>,
    options: Options,
    attempt: Option<Attempt>,
    response: &mut Response,
) -> Result<()> {
    control::require_open(env, Direction::Requests)?;
    require_supported(&options)?;
    let (plan, shares) = routes::plan(env, &target, payload.len(), &options)?;
    if let Some(attempt) = &attempt {
        // SECURITY: another gateway knows nothing of the earlier attempt and would run the call a second time
        if plan.destination_gateway != attempt.destination_gateway {
            return refuse("RouteMoved");
        }
    }
    let source_gateway = erc7930::of_account(env, &env.contract)?;
    let route_hash = keccak256(&[&source_gateway[..], &plan.destination].concat());
    let mut request = Request {
        source_gateway,
        sender: erc7930::of_account(env, &info.sender)?,
        destination_gateway: plan.destination_gateway,
        target,
        nonce: senders::take_nonce(env, info)?,
        mode: options.mode,
        own_account: options.own_account,
        payload_hash: keccak256(&payload),
        payload,
        execution_gas_limit: plan.execution_gas_limit,
        callback_gas_limit: plan.callback_gas_limit,
        return_limit: plan.return_limit,
        expiry: plan.expiry,
        ordered_after: ZERO,
        origin: attempt.map_or(ZERO, |attempt| attempt.origin),
        code_hash: options.code_hash,
        dispute_blocks: 0,
        metadata: options.metadata,
    };
    if options.ordered {
        put_in_order(&mut request, &Ordered::load(&info.sender, &route_hash), options.expiry == 0)?;
    }
    let request_id = request.id();
    if options.ordered {
        Ordered { request_id, expiry: request.expiry }.save(&info.sender, &route_hash);
    }
    shares.require_storable()?;
    let (fee, paid) = (shares.total(), paid(info)?);
    if paid < fee {
        return refuse_with("InsufficientFee", format!("{fee}, {paid}"));
    }
    let deadline = env.height + plan.deadline_blocks;
    let pending = Pending {
        requester: info.sender.clone(),
        is_eoa: chain::contract_info(&info.sender)?.is_none(),
        callback_gas_limit: plan.callback_gas_limit,
        // kept on the callbacks' clock, which lags behind the height by the blocks they were paused for
        state: State::Pending { deadline: deadline - control::paused_blocks(env), shares },
    };
    pending.save(&request_id);
    response.event(
        Event::new("XVMCallRequested")
            .hex("request_id", &request_id)
            .text("sender", &info.sender)
            .hex("route_hash", &route_hash)
            .text("request", &request.json())
            .value("fee", fee)
            .value("deadline", deadline),
    );
    response.data(request_id.to_vec());
    give(&info.sender, paid - fee, response)
}

/// Puts a request behind its sender's last ordered one on the route. Errors: `ExpiryBeforePredecessor`.
fn put_in_order(request: &mut Request, last: &Ordered, is_default_expiry: bool) -> Result<()> {
    request.ordered_after = if last.request_id == ZERO { of_u64(FIRST_ORDERED) } else { last.request_id };
    if request.expiry >= last.expiry {
        return Ok(());
    }
    // SECURITY: it must not expire first, or it could run although that one still might
    if !is_default_expiry {
        return refuse_with("ExpiryBeforePredecessor", format!("{}, {}", request.expiry, last.expiry));
    }
    request.expiry = last.expiry;
    Ok(())
}

/// Gives a pending request up, where its requester may.
fn give_up(env: &Env, info: &Info, request: &Request, request_id: &Word, response: &mut Response) -> Result<()> {
    let mut pending = Pending::load(request_id).ok_or_else(|| not_pending(request_id))?;
    let (deadline, mut shares) = match pending.state {
        State::Pending { deadline, shares } => (deadline + control::paused_blocks(env), shares),
        _ => return Err(not_pending(request_id)),
    };
    require_requester(info, &pending.requester)?;
    // SECURITY: a deliverer may count on its callback share until here
    if env.height <= deadline {
        return refuse_with("DeadlineNotOver", deadline);
    }
    let until = request.expiry.saturating_add(CLOCK_SKEW_SECONDS);
    // SECURITY: or it could be cancelled while it may still be executed
    if request.mode == CALL && env.time <= until {
        return refuse_with("ExpiryNotOver", until);
    }
    let returned = shares.callback;
    shares.callback = 0;
    pending.state = State::Cancelled { at: env.time, shares };
    pending.save(request_id);
    response.event(Event::new("XVMCancelled").hex("request_id", request_id).value("returned", returned));
    give(&info.sender, returned, response)
}

/// SECURITY: a request belongs to who asked. Errors: `NotRequester`.
fn require_requester(info: &Info, requester: &str) -> Result<()> {
    if info.sender != requester {
        return refuse_with("NotRequester", &info.sender);
    }
    Ok(())
}

/// SECURITY: an option that this version does not keep must not be taken. Errors: `DisputesUnsupported`.
fn require_supported(options: &Options) -> Result<()> {
    if options.dispute_blocks != 0 {
        return refuse("DisputesUnsupported");
    }
    Ok(())
}

impl Ordered {
    fn load(sender: &str, route_hash: &Word) -> Ordered {
        match chain::read(&Ordered::key(sender, route_hash)) {
            Some(record) => {
                let mut unpacker = Unpacker::of(&record);
                Ordered { request_id: unpacker.word(), expiry: unpacker.u64() }
            }
            None => Ordered::default(),
        }
    }

    fn save(&self, sender: &str, route_hash: &Word) {
        let record = Packer::new().word(&self.request_id).u64(self.expiry).finish();
        chain::write(&Ordered::key(sender, route_hash), &record);
    }

    fn key(sender: &str, route_hash: &Word) -> Vec<u8> {
        [ORDERED, &route_hash[..], sender.as_bytes()].concat()
    }
}
