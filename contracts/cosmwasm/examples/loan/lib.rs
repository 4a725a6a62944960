//! Loans of a token on an EVM chain against coins that are locked here. Results move between the chains, assets never: the collateral
//! stays in this contract until the other chain says that nothing is owed.
//!
//! `borrow`: locks, and asks the lender's contract to pay out (CALL). Paid out: lent. Any other outcome: unlocked.
//! `settle`: asks the lender's contract how the loan stands (QUERY). Repaid: unlocked.
//! `give_up`: for want of an answer. What became of a loan that may or may not have been paid out, `settle` tells.
//!
//! Messages: `{"open":{"lender":"0x…"}}`, `{"borrow":{"amount":"…","recipient":"0x…"}}`, `{"settle":{"loan":"1"}}`,
//! `{"give_up":{"loan":"1","request":{…}}}`, `xvm_callback` from the gateway. Queries: `{"terms":{}}`, `{"loan":{"loan":"1"}}`, which
//! answers null for one that has ended.

mod book;

use book::{Loan, Status, Terms};
use xvm_common::entry::{answer, answer_query, given, Coin, Env, Info};
use xvm_common::failure::{detailed, refuse, refuse_with, Result};
use xvm_common::fields::{decimal, Fields};
use xvm_common::json_text::Object;
use xvm_common::reply::Reply;
use xvm_common::response::{call, call_paying, pay, Event, ReplyOn, Response};
use xvm_common::word::{of_u64, Word};
use xvm_common::{chain, json};

/// `lend(bytes32,address,uint256)` and `status(bytes32)` of the lender's contract.
const LEND: [u8; 4] = [0xd0, 0x32, 0x83, 0xdd];
const STATUS: [u8; 4] = [0x52, 0xad, 0x0d, 0x5e];

/// As the lender's contract numbers them.
const REMOTE_NONE: u64 = 0;
const REMOTE_LENT: u64 = 1;
const REMOTE_REPAID: u64 = 2;

const CALL: u32 = 0;
const QUERY: u32 = 1;

/// The submessages: the gateway takes a question, or gives one up.
const ASKED: u64 = 1;
const GIVEN_UP: u64 = 2;

/// `gateway`: whom it asks, and whose callbacks alone it believes. `units_per_coin`: of the lender's token's smallest unit, what one of
/// the gateway's coin is good for. Who creates this contract names the lender, once.
#[no_mangle]
unsafe extern "C" fn instantiate(_env: u32, info: u32, message: u32) -> u32 {
    answer(|| {
        let (info, message) = (Info::read(&given(info))?, given(message));
        let mut fields = Fields::of(json::parse(&message)?)?;
        let (gateway, units_per_coin) = (fields.address("gateway")?, fields.u128("units_per_coin")?);
        fields.finish()?;
        if units_per_coin == 0 {
            return refuse_with("OutOfBounds", "units_per_coin");
        }
        let config = ask_contract(&gateway, "{\"config\":{}}")?;
        let denomination = json::parse(&config)?.member("fee_denom")?.text()?.to_string();
        Terms { gateway, creator: info.sender, denomination, units_per_coin, lender: Vec::new() }.save();
        Ok(Response::new().finish())
    })
}

#[no_mangle]
unsafe extern "C" fn execute(env: u32, info: u32, message: u32) -> u32 {
    answer(|| {
        let (env, info, message) = (Env::read(&given(env))?, Info::read(&given(info))?, given(message));
        let (name, body) = Fields::of(json::parse(&message)?)?.only()?;
        let (body, terms) = (Fields::of(body)?, Terms::load()?);
        match &*name {
            "open" => open(&info, terms, body),
            "borrow" => borrow(&info, &terms, body),
            "settle" => settle(&info, &terms, body),
            "xvm_callback" => take_callback(&info, &terms, body),
            "give_up" => give_up(&env, &info, &terms, &message, body),
            _ => refuse_with("UnknownMessage", name),
        }
    })
}

#[no_mangle]
unsafe extern "C" fn reply(env: u32, reply: u32) -> u32 {
    answer(|| {
        let (env, reply) = (Env::read(&given(env))?, Reply::read(&given(reply))?);
        match (reply.id, reply.result) {
            (ASKED, Ok(data)) => note_question(data),
            (GIVEN_UP, Ok(_)) => hand_fee_back(&env),
            _ => refuse("UnknownReply"),
        }
    })
}

#[no_mangle]
unsafe extern "C" fn query(_env: u32, message: u32) -> u32 {
    answer_query(|| {
        let message = given(message);
        let (name, body) = Fields::of(json::parse(&message)?)?.only()?;
        let mut body = Fields::of(body)?;
        let answer = match &*name {
            "terms" => Terms::load()?.json(),
            "loan" => Loan::find(body.u64("loan")?)?.map_or("null".to_string(), |loan| loan.json()),
            _ => return refuse_with("UnknownQuery", name),
        };
        body.finish()?;
        Ok(answer)
    })
}

