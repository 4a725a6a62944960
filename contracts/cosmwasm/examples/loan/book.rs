//! What the contract keeps: its terms, the loans, which question is about which loan.

use xvm_common::failure::{named, refuse, refuse_with, Result};
use xvm_common::fields::Fields;
use xvm_common::json_text::Object;
use xvm_common::word::Word;
use xvm_common::{chain, json};

const TERMS: &[u8] = b"terms";
const LAST_ID: &[u8] = b"last_id";

/// Until the gateway's reply, in one transaction: whose question is being asked, and whose is given up at which balance.
const ASKING: &[u8] = b"asking";
const GIVING_UP: &[u8] = b"giving_up";

pub struct Terms {
    pub gateway: String,
    pub creator: String,
    /// Of the collateral and of fees.
    pub denomination: String,
    pub units_per_coin: u128,
    /// ERC-7930; empty until it is named.
    pub lender: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq)]
pub enum Status {
    Waiting = 1,
    Lent = 2,
    /// Given up; it is not paid out any more, but may have been.
    Unknown = 3,
}

pub struct Loan {
    /// The lender's contract knows the loan by this number.
    pub id: u64,
    pub borrower: String,
    /// Of the token's smallest unit.
    pub amount: u128,
    pub collateral: u128,
    pub status: Status,
    pub is_asking: bool,
    /// Of the last question.
    pub request_id: Word,
}

impl Terms {
    pub fn load() -> Result<Terms> {
        let kept = chain::read(TERMS).ok_or_else(|| named("NoTerms"))?;
        let mut fields = Fields::of(json::parse(&kept)?)?;
        Ok(Terms {
            gateway: fields.text("gateway")?,
            creator: fields.text("creator")?,
            denomination: fields.text("denomination")?,
            units_per_coin: fields.u128("units_per_coin")?,
            lender: fields.hex("lender")?,
        })
    }

    pub fn save(&self) {
        chain::write(TERMS, self.json().as_bytes());
    }

    pub fn json(&self) -> String {
        Object::new()
            .text("gateway", &self.gateway)
            .text("creator", &self.creator)
            .text("denomination", &self.denomination)
            .decimal("units_per_coin", self.units_per_coin)
            .hex("lender", &self.lender)
            .finish()
    }
}

impl Loan {
    /// Nothing for one that has ended, or never was.
    pub fn find(id: u64) -> Result<Option<Loan>> {
        let kept = match chain::read(&loan_key(id)) {
            Some(kept) => kept,
            None => return Ok(None),
        };
        let mut fields = Fields::of(json::parse(&kept)?)?;
        Ok(Some(Loan {
            id,
            borrower: fields.text("borrower")?,
            amount: fields.u128("amount")?,
            collateral: fields.u128("collateral")?,
            status: match fields.u8("status")? {
                1 => Status::Waiting,
                2 => Status::Lent,
                _ => Status::Unknown,
            },
            is_asking: fields.flag("is_asking")?,
            request_id: fields.word("request_id")?,
        }))
    }

    /// Errors: `NoLoan`.
    pub fn require(id: u64) -> Result<Loan> {
        match Loan::find(id)? {
            Some(loan) => Ok(loan),
            None => refuse_with("NoLoan", id),
        }
    }

    pub fn save(&self) {
        chain::write(&loan_key(self.id), self.json().as_bytes());
    }

    pub fn remove(&self) {
        chain::remove(&loan_key(self.id));
    }

    pub fn json(&self) -> String {
        Object::new()
            .text("borrower", &self.borrower)
            .decimal("amount", self.amount)
            .decimal("collateral", self.collateral)
            .number("status", self.status as u32)
            .flag("is_asking", self.is_asking)
            .hex("request_id", &self.request_id)
            .finish()
    }
}

/// Numbers no loan had before. SECURITY: the lender's contract pays each number out once.
pub fn next_id() -> u64 {
    let id = chain::read(LAST_ID).map_or(0, |kept| u64_of(&kept)) + 1;
    chain::write(LAST_ID, &id.to_be_bytes());
    id
}

pub fn note_asking(id: u64) {
    chain::write(ASKING, &id.to_be_bytes());
}

/// Errors: `UnknownReply`.
pub fn take_asking() -> Result<u64> {
    take(ASKING, "UnknownReply").map(|kept| u64_of(&kept))
}

pub fn note_giving_up(id: u64, balance: u128) {
    chain::write(GIVING_UP, &[&id.to_be_bytes()[..], &balance.to_be_bytes()].concat());
}

/// Errors: `UnknownReply`.
pub fn take_giving_up() -> Result<(u64, u128)> {
    let kept = take(GIVING_UP, "UnknownReply")?;
    let (id, balance) = kept.split_at(8);
    Ok((u64_of(id), balance.iter().fold(0, |number, byte| number << 8 | u128::from(*byte))))
}

pub fn note_question(request_id: &Word, loan: u64) {
    chain::write(&question_key(request_id), &loan.to_be_bytes());
}

/// The loan that a question is about, once. Errors: `NotAwaited`.
pub fn take_question(request_id: &Word) -> Result<u64> {
    take(&question_key(request_id), "NotAwaited").map(|kept| u64_of(&kept))
}

fn take(key: &[u8], missing: &'static str) -> Result<Vec<u8>> {
    let kept = match chain::read(key) {
        Some(kept) => kept,
        None => return refuse(missing),
    };
    chain::remove(key);
    Ok(kept)
}

fn loan_key(id: u64) -> Vec<u8> {
    [b"loan/", &id.to_be_bytes()[..]].concat()
}

fn question_key(request_id: &Word) -> Vec<u8> {
    [b"question/", &request_id[..]].concat()
}

fn u64_of(kept: &[u8]) -> u64 {
    kept.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}
