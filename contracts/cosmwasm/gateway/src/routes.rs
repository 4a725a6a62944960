//! Route table: where requests may go, within which bounds, and whose requests are executed here; and what they cost. It holds no
//! money and calls nobody. Gas is in the unit of the chain it is spent on.

use crate::control::Pause;
use crate::erc7930;
use crate::offices;
use crate::packed::{Packer, Unpacker};
use crate::pricing::{self, Shares, Work};
use crate::settings::Settings;
use xvm_common::chain;
use xvm_common::entry::{Env, Info};
use xvm_common::failure::{refuse, refuse_with, Result};
use xvm_common::fields::{where_given, Fields};
use xvm_common::hex;
use xvm_common::json_text::Object;
use xvm_common::keccak::keccak256;
use xvm_common::response::{Event, Response};
use xvm_common::word::{Word, ZERO};

/// The protocol's bounds, which no route may exceed.
const MAX_PAYLOAD_BYTES: u32 = 65_536;
const MAX_RETURN_BYTES: u32 = 65_536;
const MAX_GAS: u32 = 10_000_000;
const MAX_METADATA_BYTES: usize = 256;
const MIN_DEADLINE_BLOCKS: u32 = 100;

/// What 0 in the options stands for.
const DEFAULT_EXECUTION_GAS: u32 = 500_000;
const DEFAULT_CALLBACK_GAS: u32 = 300_000;
const DEFAULT_RETURN_BYTES: u32 = 1_024;

/// The bits of `address_lengths` are so many.
const ADDRESS_LENGTHS: usize = 64;

pub const CALL: u8 = 0;
pub const QUERY: u8 = 1;

const OUTBOUND: &[u8] = b"outbound";
const INBOUND: &[u8] = b"inbound";

/// A destination chain, as the source side uses it.
struct Outbound {
    /// Gateway there; empty: no CALL.
    destination_gateway: Vec<u8>,
    queries: bool,
    /// Bit n set: a target's address may have n bytes.
    address_lengths: u64,
    max_payload_bytes: u32,
    max_return_bytes: u32,
    max_execution_gas: u32,
    max_callback_gas: u32,
    min_expiry_seconds: u32,
    max_expiry_seconds: u32,
    default_expiry_seconds: u32,
    deadline_blocks: u32,
    max_deadline_blocks: u32,
}

/// A chain that was routed once; its pause outlives its closing.
struct OutboundRecord {
    is_open: bool,
    pause: Pause,
    route: Outbound,
}

#[derive(Default)]
struct InboundRecord {
    is_registered: bool,
    pause: Pause,
}

/// What the asker chooses. 0 or empty takes the route's default where one exists.
#[derive(Default)]
pub struct Options {
    pub mode: u8,
    pub own_account: bool,
    pub execution_gas_limit: u64,
    pub callback_gas_limit: u64,
    pub return_limit: u32,
    pub expiry: u64,
    pub ordered: bool,
    pub code_hash: Word,
    pub dispute_blocks: u32,
    pub deadline_blocks: u64,
    pub metadata: Vec<u8>,
}

/// A request's options with defaults filled in.
pub struct Plan {
    /// Gateway that executes it; empty for a query.
    pub destination_gateway: Vec<u8>,
    /// Second half of the route: the destination gateway, or for a query the target's chain.
    pub destination: Vec<u8>,
    pub execution_gas_limit: u64,
    pub callback_gas_limit: u64,
    pub return_limit: u32,
    pub expiry: u64,
    /// Blocks from now.
    pub deadline_blocks: u64,
}

/// What `execute` needs to know of a source gateway.
#[derive(Clone, Copy, PartialEq)]
pub enum Inbound {
    Unregistered,
    Open,
    Paused,
}

