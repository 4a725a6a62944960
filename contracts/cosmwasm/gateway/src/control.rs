//! Time-limited pauses, who may set them, and the clock of the deadlines, which stands still while callbacks are paused. What is not
//! named as pausable (cancelling, refunds, `expire`, withdrawals) never is.

use crate::offices;
use crate::packed::{Packer, Unpacker};
use crate::settings::Settings;
use xvm_common::chain;
use xvm_common::entry::{Env, Info};
use xvm_common::failure::{detailed, refuse_with, Result};
use xvm_common::fields::Fields;
use xvm_common::json_text::Object;
use xvm_common::response::{Event, Response};

const KEY: &[u8] = b"pauses";

/// What a pause stops at a gateway.
#[derive(Clone, Copy, PartialEq)]
pub enum Direction {
    Requests = 0,
    Executions = 1,
    Callbacks = 2,
}

/// One thing that can be paused.
#[derive(Clone, Copy, Default)]
pub struct Pause {
    pub until_block: u64,
    /// From when the guardian may pause it.
    guardian_from_block: u64,
}

#[derive(Default)]
struct Pauses {
    directions: [Pause; 3],
    /// Start of the callbacks' last pause while it is not yet counted in `paused_blocks`.
    callbacks_from: u64,
    /// Blocks that callbacks were paused for, up to the start of the last pause.
    paused_blocks: u64,
}

/// Stops a direction for so many blocks; guardian or owner. Errors: those of `Pause::extend`.
pub fn pause(env: &Env, info: &Info, mut fields: Fields, response: &mut Response) -> Result<()> {
    let (direction, blocks) = (direction(&mut fields)?, fields.u32("blocks")?);
    fields.finish()?;
    let mut pauses = Pauses::load();
    let paused = &mut pauses.directions[direction as usize];
    let former = *paused;
    paused.extend(env, info, blocks)?;
    let until_block = paused.until_block;
    if direction == Direction::Callbacks {
        pauses.count(env, former);
        pauses.callbacks_from = env.height;
    }
    pauses.save();
    told(direction, until_block, info, response);
    Ok(())
}

/// Lifts a pause; the owner's.
pub fn unpause(env: &Env, info: &Info, mut fields: Fields, response: &mut Response) -> Result<()> {
    let direction = direction(&mut fields)?;
    fields.finish()?;
    offices::require_owner(info)?;
    let mut pauses = Pauses::load();
    let former = pauses.directions[direction as usize];
    pauses.directions[direction as usize].until_block = 0;
    if direction == Direction::Callbacks {
        pauses.count(env, former);
        pauses.callbacks_from = 0;
    }
    pauses.save();
    told(direction, 0, info, response);
    Ok(())
}

/// Errors: `Paused`.
pub fn require_open(env: &Env, direction: Direction) -> Result<()> {
    let until_block = Pauses::load().directions[direction as usize].until_block;
    if env.height < until_block {
        return refuse_with("Paused", until_block);
    }
    Ok(())
}

/// SECURITY: a contract that calls could hold its handler's or target's lock (or balance, or price) in a state that makes it
/// fail, and the failure would be final. Errors: `ContractCaller`.
pub fn require_direct_caller(info: &Info) -> Result<()> {
    match chain::contract_info(&info.sender)? {
        Some(_) => refuse_with("ContractCaller", &info.sender),
        None => Ok(()),
    }
}

/// Blocks that callbacks have been paused for until now.
pub fn paused_blocks(env: &Env) -> u64 {
    let pauses = Pauses::load();
    pauses.paused_until_now(env, pauses.directions[Direction::Callbacks as usize])
}

/// Until which block each direction is paused; 0 if it is not.
pub fn pausings(env: &Env, fields: Fields) -> Result<String> {
    fields.finish()?;
    Ok(describe(env, Object::new()).finish())
}

/// Adds what `config` says of pauses.
pub fn describe(env: &Env, object: Object) -> Object {
    let [requests, executions, callbacks] = Pauses::load().directions;
    object
        .decimal("requests_paused_until_block", requests.standing(env))
        .decimal("executions_paused_until_block", executions.standing(env))
        .decimal("callbacks_paused_until_block", callbacks.standing(env))
}

impl Pause {
    /// Pauses for `blocks` from now. Errors: `PauseTooLong`, `NotGuardian`, `PauseTooSoon`.
    pub fn extend(&mut self, env: &Env, info: &Info, blocks: u32) -> Result<()> {
        let longest = Settings::load()?.max_pause_blocks;
        if blocks == 0 || blocks > longest {
            return refuse_with("PauseTooLong", format!("{blocks}, {longest}"));
        }
        let until_block = env.height + u64::from(blocks);
        if info.sender != offices::owner() {
            // SECURITY: only these two may stop anything
            if offices::guardian().as_ref() != Some(&info.sender) {
                return refuse_with("NotGuardian", &info.sender);
            }
            // SECURITY: a rest after each pause, or a stolen guardian key could pause for ever
            if env.height < self.guardian_from_block {
                return refuse_with("PauseTooSoon", self.guardian_from_block);
            }
            self.guardian_from_block = until_block + u64::from(longest);
        }
        self.until_block = until_block;
        Ok(())
    }

    /// Until which block it is paused; 0 if it is not.
    pub fn standing(&self, env: &Env) -> u64 {
        if env.height < self.until_block {
            self.until_block
        } else {
            0
        }
    }

    pub fn pack(&self, packer: Packer) -> Packer {
        packer.u64(self.until_block).u64(self.guardian_from_block)
    }

    pub fn unpack(unpacker: &mut Unpacker) -> Pause {
        Pause { until_block: unpacker.u64(), guardian_from_block: unpacker.u64() }
    }
}

impl Pauses {
    fn load() -> Pauses {
        let record = match chain::read(KEY) {
            Some(record) => record,
            None => return Pauses::default(),
        };
        let mut unpacker = Unpacker::of(&record);
        let mut directions = [Pause::default(); 3];
        for direction in &mut directions {
            *direction = Pause::unpack(&mut unpacker);
        }
        Pauses { directions, callbacks_from: unpacker.u64(), paused_blocks: unpacker.u64() }
    }

    fn save(&self) {
        let packer = self.directions.iter().fold(Packer::new(), |packer, direction| direction.pack(packer));
        chain::write(KEY, &packer.u64(self.callbacks_from).u64(self.paused_blocks).finish());
    }

    fn paused_until_now(&self, env: &Env, callbacks: Pause) -> u64 {
        if callbacks.until_block == 0 {
            return self.paused_blocks;
        }
        self.paused_blocks + env.height.min(callbacks.until_block) - self.callbacks_from
    }

    /// Counts the callbacks' former pause.
    fn count(&mut self, env: &Env, former: Pause) {
        self.paused_blocks = self.paused_until_now(env, former);
    }
}

fn direction(fields: &mut Fields) -> Result<Direction> {
    match fields.u8("direction")? {
        0 => Ok(Direction::Requests),
        1 => Ok(Direction::Executions),
        2 => Ok(Direction::Callbacks),
        other => Err(detailed("UnknownDirection", other)),
    }
}

fn told(direction: Direction, until_block: u64, info: &Info, response: &mut Response) {
    response.event(
        Event::new("XVMPaused")
            .value("direction", direction as u8)
            .value("until_block", until_block)
            .text("by", &info.sender),
    );
}
