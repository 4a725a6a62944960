//! What a request costs: the price of each chain, and the shares that gas, bytes and a price come to. It knows no route.

use crate::packed::{Packer, Unpacker};
use xvm_common::chain;
use xvm_common::entry::Env;
use xvm_common::failure::{refuse_with, Result};
use xvm_common::fields::Fields;
use xvm_common::hex;
use xvm_common::json_text::Object;
use xvm_common::word::Word;

/// A price is per so much gas.
const GIGAGAS: u128 = 1_000_000_000;

/// The whole, in 1/10,000.
const BPS: u128 = 10_000;

/// A share has 80 bits, so that no number of them that fits a transaction overflows a credit.
const MAX_SHARE: u128 = (1 << 80) - 1;

const MAX_SIGNERS_FEE: u128 = (1 << 96) - 1;

const KEY: &[u8] = b"price";

/// What a request to a chain costs, in the smallest unit of the fee's denomination: per 10^9 gas where it is about gas.
pub struct Price {
    execution_price: u128,
    callback_price: u128,
    /// Certificate share per request.
    signers_fee: u128,
    /// Gas there per request, besides the execution gas limit.
    execution_overhead_gas: u32,
    /// Gas here per request, besides the callback gas limit.
    callback_overhead_gas: u32,
    /// Gas there for concluding a request without running it (EXPIRED, DUPLICATE).
    expire_gas: u32,
    execution_gas_per_byte: u16,
    callback_gas_per_byte: u16,
    /// On top of the gas shares, in 1/10,000, for the signers.
    margin_bps: u16,
    /// What a query's gas costs, in 1/10,000 of `execution_price`: each signer computes it, nobody pays gas for it.
    query_bps: u16,
}

struct PriceRecord {
    /// The cheaper of both is charged before this block.
    settled_from: u64,
    newest: Price,
    previous: Option<Price>,
}

/// What is priced.
pub struct Work {
    pub is_query: bool,
    pub execution_gas: u64,
    pub callback_gas: u64,
    pub payload_bytes: u64,
    pub return_bytes: u32,
}

/// Who gets what of a fee.
#[derive(Clone, Copy, Default)]
pub struct Shares {
    /// For whoever executes.
    pub execution: u128,
    /// For whoever delivers.
    pub callback: u128,
    /// For the epoch's signers.
    pub signers: u128,
    /// 1/10,000 of the execution share that the payee of an EXPIRED or DUPLICATE receipt keeps.
    pub expired_bps: u16,
}

/// Sets a chain's price; the block from which it alone is charged. Errors: `PriceUnsettled`.
pub fn set(env: &Env, chain_hash: &Word, price: &Price, quote_validity_blocks: u32) -> Result<u64> {
    let key = [KEY, chain_hash].concat();
    let (settled_from, previous) = match PriceRecord::load(chain_hash) {
        Some(record) if env.height < record.settled_from => return refuse_with("PriceUnsettled", record.settled_from),
        Some(record) => (env.height + u64::from(quote_validity_blocks), Some(record.newest)),
        None => (0, None),
    };
    let mut packer = price.pack(Packer::new().u64(settled_from)).flag(previous.is_some());
    if let Some(previous) = previous {
        packer = previous.pack(packer);
    }
    chain::write(&key, &packer.finish());
    Ok(settled_from)
}

/// The newest price, and from which block it alone is charged. Errors: `Unpriced`.
pub fn newest(chain_hash: &Word) -> Result<(Price, u64)> {
    let record = priced(chain_hash)?;
    Ok((record.newest, record.settled_from))
}

/// At the newest price. Errors: `Unpriced`.
pub fn quoted(chain_hash: &Word, work: &Work) -> Result<Shares> {
    Ok(priced(chain_hash)?.newest.shares(work))
}

/// A quote stays good for a stated time: until then neither price change costs an asker more than it read. Errors: `Unpriced`.
pub fn charged(env: &Env, chain_hash: &Word, work: &Work) -> Result<Shares> {
    let record = priced(chain_hash)?;
    let shares = record.newest.shares(work);
    Ok(match record.previous {
        Some(previous) if env.height < record.settled_from => {
            let former = previous.shares(work);
            if former.total() <= shares.total() {
                former
            } else {
                shares
            }
        }
        _ => shares,
    })
}

impl Shares {
    pub fn total(&self) -> u128 {
        self.execution.saturating_add(self.callback).saturating_add(self.signers)
    }

    /// Errors: `FeeTooHigh`.
    pub fn require_storable(&self) -> Result<()> {
        let highest = self.execution.max(self.callback).max(self.signers);
        if highest > MAX_SHARE {
            return refuse_with("FeeTooHigh", highest);
        }
        Ok(())
    }

    /// What the payee of a receipt that ran nothing keeps of the execution share.
    pub fn kept_of_expired(&self) -> u128 {
        self.execution * u128::from(self.expired_bps) / BPS
    }

    pub fn pack(&self, packer: Packer) -> Packer {
        packer.u128(self.execution).u128(self.callback).u128(self.signers).u16(self.expired_bps)
    }

