//! Requests: reading, writing, ids. The id is the EIP-712 struct hash and commits to every field.

use xvm_common::failure::Result;
use xvm_common::fields::Fields;
use xvm_common::json_text::Object;
use xvm_common::keccak::keccak256;
use xvm_common::word::{join, of_bool, of_u64, Word};

const TYPE: &[u8] = b"Request(bytes sourceGateway,bytes sender,bytes destinationGateway,bytes target,uint64 nonce,uint8 mode,bool ownAccount,bytes payload,uint64 executionGasLimit,uint64 callbackGasLimit,uint32 returnLimit,uint64 expiry,uint256 orderedAfter,uint256 origin,bytes32 codeHash,uint32 disputeBlocks,bytes metadata)";

/// A request; where only its id and expiry count, its payload may be known by hash alone.
pub struct Request {
    /// ERC-7930, as the three that follow.
    pub source_gateway: Vec<u8>,
    pub sender: Vec<u8>,
    pub destination_gateway: Vec<u8>,
    pub target: Vec<u8>,
    pub nonce: u64,
    pub mode: u8,
    pub own_account: bool,
    /// Empty if only its hash is known.
    pub payload: Vec<u8>,
    pub payload_hash: Word,
    pub execution_gas_limit: u64,
    pub callback_gas_limit: u64,
    pub return_limit: u32,
    /// Seconds.
    pub expiry: u64,
    pub ordered_after: Word,
    pub origin: Word,
    pub code_hash: Word,
    pub dispute_blocks: u32,
    pub metadata: Vec<u8>,
}

impl Request {
    /// Of a message: with the payload, or `by_hash`.
    pub fn read(mut fields: Fields, by_hash: bool) -> Result<Request> {
        let (payload, payload_hash) = if by_hash {
            (Vec::new(), fields.word("payload_hash")?)
        } else {
            let payload = fields.base64("payload")?;
            let hash = keccak256(&payload);
            (payload, hash)
        };
        let request = Request {
            source_gateway: fields.hex("source_gateway")?,
            sender: fields.hex("sender")?,
            destination_gateway: fields.hex("destination_gateway")?,
            target: fields.hex("target")?,
            nonce: fields.u64("nonce")?,
            mode: fields.u8("mode")?,
            own_account: fields.flag("own_account")?,
            payload,
            payload_hash,
            execution_gas_limit: fields.u64("execution_gas_limit")?,
            callback_gas_limit: fields.u64("callback_gas_limit")?,
            return_limit: fields.u32("return_limit")?,
            expiry: fields.u64("expiry")?,
            ordered_after: fields.word("ordered_after")?,
            origin: fields.word("origin")?,
            code_hash: fields.word("code_hash")?,
            dispute_blocks: fields.u32("dispute_blocks")?,
            metadata: fields.base64("metadata")?,
        };
        fields.finish()?;
        Ok(request)
    }

    pub fn id(&self) -> Word {
        keccak256(&join(&[
            keccak256(TYPE),
            keccak256(&self.source_gateway),
            keccak256(&self.sender),
            keccak256(&self.destination_gateway),
            keccak256(&self.target),
            of_u64(self.nonce),
            of_u64(self.mode as u64),
            of_bool(self.own_account),
            self.payload_hash,
            of_u64(self.execution_gas_limit),
            of_u64(self.callback_gas_limit),
            of_u64(self.return_limit as u64),
            of_u64(self.expiry),
            self.ordered_after,
            self.origin,
            self.code_hash,
            of_u64(self.dispute_blocks as u64),
            keccak256(&self.metadata),
        ]))
    }

    /// As JSON, with the payload.
    pub fn json(&self) -> String {
        Object::new()
            .hex("source_gateway", &self.source_gateway)
            .hex("sender", &self.sender)
            .hex("destination_gateway", &self.destination_gateway)
            .hex("target", &self.target)
            .decimal("nonce", self.nonce)
            .number("mode", self.mode as u32)
            .flag("own_account", self.own_account)
            .base64("payload", &self.payload)
            .decimal("execution_gas_limit", self.execution_gas_limit)
            .decimal("callback_gas_limit", self.callback_gas_limit)
            .number("return_limit", self.return_limit)
            .decimal("expiry", self.expiry)
            .hex("ordered_after", &self.ordered_after)
            .hex("origin", &self.origin)
            .hex("code_hash", &self.code_hash)
            .number("dispute_blocks", self.dispute_blocks)
            .base64("metadata", &self.metadata)
            .finish()
    }
}
