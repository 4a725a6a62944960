//! A contract for the gateway's tests: is called, asks, is called back, misbehaves. It remembers who called it last, and what the
//! gateway then said of the current request.

use xvm_common::entry::{answer, answer_query, given, Env, Info};
use xvm_common::failure::{refuse_with, Result};
use xvm_common::fields::{where_given, Fields};
use xvm_common::json_text::{list, Object};
use xvm_common::response::{Event, ReplyOn, Response};
use xvm_common::{base64, chain, json};

const GATEWAY: &[u8] = b"gateway";
const CALLERS: &[u8] = b"callers";
const CALLBACKS: &[u8] = b"callbacks";
const IS_CLOSED: &[u8] = b"is_closed";
const CALLED_BACK: &[u8] = b"called_back";

/// `gateway`: whom it asks what the current request is; nobody if left out.
#[no_mangle]
unsafe extern "C" fn instantiate(_env: u32, _info: u32, message: u32) -> u32 {
    let message = given(message);
    answer(|| {
        let mut fields = Fields::of(json::parse(&message)?)?;
        if let Some(gateway) = where_given(fields.text("gateway"))? {
            chain::write(GATEWAY, gateway.as_bytes());
        }
        fields.finish()?;
        Ok(Response::new().finish())
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

/// Of a submessage: whatever it came to is fine.
#[no_mangle]
unsafe extern "C" fn reply(_env: u32, reply: u32) -> u32 {
    let reply = given(reply);
    answer(|| {
        let mut response = Response::new();
        let failed = json::slice(json::slice(&reply, "result")?.unwrap_or(b"{}"), "error")?.is_some();
        response.event(Event::new("probed").value("failed", failed));
        Ok(response.finish())
    })
}

#[no_mangle]
unsafe extern "C" fn query(_env: u32, message: u32) -> u32 {
    let message = given(message);
    answer_query(|| {
        let (name, _) = Fields::of(json::parse(&message)?)?.only()?;
        match &*name {
            "callers" => Ok(list(&records(CALLERS))),
            "callbacks" => Ok(list(&records(CALLBACKS))),
            _ => refuse_with("UnknownQuery", name),
        }
    })
}

fn act(env: &Env, info: &Info, name: &str, mut body: Fields, response: &mut Response) -> Result<()> {
    match name {
        // answers with `data`, `size` times
        "answer" => {
            let data = body.base64("data")?;
            let size = where_given(body.u32("size"))?.unwrap_or(1);
            remember(info)?;
            response.data(data.repeat(size as usize));
        }
        "fail" => return refuse_with("ProbeFails", body.text("text")?),
        "panic" => panic!("probe panics"),
        "burn" => {
            let mut number = 0u64;
            loop {
                number = number.wrapping_add(1);
                chain::write(b"burnt", &number.to_be_bytes());
            }
        }
        // emits `count` events of `size` characters
        "flood" => {
            let (count, size) = (body.u32("count")?, body.u32("size")?);
            for _ in 0..count {
                response.event(Event::new("flood").text("water", &"~".repeat(size as usize)));
            }
        }
        // sends messages that are JSON of a CosmosMsg; what fails fails alone if `guarded`
        "send" => {
            let is_guarded = body.flag("guarded")?;
            let gas_limit = where_given(body.u64("gas_limit"))?;
            for message in body.list("messages")? {
                let message = base64::decode(message.text()?)?;
                let reply_on = if is_guarded { ReplyOn::Always } else { ReplyOn::Never };
                response.submessage(1 << 32, &String::from_utf8_lossy(&message), gas_limit, reply_on);
            }
            remember(info)?;
        }
        // refuses callers from now on, or no longer
        "close" => match body.flag("closed")? {
            true => chain::write(IS_CLOSED, b"1"),
            false => chain::remove(IS_CLOSED),
        },
        "knock" => {
            if chain::read(IS_CLOSED).is_some() {
                return refuse_with("ProbeIsClosed", &env.contract);
            }
            remember(info)?;
        }
        // does what `act`, a message to itself, says, or while it refuses callers nothing
        "when_open" => {
            let message = body.base64("act")?;
            if chain::read(IS_CLOSED).is_none() {
                let (name, inner) = Fields::of(json::parse(&message)?)?.only()?;
                act(env, info, &name, Fields::of(inner)?, response)?;
            }
        }
        // does what `act`, a message to itself, says whenever it is called back
        "when_called_back" => chain::write(CALLED_BACK, &body.base64("act")?),
        "xvm_callback" => {
            let (request_id, success) = (body.word("request_id")?, body.flag("success")?);
            let return_data = body.base64("return_data")?;
            if chain::read(IS_CLOSED).is_some() {
                return refuse_with("ProbeIsClosed", &env.contract);
            }
            let record = Object::new()
                .text("sender", &info.sender)
                .hex("request_id", &request_id)
                .flag("success", success)
                .base64("return_data", &return_data)
                .finish();
            add(CALLBACKS, &record);
            if let Some(message) = chain::read(CALLED_BACK) {
                let (name, inner) = Fields::of(json::parse(&message)?)?.only()?;
                act(env, info, &name, Fields::of(inner)?, response)?;
            }
        }
        _ => return refuse_with("UnknownMessage", name),
    }
    body.finish()
}

/// Keeps who calls, and what the gateway says is the current request.
fn remember(info: &Info) -> Result<()> {
    let mut record = Object::new().text("sender", &info.sender);
    if let Some(gateway) = chain::read(GATEWAY) {
        let gateway = String::from_utf8_lossy(&gateway).into_owned();
        let smart = Object::new().text("contract_addr", &gateway).base64("msg", b"{\"current_request\":{}}").finish();
        let question = Object::new().raw("wasm", &Object::new().raw("smart", &smart).finish()).finish();
        let answer = chain::ask(&question)?.unwrap_or_default();
        record = record.raw("current", &String::from_utf8_lossy(&answer));
    }
    add(CALLERS, &record.finish());
    Ok(())
}

fn add(key: &[u8], record: &str) {
    let mut kept = records(key);
    kept.push(record.to_string());
    chain::write(key, kept.join("\n").as_bytes());
}

fn records(key: &[u8]) -> Vec<String> {
    let kept = chain::read(key).unwrap_or_default();
    String::from_utf8_lossy(&kept).lines().map(|line| line.to_string()).collect()
}
