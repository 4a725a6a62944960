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
use xvm_common::failure::{refuse_with, Result};
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

/// What became of the call of step `number`; then of duplicates of it that come next.
/// Errors: `UnknownReply`.
pub fn reply(number: u32, reply: Reply, response: &mut Response) -> Result<()> {
    let step = flight::finish(number)?;
    let (kind, mut return_data) = match reply.result {
        Ok(data) => (kind::EXECUTED, data),
        Err(text) => (kind::REVERTED, text.into_bytes()),
    };
    if kind != kind::EXECUTED {
        slots::write(&step.slot, &slots::word(kind, &step.request_id));
    }
    // SECURITY: a target decides how much it answers, but not how much of it is told
    let cut = return_data.len() > step.return_limit as usize;
    return_data.truncate(step.return_limit as usize);
    conclude(&step.request_id, &step.source_gateway, &step.payee, Conclusion { kind, cut, return_data }, response);
    while let Some(step) = flight::finish_duplicate() {
        let earlier = slots::read(&step.slot).unwrap_or(ZERO);
        conclude(&step.request_id, &step.source_gateway, &step.payee, duplicate_of(&earlier), response);
    }
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
                self.plan.add(&self.step(request_id, request, request.origin, true));
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
        let number = self.plan.add(&self.step(request_id, request, slot, false));
        let caller = if request.own_account {
            self.own_account(&request.sender, response)?
        } else {
            self.settings.executor(self.env)?
        };
        let body = Object::new()
            .text("target", target)
            .base64("msg", &request.payload)
            .decimal("gas_limit", request.execution_gas_limit);
        let message = Object::new().raw("call", &body.finish()).finish();
        let id = REPLY_SPACE << 32 | number as u64;
        response.submessage(id, &call(&caller, message.as_bytes()), None, ReplyOn::Always);
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

    fn step(&self, request_id: &Word, request: &Request, slot: Word, is_duplicate: bool) -> Step {
        Step {
            request_id: *request_id,
            sender: request.sender.clone(),
            source_gateway: request.source_gateway.clone(),
            payee: self.payee,
            slot,
            return_limit: request.return_limit,
            is_duplicate,
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

fn duplicate_of(earlier: &Word) -> Conclusion {
    Conclusion { kind: kind::DUPLICATE, cut: false, return_data: earlier.to_vec() }
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
