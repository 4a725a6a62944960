//! The gateway of XVM on CosmWasm: which message is whose. Both sides are one contract: `source` and what it stands on makes
//! requests and takes outcomes, `destination` consumes requests, `epochs` keeps the signers that both believe.

mod batches;
mod certificates;
mod control;
mod credits;
mod delivering;
mod destination;
mod domain;
mod epochs;
mod erc7930;
mod flight;
mod merkle;
mod offices;
mod packed;
mod pending;
mod pricing;
mod request;
mod routes;
mod senders;
mod settings;
mod signer_set;
mod slots;
mod source;
mod statements;

use xvm_common::entry::{answer, answer_query, given, Env, Info};
use xvm_common::failure::{refuse_with, Result};
use xvm_common::fields::Fields;
use xvm_common::json;
use xvm_common::reply::Reply;
use xvm_common::response::Response;

/// Chains that know neither `instantiate2` nor what code a contract has do not store this one.
#[no_mangle]
extern "C" fn requires_cosmwasm_1_2() {}

#[no_mangle]
unsafe extern "C" fn instantiate(env: u32, info: u32, message: u32) -> u32 {
    let (env, info, message) = (given(env), given(info), given(message));
    answer(|| {
        let mut response = Response::new();
        let fields = Fields::of(json::parse(&message)?)?;
        settings::instantiate(&Env::read(&env)?, &Info::read(&info)?, fields, &mut response)?;
        Ok(response.finish())
    })
}

#[no_mangle]
unsafe extern "C" fn execute(env: u32, info: u32, message: u32) -> u32 {
    let (env, info, message) = (given(env), given(info), given(message));
    answer(|| {
        let mut response = Response::new();
        let (name, body) = Fields::of(json::parse(&message)?)?.only()?;
        act(&Env::read(&env)?, &Info::read(&info)?, &name, Fields::of(body)?, &mut response)?;
        Ok(response.finish())
    })
}

#[no_mangle]
unsafe extern "C" fn reply(_env: u32, reply: u32) -> u32 {
    let reply = given(reply);
    answer(|| {
        let mut response = Response::new();
        finish(Reply::read(&reply)?, &mut response)?;
        Ok(response.finish())
    })
}

#[no_mangle]
unsafe extern "C" fn migrate(_env: u32, message: u32) -> u32 {
    let message = given(message);
    answer(|| {
        settings::migrate(Fields::of(json::parse(&message)?)?)?;
        Ok(Response::new().finish())
    })
}

#[no_mangle]
unsafe extern "C" fn query(env: u32, message: u32) -> u32 {
    let (env, message) = (given(env), given(message));
    answer_query(|| {
        let (name, body) = Fields::of(json::parse(&message)?)?.only()?;
        tell(&Env::read(&env)?, &name, Fields::of(body)?)
    })
}

/// Each message reads its fields to the last (`Fields::finish`), then acts; what it has to say goes into the response.
fn act(env: &Env, info: &Info, name: &str, body: Fields, response: &mut Response) -> Result<()> {
    if !matches!(name, "xvm_execute" | "add_fee" | "retry") {
        credits::require_unpaid(info)?;
    }
    match name {
        "xvm_execute" => source::xvm_execute(env, info, body, response),
        "add_fee" => source::add_fee(info, body, response),
        "cancel" => source::cancel(env, info, body, response),
        "retry" => source::retry(env, info, body, response),
        "reclaim" => source::reclaim(env, body, response),
        "deliver" => delivering::deliver(env, info, body, response),
        "retry_callback" => delivering::retry_callback(env, info, body, response),
        "call_back" => delivering::call_back(env, info, body, response),
        "withdraw" => credits::withdraw(info, body, response),
        "collect" => credits::collect(body, response),
        "set_sender_limit" => senders::set_sender_limit(info, body, response),
        "set_outbound" => routes::set_outbound(info, body, response),
        "remove_outbound" => routes::remove_outbound(info, body, response),
        "set_price" => routes::set_price(env, info, body, response),
        "set_inbound" => routes::set_inbound(info, body, response),
        "pause_outbound" => routes::pause_outbound(env, info, body, response),
        "unpause_outbound" => routes::unpause_outbound(info, body, response),
        "pause_inbound" => routes::pause_inbound(env, info, body, response),
        "unpause_inbound" => routes::unpause_inbound(info, body, response),
        "pause" => control::pause(env, info, body, response),
        "unpause" => control::unpause(env, info, body, response),
        "set_offices" => offices::set_offices(info, body, response),
        "transfer_ownership" => offices::transfer_ownership(info, body, response),
        "accept_ownership" => offices::accept_ownership(info, body, response),
        "migrate" => offices::migrate(env, info, body, response),
        "execute" => destination::execute(env, info, body, response),
        "conclude" => destination::conclude_call(info, body, response),
        "conclude_unreached" => destination::conclude_unreached(info, body, response),
        "conclude_duplicate" => destination::conclude_duplicate(env, info, body, response),
        "expire" => destination::expire(env, body, response),
        "show_lapsed" => destination::show_lapsed(env, body, response),
        "rotate" => epochs::rotate(env, body, response),
        "install" => epochs::install(env, info, body, response),
        _ => refuse_with("UnknownMessage", name),
    }
}

/// The high half of a reply's id says whose submessage it was, the low half which. SECURITY: only the chain calls this, only for
/// what this contract sent; what nobody here waits for is refused all the same.
fn finish(reply: Reply, response: &mut Response) -> Result<()> {
    let number = reply.id as u32;
    match reply.id >> 32 {
        destination::REPLY_SPACE => destination::reply(number, reply, response),
        delivering::REPLY_SPACE => delivering::reply(number, response),
        _ => refuse_with("UnknownReply", reply.id),
    }
}

/// Each query answers with JSON.
fn tell(env: &Env, name: &str, body: Fields) -> Result<String> {
    match name {
        "config" => settings::config(env, body),
        "outbound" => routes::outbound_query(env, body),
        "price" => routes::price_query(body),
        "inbound" => routes::inbound_query(env, body),
        "quote" => source::quote_query(env, body),
        "last_ordered" => source::last_ordered(body),
        "pending_request" => pending::pending_request(env, body),
        "next_nonce" => senders::next_nonce(body),
        "sender_limit" => senders::sender_limit(body),
        "credits" => credits::credits(body),
        "signers_pool" => credits::signers_pool(body),
        "pausings" => control::pausings(env, body),
        "current_request" => destination::current_request(body),
        "account_of" => destination::account_of(env, body),
        "consumed" => slots::tell_consumed(body),
        "is_lapsed" => slots::tell_lapsed(body),
        "current_epoch" => epochs::current_epoch(body),
        "signer_set" => epochs::signer_set(body),
        _ => refuse_with("UnknownQuery", name),
    }
}
