//! What a contract answers: events, data, and messages that the chain runs one after another, each with its reply, before the next.

use crate::base64;
use crate::entry::Coin;
use crate::json_text::{list, quote, Object};
use std::fmt::Display;

/// When the chain tells the contract what became of a message.
pub enum ReplyOn {
    Never,
    Success,
    Failure,
    Always,
}

/// A custom event; the chain puts `wasm-` before its name and adds the contract's address.
pub struct Event {
    name: &'static str,
    attributes: Vec<String>,
}

impl Event {
    pub fn new(name: &'static str) -> Event {
        Event { name, attributes: Vec::new() }
    }

    pub fn text(mut self, key: &str, value: &str) -> Event {
        self.attributes.push(Object::new().text("key", key).text("value", value).finish());
        self
    }

    /// A number or a flag.
    pub fn value(self, key: &str, value: impl Display) -> Event {
        self.text(key, &value.to_string())
    }

    /// Bytes as `0x` and digits.
    pub fn hex(self, key: &str, bytes: &[u8]) -> Event {
        self.text(key, &crate::hex::encode(bytes))
    }

    pub fn base64(self, key: &str, bytes: &[u8]) -> Event {
        self.text(key, &base64::encode(bytes))
    }
}

#[derive(Default)]
pub struct Response {
    messages: Vec<String>,
    events: Vec<String>,
    data: Option<Vec<u8>>,
}

impl Response {
    pub fn new() -> Response {
        Response::default()
    }

    pub fn event(&mut self, event: Event) {
        self.events
            .push(Object::new().text("type", event.name).raw("attributes", &list(&event.attributes)).finish());
    }

    pub fn data(&mut self, data: Vec<u8>) {
        self.data = Some(data);
    }

    /// A message (JSON of a `CosmosMsg`) whose failure is this call's.
    pub fn message(&mut self, message: &str) {
        self.submessage(0, message, None, ReplyOn::Never);
    }

    /// SECURITY: with `gas_limit` it gets exactly that much, and never fails for what the transaction has left: there the chain ends
    /// the transaction.
    pub fn submessage(&mut self, id: u64, message: &str, gas_limit: Option<u64>, reply_on: ReplyOn) {
        let gas_limit = gas_limit.map_or("null".to_string(), |limit| limit.to_string());
        let reply_on = match reply_on {
            ReplyOn::Never => "never",
            ReplyOn::Success => "success",
            ReplyOn::Failure => "error",
            ReplyOn::Always => "always",
        };
        self.messages.push(
            Object::new()
                .raw("id", &id.to_string())
                .raw("msg", message)
                .raw("gas_limit", &gas_limit)
                .text("reply_on", reply_on)
                .finish(),
        );
    }

    pub fn finish(self) -> String {
        let data = self.data.map_or("null".to_string(), |data| quote(&base64::encode(&data)));
        Object::new()
            .raw("messages", &list(&self.messages))
            .raw("attributes", "[]")
            .raw("events", &list(&self.events))
            .raw("data", &data)
            .finish()
    }
}

/// Calls a contract, without funds.
pub fn call(contract: &str, message: &[u8]) -> String {
    call_paying(contract, message, &[])
}

/// Calls a contract, with funds.
pub fn call_paying(contract: &str, message: &[u8], funds: &[Coin]) -> String {
    let coins: Vec<String> = funds
        .iter()
        .map(|coin| Object::new().text("denom", &coin.denomination).decimal("amount", coin.amount).finish())
        .collect();
    let body =
        Object::new().text("contract_addr", contract).base64("msg", message).raw("funds", &list(&coins)).finish();
    wasm("execute", &body)
}

/// Creates a contract at the address that its code, its creator and `salt` make.
pub fn create(code_id: u64, label: &str, message: &[u8], salt: &[u8]) -> String {
    let body = Object::new()
        .raw("admin", "null")
        .raw("code_id", &code_id.to_string())
        .text("label", label)
        .base64("msg", message)
        .raw("funds", "[]")
        .base64("salt", salt)
        .finish();
    wasm("instantiate2", &body)
}

/// Replaces a contract's code.
pub fn migrate(contract: &str, code_id: u64, message: &[u8]) -> String {
    let body = Object::new()
        .text("contract_addr", contract)
        .raw("new_code_id", &code_id.to_string())
        .base64("msg", message)
        .finish();
    wasm("migrate", &body)
}

/// Pays one coin out.
pub fn pay(to: &str, amount: u128, denomination: &str) -> String {
    let coin = Object::new().text("denom", denomination).decimal("amount", amount).finish();
    let send = Object::new().text("to_address", to).raw("amount", &list(&[coin])).finish();
    Object::new().raw("bank", &Object::new().raw("send", &send).finish()).finish()
}

fn wasm(kind: &str, body: &str) -> String {
    Object::new().raw("wasm", &Object::new().raw(kind, body).finish()).finish()
}
