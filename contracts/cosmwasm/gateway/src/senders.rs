//! Each sender's next nonce, and how often it may ask in a window of blocks. A zero in either part of the limit: no limit.

use crate::offices;
use crate::packed::{Packer, Unpacker};
use xvm_common::chain;
use xvm_common::entry::{Env, Info};
use xvm_common::failure::{refuse_with, Result};
use xvm_common::fields::Fields;
use xvm_common::json_text::{quote, Object};
use xvm_common::response::{Event, Response};

const SENDER: &[u8] = b"sender";
const LIMIT: &[u8] = b"sender_limit";

#[derive(Default)]
struct Sender {
    next_nonce: u64,
    /// The window in which it asked last, and how often it did in there.
    window: u64,
    window_count: u32,
}

#[derive(Default)]
struct Limit {
    window_blocks: u32,
    max_requests: u32,
}

/// What `instantiate` says of senders.
pub fn initialize(fields: &mut Fields, response: &mut Response) -> Result<()> {
    set(Limit { window_blocks: fields.u32("sender_window_blocks")?, max_requests: fields.u32("sender_max_requests")? }, response);
    Ok(())
}

/// The owner's.
pub fn set_sender_limit(info: &Info, mut fields: Fields, response: &mut Response) -> Result<()> {
    let limit = Limit { window_blocks: fields.u32("window_blocks")?, max_requests: fields.u32("max_requests")? };
    fields.finish()?;
    offices::require_owner(info)?;
    set(limit, response);
    Ok(())
}

/// The nonce of the caller's next request, which counts in its window. Errors: `SenderLimit`.
pub fn take_nonce(env: &Env, info: &Info) -> Result<u64> {
    let mut sender = Sender::load(&info.sender);
    let limit = Limit::load();
    if limit.window_blocks != 0 && limit.max_requests != 0 {
        let window = env.height / u64::from(limit.window_blocks);
        if window != sender.window {
            sender.window = window;
            sender.window_count = 0;
        }
        // SECURITY: signers must look at all that is asked, or one sender could keep them from everybody else's
        if sender.window_count >= limit.max_requests {
            return refuse_with("SenderLimit", (window + 1) * u64::from(limit.window_blocks));
        }
        sender.window_count += 1;
    }
    let nonce = sender.next_nonce;
    sender.next_nonce += 1;
    sender.save(&info.sender);
    Ok(nonce)
}

/// The query `next_nonce`.
pub fn next_nonce(mut fields: Fields) -> Result<String> {
    let sender = fields.address("sender")?;
    fields.finish()?;
    Ok(quote(&Sender::load(&sender).next_nonce.to_string()))
}

/// The query `sender_limit`.
pub fn sender_limit(fields: Fields) -> Result<String> {
    fields.finish()?;
    let limit = Limit::load();
    Ok(Object::new().number("window_blocks", limit.window_blocks).number("max_requests", limit.max_requests).finish())
}

/// Adds what `config` says of senders.
pub fn describe(object: Object) -> Object {
    let limit = Limit::load();
    object.number("sender_window_blocks", limit.window_blocks).number("sender_max_requests", limit.max_requests)
}

impl Sender {
    fn load(sender: &str) -> Sender {
        match chain::read(&[SENDER, b"/", sender.as_bytes()].concat()) {
            Some(record) => {
                let mut unpacker = Unpacker::of(&record);
                Sender { next_nonce: unpacker.u64(), window: unpacker.u64(), window_count: unpacker.u32() }
            }
            None => Sender::default(),
        }
    }

    fn save(&self, sender: &str) {
        let record = Packer::new().u64(self.next_nonce).u64(self.window).u32(self.window_count).finish();
        chain::write(&[SENDER, b"/", sender.as_bytes()].concat(), &record);
    }
}

impl Limit {
    fn load() -> Limit {
        match chain::read(LIMIT) {
            Some(record) => {
                let mut unpacker = Unpacker::of(&record);
                Limit { window_blocks: unpacker.u32(), max_requests: unpacker.u32() }
            }
            None => Limit::default(),
        }
    }
}

fn set(limit: Limit, response: &mut Response) {
    chain::write(LIMIT, &Packer::new().u32(limit.window_blocks).u32(limit.max_requests).finish());
    response.event(
        Event::new("XVMSenderLimitSet")
            .value("window_blocks", limit.window_blocks)
            .value("max_requests", limit.max_requests),
    );
}
