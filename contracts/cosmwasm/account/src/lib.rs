//! The contract that calls targets for its gateway: the executor, or a remote sender's own account. It keeps who created it and
//! nothing else. SECURITY: the gateway calls no target itself, or a request could forge what the gateway alone may say.

use xvm_common::entry::{answer, given, Info};
use xvm_common::failure::{refuse_with, Result};
use xvm_common::fields::Fields;
use xvm_common::reply::Reply;
use xvm_common::response::{call, ReplyOn, Response};
use xvm_common::{chain, json};

const CREATOR: &[u8] = b"creator";

/// The one submessage of a call.
const TARGET: u64 = 1;

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

/// A failing target gets no reply: its failure is this call's, and the gateway's reply sees it.
#[no_mangle]
unsafe extern "C" fn reply(_env: u32, reply: u32) -> u32 {
    let reply = given(reply);
    answer(|| {
        let reply = Reply::read(&reply)?;
        let mut response = Response::new();
        if let Ok(data) = reply.result {
            response.data(data);
        }
        Ok(response.finish())
    })
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
    body.finish()?;
    let mut response = Response::new();
    response.submessage(TARGET, &call(&target, &data), Some(gas_limit), ReplyOn::Success);
    Ok(response.finish())
}