/// Opens or changes the route to a chain; the owner's. Errors: `MalformedChain`, `MalformedGateway`, `BadRoute`.
pub fn set_outbound(info: &Info, mut fields: Fields, response: &mut Response) -> Result<()> {
    let chain = fields.hex("chain")?;
    let route = Outbound::read(fields.fields("route")?)?;
    fields.finish()?;
    offices::require_owner(info)?;
    let hash = chain_hash(&chain)?;
    route.check(&chain, Settings::load()?.block_milliseconds)?;
    response.event(chain_event("XVMOutboundSet", &hash, &chain).text("route", &route.json().finish()));
    let pause = OutboundRecord::load(&hash).map(|record| record.pause).unwrap_or_default();
    OutboundRecord { is_open: true, pause, route }.save(&hash);
    Ok(())
}

/// Closes the route to a chain, whose price stays; the owner's. Errors: `Unrouted`.
pub fn remove_outbound(info: &Info, mut fields: Fields, response: &mut Response) -> Result<()> {
    let chain = fields.hex("chain")?;
    fields.finish()?;
    offices::require_owner(info)?;
    let hash = keccak256(&chain);
    let mut record = OutboundRecord::open(&hash)?;
    record.is_open = false;
    record.save(&hash);
    response.event(chain_event("XVMOutboundRemoved", &hash, &chain));
    Ok(())
}

/// Prices requests to a chain, not more often than quotes are valid; the owner's. Errors: `MalformedChain`, `PriceUnsettled`.
pub fn set_price(env: &Env, info: &Info, mut fields: Fields, response: &mut Response) -> Result<()> {
    let chain = fields.hex("chain")?;
    let price = pricing::Price::read(fields.fields("price")?)?;
    fields.finish()?;
    offices::require_owner(info)?;
    let hash = chain_hash(&chain)?;
    let settled_from = pricing::set(env, &hash, &price, Settings::load()?.quote_validity_blocks)?;
    response.event(
        chain_event("XVMPriceSet", &hash, &chain)
            .text("price", &price.json().finish())
            .value("settled_from_block", settled_from),
    );
    Ok(())
}

/// Registers or strikes off a gateway whose requests are executed here; the owner's. Errors: `MalformedGateway`.
pub fn set_inbound(info: &Info, mut fields: Fields, response: &mut Response) -> Result<()> {
    let (source_gateway, registered) = (fields.hex("source_gateway")?, fields.flag("registered")?);
    fields.finish()?;
    offices::require_owner(info)?;
    if !is_account(&source_gateway) {
        return refuse("MalformedGateway");
    }
    let hash = keccak256(&source_gateway);
    let mut record = InboundRecord::load(&hash);
    record.is_registered = registered;
    record.save(&hash);
    response.event(gateway_event("XVMInboundSet", &hash, &source_gateway).value("registered", registered));
    Ok(())
}

/// Stops requests to a chain; guardian or owner. Errors: `Unrouted`, those of `Pause::extend`.
pub fn pause_outbound(env: &Env, info: &Info, mut fields: Fields, response: &mut Response) -> Result<()> {
    let (chain, blocks) = (fields.hex("chain")?, fields.u32("blocks")?);
    fields.finish()?;
    let hash = keccak256(&chain);
    let mut record = OutboundRecord::open(&hash)?;
    record.pause.extend(env, info, blocks)?;
    record.save(&hash);
    told_pause(chain_event("XVMOutboundPaused", &hash, &chain), record.pause.until_block, info, response);
    Ok(())
}

/// Lifts that; the owner's.
pub fn unpause_outbound(info: &Info, mut fields: Fields, response: &mut Response) -> Result<()> {
    let chain = fields.hex("chain")?;
    fields.finish()?;
    offices::require_owner(info)?;
    let hash = keccak256(&chain);
    if let Some(mut record) = OutboundRecord::load(&hash) {
        record.pause.until_block = 0;
        record.save(&hash);
    }
    told_pause(chain_event("XVMOutboundPaused", &hash, &chain), 0, info, response);
    Ok(())
}

/// Stops executions for a source gateway; guardian or owner. Errors: `Unrouted`, those of `Pause::extend`.
pub fn pause_inbound(env: &Env, info: &Info, mut fields: Fields, response: &mut Response) -> Result<()> {
    let (source_gateway, blocks) = (fields.hex("source_gateway")?, fields.u32("blocks")?);
    fields.finish()?;
    let hash = keccak256(&source_gateway);
    let mut record = InboundRecord::load(&hash);
    if !record.is_registered {
        return refuse_with("Unrouted", hex::encode(&hash));
    }
    record.pause.extend(env, info, blocks)?;
    record.save(&hash);
    told_pause(gateway_event("XVMInboundPaused", &hash, &source_gateway), record.pause.until_block, info, response);
    Ok(())
}

