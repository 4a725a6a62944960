//! What the gateway owes. Its balance covers open fees, credits and what is held for signers; money leaves by `withdraw`, and what was
//! overpaid or comes back to a requester at once, by the bank's send: nobody on this chain can refuse coins.

use crate::offices;
use crate::packed::Unpacker;
use crate::settings::Settings;
use std::collections::BTreeMap;
use xvm_common::chain;
use xvm_common::entry::Info;
use xvm_common::failure::{refuse_with, Result};
use xvm_common::fields::{where_given, Fields};
use xvm_common::json_text::quote;
use xvm_common::response::{pay, Event, Response};
use xvm_common::word::Word;

const CREDIT: &[u8] = b"credit";
const POOL: &[u8] = b"pool";

/// What a call adds to credits and to signers' pools; nothing stands before `settle`.
#[derive(Default)]
pub struct Earnings {
    accounts: BTreeMap<String, u128>,
    pools: BTreeMap<u64, u128>,
}

impl Earnings {
    pub fn credit(&mut self, account: &str, amount: u128) {
        *self.accounts.entry(account.to_string()).or_default() += amount;
    }

    /// Credits the account that a payee word names; the treasury if it names none.
    pub fn credit_payee(&mut self, payee: &Word, amount: u128) -> Result<()> {
        let account = match payee {
            [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, address @ ..] if address.iter().all(|byte| *byte == 0) => {
                offices::treasury()
            }
            [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, address @ ..] => chain::humanize(address)?,
            _ => chain::humanize(payee)?,
        };
        self.credit(&account, amount);
        Ok(())
    }

    /// What an epoch's signers earn.
    pub fn pool(&mut self, epoch: u64, amount: u128) {
        *self.pools.entry(epoch).or_default() += amount;
    }

    /// Shares have 80 bits: no number of them that a chain has room for overflows a sum.
    pub fn settle(self) {
        for (account, amount) in self.accounts {
            add(&credit_key(&account), amount);
        }
        for (epoch, amount) in self.pools {
            add(&pool_key(epoch), amount);
        }
    }
}

/// Sends the caller's whole credit. Never paused. Errors: `NoCredit`.
pub fn withdraw(info: &Info, mut fields: Fields, response: &mut Response) -> Result<()> {
    let to = where_given(fields.address("to"))?;
    fields.finish()?;
    let key = credit_key(&info.sender);
    let amount = amount_at(&key);
    if amount == 0 {
        return refuse_with("NoCredit", &info.sender);
    }
    // SECURITY: or it could be taken twice
    chain::remove(&key);
    let to = to.as_ref().unwrap_or(&info.sender);
    response.event(
        Event::new("XVMWithdrawn").text("account", &info.sender).text("to", to).value("amount", amount),
    );
    give(to, amount, response)
}

/// Credits the treasury with what an epoch's signers have earned: there is no registry here, and its owner parts it. Anyone may
/// call. Errors: `NoCredit`.
pub fn collect(mut fields: Fields, response: &mut Response) -> Result<()> {
    let epoch = fields.u64("epoch")?;
    fields.finish()?;
    let key = pool_key(epoch);
    let amount = amount_at(&key);
    if amount == 0 {
        return refuse_with("NoCredit", epoch);
    }
    chain::remove(&key);
    add(&credit_key(&offices::treasury()), amount);
    response.event(Event::new("XVMSignersPaid").value("epoch", epoch).value("amount", amount));
    Ok(())
}

/// The query `credits`.
pub fn credits(mut fields: Fields) -> Result<String> {
    let account = fields.address("account")?;
    fields.finish()?;
    Ok(quote(&amount_at(&credit_key(&account)).to_string()))
}

/// The query `signers_pool`.
pub fn signers_pool(mut fields: Fields) -> Result<String> {
    let epoch = fields.u64("epoch")?;
    fields.finish()?;
    Ok(quote(&amount_at(&pool_key(epoch)).to_string()))
}

/// What came along, which may be nothing. Errors: `WrongFunds`, for another denomination or several coins.
pub fn paid(info: &Info) -> Result<u128> {
    match &info.funds[..] {
        [] => Ok(0),
        // SECURITY: a coin that anybody can make pays for nothing
        [coin] if coin.denomination == Settings::load()?.fee_denom => Ok(coin.amount),
        coins => refuse_with("WrongFunds", &coins[0].denomination),
    }
}

/// Of messages that take no money. Errors: `WrongFunds`.
pub fn require_unpaid(info: &Info) -> Result<()> {
    match info.funds.first() {
        Some(coin) => refuse_with("WrongFunds", &coin.denomination),
        None => Ok(()),
    }
}

/// Adds to what an account may withdraw.
pub fn credit(account: &str, amount: u128) {
    add(&credit_key(account), amount);
}

/// Sends coins at once.
pub fn give(to: &str, amount: u128, response: &mut Response) -> Result<()> {
    if amount != 0 {
        response.message(&pay(to, amount, &Settings::load()?.fee_denom));
    }
    Ok(())
}

fn add(key: &[u8], amount: u128) {
    // a zero would write for nothing
    if amount != 0 {
        chain::write(key, &(amount_at(key) + amount).to_be_bytes());
    }
}

fn amount_at(key: &[u8]) -> u128 {
    chain::read(key).map_or(0, |record| Unpacker::of(&record).u128())
}

fn credit_key(account: &str) -> Vec<u8> {
    [CREDIT, account.as_bytes()].concat()
}

fn pool_key(epoch: u64) -> Vec<u8> {
    [POOL, &epoch.to_be_bytes()].concat()
}
