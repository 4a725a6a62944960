//! Between the chain's call of an entry point and the contract's own functions: what is given is read, what comes back is
//! written, a panic becomes the chain's abort.

use crate::failure::{detailed, Result};
use crate::fields::decimal;
use crate::json::{self, Value};
use crate::json_text::{quote, Object};
use crate::region::{give, take};
use crate::{base64, chain};

/// The block and the contract that a call is in.
pub struct Env {
    pub height: u64,
    /// Whole seconds.
    pub time: u64,
    pub chain_id: String,
    /// This contract's address.
    pub contract: String,
}

pub struct Coin {
    pub denomination: String,
    pub amount: u128,
}

/// Who calls, and what came along.
pub struct Info {
    pub sender: String,
    pub funds: Vec<Coin>,
}

/// What the chain passes to an entry point, each part taken once.
///
/// # Safety
/// `pointer` is a region that the chain gave to this call.
pub unsafe fn given(pointer: u32) -> Vec<u8> {
    take(pointer)
}

/// Runs an entry point; `Ok` is a `Response` as JSON.
pub fn answer(run: impl FnOnce() -> Result<String>) -> u32 {
    std::panic::set_hook(Box::new(|panic| chain::abort_with(&panic.to_string())));
    let envelope = match run() {
        Ok(response) => Object::new().raw("ok", &response).finish(),
        Err(failure) => Object::new().text("error", &failure.to_string()).finish(),
    };
    give(envelope.into_bytes())
}

/// Runs a query; `Ok` is the answer as JSON.
pub fn answer_query(run: impl FnOnce() -> Result<String>) -> u32 {
    answer(|| Ok(quote(&base64::encode(run()?.as_bytes()))))
}

impl Env {
    pub fn read(document: &[u8]) -> Result<Env> {
        const NANOSECONDS: u128 = 1_000_000_000;
        let value = json::parse(document)?;
        let block = value.member("block")?;
        let nanoseconds = number(block.member("time")?.text()?)?;
        Ok(Env {
            height: block.member("height")?.number()?,
            time: (nanoseconds / NANOSECONDS) as u64,
            chain_id: block.member("chain_id")?.text()?.to_string(),
            contract: value.member("contract")?.member("address")?.text()?.to_string(),
        })
    }
}

impl Info {
    pub fn read(document: &[u8]) -> Result<Info> {
        let value = json::parse(document)?;
        let mut funds = Vec::new();
        if let Value::List(coins) = value.member("funds")? {
            for coin in coins {
                let denomination = coin.member("denom")?.text()?.to_string();
                funds.push(Coin { denomination, amount: number(coin.member("amount")?.text()?)? });
            }
        }
        Ok(Info { sender: value.member("sender")?.text()?.to_string(), funds })
    }
}

fn number(text: &str) -> Result<u128> {
    decimal(text).ok_or_else(|| detailed("MalformedField", text))
}
