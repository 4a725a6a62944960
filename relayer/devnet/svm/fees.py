"""What a message costs: its signatures, and its price for the compute units that it reserves.

Source: the fee calculator and the compute budget of agave; the defaults are those of SIMD-170.
"""

from __future__ import annotations

from typing import Final

from solders.compute_budget import ID as COMPUTE_BUDGET_PROGRAM
from solders.message import Message, MessageV0
from solders.pubkey import Pubkey

from relayer.devnet.svm.chain import LAMPORTS_PER_SIGNATURE

_MAX_UNITS: Final = 1_400_000
_UNITS_OF_PROGRAM: Final = 200_000
_UNITS_OF_BUILTIN: Final = 3_000
_MICRO_LAMPORTS: Final = 1_000_000
_SET_LIMIT: Final = 2
_SET_PRICE: Final = 3

_BUILTINS: Final = frozenset(
    Pubkey.from_string(name)
    for name in (
        "11111111111111111111111111111111",
        "Vote111111111111111111111111111111111111111",
        "BPFLoader1111111111111111111111111111111111",
        "BPFLoader2111111111111111111111111111111111",
        "BPFLoaderUpgradeab1e11111111111111111111111",
        "LoaderV411111111111111111111111111111111111",
        "ComputeBudget111111111111111111111111111111",
    )
)
_PRECOMPILES: Final = frozenset(
    Pubkey.from_string(name)
    for name in (
        "Ed25519SigVerify111111111111111111111111111",
        "KeccakSecp256k11111111111111111111111111111",
        "Secp256r1SigVerify1111111111111111111111111",
    )
)


def fee_of(message: Message | MessageV0) -> int:
    """Lamports that the payer is charged, whether the transaction succeeds or not."""
    keys = message.account_keys
    signatures: int = message.header.num_required_signatures
    price, limit, default_limit = 0, None, 0
    for instruction in message.instructions:
        # Only named accounts can be programs.
        program = keys[instruction.program_id_index] if instruction.program_id_index < len(keys) else None
        data = bytes(instruction.data)
        if program in _PRECOMPILES:
            signatures += data[0] if data else 0
        else:
            default_limit += _UNITS_OF_BUILTIN if program in _BUILTINS else _UNITS_OF_PROGRAM
        if program == COMPUTE_BUDGET_PROGRAM and data[:1] == bytes([_SET_LIMIT]):
            limit = int.from_bytes(data[1:5], "little")
        elif program == COMPUTE_BUDGET_PROGRAM and data[:1] == bytes([_SET_PRICE]):
            price = int.from_bytes(data[1:9], "little")
    units = min(default_limit if limit is None else limit, _MAX_UNITS)
    return signatures * LAMPORTS_PER_SIGNATURE + -(-price * units // _MICRO_LAMPORTS)
