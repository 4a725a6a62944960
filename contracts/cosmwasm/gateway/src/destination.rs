//! Destination side: consumes every certified request exactly once, and leaves a receipt of it. SECURITY: it never calls a target
//! itself but by the executor or the sender's own account, or a request could forge a callback.

use crate::batches::Batch;
use crate::control::{self, Direction};
use crate::erc7930;
use crate::flight::{self, Plan, Step};
use crate::request::Request;
use crate::routes::{self, Inbound, CALL};
use crate::settings::Settings;
use crate::slots;
use crate::statements::{execute_hash, kind, leaf, Location};
use xvm_common::chain::{checksum, contract_info};
use xvm_common::entry::{Env, Info};
use xvm_common::failure::{detailed, refuse_with, Result};
use xvm_common::fields::Fields;
use xvm_common::json::Value;
use xvm_common::json_text::{quote, Object};
use xvm_common::keccak::keccak256;
use xvm_common::reply::Reply;
use xvm_common::response::{call, Event, ReplyOn, Response};
use xvm_common::word::{of_u64, Word, ZERO};
use xvm_common::{chain, hex};

/// What distinguishes the replies of executions from others: the high half of their ids.
pub const REPLY_SPACE: u64 = 1;

/// Gas that the account has besides the target's limit: the chain starts account and gateway (60,000 each, where it
/// gives nothing off for what is loaded), the step is read and removed, the receipt written. Measured: 88,000 where it does.
const CALL_GAS: u64 = 180_000;

/// Of that, for each byte of the payload, which the account decodes and hands on. Measured: 2.2.
const PAYLOAD_BYTE_GAS: u64 = 8;

/// And for each byte of the answer that is kept: read, handed to the gateway, told in the receipt. Measured: 7.6.
const RETURN_BYTE_GAS: u64 = 16;

/// `ordered_after` of the first ordered request of a sender on a route.
const FIRST_ORDERED: u64 = 1;

/// What holds for a whole `execute` or `expire`.
struct Run<'a> {
    env: &'a Env,
    settings: Settings,
    /// This gateway's own address.
    own: Vec<u8>,
    payee: Word,
    is_expiring: bool,
    plan: Plan,
    /// Own accounts that this call creates.
    created: Vec<String>,
}

/// What a request came to.
struct Conclusion {
    kind: u8,
    cut: bool,
    return_data: Vec<u8>,
}

/// `execute`: verifies batches of requests and executes them. What does not belong here or was consumed is skipped with an event.
/// Errors: `ContractCaller`, `Paused`, `FlightUnderway`, those of batches.
pub fn execute(env: &Env, info: &Info, body: Fields, response: &mut Response) -> Result<()> {
    control::require_direct_caller(info)?;
    control::require_open(env, Direction::Executions)?;
    run(env, Plan::new()?, body, false, response)
}

/// `expire`: verifies batches of requests, payloads by hash, and concludes those past their expiry. Anybody may call, contracts too,
/// and no pause stops it.
pub fn expire(env: &Env, body: Fields, response: &mut Response) -> Result<()> {
    run(env, Plan::default(), body, true, response)
}

/// `show_lapsed`: shows requests to be past their expiry, so that what is ordered after them waits no longer. Needs no certificate:
/// an id commits to its expiry. Errors: `NotLapsed`.
pub fn show_lapsed(env: &Env, mut body: Fields, response: &mut Response) -> Result<()> {
    let requests = body.list("requests")?;
    body.finish()?;
    for value in requests {
        let request = Request::read(Fields::of(value)?, true)?;
        let request_id = request.id();
        // SECURITY: only what this gateway will never run again
        if env.time <= request.expiry {
            return refuse_with("NotLapsed", format!("{} until {}", hex::encode(&request_id), request.expiry));
        }
        slots::set_lapsed(&request_id);
        response.event(Event::new("XVMLapseShown").hex("request_id", &request_id));
    }
    Ok(())
}