/// Lifts that; the owner's.
pub fn unpause_inbound(info: &Info, mut fields: Fields, response: &mut Response) -> Result<()> {
    let source_gateway = fields.hex("source_gateway")?;
    fields.finish()?;
    offices::require_owner(info)?;
    let hash = keccak256(&source_gateway);
    let mut record = InboundRecord::load(&hash);
    record.pause.until_block = 0;
    record.save(&hash);
    told_pause(gateway_event("XVMInboundPaused", &hash, &source_gateway), 0, info, response);
    Ok(())
}

/// Whether requests of a source gateway, named by keccak256 of its address, are executed here.
pub fn inbound(env: &Env, source_gateway_hash: &Word) -> Inbound {
    let record = InboundRecord::load(source_gateway_hash);
    if !record.is_registered {
        return Inbound::Unregistered;
    }
    if record.pause.standing(env) != 0 {
        Inbound::Paused
    } else {
        Inbound::Open
    }
}

/// Fills in defaults, checks every bound and prices a request, or refuses with the reason. In the blocks for which a quote is
/// valid after a price change the cheaper of the two prices is charged.
pub fn plan(env: &Env, target: &[u8], payload_length: usize, options: &Options) -> Result<(Plan, Shares)> {
    let (plan, record, chain_hash) = plan_unpriced(env, target, payload_length, options)?;
    let paused_until = record.pause.standing(env);
    if paused_until != 0 {
        return refuse_with("RoutePaused", paused_until);
    }
    let shares = pricing::charged(env, &chain_hash, &plan.work(payload_length, options))?;
    Ok((plan, shares))
}

/// The fee at the newest price, which is honoured for the next `quote_validity_blocks` blocks at least.
pub fn quote(env: &Env, target: &[u8], payload_length: usize, options: &Options) -> Result<u128> {
    let (plan, _, chain_hash) = plan_unpriced(env, target, payload_length, options)?;
    Ok(pricing::quoted(&chain_hash, &plan.work(payload_length, options))?.total())
}

/// The query `outbound`. Errors: `Unrouted`.
pub fn outbound_query(env: &Env, mut fields: Fields) -> Result<String> {
    let chain = fields.hex("chain")?;
    fields.finish()?;
    let record = OutboundRecord::open(&keccak256(&chain))?;
    let route = record.route.json().finish();
    Ok(Object::new().raw("route", &route).decimal("paused_until_block", record.pause.standing(env)).finish())
}

/// The query `price`. Errors: `Unpriced`.
pub fn price_query(mut fields: Fields) -> Result<String> {
    let chain = fields.hex("chain")?;
    fields.finish()?;
    let (price, settled_from) = pricing::newest(&keccak256(&chain))?;
    Ok(Object::new().raw("price", &price.json().finish()).decimal("settled_from_block", settled_from).finish())
}

/// The query `inbound`.
pub fn inbound_query(env: &Env, mut fields: Fields) -> Result<String> {
    let source_gateway = fields.hex("source_gateway")?;
    fields.finish()?;
    let record = InboundRecord::load(&keccak256(&source_gateway));
    Ok(Object::new()
        .flag("registered", record.is_registered)
        .decimal("paused_until_block", record.pause.standing(env))
        .finish())
}

