"""The one validator of the chain, whose key follows from the chain's id.

Its job: sign commits. Anybody can compute its key: it protects nothing.
"""

from __future__ import annotations

import hashlib
from typing import Final

from Crypto.PublicKey import ECC
from Crypto.Signature import eddsa

from relayer.devnet.cosmwasm.headers import (
    COMMIT_FLAG,
    BlockId,
    Commit,
    CommitSig,
    timestamp_of,
    validators_root,
    vote_bytes,
)

VOTING_POWER: Final = 10
_ADDRESS_BYTES: Final = 20


class Validator:
    """Signs for a chain."""

    def __init__(self, chain_id: str) -> None:
        self._chain_id = chain_id
        seed = hashlib.sha256(f"validator of {chain_id}".encode()).digest()
        key = ECC.construct(curve="Ed25519", seed=seed)  # type: ignore[arg-type]  # bytes, as documented
        self._signer = eddsa.new(key, "rfc8032")
        self.public_key = key.public_key().export_key(format="raw")
        self.address = hashlib.sha256(self.public_key).digest()[:_ADDRESS_BYTES]
        self.set_hash = validators_root(self.public_key, VOTING_POWER)

    def commit(self, height: int, block_id: BlockId, time_ns: int) -> Commit:
        """The commit of a block, signed at this moment."""
        signature = self._signer.sign(vote_bytes(self._chain_id, height, block_id, time_ns))
        signed = CommitSig(COMMIT_FLAG, self.address, timestamp_of(time_ns), signature)
        return Commit(height, 0, block_id, (signed,))