/// `conclude`: the target of the call under way succeeded, and answered this, cut at its limit. From the account that called it.
///
/// SECURITY: it comes as a message within the account's limit of gas, and not as the chain's reply: a reply carries every event of
/// the target and all that it answered, and a submitter would pay for reading what the target likes to write.
/// Errors: `OnlyAccount`.
pub fn conclude_call(info: &Info, mut body: Fields, response: &mut Response) -> Result<()> {
    let (cut, return_data) = (body.flag("cut")?, body.base64("return_data")?);
    body.finish()?;
    let step = call_under_way_of(info)?;
    step.conclude(Conclusion { kind: kind::EXECUTED, cut, return_data }, response);
    Ok(())
}

/// `conclude_unreached`: the target of the call under way has another code than was asked for by now, and was not called. From the
/// account that was to call it. Errors: `OnlyAccount`.
pub fn conclude_unreached(info: &Info, body: Fields, response: &mut Response) -> Result<()> {
    body.finish()?;
    let step = call_under_way_of(info)?;
    slots::write(&step.slot, &slots::word(kind::UNREACHED, &step.request_id));
    step.conclude(Conclusion { kind: kind::UNREACHED, cut: false, return_data: Vec::new() }, response);
    Ok(())
}

/// `conclude_duplicate`: the gateway's message to itself, once the attempt before a duplicate has ended. Errors: `OnlyGateway`,
/// `UnknownReply`.
pub fn conclude_duplicate(env: &Env, info: &Info, mut body: Fields, response: &mut Response) -> Result<()> {
    let number = body.u32("number")?;
    body.finish()?;
    // SECURITY: or a target could have it told while the attempt before it still runs
    if info.sender != env.contract {
        return refuse_with("OnlyGateway", &info.sender);
    }
    let step = flight::finish(number)?;
    let earlier = slots::read(&step.slot).unwrap_or(ZERO);
    step.conclude(duplicate_of(&earlier), response);
    Ok(())
}

/// The call of step `number` failed, and all that it did is undone. Errors: `UnknownReply`.
pub fn reply(number: u32, reply: Reply, response: &mut Response) -> Result<()> {
    let mut return_data = match reply.result {
        Err(text) => text.into_bytes(),
        Ok(_) => return refuse_with("UnknownReply", number),
    };
    let step = flight::finish(number)?;
    slots::write(&step.slot, &slots::word(kind::REVERTED, &step.request_id));
    let cut = return_data.len() > step.return_limit as usize;
    return_data.truncate(step.return_limit as usize);
    step.conclude(Conclusion { kind: kind::REVERTED, cut, return_data }, response);
    Ok(())
}

/// `current_request`: id and sender of what is being executed; a zero id when nothing is. SECURITY: means something only to a
/// contract that the executor calls, or the own account of that very sender: others may call a target in between.
pub fn current_request(body: Fields) -> Result<String> {
    body.finish()?;
    let (request_id, sender) = flight::current().map_or((ZERO, Vec::new()), |step| (step.request_id, step.sender));
    Ok(Object::new().hex("request_id", &request_id).hex("sender", &sender).finish())
}

/// `account_of`: a sender's own account, whether it was created yet or not.
pub fn account_of(env: &Env, mut body: Fields) -> Result<String> {
    let sender = body.hex("sender")?;
    body.finish()?;
    let address = Settings::load()?.address_with(env, &keccak256(&sender))?;
    Ok(quote(&address))
}

/// Ends the step whose account speaks. SECURITY: or anybody, the target above all, could say what was answered.
/// Errors: `OnlyAccount`.
fn call_under_way_of(info: &Info) -> Result<Step> {
    flight::finish_call_of(&info.sender).ok_or_else(|| detailed("OnlyAccount", &info.sender))
}

fn run(env: &Env, plan: Plan, mut body: Fields, is_expiring: bool, response: &mut Response) -> Result<()> {
    let batches = body.list("batches")?;
    let payee = body.word("payee")?;
    body.finish()?;
    let settings = Settings::load()?;
    let own = erc7930::of_account(env, &env.contract)?;
    let mut run = Run { env, settings, own, payee, is_expiring, plan, created: Vec::new() };
    for value in batches {
        let (batch, items) = Batch::read(Fields::of(value)?, "items")?;
        let mut requests = Vec::with_capacity(items.len());
        let mut leaves = Vec::with_capacity(items.len());
        for item in items {
            let (request, request_id, leaf) = read_item(item, is_expiring)?;
            requests.push((request_id, request));
            leaves.push(leaf);
        }
        batch.verify(env, &leaves)?;
        for (request_id, request) in &requests {
            run.consume(request_id, request, response)?;
        }
    }
    run.plan.finish();
    Ok(())
}