/// Everything of a plan but its shares.
fn plan_unpriced(
    env: &Env,
    target: &[u8],
    payload_length: usize,
    options: &Options,
) -> Result<(Plan, OutboundRecord, Word)> {
    let account = match erc7930::split(target) {
        Some(account) if !account.address.is_empty() => account,
        _ => return refuse("MalformedTarget"),
    };
    let chain = account.chain();
    let hash = keccak256(&chain);
    let record = OutboundRecord::open(&hash)?;
    let route = &record.route;
    let length = account.address.len();
    if length >= ADDRESS_LENGTHS || route.address_lengths >> length & 1 == 0 {
        return refuse("MalformedTarget");
    }
    if payload_length > route.max_payload_bytes as usize {
        return refuse_with("PayloadTooLarge", format!("{payload_length}, {}", route.max_payload_bytes));
    }
    if options.metadata.len() > MAX_METADATA_BYTES {
        return refuse_with("MetadataTooLarge", format!("{}, {MAX_METADATA_BYTES}", options.metadata.len()));
    }
    let return_limit =
        bounded("ReturnLimitTooHigh", options.return_limit.into(), DEFAULT_RETURN_BYTES, route.max_return_bytes)?;
    let execution_gas_limit =
        bounded("ExecutionGasTooHigh", options.execution_gas_limit, DEFAULT_EXECUTION_GAS, route.max_execution_gas)?;
    let callback_gas_limit =
        bounded("CallbackGasTooHigh", options.callback_gas_limit, DEFAULT_CALLBACK_GAS, route.max_callback_gas)?;
    let (least, most) = (u64::from(route.deadline_blocks), u64::from(route.max_deadline_blocks));
    let deadline_blocks = if options.deadline_blocks == 0 { least } else { options.deadline_blocks };
    if deadline_blocks < least || deadline_blocks > most {
        return refuse_with("DeadlineOutOfBounds", format!("{deadline_blocks}, {least}, {most}"));
    }
    let (destination_gateway, destination, expiry) = match options.mode {
        CALL => {
            if route.destination_gateway.is_empty() {
                return unrouted(&hash);
            }
            let gateway = route.destination_gateway.clone();
            (gateway.clone(), gateway, route.expiry(env, options.expiry)?)
        }
        QUERY => {
            if !route.queries {
                return unrouted(&hash);
            }
            if options.expiry != 0 {
                return refuse_with("ExpiryOutOfBounds", format!("{}, 0, 0", options.expiry));
            }
            if options.own_account || options.ordered || options.code_hash != ZERO {
                return refuse("NotForQueries");
            }
            (Vec::new(), chain, 0)
        }
        other => return refuse_with("UnknownMode", other),
    };
    let plan = Plan {
        destination_gateway,
        destination,
        execution_gas_limit,
        callback_gas_limit,
        return_limit: return_limit as u32,
        expiry,
        deadline_blocks,
    };
    Ok((plan, record, hash))
}

/// A limit, or its default where it is 0. Errors: `name`, above `highest`.
fn bounded(name: &'static str, limit: u64, default: u32, highest: u32) -> Result<u64> {
    let limit = if limit == 0 { u64::from(default) } else { limit };
    if limit > u64::from(highest) {
        return refuse_with(name, format!("{limit}, {highest}"));
    }
    Ok(limit)
}

impl Options {
    pub fn read(mut fields: Fields) -> Result<Options> {
        let options = Options {
            mode: where_given(fields.u8("mode"))?.unwrap_or_default(),
            own_account: where_given(fields.flag("own_account"))?.unwrap_or_default(),
            execution_gas_limit: where_given(fields.u64("execution_gas_limit"))?.unwrap_or_default(),
            callback_gas_limit: where_given(fields.u64("callback_gas_limit"))?.unwrap_or_default(),
            return_limit: where_given(fields.u32("return_limit"))?.unwrap_or_default(),
            expiry: where_given(fields.u64("expiry"))?.unwrap_or_default(),
            ordered: where_given(fields.flag("ordered"))?.unwrap_or_default(),
            code_hash: where_given(fields.word("code_hash"))?.unwrap_or_default(),
            dispute_blocks: where_given(fields.u32("dispute_blocks"))?.unwrap_or_default(),
            deadline_blocks: where_given(fields.u64("deadline_blocks"))?.unwrap_or_default(),
            metadata: where_given(fields.base64("metadata"))?.unwrap_or_default(),
        };
        fields.finish()?;
        Ok(options)
    }
}

