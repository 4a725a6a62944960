"""What the demonstration calls on a Solana chain: the example counter, an SPL token, memos.

Its job: their instructions, the payloads of calls of them from elsewhere, and their accounts.

Source: contracts/svm/examples/counter.idl.json; spl-token's instructions; spl-associated-token-account's; spl-memo.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Final

from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.system_program import ID as SYSTEM_PROGRAM
from solders.system_program import CreateAccountParams, create_account

from relayer.devnet.demo.cases import Call

MINT_LENGTH: Final = 82
SUPPLY: Final = 1_000

_DECIMALS: Final = 0
_TRANSFER: Final = b"\x03"
_MINT_TO: Final = b"\x07"
_INITIALIZE_MINT: Final = b"\x14"
_CREATE_IDEMPOTENT: Final = b"\x01"
_NO_FREEZING: Final = b"\x00"
_COUNT: Final = slice(8, 16)
_AMOUNT: Final = slice(64, 72)
"""Where a counter has its count, and a token account its amount; both little-endian."""


class SvmTargets:
    """The programs by their names in the devnet's description; `payer` owns what is made."""

    def __init__(self, programs: Mapping[str, str], payer: Pubkey) -> None:
        self._payer = payer
        self.counter, self._token, self._associated, self._memo = (
            Pubkey.from_string(programs[name]) for name in ("counter", "token", "associated_token", "memo")
        )
        self.count = derived(self.counter, b"counter")
        self.mint_key: Final = Keypair()
        self.mint: Final = self.mint_key.pubkey()

    def opening(self, rent: int) -> list[Instruction]:
        """Make the counter's account, a token (`rent` is that of its mint, which signs), and our account of it."""
        made = CreateAccountParams(
            from_pubkey=self._payer,
            to_pubkey=self.mint,
            lamports=rent,
            space=MINT_LENGTH,
            owner=self._token,
        )
        terms = _INITIALIZE_MINT + bytes([_DECIMALS]) + bytes(self._payer) + _NO_FREEZING
        return [
            Instruction(
                self.counter,
                discriminator("initialize"),
                [signing(self._payer), writable(self.count), readable(SYSTEM_PROGRAM)],
            ),
            create_account(made),
            Instruction(self._token, terms, [writable(self.mint)]),
            self._open_account(self._payer),
        ]

    def endowing(self, owner: Pubkey) -> list[Instruction]:
        """Give `owner` all units of the token there are."""
        mint_to = _MINT_TO + SUPPLY.to_bytes(8, "little")
        accounts = [writable(self.mint), writable(self.token_account(owner)), signing(self._payer)]
        return [self._open_account(owner), Instruction(self._token, mint_to, accounts)]

    def token_account(self, owner: Pubkey) -> Pubkey:
        """Where somebody's units are."""
        return derived(self._associated, bytes(owner), bytes(self._token), bytes(self.mint))

    @property
    def memo(self) -> Pubkey:
        """The memo program."""
        return self._memo

    def target(self, name: str) -> Pubkey:
        """What is called by this name."""
        return {"counter": self.counter, "spl": self._token, "mint": self.mint, "memo": self._memo}[name]

    def payload(self, call: Call, own: Pubkey) -> bytes:
        """Of a call by a remote sender whose own account here is `own`."""
        arguments = call.arguments
        match call.target, call.function:
            case "counter", "increment":
                # Nobody in particular calls: the optional caller is the program itself.
                accounts = [writable(self.count), readable(self.counter)]
                return encode_call(accounts, discriminator("increment") + struct.pack("<Q", *arguments))
            case "counter", "fail":
                return encode_call([], discriminator("fail") + struct.pack("<I", *arguments))
            case "counter", "read":
                return encode_call([readable(self.count)], discriminator("read"))
            case "spl", "transfer":
                from_to = [writable(self.token_account(owner)) for owner in (own, self._payer)]
                signs = AccountMeta(own, is_signer=True, is_writable=False)
                return encode_call([*from_to, signs], _TRANSFER + struct.pack("<Q", *arguments))
            case "memo", "write":
                return encode_call([], str(arguments[0]).encode())
            case "mint", "data":
                return b""
            case _:
                raise ValueError(f"{call} is no call of a target here")

    def _open_account(self, owner: Pubkey) -> Instruction:
        accounts = [
            signing(self._payer),
            writable(self.token_account(owner)),
            *(readable(key) for key in (owner, self.mint, SYSTEM_PROGRAM, self._token)),
        ]
        return Instruction(self._associated, _CREATE_IDEMPOTENT, accounts)


def read_count(counter: bytes) -> int:
    """Of the counter's account."""
    return int.from_bytes(counter[_COUNT], "little")


def read_amount(token_account: bytes) -> int:
    """Units in a token account."""
    return int.from_bytes(token_account[_AMOUNT], "little")


def encode_call(accounts: Sequence[AccountMeta], data: bytes) -> bytes:
    """As the gateway takes a call: `{accounts: [{pubkey, isSigner, isWritable}], data}` in Borsh."""
    listed = b"".join(bytes(each.pubkey) + bytes([each.is_signer, each.is_writable]) for each in accounts)
    return struct.pack("<I", len(accounts)) + listed + sized(data)


def sized(data: bytes) -> bytes:
    """Bytes in Borsh."""
    return struct.pack("<I", len(data)) + data


def discriminator(instruction: str) -> bytes:
    """What an instruction of a program in Anchor's manner begins with: 8 bytes."""
    return sha256(f"global:{instruction}".encode()).digest()[:8]


def derived(program: Pubkey, *seeds: bytes) -> Pubkey:
    """A program's address."""
    return Pubkey.find_program_address(seeds, program)[0]


def signing(key: Pubkey) -> AccountMeta:
    """An account that signs and pays."""
    return AccountMeta(key, is_signer=True, is_writable=True)


def writable(key: Pubkey) -> AccountMeta:
    """An account that is written."""
    return AccountMeta(key, is_signer=False, is_writable=True)


def readable(key: Pubkey) -> AccountMeta:
    """An account that is only read, or a program."""
    return AccountMeta(key, is_signer=False, is_writable=False)
