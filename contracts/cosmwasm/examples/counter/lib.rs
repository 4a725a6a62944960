//! A contract to call: a counter that anybody raises. It answers with the count or as much as is asked for, and fails when asked to.
//!
//! Messages: `{"increment":{"by":"5"}}`, `{"fail":{"code":7}}`, `{"answer":{"length":300}}`, `{"burn":{}}`, which never ends by itself.
//! Queries: `{"count":{}}`, answered by `{"count":"5"}`; `fail` and `answer`, which gives a text.

use xvm_common::entry::{answer, answer_query, given};
use xvm_common::failure::{refuse, refuse_with, Result};
use xvm_common::fields::Fields;
use xvm_common::json_text::Object;
use xvm_common::response::{Event, Response};
use xvm_common::{chain, json, json_text};

const COUNT: &[u8] = b"count";

#[no_mangle]
unsafe extern "C" fn instantiate(_env: u32, _info: u32, _message: u32) -> u32 {
    answer(|| Ok(Response::new().finish()))
}

#[no_mangle]
unsafe extern "C" fn execute(_env: u32, _info: u32, message: u32) -> u32 {
    answer(|| {
        let message = given(message);
        let (name, body) = Fields::of(json::parse(&message)?)?.only()?;
        let mut body = Fields::of(body)?;
        match &*name {
            "increment" => {
                let by = body.u64("by")?;
                body.finish()?;
                increment(by)
            }
            "fail" => refuse_with("CounterFails", body.u32("code")?),
            "answer" => {
                let mut response = Response::new();
                response.data(text_of(body.u16("length")?).into_bytes());
                body.finish()?;
                Ok(response.finish())
            }
            "burn" => {
                body.finish()?;
                burn()
            }
            _ => refuse_with("UnknownMessage", name),
        }
    })
}

#[no_mangle]
unsafe extern "C" fn query(_env: u32, message: u32) -> u32 {
    answer_query(|| {
        let message = given(message);
        let (name, body) = Fields::of(json::parse(&message)?)?.only()?;
        match &*name {
            "count" => {
                Fields::of(body)?.finish()?;
                Ok(shown(count()))
            }
            "fail" => refuse_with("CounterFails", Fields::of(body)?.u32("code")?),
            "answer" => Ok(json_text::quote(&text_of(Fields::of(body)?.u16("length")?))),
            _ => refuse_with("UnknownQuery", name),
        }
    })
}

fn increment(by: u64) -> Result<String> {
    let count = match count().checked_add(by) {
        Some(count) => count,
        None => return refuse("CounterOverflow"),
    };
    chain::write(COUNT, &count.to_be_bytes());
    let mut response = Response::new();
    response.event(Event::new("counted").value("count", count));
    response.data(shown(count).into_bytes());
    Ok(response.finish())
}

/// Reads until there is no gas.
fn burn() -> ! {
    loop {
        count();
    }
}

fn text_of(length: u16) -> String {
    "x".repeat(length.into())
}

fn count() -> u64 {
    match chain::read(COUNT).and_then(|kept| kept.try_into().ok()) {
        Some(kept) => u64::from_be_bytes(kept),
        None => 0,
    }
}

fn shown(count: u64) -> String {
    Object::new().decimal("count", count).finish()
}
