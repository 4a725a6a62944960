//! The EIP-712 domain of a gateway: what is signed for it counts nowhere else. Its salt is the hash of the gateway's address, chain
//! included, worked out anew from chain id and contract each time.

use crate::erc7930;
use xvm_common::entry::Env;
use xvm_common::failure::{named, Result};
use xvm_common::keccak::keccak256;
use xvm_common::word::{join, of_u64, Word};

const DOMAIN_TYPE: &[u8] = b"EIP712Domain(string name,string version,bytes32 salt)";
const BATCH_TYPE: &[u8] = b"Batch(bytes32 root,uint32 count,uint64 epoch)";

pub struct Domain {
    salt: Word,
    chain_hash: Word,
}

impl Domain {
    /// Of this gateway.
    pub fn own(env: &Env) -> Result<Domain> {
        Domain::of(&erc7930::of_account(env, &env.contract)?)
    }

    /// Of the gateway at an ERC-7930 address. Errors: `MalformedGateway`.
    pub fn of(gateway: &[u8]) -> Result<Domain> {
        let split = erc7930::split(gateway).ok_or_else(|| named("MalformedGateway"))?;
        Ok(Domain { salt: keccak256(gateway), chain_hash: keccak256(&split.chain()) })
    }

    /// By these four bytes a certificate tells for which chain it was made.
    pub fn chain_tag(&self) -> &[u8] {
        &self.chain_hash[..4]
    }

    /// By these, for which gateway there.
    pub fn gateway_tag(&self) -> &[u8] {
        &self.salt[..4]
    }

    pub fn separator(&self) -> Word {
        keccak256(&join(&[keccak256(DOMAIN_TYPE), keccak256(b"XVM"), keccak256(b"1"), self.salt]))
    }

    /// What signers of a batch sign.
    pub fn digest(&self, root: &Word, count: u32, epoch: u64) -> Word {
        let batch = keccak256(&join(&[keccak256(BATCH_TYPE), *root, of_u64(count as u64), of_u64(epoch)]));
        let mut signed = vec![0x19, 0x01];
        signed.extend_from_slice(&self.separator());
        signed.extend_from_slice(&batch);
        keccak256(&signed)
    }
}