impl Plan {
    fn work(&self, payload_length: usize, options: &Options) -> Work {
        Work {
            is_query: options.mode == QUERY,
            execution_gas: self.execution_gas_limit,
            callback_gas: self.callback_gas_limit,
            payload_bytes: payload_length as u64,
            return_bytes: self.return_limit,
        }
    }
}

impl Outbound {
    fn read(mut fields: Fields) -> Result<Outbound> {
        let route = Outbound {
            destination_gateway: fields.hex("destination_gateway")?,
            queries: fields.flag("queries")?,
            address_lengths: fields.u64("address_lengths")?,
            max_payload_bytes: fields.u32("max_payload_bytes")?,
            max_return_bytes: fields.u32("max_return_bytes")?,
            max_execution_gas: fields.u32("max_execution_gas")?,
            max_callback_gas: fields.u32("max_callback_gas")?,
            min_expiry_seconds: fields.u32("min_expiry_seconds")?,
            max_expiry_seconds: fields.u32("max_expiry_seconds")?,
            default_expiry_seconds: fields.u32("default_expiry_seconds")?,
            deadline_blocks: fields.u32("deadline_blocks")?,
            max_deadline_blocks: fields.u32("max_deadline_blocks")?,
        };
        fields.finish()?;
        Ok(route)
    }

    fn json(&self) -> Object {
        Object::new()
            .hex("destination_gateway", &self.destination_gateway)
            .flag("queries", self.queries)
            .decimal("address_lengths", self.address_lengths)
            .number("max_payload_bytes", self.max_payload_bytes)
            .number("max_return_bytes", self.max_return_bytes)
            .number("max_execution_gas", self.max_execution_gas)
            .number("max_callback_gas", self.max_callback_gas)
            .number("min_expiry_seconds", self.min_expiry_seconds)
            .number("max_expiry_seconds", self.max_expiry_seconds)
            .number("default_expiry_seconds", self.default_expiry_seconds)
            .number("deadline_blocks", self.deadline_blocks)
            .number("max_deadline_blocks", self.max_deadline_blocks)
    }

    /// The protocol's bounds, and that every default lies within the route's own. Errors: `MalformedGateway`, `BadRoute`.
    fn check(&self, chain: &[u8], block_milliseconds: u32) -> Result<()> {
        if !self.destination_gateway.is_empty() {
            match erc7930::split(&self.destination_gateway) {
                Some(gateway) if !gateway.address.is_empty() && gateway.chain() == chain => (),
                _ => return refuse("MalformedGateway"),
            }
        } else if !self.queries {
            return refuse_with("BadRoute", "queries");
        }
        let outside = |value: u32, lowest: u32, highest: u32| value < lowest || value > highest;
        // a default expiry passes before the default deadline: who takes both may cancel as soon as the deadline is over
        let expires_late = u64::from(self.default_expiry_seconds) * 1_000
            >= u64::from(self.deadline_blocks) * u64::from(block_milliseconds);
        let faults = [
            ("address_lengths", self.address_lengths == 0),
            ("max_payload_bytes", self.max_payload_bytes > MAX_PAYLOAD_BYTES),
            ("max_return_bytes", outside(self.max_return_bytes, DEFAULT_RETURN_BYTES, MAX_RETURN_BYTES)),
            ("max_execution_gas", outside(self.max_execution_gas, DEFAULT_EXECUTION_GAS, MAX_GAS)),
            ("max_callback_gas", outside(self.max_callback_gas, DEFAULT_CALLBACK_GAS, MAX_GAS)),
            (
                "default_expiry_seconds",
                outside(self.default_expiry_seconds, self.min_expiry_seconds, self.max_expiry_seconds),
            ),
            ("deadline_blocks", outside(self.deadline_blocks, MIN_DEADLINE_BLOCKS, self.max_deadline_blocks)),
            ("default_expiry_seconds", expires_late),
        ];
        match faults.iter().find(|(_, is_fault)| *is_fault) {
            Some((field, _)) => refuse_with("BadRoute", field),
            None => Ok(()),
        }
    }

