//! A contract that pays cw20 tokens of its own out to whom any caller says: it shows how a failure two contracts deep comes home. Left
//! to itself the token's failure is this contract's, in the token's words. `"watches":true` asks for a reply to it instead, which
//! fails as well: what a reply fails with, the chain tells other contracts as a code alone.
//!
//! Message: `{"pay":{"token":"…","recipient":"…","amount":"5","watches":false}}`.

use xvm_common::entry::{answer, given};
use xvm_common::failure::{refuse, refuse_with};
use xvm_common::fields::Fields;
use xvm_common::json;
use xvm_common::json_text::Object;
use xvm_common::reply::Reply;
use xvm_common::response::{call, ReplyOn, Response};

/// The one submessage of `pay`.
const TRANSFER: u64 = 1;

#[no_mangle]
unsafe extern "C" fn instantiate(_env: u32, _info: u32, _message: u32) -> u32 {
    answer(|| Ok(Response::new().finish()))
}

#[no_mangle]
unsafe extern "C" fn execute(_env: u32, _info: u32, message: u32) -> u32 {
    answer(|| {
        let message = given(message);
        let (name, body) = Fields::of(json::parse(&message)?)?.only()?;
        if name != "pay" {
            return refuse_with("UnknownMessage", name);
        }
        let mut body = Fields::of(body)?;
        let (token, recipient, amount) = (body.address("token")?, body.address("recipient")?, body.u128("amount")?);
        let reply_on = if body.flag("watches")? { ReplyOn::Failure } else { ReplyOn::Never };
        body.finish()?;
        let transfer = Object::new().text("recipient", &recipient).decimal("amount", amount).finish();
        let message = Object::new().raw("transfer", &transfer).finish();
        let mut response = Response::new();
        response.submessage(TRANSFER, &call(&token, message.as_bytes()), None, reply_on);
        Ok(response.finish())
    })
}

/// The token refused, and the chain has undone what it did: that is this contract's failure as well.
#[no_mangle]
unsafe extern "C" fn reply(_env: u32, reply: u32) -> u32 {
    answer(|| match Reply::read(&given(reply))?.result {
        Err(reason) => refuse_with("NotPaid", reason),
        Ok(_) => refuse("UnknownReply"),
    })
}