/// A request, its id, and the leaf that says it is final.
fn read_item(item: Value, by_hash: bool) -> Result<(Request, Word, Word)> {
    let mut fields = Fields::of(item)?;
    let request = Request::read(fields.fields("request")?, by_hash)?;
    let location = Location::take(&mut fields)?;
    fields.finish()?;
    let request_id = request.id();
    let leaf = leaf(&execute_hash(&request_id, &location));
    Ok((request, request_id, leaf))
}

impl Run<'_> {
    /// Consumes one certified request, or skips it with an event.
    fn consume(&mut self, request_id: &Word, request: &Request, response: &mut Response) -> Result<()> {
        if let Some(reason) = self.skip_reason(request_id, request)? {
            response.event(Event::new("XVMCallSkipped").hex("request_id", request_id).text("reason", reason));
            return Ok(());
        }
        let earlier = slots::earlier(request);
        let conclusion = if self.env.time > request.expiry {
            slots::write(request_id, &slots::word(kind::EXPIRED, request_id));
            Conclusion { kind: kind::EXPIRED, cut: false, return_data: Vec::new() }
        } else if slots::is_taken(&earlier) {
            slots::write(request_id, &slots::word(kind::DUPLICATE, request_id));
            if self.plan.runs(&request.origin) {
                let number = self.plan.add(&self.step(request_id, request, request.origin, ""));
                let body = Object::new().number("number", number).finish();
                let message = Object::new().raw("conclude_duplicate", &body).finish();
                response.message(&call(&self.env.contract, message.as_bytes()));
                return Ok(());
            }
            duplicate_of(&earlier.unwrap_or(ZERO))
        } else {
            let slot = if request.origin == ZERO { *request_id } else { request.origin };
            match self.reachable_target(request)? {
                None => {
                    slots::write(&slot, &slots::word(kind::UNREACHED, request_id));
                    Conclusion { kind: kind::UNREACHED, cut: false, return_data: Vec::new() }
                }
                Some(target) => return self.call(request_id, request, slot, &target, response),
            }
        };
        conclude(request_id, &request.source_gateway, &self.payee, conclusion, response);
        Ok(())
    }

    /// Has the chain run the target.
    fn call(
        &mut self,
        request_id: &Word,
        request: &Request,
        slot: Word,
        target: &str,
        response: &mut Response,
    ) -> Result<()> {
        // SECURITY: consumed before the call, or the target could have itself executed again
        slots::write(&slot, &slots::word(kind::EXECUTED, request_id));
        let caller = if request.own_account {
            self.own_account(&request.sender, response)?
        } else {
            self.settings.executor(self.env)?
        };
        let number = self.plan.add(&self.step(request_id, request, slot, &caller));
        let mut body = Object::new()
            .text("target", target)
            .base64("msg", &request.payload)
            .decimal("gas_limit", request.execution_gas_limit)
            .number("return_limit", request.return_limit);
        if request.code_hash != ZERO {
            body = body.hex("code_hash", &request.code_hash);
        }
        let message = Object::new().raw("call", &body.finish()).finish();
        let id = REPLY_SPACE << 32 | number as u64;
        // SECURITY: the chain has the account pay for reading what the target emits and answers: all of it within the request's own
        // limit, or a target that is small in a simulation and large in a block would fail its neighbours
        let gas_limit = request.execution_gas_limit.saturating_add(own_gas(request));
        response.submessage(id, &call(&caller, message.as_bytes()), Some(gas_limit), ReplyOn::Failure);
        Ok(())
    }

    /// A sender's own account, which is created first if there is none. SECURITY: its salt is the hash of all of the sender's address,
    /// chain included, so that no two share an account.
    fn own_account(&mut self, sender: &[u8], response: &mut Response) -> Result<String> {
        let salt = keccak256(sender);
        let account = self.settings.address_with(self.env, &salt)?;
        if !self.created.contains(&account) && contract_info(&account)?.is_none() {
            response.message(&self.settings.create_with("xvm account", &salt));
            self.created.push(account.clone());
        }
        Ok(account)
    }

    fn step(&self, request_id: &Word, request: &Request, slot: Word, caller: &str) -> Step {
        Step {
            request_id: *request_id,
            sender: request.sender.clone(),
            source_gateway: request.source_gateway.clone(),
            payee: self.payee,
            slot,
            return_limit: request.return_limit,
            caller: caller.to_string(),
        }
    }

    /// Why a request is passed over, as an error's name. Reads only.
    fn skip_reason(&self, request_id: &Word, request: &Request) -> Result<Option<&'static str>> {
        // SECURITY: a certificate is good at the gateway that it names, but a batch may hold requests for any
        if request.destination_gateway != self.own || request.mode != CALL {
            return Ok(Some("WrongGateway"));
        }
        if !erc7930::is_here(self.env, &request.target)? {
            return Ok(Some("WrongChain"));
        }
        // SECURITY: signers certify what a gateway emitted, the owner says which gateways count
        match routes::inbound(self.env, &keccak256(&request.source_gateway)) {
            Inbound::Unregistered => return Ok(Some("UnregisteredSourceGateway")),
            Inbound::Paused if !self.is_expiring => return Ok(Some("InboundPaused")),
            _ => {}
        }
        // SECURITY: at most once, whichever attempt consumed it
        if slots::read(request_id).is_some() {
            return Ok(Some("AlreadyConsumed"));
        }
        let earlier = slots::earlier(request);
        if matches!(&earlier, Some(word) if slots::names(word, request_id)) {
            return Ok(Some("AlreadyConsumed"));
        }
        if self.env.time > request.expiry {
            return Ok(None);
        }
        if self.is_expiring {
            return Ok(Some("NotExpired"));
        }
        // a duplicate runs nothing and waits for nobody
        if slots::is_taken(&earlier) {
            return Ok(None);
        }
        let predecessor = &request.ordered_after;
        let is_first = *predecessor <= of_u64(FIRST_ORDERED);
        if !is_first && slots::read(predecessor).is_none() && !slots::is_lapsed(predecessor) {
            return Ok(Some("PredecessorOpen"));
        }
        Ok(None)
    }

    /// The target's address, or nothing if it may not or cannot be called. SECURITY: our own contracts, which are this gateway and what
    /// it created, are nobody's targets, whatever they would make of it.
    fn reachable_target(&self, request: &Request) -> Result<Option<String>> {
        let canonical = match erc7930::canonical_of(self.env, &request.target)? {
            Some(canonical) => canonical,
            None => return Ok(None),
        };
        let target = chain::humanize(canonical)?;
        if target == self.env.contract {
            return Ok(None);
        }
        let info = match contract_info(&target)? {
            Some(info) if info.creator != self.env.contract => info,
            _ => return Ok(None),
        };
        if request.code_hash != ZERO && checksum(info.code_id)? != request.code_hash {
            return Ok(None);
        }
        Ok(Some(target))
    }
}

/// What a call may use besides its target's limit.
fn own_gas(request: &Request) -> u64 {
    CALL_GAS + request.payload.len() as u64 * PAYLOAD_BYTE_GAS + u64::from(request.return_limit) * RETURN_BYTE_GAS
}

fn duplicate_of(earlier: &Word) -> Conclusion {
    Conclusion { kind: kind::DUPLICATE, cut: false, return_data: earlier.to_vec() }
}

impl Step {
    fn conclude(&self, conclusion: Conclusion, response: &mut Response) {
        conclude(&self.request_id, &self.source_gateway, &self.payee, conclusion, response);
    }
}

/// The receipt.
fn conclude(request_id: &Word, source_gateway: &[u8], payee: &Word, conclusion: Conclusion, response: &mut Response) {
    response.event(
        Event::new("XVMCallConcluded")
            .hex("request_id", request_id)
            .hex("source_gateway_hash", &keccak256(source_gateway))
            .hex("source_gateway", source_gateway)
            .value("kind", conclusion.kind)
            .value("cut", conclusion.cut)
            .base64("return_data", &conclusion.return_data)
            .hex("payee", payee),
    );
}