    /// Errors: `ExpiryOutOfBounds`.
    fn expiry(&self, env: &Env, expiry: u64) -> Result<u64> {
        if expiry == 0 {
            return Ok(env.time + u64::from(self.default_expiry_seconds));
        }
        let earliest = env.time + u64::from(self.min_expiry_seconds);
        let latest = env.time + u64::from(self.max_expiry_seconds);
        if expiry < earliest || expiry > latest {
            return refuse_with("ExpiryOutOfBounds", format!("{expiry}, {earliest}, {latest}"));
        }
        Ok(expiry)
    }
}

impl OutboundRecord {
    fn load(hash: &Word) -> Option<OutboundRecord> {
        let record = chain::read(&[OUTBOUND, hash].concat())?;
        let mut unpacker = Unpacker::of(&record);
        Some(OutboundRecord {
            is_open: unpacker.flag(),
            pause: Pause::unpack(&mut unpacker),
            route: Outbound {
                destination_gateway: unpacker.bytes(),
                queries: unpacker.flag(),
                address_lengths: unpacker.u64(),
                max_payload_bytes: unpacker.u32(),
                max_return_bytes: unpacker.u32(),
                max_execution_gas: unpacker.u32(),
                max_callback_gas: unpacker.u32(),
                min_expiry_seconds: unpacker.u32(),
                max_expiry_seconds: unpacker.u32(),
                default_expiry_seconds: unpacker.u32(),
                deadline_blocks: unpacker.u32(),
                max_deadline_blocks: unpacker.u32(),
            },
        })
    }

    /// Errors: `Unrouted`.
    fn open(hash: &Word) -> Result<OutboundRecord> {
        match OutboundRecord::load(hash) {
            Some(record) if record.is_open => Ok(record),
            _ => unrouted(hash),
        }
    }

    fn save(&self, hash: &Word) {
        let route = &self.route;
        let record = self
            .pause
            .pack(Packer::new().flag(self.is_open))
            .bytes(&route.destination_gateway)
            .flag(route.queries)
            .u64(route.address_lengths)
            .u32(route.max_payload_bytes)
            .u32(route.max_return_bytes)
            .u32(route.max_execution_gas)
            .u32(route.max_callback_gas)
            .u32(route.min_expiry_seconds)
            .u32(route.max_expiry_seconds)
            .u32(route.default_expiry_seconds)
            .u32(route.deadline_blocks)
            .u32(route.max_deadline_blocks)
            .finish();
        chain::write(&[OUTBOUND, hash].concat(), &record);
    }
}

impl InboundRecord {
    fn load(hash: &Word) -> InboundRecord {
        match chain::read(&[INBOUND, hash].concat()) {
            Some(record) => {
                let mut unpacker = Unpacker::of(&record);
                InboundRecord { is_registered: unpacker.flag(), pause: Pause::unpack(&mut unpacker) }
            }
            None => InboundRecord::default(),
        }
    }

    fn save(&self, hash: &Word) {
        let record = self.pause.pack(Packer::new().flag(self.is_registered)).finish();
        chain::write(&[INBOUND, hash].concat(), &record);
    }
}

fn unrouted<T>(chain_hash: &Word) -> Result<T> {
    refuse_with("Unrouted", hex::encode(chain_hash))
}

/// Errors: `MalformedChain`.
fn chain_hash(chain: &[u8]) -> Result<Word> {
    match erc7930::split(chain) {
        Some(split) if split.address.is_empty() => Ok(keccak256(chain)),
        _ => refuse("MalformedChain"),
    }
}

fn is_account(account: &[u8]) -> bool {
    matches!(erc7930::split(account), Some(split) if !split.address.is_empty())
}

fn chain_event(name: &'static str, hash: &Word, chain: &[u8]) -> Event {
    Event::new(name).hex("chain_hash", hash).hex("chain", chain)
}

fn gateway_event(name: &'static str, hash: &Word, source_gateway: &[u8]) -> Event {
    Event::new(name).hex("source_gateway_hash", hash).hex("source_gateway", source_gateway)
}

fn told_pause(event: Event, until_block: u64, info: &Info, response: &mut Response) {
    response.event(event.value("until_block", until_block).text("by", &info.sender));
}