/// Names the lender's contract (ERC-7930). SECURITY: another one could say of any loan that it is repaid.
fn open(info: &Info, mut terms: Terms, mut body: Fields) -> Result<String> {
    let lender = body.hex("lender")?;
    body.finish()?;
    if info.sender != terms.creator {
        return refuse_with("OnlyCreator", &info.sender);
    }
    if !terms.lender.is_empty() || lender.is_empty() {
        return refuse("AlreadyOpen");
    }
    terms.lender = lender;
    terms.save();
    Ok(Response::new().finish())
}

/// Locks the collateral and asks for the loan, to be paid out to `recipient` (20 bytes over there).
fn borrow(info: &Info, terms: &Terms, mut body: Fields) -> Result<String> {
    let (amount, recipient) = (body.u128("amount")?, body.hex("recipient")?);
    body.finish()?;
    if amount == 0 || recipient.len() != 20 {
        return refuse_with("OutOfBounds", "amount, recipient");
    }
    let collateral = amount / terms.units_per_coin + u128::from(amount % terms.units_per_coin != 0);
    let loan = Loan {
        id: book::next_id(),
        borrower: info.sender.clone(),
        amount,
        collateral,
        status: Status::Waiting,
        is_asking: true,
        request_id: of_u64(0),
    };
    let mut amount_word = of_u64(0);
    amount_word[16..].copy_from_slice(&amount.to_be_bytes());
    let payload = [&LEND[..], &of_u64(loan.id), &[0; 12], &recipient, &amount_word].concat();
    ask_lender(info, terms, loan, &payload, CALL, collateral)
}

/// Asks how a loan stands; anyone may, and pays for it.
fn settle(info: &Info, terms: &Terms, mut body: Fields) -> Result<String> {
    let mut loan = Loan::require(body.u64("loan")?)?;
    body.finish()?;
    if loan.is_asking {
        return refuse("StillWaiting");
    }
    loan.is_asking = true;
    let payload = [&STATUS[..], &of_u64(loan.id)].concat();
    ask_lender(info, terms, loan, &payload, QUERY, 0)
}

/// Asks the lender's contract about a loan, by the route's defaults. What came along beyond `locked` pays for it, and the rest goes
/// back.
fn ask_lender(info: &Info, terms: &Terms, loan: Loan, payload: &[u8], mode: u32, locked: u128) -> Result<String> {
    if terms.lender.is_empty() {
        return refuse("NotOpen");
    }
    let options = Object::new().number("mode", mode).finish();
    let question = Object::new()
        .hex("target", &terms.lender)
        .number("payload_length", payload.len() as u32)
        .raw("options", &options)
        .finish();
    let quoted = ask_contract(&terms.gateway, &Object::new().raw("quote", &question).finish())?;
    let fee = number(json::parse(&quoted)?.text()?)?;
    // SECURITY: coins of another kind are no collateral
    let paid = match &info.funds[..] {
        [coin] if coin.denomination == terms.denomination => coin.amount,
        _ => return refuse_with("WrongFunds", &terms.denomination),
    };
    let needed = locked.checked_add(fee).unwrap_or(u128::MAX);
    if paid < needed {
        return refuse_with("InsufficientFunds", format!("{needed}, {paid}"));
    }
    loan.save();
    book::note_asking(loan.id);
    let request = Object::new()
        .hex("target", &terms.lender)
        .base64("payload", payload)
        .raw("options", &options)
        .finish();
    let asking = Object::new().raw("xvm_execute", &request).finish();
    let funds = [Coin { denomination: terms.denomination.clone(), amount: fee }];
    let mut response = Response::new();
    response.submessage(ASKED, &call_paying(&terms.gateway, asking.as_bytes(), &funds), None, ReplyOn::Success);
    if paid > needed {
        response.message(&pay(&info.sender, paid - needed, &terms.denomination));
    }
    Ok(response.finish())
}

/// The gateway took the question: its id is how the answer will be known.
fn note_question(data: Vec<u8>) -> Result<String> {
    let mut loan = Loan::require(book::take_asking()?)?;
    loan.request_id = data.try_into().or_else(|_| refuse("MalformedAnswer"))?;
    loan.save();
    let mut response = Response::new();
    response.event(Event::new("loan_asked").value("loan", loan.id).hex("request_id", &loan.request_id));
    response.data(of_u64(loan.id).to_vec());
    book::note_question(&loan.request_id, loan.id);
    Ok(response.finish())
}

/// The callback. An answer of no use is no failure: it would be told again and again, in vain.
fn take_callback(info: &Info, terms: &Terms, mut body: Fields) -> Result<String> {
    // SECURITY: anybody can send this message; what the gateway did not send came from nowhere
    if info.sender != terms.gateway {
        return refuse_with("OnlyGateway", &info.sender);
    }
    let (request_id, success, data) = (body.word("request_id")?, body.flag("success")?, body.base64("return_data")?);
    body.finish()?;
    // SECURITY: or one loan would be unlocked by another's being repaid
    let mut loan = Loan::require(book::take_question(&request_id)?)?;
    loan.is_asking = false;
    if loan.status == Status::Waiting {
        if !success {
            // whatever the outcome but EXECUTED, it is final that nothing was paid out
            return Ok(unlock(terms, &loan));
        }
        loan.status = Status::Lent;
    } else if let (true, Some(remote)) = (success, number_of(&data)) {
        match remote {
            REMOTE_REPAID => return Ok(unlock(terms, &loan)),
            // SECURITY: a loan that is known to be lent is none to a node that has not seen it yet: only what was given up, and can be
            // paid out no more, is unlocked for having never been
            REMOTE_NONE if loan.status == Status::Unknown => return Ok(unlock(terms, &loan)),
            REMOTE_LENT => loan.status = Status::Lent,
            _ => {}
        }
    }
    loan.save();
    Ok(Response::new().finish())
}

