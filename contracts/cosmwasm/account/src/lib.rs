//! The contract that calls targets for its gateway: the executor, or a remote sender's own account. It keeps who created it and
//! nothing else. SECURITY: the gateway calls no target itself, or a request could forge what the gateway alone may say.

use xvm_common::entry::{answer, given, Info};
use xvm_common::failure::{refuse_with, Result};
use xvm_common::fields::{where_given, Fields};
use xvm_common::json_text::Object;
use xvm_common::reply::Reply;
use xvm_common::response::{call, ReplyOn, Response};
use xvm_common::word::Word;
use xvm_common::{chain, json};

const CREATOR: &[u8] = b"creator";

#[no_mangle]
unsafe extern "C" fn instantiate(_env: u32, info: u32, _message: u32) -> u32 {
    let info = given(info);
    answer(|| {
        let info = Info::read(&info)?;
        chain::write(CREATOR, info.sender.as_bytes());
        Ok(Response::new().finish())
    })
}

#[no_mangle]
unsafe extern "C" fn execute(_env: u32, info: u32, message: u32) -> u32 {
    let (info, message) = (given(info), given(message));
    answer(|| run(&Info::read(&info)?, &message))
}

/// The target succeeded: its answer goes to the gateway, cut at the limit, which is the reply's id. A failing target gets no reply:
/// its failure is this call's, as is what there is too little gas for here.
#[no_mangle]
unsafe extern "C" fn reply(_env: u32, reply: u32) -> u32 {
    let reply = given(reply);
    answer(|| conclude(&reply))
}

fn conclude(reply: &[u8]) -> Result<String> {
    let Reply { id: return_limit, result } = Reply::read(reply)?;
    let mut return_data = result.unwrap_or_default();
    // SECURITY: a target decides how much it answers, but not how much of it is told
    let cut = return_data.len() as u64 > return_limit;
    return_data.truncate(return_limit as usize);
    let body = Object::new().flag("cut", cut).base64("return_data", &return_data).finish();
    let message = Object::new().raw("conclude", &body).finish();
    let creator = chain::read(CREATOR).unwrap_or_default();
    let mut response = Response::new();
    response.message(&call(&String::from_utf8_lossy(&creator), message.as_bytes()));
    Ok(response.finish())
}

fn run(info: &Info, message: &[u8]) -> Result<String> {
    // SECURITY: targets take this contract's calls for the gateway's, or for its sender's
    if chain::read(CREATOR).as_deref() != Some(info.sender.as_bytes()) {
        return refuse_with("OnlyGateway", &info.sender);
    }
    let mut message = Fields::of(json::parse(message)?)?;
    let mut body = message.fields("call")?;
    message.finish()?;
    let (target, data, gas_limit) = (body.text("target")?, body.base64("msg")?, body.u64("gas_limit")?);
    let return_limit = body.u32("return_limit")?;
    let code_hash = where_given(body.word("code_hash"))?;
    body.finish()?;
    let mut response = Response::new();
    // SECURITY: looked at when nothing can come in between: a call before this one may have had the target migrated
    if matches!(code_hash, Some(code_hash) if code_of(&target)? != Some(code_hash)) {
        response.message(&call(&info.sender, br#"{"conclude_unreached":{}}"#));
        return Ok(response.finish());
    }
    response.submessage(u64::from(return_limit), &call(&target, &data), Some(gas_limit), ReplyOn::Success);
    Ok(response.finish())
}

/// The checksum of a contract's code, or nothing if there is no contract.
fn code_of(target: &str) -> Result<Option<Word>> {
    match chain::contract_info(target)? {
        Some(info) => chain::checksum(info.code_id).map(Some),
        None => Ok(None),
    }
}
