//! What signers sign, as leaves: keccak256 of an EIP-712 struct hash, so that none can pass for an inner node of a tree.

use xvm_common::failure::Result;
use xvm_common::fields::Fields;
use xvm_common::keccak::keccak256;
use xvm_common::word::{join, of_bool, of_u64, Word};

const EXECUTE_TYPE: &[u8] =
    b"Execute(uint256 requestId,uint64 height,bytes32 blockHash,uint32 txIndex,uint32 logIndex)";
const OUTCOME_TYPE: &[u8] = b"Outcome(uint256 requestId,uint8 kind,bool cut,bytes32 returnDataHash,uint64 height,bytes32 blockHash,uint32 txIndex,uint32 logIndex,bytes32 payee,uint32 round)";
const ROTATE_TYPE: &[u8] = b"Rotate(bytes32 signerSetHash,uint64 newEpoch)";

/// What became of a request.
pub mod kind {
    pub const EXECUTED: u8 = 0;
    pub const REVERTED: u8 = 1;
    pub const UNREACHED: u8 = 2;
    pub const EXPIRED: u8 = 3;
    pub const DUPLICATE: u8 = 4;
}

/// Where an event stands on its chain.
pub struct Location {
    pub height: u64,
    pub block_hash: Word,
    pub tx_index: u32,
    pub log_index: u32,
}

impl Location {
    pub fn take(fields: &mut Fields) -> Result<Location> {
        Ok(Location {
            height: fields.u64("height")?,
            block_hash: fields.word("block_hash")?,
            tx_index: fields.u32("tx_index")?,
            log_index: fields.u32("log_index")?,
        })
    }
}

pub struct Outcome {
    pub request_id: Word,
    pub kind: u8,
    pub cut: bool,
    pub return_data: Vec<u8>,
    pub location: Location,
    pub payee: Word,
    pub round: u32,
}

impl Outcome {
    pub fn read(mut fields: Fields) -> Result<Outcome> {
        let outcome = Outcome {
            request_id: fields.word("request_id")?,
            kind: fields.u8("kind")?,
            cut: fields.flag("cut")?,
            return_data: fields.base64("return_data")?,
            location: Location::take(&mut fields)?,
            payee: fields.word("payee")?,
            round: fields.u32("round")?,
        };
        fields.finish()?;
        Ok(outcome)
    }

    /// EIP-712 struct hash.
    pub fn hash(&self) -> Word {
        keccak256(&join(&[
            keccak256(OUTCOME_TYPE),
            self.request_id,
            of_u64(self.kind as u64),
            of_bool(self.cut),
            keccak256(&self.return_data),
            of_u64(self.location.height),
            self.location.block_hash,
            of_u64(self.location.tx_index as u64),
            of_u64(self.location.log_index as u64),
            self.payee,
            of_u64(self.round as u64),
        ]))
    }
}

pub fn leaf(struct_hash: &Word) -> Word {
    keccak256(struct_hash)
}

/// Struct hash of the statement that a request is final on its source, there.
pub fn execute_hash(request_id: &Word, location: &Location) -> Word {
    keccak256(&join(&[
        keccak256(EXECUTE_TYPE),
        *request_id,
        of_u64(location.height),
        location.block_hash,
        of_u64(location.tx_index as u64),
        of_u64(location.log_index as u64),
    ]))
}

/// Struct hash of the statement that a signer set is to be the next epoch's.
pub fn rotate_hash(signer_set_hash: &Word, new_epoch: u64) -> Word {
    keccak256(&join(&[keccak256(ROTATE_TYPE), *signer_set_hash, of_u64(new_epoch)]))
}