/// Ends a loan: the collateral to the borrower.
fn unlock(terms: &Terms, loan: &Loan) -> String {
    loan.remove();
    let mut response = Response::new();
    response.event(Event::new("loan_ended").value("loan", loan.id));
    response.message(&pay(&loan.borrower, loan.collateral, &terms.denomination));
    response.finish()
}

/// Waits for an answer no longer; the gateway says whether that may be. SECURITY: nothing is unlocked: what was not answered may have
/// been paid out nevertheless.
fn give_up(env: &Env, info: &Info, terms: &Terms, message: &[u8], mut body: Fields) -> Result<String> {
    let mut loan = Loan::require(body.u64("loan")?)?;
    body.value("request")?;
    body.finish()?;
    // SECURITY: anybody else would have every loan asked for given up at its deadline, and take what comes back of the fee
    if info.sender != loan.borrower {
        return refuse_with("OnlyBorrower", &info.sender);
    }
    if !loan.is_asking {
        return refuse("NotWaiting");
    }
    if !info.funds.is_empty() {
        return refuse_with("WrongFunds", "none");
    }
    loan.is_asking = false;
    if loan.status == Status::Waiting {
        loan.status = Status::Unknown;
    }
    // The request goes on as it was written; the gateway reads it.
    let written = json::slice(message, "give_up")?.unwrap_or(b"{}");
    let request = json::slice(written, "request")?.unwrap_or(b"{}");
    let request = Object::new().raw("request", &String::from_utf8_lossy(request)).finish();
    let cancelling = Object::new().raw("cancel", &request).finish();
    loan.save();
    book::note_giving_up(loan.id, balance(&env.contract, &terms.denomination)?);
    let mut response = Response::new();
    response.submessage(GIVEN_UP, &call(&terms.gateway, cancelling.as_bytes()), None, ReplyOn::Success);
    Ok(response.finish())
}

/// The gateway gave a question up, and what it gave back of the fee is the borrower's.
fn hand_fee_back(env: &Env) -> Result<String> {
    let (terms, (id, before)) = (Terms::load()?, book::take_giving_up()?);
    let loan = Loan::require(id)?;
    // SECURITY: all loans' questions are this contract's: the request that was given up must be this one's, or its callback could
    // still come
    if book::take_question(&loan.request_id)? != id || !is_cancelled(&terms, &loan.request_id)? {
        return refuse("OtherQuestion");
    }
    let back = balance(&env.contract, &terms.denomination)?.saturating_sub(before);
    let mut response = Response::new();
    if back != 0 {
        response.message(&pay(&loan.borrower, back, &terms.denomination));
    }
    Ok(response.finish())
}

fn is_cancelled(terms: &Terms, request_id: &Word) -> Result<bool> {
    const CANCELLED: u64 = 3;
    let question = Object::new().raw("pending_request", &Object::new().hex("request_id", request_id).finish()).finish();
    let answer = ask_contract(&terms.gateway, &question)?;
    Ok(json::parse(&answer)?.member("state")?.number()? == CANCELLED)
}

fn ask_contract(contract: &str, message: &str) -> Result<Vec<u8>> {
    let smart = Object::new().text("contract_addr", contract).base64("msg", message.as_bytes()).finish();
    let question = Object::new().raw("wasm", &Object::new().raw("smart", &smart).finish()).finish();
    chain::ask(&question)?.ok_or_else(|| detailed("QueryFailed", contract))
}

fn balance(account: &str, denomination: &str) -> Result<u128> {
    let asked = Object::new().text("address", account).text("denom", denomination).finish();
    let question = Object::new().raw("bank", &Object::new().raw("balance", &asked).finish()).finish();
    let answer = chain::ask(&question)?.ok_or_else(|| detailed("QueryFailed", "balance"))?;
    let answer = json::parse(&answer)?;
    number(answer.member("amount")?.member("amount")?.text()?)
}

fn number(text: &str) -> Result<u128> {
    decimal(text).ok_or_else(|| detailed("MalformedAnswer", text))
}

/// A uint256 as the lender's contract returns it, if it is one of its numbers.
fn number_of(data: &[u8]) -> Option<u64> {
    let word: Word = data.try_into().ok()?;
    let (high, low) = word.split_at(24);
    if high.iter().any(|byte| *byte != 0) {
        return None;
    }
    Some(u64::from_be_bytes(low.try_into().ok()?))
}
