"""The example programs of a Solana chain that ask: the asker, and the borrower whose collateral stays here.

Its job: their instructions, for one account that owns what is asked, and what their accounts hold.

Source: contracts/svm/examples/asker.idl.json, loan.idl.json; contracts/svm/xvm_gateway.idl.json, `request`.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Final

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey
from solders.system_program import ID as SYSTEM_PROGRAM

from attestation.address import InteroperableAddress, parse_account
from attestation.keccak import keccak256
from attestation.request import Mode
from relayer.devnet.demo.chains import Aim
from relayer.devnet.svm.demo.targets import derived, discriminator, readable, signing, sized, writable

UNITS_PER_LAMPORT: Final = 10
"""Of the lender's token: what a lamport of collateral is good for."""

_MAX_FEE_LAMPORTS: Final = 10**9
_KEEPS: Final = b"\0"
"""A manner of the asker's handler: it writes the answer down."""

_NO_MORE_ACCOUNTS: Final = bytes(4)
_OPTIONS: Final = struct.Struct("<B?QQIQ?32sIQ")
"""Mode, own account, gas limits, return limit, expiry, ordered, code hash, dispute blocks, deadline.

Zeros are the route's defaults.
"""

_ANSWER: Final = struct.Struct("<112xBx?xI")
"""Of a question: its status, whether it succeeded, the length of the data that follow."""

_ANSWERED: Final = 2
_LOAN_SALT: Final = 0
_LOAN_STATUS: Final = 160
_LENT: Final = 2


class SvmAsking:
    """The programs by their names in the devnet's description, for `owner`, through the gateway."""

    def __init__(self, programs: Mapping[str, str], gateway: Pubkey, owner: Pubkey) -> None:
        self._gateway, self._owner = gateway, owner
        self.asker, self.borrower = (Pubkey.from_string(programs[name]) for name in ("asker", "loan"))
        self.sender = derived(self.asker, b"xvm", bytes(owner))
        self._pool = derived(self.borrower, b"pool", bytes(owner))
        self.keeper = derived(self.borrower, b"xvm", bytes(self._pool))
        self.loan = derived(self.borrower, b"loan", bytes(self._pool), bytes(owner), _LOAN_SALT.to_bytes(8, "little"))

    def question(self, salt: int) -> Pubkey:
        """Where the asker writes the answer down."""
        return derived(self.asker, b"question", bytes(self._owner), salt.to_bytes(8, "little"))

    def ask(self, mode: Mode, aim: Aim, salt: int, *, own_account: bool) -> Instruction:
        """The asker asks."""
        options = _OPTIONS.pack(mode, own_account, 0, 0, 0, 0, False, bytes(32), 0, 0)  # noqa: FBT003 - fields
        terms = struct.pack("<QQ", salt, _MAX_FEE_LAMPORTS) + sized(aim.account) + sized(aim.payload) + options
        accounts = [*self._asking(self.sender, aim.account, salt), writable(self.question(salt))]
        return Instruction(self.asker, discriminator("ask") + _KEEPS + _NO_MORE_ACCOUNTS + terms, accounts)

    def open_pool(self, lender: bytes) -> Instruction:
        """Name the lender (ERC-7930) of the loans that are taken here."""
        accounts = [signing(self._owner), writable(self._pool), readable(self._gateway), readable(SYSTEM_PROGRAM)]
        terms = sized(lender) + UNITS_PER_LAMPORT.to_bytes(8, "little")
        return Instruction(self.borrower, discriminator("open_pool") + terms, accounts)

    def borrow(self, lender: bytes, amount: int, recipient: bytes) -> Instruction:
        """Lock the collateral and ask for the loan, to be paid out to `recipient` (20 bytes)."""
        terms = struct.pack("<QQQ", _LOAN_SALT, amount, _MAX_FEE_LAMPORTS) + recipient
        return Instruction(self.borrower, discriminator("borrow") + terms, self._asking_lender(lender, 1))

    def settle(self, lender: bytes) -> Instruction:
        """Ask how the loan stands."""
        terms = _MAX_FEE_LAMPORTS.to_bytes(8, "little")
        return Instruction(self.borrower, discriminator("settle") + terms, self._asking_lender(lender, 2))

    def _asking_lender(self, lender: bytes, question: int) -> list[AccountMeta]:
        salt = (int.from_bytes(bytes(self.loan)[:8], "little") + question) % 2**64
        return [*self._asking(self.keeper, lender, salt), readable(self._pool), writable(self.loan)]

    def _asking(self, sender: Pubkey, target: bytes, salt: int) -> list[AccountMeta]:
        """What an instruction that asks as `sender` begins with."""
        chain = InteroperableAddress(parse_account(target).chain, b"").to_bytes()
        return [
            signing(self._owner),
            readable(derived(self._gateway, b"config")),
            readable(derived(self._gateway, b"__event_authority")),
            readable(self._gateway),
            readable(sender),
            readable(derived(self._gateway, b"outbound", keccak256(chain))),
            writable(derived(self._gateway, b"sender", bytes(sender))),
            writable(derived(self._gateway, b"pending", bytes(sender), salt.to_bytes(8, "little"))),
            readable(self._gateway),  # not ordered
            readable(SYSTEM_PROGRAM),
        ]


def read_answer(question: bytes) -> tuple[bool, bytes] | None:
    """What a question's account says: success and return data; None if it waits still."""
    status, success, length = _ANSWER.unpack_from(question)
    return (success, question[_ANSWER.size : _ANSWER.size + length]) if status == _ANSWERED else None


def is_lent(loan: bytes) -> bool:
    """Whether a loan's account knows that it was paid out."""
    return loan[_LOAN_STATUS] == _LENT
