"""Bringing an instruction's data in pieces, where it is too long for a transaction.

Its job: where a stage for this very data is, what is still missing in it, and the transactions that bring that. The
address comes from the data, so that whoever looks again finds what was brought; and only the payer can make an account
there. It must not judge what is staged.

Source: contracts/svm/src/stage.h; the system program's instructions with seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from solders.instruction import Instruction
from solders.pubkey import Pubkey
from solders.system_program import (
    AllocateWithSeedParams,
    AssignWithSeedParams,
    TransferParams,
    allocate_with_seed,
    assign_with_seed,
    transfer,
)

from attestation.keccak import keccak256
from attestation.request import RequestId
from relayer.vms.svm.accounts import STAGE_HEAD_LENGTH, Stage
from relayer.vms.svm.costs import SIGNATURE_LAMPORTS, rent_of
from relayer.vms.svm.instructions import GatewayInstructions
from relayer.vms.svm.preparing import Plan
from relayer.vms.svm.transactions import MAX_TRANSACTION_BYTES, draft_of, is_fitting

_SEED_CHARACTERS: Final = 32
"""Of an address' seed, at the most: 16 bytes of a hash. Two data with one address gain nobody anything."""

_FIRST_PIECE: Final = 600
_PIECE: Final = 900
"""Bytes that fit beside the accounts of the transaction which makes a stage, and of one that only fills it."""

_STAGE_UNITS: Final = 30_000
"""Compute units: copies and checks, no address is derived."""


class Stager:
    """Stages of one payer at one gateway."""

    def __init__(self, instructions: GatewayInstructions, payer: Pubkey, program: Pubkey) -> None:
        self._instructions = instructions
        self._payer = payer
        self._program = program
        self._wanted: set[Pubkey] = set()

    def key_of(self, data: bytes) -> Pubkey:
        """Where the stage for this data is."""
        return Pubkey.create_with_seed(self._payer, _seed(data), self._program)

    def plans(self, data: bytes, state: Stage | None, serves: Sequence[RequestId]) -> list[Plan]:
        """What is to be sent now; nothing if the data is there. `state` is the stage's account."""
        self._wanted.add(self.key_of(data))
        if state is None:
            # Its rent comes back with the transaction that uses it.
            return [self._plan(self.making(data, data), SIGNATURE_LAMPORTS, serves)]
        there = state.content[: state.length].ljust(len(data), b"\0")
        pieces = [(at, data[at : at + _PIECE]) for at in range(0, len(data), _PIECE)]
        missing = [(at, piece) for at, piece in pieces if there[at : at + len(piece)] != piece]
        if not missing and state.length < len(data):
            missing = pieces[-1:]  # what is not brought reads as zeros, and does not count
        key = self.key_of(data)
        return [
            self._plan([self._instructions.append(key, at, piece)], SIGNATURE_LAMPORTS, serves) for at, piece in missing
        ]

    def take_wanted(self) -> set[Pubkey]:
        """The stages that were asked for since this was last called."""
        wanted, self._wanted = self._wanted, set()
        return wanted

    def using(self, staged: Instruction) -> list[Instruction]:
        """The instruction by its stage, whose lamports come back."""
        key = self.key_of(staged.data)
        return [self._instructions.use_stage(key, staged), self._instructions.close_stage(key)]

    def making(self, name: bytes, content: bytes) -> list[Instruction]:
        """A stage for the content at the address that the name gives, with the first piece in it."""
        # SECURITY: whoever foresees what is staged can send lamports to its address, and an account that holds some is
        # not made in one step. Allocated and assigned it is, whatever it holds.
        key, seed, length = self.key_of(name), _seed(name), STAGE_HEAD_LENGTH + len(content)
        return [
            transfer(TransferParams(from_pubkey=self._payer, to_pubkey=key, lamports=rent_of(length))),
            allocate_with_seed(
                AllocateWithSeedParams(address=key, base=self._payer, seed=seed, space=length, owner=self._program)
            ),
            assign_with_seed(AssignWithSeedParams(address=key, base=self._payer, seed=seed, owner=self._program)),
            self._instructions.stage(key),
            self._instructions.append(key, 0, content[:_FIRST_PIECE]),
        ]

    def _plan(self, steps: Sequence[Instruction], value: int, serves: Sequence[RequestId]) -> Plan:
        draft = draft_of(self._payer, steps)
        assert is_fitting(draft), f"pieces are cut to fit {MAX_TRANSACTION_BYTES} bytes"
        return Plan(draft, _STAGE_UNITS, value, tuple(serves), is_groundwork=True)


def _seed(data: bytes) -> str:
    return keccak256(data).hex()[:_SEED_CHARACTERS]
