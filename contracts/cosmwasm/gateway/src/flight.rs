//! The calls of one `execute` that the chain has still to run, in storage from the call to the last end of its transaction. The
//! chain runs each call to its end before the next: the flight's head is the request that runs now.

use crate::packed::{Packer, Unpacker};
use xvm_common::chain;
use xvm_common::failure::{detailed, refuse, refuse_with, Result};
use xvm_common::word::Word;

/// Next step ‖ number of steps, each four bytes.
const PLACE: &[u8] = b"flight";

/// What is still to be concluded, in the order of its batches.
pub struct Step {
    pub request_id: Word,
    pub sender: Vec<u8>,
    pub source_gateway: Vec<u8>,
    pub payee: Word,
    /// Where the slot word stands: the first attempt's id.
    pub slot: Word,
    pub return_limit: u32,
    /// The account that calls the target. Nobody for a duplicate: it runs nothing, and tells what became of the attempt in its slot,
    /// which this flight still runs.
    pub caller: String,
}

/// The steps of a call, as they are made.
#[derive(Default)]
pub struct Plan {
    count: u32,
    /// Slots of what it runs.
    slots: Vec<Word>,
}

impl Plan {
    /// Errors: `FlightUnderway`.
    pub fn new() -> Result<Plan> {
        // SECURITY: a second flight within a first would take over its replies
        if chain::read(PLACE).is_some() {
            return refuse("FlightUnderway");
        }
        Ok(Plan::default())
    }

    /// Keeps a step; its number.
    pub fn add(&mut self, step: &Step) -> u32 {
        let number = self.count;
        chain::write(&key(number), &step.packed());
        self.count += 1;
        if !step.caller.is_empty() {
            self.slots.push(step.slot);
        }
        number
    }

    /// Whether what this flight runs will tell by this slot what became of it.
    pub fn runs(&self, slot: &Word) -> bool {
        self.slots.contains(slot)
    }

    /// Opens the flight, if it has a step.
    pub fn finish(self) {
        if self.count > 0 {
            chain::write(PLACE, &place(0, self.count));
        }
    }
}

/// The step that the chain runs now, if it runs one.
pub fn current() -> Option<Step> {
    Step::load(head()?.0)
}

/// Ends the step that ran, which must be `number`. SECURITY: out of turn, one call's end would be told as another's.
/// Errors: `UnknownReply`.
pub fn finish(number: u32) -> Result<Step> {
    match head() {
        Some((next, count)) if next == number => end(next, count).ok_or_else(|| detailed("UnknownReply", number)),
        _ => refuse_with("UnknownReply", number),
    }
}

/// Ends the step that runs now, if this account calls for it.
pub fn finish_call_of(caller: &str) -> Option<Step> {
    let (next, count) = head()?;
    if Step::load(next)?.caller != caller {
        return None;
    }
    end(next, count)
}

fn end(next: u32, count: u32) -> Option<Step> {
    let step = Step::load(next);
    chain::remove(&key(next));
    if next + 1 == count {
        chain::remove(PLACE);
    } else {
        chain::write(PLACE, &place(next + 1, count));
    }
    step
}

impl Step {
    fn load(number: u32) -> Option<Step> {
        let record = chain::read(&key(number))?;
        let mut unpacker = Unpacker::of(&record);
        Some(Step {
            request_id: unpacker.word(),
            sender: unpacker.bytes(),
            source_gateway: unpacker.bytes(),
            payee: unpacker.word(),
            slot: unpacker.word(),
            return_limit: unpacker.u32(),
            caller: unpacker.text(),
        })
    }

    fn packed(&self) -> Vec<u8> {
        Packer::new()
            .word(&self.request_id)
            .bytes(&self.sender)
            .bytes(&self.source_gateway)
            .word(&self.payee)
            .word(&self.slot)
            .u32(self.return_limit)
            .text(&self.caller)
            .finish()
    }
}

fn head() -> Option<(u32, u32)> {
    let bytes: [u8; 8] = chain::read(PLACE)?.try_into().ok()?;
    let packed = u64::from_be_bytes(bytes);
    Some(((packed >> 32) as u32, packed as u32))
}

fn place(next: u32, count: u32) -> [u8; 8] {
    ((next as u64) << 32 | count as u64).to_be_bytes()
}

fn key(number: u32) -> Vec<u8> {
    [b"flight/", &number.to_be_bytes()[..]].concat()
}