    pub fn unpack(unpacker: &mut Unpacker) -> Shares {
        Shares {
            execution: unpacker.u128(),
            callback: unpacker.u128(),
            signers: unpacker.u128(),
            expired_bps: unpacker.u16(),
        }
    }
}

impl Price {
    pub fn read(mut fields: Fields) -> Result<Price> {
        let price = Price {
            execution_price: fields.u128("execution_price")?,
            callback_price: fields.u128("callback_price")?,
            signers_fee: fields.u128("signers_fee")?,
            execution_overhead_gas: fields.u32("execution_overhead_gas")?,
            callback_overhead_gas: fields.u32("callback_overhead_gas")?,
            expire_gas: fields.u32("expire_gas")?,
            execution_gas_per_byte: fields.u16("execution_gas_per_byte")?,
            callback_gas_per_byte: fields.u16("callback_gas_per_byte")?,
            margin_bps: fields.u16("margin_bps")?,
            query_bps: fields.u16("query_bps")?,
        };
        fields.finish()?;
        if price.signers_fee > MAX_SIGNERS_FEE {
            return refuse_with("MalformedField", "signers_fee");
        }
        Ok(price)
    }

    pub fn json(&self) -> Object {
        Object::new()
            .decimal("execution_price", self.execution_price)
            .decimal("callback_price", self.callback_price)
            .decimal("signers_fee", self.signers_fee)
            .number("execution_overhead_gas", self.execution_overhead_gas)
            .number("callback_overhead_gas", self.callback_overhead_gas)
            .number("expire_gas", self.expire_gas)
            .number("execution_gas_per_byte", self.execution_gas_per_byte.into())
            .number("callback_gas_per_byte", self.callback_gas_per_byte.into())
            .number("margin_bps", self.margin_bps.into())
            .number("query_bps", self.query_bps.into())
    }

    /// The shares of a request; rounds in favour of who works. What leaves 128 bits stays at their end, beyond any share's bound.
    fn shares(&self, work: &Work) -> Shares {
        let mut shares = Shares::default();
        let gas =
            u128::from(work.execution_gas) + u128::from(work.payload_bytes) * u128::from(self.execution_gas_per_byte);
        let mut query_share = 0;
        if work.is_query {
            // SECURITY: each signer runs it: were it free, an asker could burn all of theirs for a callback's price
            query_share = rounded_up(gas_cost(gas, self.execution_price), self.query_bps.into(), BPS);
        } else {
            shares.execution = gas_cost(gas + u128::from(self.execution_overhead_gas), self.execution_price);
            if shares.execution != 0 {
                let expired = gas_cost(self.expire_gas.into(), self.execution_price);
                shares.expired_bps = rounded_up(expired, BPS, shares.execution).min(BPS) as u16;
            }
        }
        let answer_gas = u128::from(work.return_bytes) * u128::from(self.callback_gas_per_byte);
        let callback_gas = u128::from(work.callback_gas) + u128::from(self.callback_overhead_gas) + answer_gas;
        shares.callback = gas_cost(callback_gas, self.callback_price);
        let margin = shares.execution.saturating_add(shares.callback).saturating_mul(self.margin_bps.into()) / BPS;
        shares.signers = self.signers_fee.saturating_add(query_share).saturating_add(margin);
        shares
    }

    fn pack(&self, packer: Packer) -> Packer {
        packer
            .u128(self.execution_price)
            .u128(self.callback_price)
            .u128(self.signers_fee)
            .u32(self.execution_overhead_gas)
            .u32(self.callback_overhead_gas)
            .u32(self.expire_gas)
            .u16(self.execution_gas_per_byte)
            .u16(self.callback_gas_per_byte)
            .u16(self.margin_bps)
            .u16(self.query_bps)
    }

    fn unpack(unpacker: &mut Unpacker) -> Price {
        Price {
            execution_price: unpacker.u128(),
            callback_price: unpacker.u128(),
            signers_fee: unpacker.u128(),
            execution_overhead_gas: unpacker.u32(),
            callback_overhead_gas: unpacker.u32(),
            expire_gas: unpacker.u32(),
            execution_gas_per_byte: unpacker.u16(),
            callback_gas_per_byte: unpacker.u16(),
            margin_bps: unpacker.u16(),
            query_bps: unpacker.u16(),
        }
    }
}

impl PriceRecord {
    fn load(chain_hash: &Word) -> Option<PriceRecord> {
        let record = chain::read(&[KEY, chain_hash].concat())?;
        let mut unpacker = Unpacker::of(&record);
        let (settled_from, newest) = (unpacker.u64(), Price::unpack(&mut unpacker));
        let previous = if unpacker.flag() { Some(Price::unpack(&mut unpacker)) } else { None };
        Some(PriceRecord { settled_from, newest, previous })
    }
}

fn priced(chain_hash: &Word) -> Result<PriceRecord> {
    match PriceRecord::load(chain_hash) {
        Some(record) => Ok(record),
        None => refuse_with("Unpriced", hex::encode(chain_hash)),
    }
}

fn gas_cost(gas: u128, price: u128) -> u128 {
    rounded_up(gas, price, GIGAGAS)
}

fn rounded_up(value: u128, factor: u128, divisor: u128) -> u128 {
    value.saturating_mul(factor).saturating_add(divisor - 1) / divisor
}
