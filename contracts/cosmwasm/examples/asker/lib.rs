//! A contract that asks: it has the gateway make a request to another chain, pays with what its caller sent, and writes down what
//! comes back.
//!
//! Messages: `{"ask":{"target":"0x…","payload":"…","options":{…},"fails_callback":false}}`, `xvm_callback` from the gateway. Queries:
//! `{"told":{"request_id":"0x…"}}`, `{"callbacks":{}}`. `options` are the gateway's own; its answer to `ask` is the request id.

use xvm_common::entry::{answer, answer_query, given, Coin, Info};
use xvm_common::failure::{refuse, refuse_with, Result};
use xvm_common::fields::{where_given, Fields};
use xvm_common::json_text::Object;
use xvm_common::reply::Reply;
use xvm_common::response::{call_paying, Event, ReplyOn, Response};
use xvm_common::word::Word;
use xvm_common::{chain, json};

const GATEWAY: &[u8] = b"gateway";
const CALLBACKS: &[u8] = b"callbacks";

/// Whether the callback of the request that is being made will fail.
const FAILS_NEXT: &[u8] = b"fails_next";

/// The one submessage of `ask`.
const REQUEST: u64 = 1;

/// What it keeps of a request, before its callback (`AWAITED`, `FAILS`) and after (the answer).
const AWAITED: &[u8] = b"a";
const FAILS: &[u8] = b"f";

/// `gateway`: whom it asks, and whose callbacks alone it believes.
#[no_mangle]
unsafe extern "C" fn instantiate(_env: u32, _info: u32, message: u32) -> u32 {
    answer(|| {
        let message = given(message);
        let mut fields = Fields::of(json::parse(&message)?)?;
        let gateway = fields.address("gateway")?;
        fields.finish()?;
        chain::write(GATEWAY, gateway.as_bytes());
        Ok(Response::new().finish())
    })
}

#[no_mangle]
unsafe extern "C" fn execute(_env: u32, info: u32, message: u32) -> u32 {
    answer(|| {
        let (info, message) = (Info::read(&given(info))?, given(message));
        let (name, body) = Fields::of(json::parse(&message)?)?.only()?;
        match &*name {
            "ask" => ask(&info.funds, &message, Fields::of(body)?),
            "xvm_callback" => take_callback(&info.sender, Fields::of(body)?),
            _ => refuse_with("UnknownMessage", name),
        }
    })
}

/// The gateway took the request: its id is the answer.
#[no_mangle]
unsafe extern "C" fn reply(_env: u32, reply: u32) -> u32 {
    answer(|| {
        let reply = Reply::read(&given(reply))?;
        let request_id: Word = match reply.result {
            Ok(data) => data.try_into().or_else(|_| refuse("MalformedAnswer"))?,
            Err(reason) => return refuse_with("NotAsked", reason),
        };
        let fails = chain::read(FAILS_NEXT).is_some();
        chain::remove(FAILS_NEXT);
        chain::write(&place(&request_id), if fails { FAILS } else { AWAITED });
        let mut response = Response::new();
        response.event(Event::new("asked").hex("request_id", &request_id));
        response.data(request_id.to_vec());
        Ok(response.finish())
    })
}

#[no_mangle]
unsafe extern "C" fn query(_env: u32, message: u32) -> u32 {
    answer_query(|| {
        let message = given(message);
        let (name, body) = Fields::of(json::parse(&message)?)?.only()?;
        let mut body = Fields::of(body)?;
        let answer = match &*name {
            "told" => match chain::read(&place(&body.word("request_id")?)) {
                Some(kept) if kept != AWAITED && kept != FAILS => String::from_utf8_lossy(&kept).into_owned(),
                _ => "null".to_string(),
            },
            "callbacks" => Object::new().decimal("count", callbacks()).finish(),
            _ => return refuse_with("UnknownQuery", name),
        };
        body.finish()?;
        Ok(answer)
    })
}

fn ask(funds: &[Coin], message: &[u8], mut body: Fields) -> Result<String> {
    // The options go on as they were written; the gateway reads them.
    let written = json::slice(message, "ask")?.unwrap_or(b"{}");
    let options = json::slice(written, "options")?.unwrap_or(b"{}");
    body.optional("options");
    let request = Object::new()
        .hex("target", &body.hex("target")?)
        .base64("payload", &body.base64("payload")?)
        .raw("options", &String::from_utf8_lossy(options))
        .finish();
    if where_given(body.flag("fails_callback"))?.unwrap_or(false) {
        chain::write(FAILS_NEXT, b"1");
    }
    body.finish()?;
    let gateway = chain::read(GATEWAY).unwrap_or_default();
    let asking = Object::new().raw("xvm_execute", &request).finish();
    let mut response = Response::new();
    let paid = call_paying(&String::from_utf8_lossy(&gateway), asking.as_bytes(), funds);
    response.submessage(REQUEST, &paid, None, ReplyOn::Success);
    Ok(response.finish())
}

fn take_callback(sender: &str, mut body: Fields) -> Result<String> {
    // SECURITY: anybody can send this message; what the gateway did not send came from nowhere
    if chain::read(GATEWAY).as_deref() != Some(sender.as_bytes()) {
        return refuse_with("OnlyGateway", sender);
    }
    let (request_id, success, data) = (body.word("request_id")?, body.flag("success")?, body.base64("return_data")?);
    body.finish()?;
    match chain::read(&place(&request_id)).as_deref() {
        Some(kept) if kept == AWAITED => {}
        Some(kept) if kept == FAILS => return refuse("CallbackFails"),
        _ => return refuse("NotAwaited"),
    }
    let told = Object::new().flag("success", success).base64("return_data", &data).finish();
    chain::write(&place(&request_id), told.as_bytes());
    chain::write(CALLBACKS, &(callbacks() + 1).to_be_bytes());
    let mut response = Response::new();
    response.event(Event::new("told").hex("request_id", &request_id).value("success", success).base64("return_data", &data));
    Ok(response.finish())
}

fn place(request_id: &Word) -> Vec<u8> {
    [b"request/", &request_id[..]].concat()
}

fn callbacks() -> u64 {
    match chain::read(CALLBACKS).and_then(|kept| kept.try_into().ok()) {
        Some(kept) => u64::from_be_bytes(kept),
        None => 0,
    }
}
