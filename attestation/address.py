"""Accounts and chains across VMs: ERC-7930 version 1 bytes and their text. It knows no gateway and no RPC.

Text is CAIP-10 (`eip155:31337:0x…`), a chain's CAIP-2 (`eip155:31337`), with the references of CAIP-350. Two points:

- `solana`: the reference is the *whole* base58 genesis hash, as CAIP-350 has it. CAIP-2's 32-character cut cannot be
  turned back into bytes, so it is refused.
- `cosmos`: the account's bech32 prefix is not in the binary form. Without a prefix the account is shown as hex.

`cosmos`, `aptos` and `qvm` have no CAIP-350 profile: their chain types are provisional, in the upper range.

Source: ERC-7930, CAIP-2, CAIP-10, CAIP-350 with its eip155 and solana profiles.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final, Self

from attestation.errors import MalformedAddress
from attestation.keccak import keccak256
from attestation.textcodecs import base58_decode, base58_encode, bech32_decode, bech32_encode

_VERSION: Final = b"\x00\x01"
_HEADER_LENGTH: Final = 5  # version 2, chain type 2, length of the reference 1
_KNOWN_ADDRESSES: Final = 4096  # gateways, senders and targets come again and again; each takes some 700 bytes at most
_EVM_ADDRESS_LENGTH: Final = 20
_LONG_ADDRESS_LENGTH: Final = 32
_GENESIS_HASH_LENGTH: Final = 32
_MAXIMUM_CHAIN_ID_LENGTH: Final = 32  # a uint256: what an EVM can name

_COSMOS_CHAIN_ID: Final = re.compile(rb"[-_a-zA-Z0-9]{1,32}")  # CAIP-2's reference, so that text needs no escape
_DECIMAL: Final = re.compile(r"[1-9][0-9]{0,77}")
_LOWER_HEX: Final = re.compile(r"0x(?:[0-9a-f]{2})+")


class Namespace(StrEnum):
    """The CAIP-2 namespaces that the protocol knows."""

    EIP155 = "eip155"
    SOLANA = "solana"
    COSMOS = "cosmos"
    APTOS = "aptos"
    QVM = "qvm"


_CHAIN_TYPES: Final = {
    Namespace.EIP155: b"\x00\x00",
    Namespace.SOLANA: b"\x00\x02",
    Namespace.APTOS: b"\xa0\x01",
    Namespace.COSMOS: b"\xc0\x01",
    Namespace.QVM: b"\x9a\x01",
}
_NAMESPACES: Final = {chain_type: namespace for namespace, chain_type in _CHAIN_TYPES.items()}
_NAMESPACES_BY_NAME: Final = {namespace.value: namespace for namespace in Namespace}
_NUMBERED: Final = frozenset({Namespace.EIP155, Namespace.APTOS, Namespace.QVM})
_CHECKSUMMED: Final = frozenset({Namespace.EIP155, Namespace.QVM})
_ADDRESS_LENGTHS: Final = {
    Namespace.EIP155: (_EVM_ADDRESS_LENGTH,),
    Namespace.SOLANA: (_LONG_ADDRESS_LENGTH,),
    Namespace.APTOS: (_LONG_ADDRESS_LENGTH,),
    Namespace.COSMOS: (_EVM_ADDRESS_LENGTH, _LONG_ADDRESS_LENGTH),
    Namespace.QVM: (_EVM_ADDRESS_LENGTH,),
}
_CHECKSUMMED_FORM: Final = "0x and 40 hex digits, checksummed or lower-case"
_ACCOUNT_FORMS: Final = {
    Namespace.EIP155: _CHECKSUMMED_FORM,
    Namespace.SOLANA: "32 bytes in base58",
    Namespace.APTOS: "0x and 64 lower-case hex digits",
    Namespace.COSMOS: "bech32, or 0x and 40 or 64 lower-case hex digits",
    Namespace.QVM: _CHECKSUMMED_FORM,
}


@dataclass(frozen=True, slots=True)
class Chain:
    """One chain. `reference` is binary.

    eip155, aptos, qvm: the chain id, big-endian, without leading zeros. solana: the 32-byte genesis hash.
    cosmos: the chain id in ASCII. Raises `MalformedAddress` for anything else.
    """

    namespace: Namespace
    reference: bytes

    def __post_init__(self) -> None:
        reference = self.reference
        if self.namespace in _NUMBERED:
            # SECURITY: one chain has one encoding, or one account would have several hashes.
            if not 0 < len(reference) <= _MAXIMUM_CHAIN_ID_LENGTH or reference[0] == 0:
                raise MalformedAddress(f"{self.namespace} reference 0x{reference.hex()} is not a minimal chain id")
        elif self.namespace is Namespace.SOLANA:
            if len(reference) != _GENESIS_HASH_LENGTH:
                raise MalformedAddress(
                    f"solana reference is {len(reference)} bytes long, not {_GENESIS_HASH_LENGTH}: "
                    "it is the whole genesis hash, as getGenesisHash tells it"
                )
        elif _COSMOS_CHAIN_ID.fullmatch(reference) is None:
            raise MalformedAddress(f"cosmos reference 0x{reference.hex()} is not a chain id")

    @classmethod
    def numbered(cls, namespace: Namespace, chain_id: int) -> Self:
        """The chain with a numeric id (eip155, aptos, qvm). `chain_id` is 1 to 2^256-1."""
        if chain_id < 0:
            raise MalformedAddress(f"chain id {chain_id} is negative")
        return cls(namespace, chain_id.to_bytes((chain_id.bit_length() + 7) // 8, "big"))

    @classmethod
    def evm(cls, chain_id: int) -> Self:
        """The eip155 chain with this id."""
        return cls.numbered(Namespace.EIP155, chain_id)

    @property
    def chain_id(self) -> int:
        """The numeric chain id of an eip155, aptos or qvm chain. Others have none: `MalformedAddress`."""
        if self.namespace not in _NUMBERED:
            raise MalformedAddress(f"{self.namespace} chains have no numeric id")
        return int.from_bytes(self.reference, "big")

    @property
    def reference_text(self) -> str:
        """The reference as CAIP-350 writes it."""
        if self.namespace in _NUMBERED:
            return str(self.chain_id)
        if self.namespace is Namespace.SOLANA:
            return base58_encode(self.reference)
        return self.reference.decode("ascii")

    @property
    def account_form(self) -> str:
        """How accounts of the chain are written, in words."""
        return _ACCOUNT_FORMS[self.namespace]

    def hash_text(self, data: bytes) -> str:
        """A transaction's or a block's hash as the chain's people write it: base58 on solana, capitals on cosmos."""
        if self.namespace is Namespace.SOLANA:
            return base58_encode(data)
        return data.hex().upper() if self.namespace is Namespace.COSMOS else f"0x{data.hex()}"

    def to_bytes(self) -> bytes:
        """The chain-only ERC-7930 address: address length 0."""
        return InteroperableAddress(self, b"").to_bytes()

    def __str__(self) -> str:
        """CAIP-2, such as `eip155:31337`."""
        return f"{self.namespace}:{self.reference_text}"


@dataclass(frozen=True, slots=True)
class InteroperableAddress:
    """An account on a chain, or, with an empty `address`, the chain alone.

    `address` is 20 bytes on eip155 and qvm, 32 on solana and aptos, 20 or 32 on cosmos. Raises `MalformedAddress`.
    """

    chain: Chain
    address: bytes

    def __post_init__(self) -> None:
        if self.address and len(self.address) not in _ADDRESS_LENGTHS[self.chain.namespace]:
            raise MalformedAddress(f"{self.chain.namespace} has no addresses of {len(self.address)} bytes")

    @property
    def is_chain_only(self) -> bool:
        """Whether no account is named."""
        return not self.address

    def to_bytes(self) -> bytes:
        """ERC-7930 version 1."""
        reference, address = self.chain.reference, self.address
        return b"".join(
            (
                _VERSION,
                _CHAIN_TYPES[self.chain.namespace],
                len(reference).to_bytes(1, "big"),
                reference,
                len(address).to_bytes(1, "big"),
                address,
            )
        )

    def to_text(self, bech32_prefix: str | None = None) -> str:
        """CAIP-10, or CAIP-2 for a chain alone. `bech32_prefix` is used by cosmos accounts; without it they are hex."""
        if self.is_chain_only:
            return str(self.chain)
        return f"{self.chain}:{self.account_text(bech32_prefix)}"

    def account_text(self, bech32_prefix: str | None = None) -> str:
        """The account alone, in its chain's own text form; empty for a chain alone."""
        if self.is_chain_only:
            return ""
        namespace = self.chain.namespace
        if namespace is Namespace.SOLANA:
            return base58_encode(self.address)
        if namespace in _CHECKSUMMED:
            return checksum_address(self.address)
        if namespace is Namespace.COSMOS and bech32_prefix is not None:
            return bech32_encode(bech32_prefix, self.address)
        return f"0x{self.address.hex()}"

    def __str__(self) -> str:
        return self.to_text()


def evm_account(chain_id: int, address: bytes) -> InteroperableAddress:
    """The account `address` (20 bytes) on an eip155 chain."""
    if not address:
        raise MalformedAddress("an account has an address")
    return InteroperableAddress(Chain.evm(chain_id), address)


@lru_cache(maxsize=_KNOWN_ADDRESSES)
def parse_interoperable_address(data: bytes) -> InteroperableAddress:
    """Parse ERC-7930 version 1 bytes, of an account or of a chain alone.

    Strict: SECURITY: what parses is exactly what `to_bytes` gives, so equal accounts have equal bytes and equal hashes.
    Raises `MalformedAddress`.
    """
    if len(data) < _HEADER_LENGTH + 1 or data[:2] != _VERSION:
        raise MalformedAddress("not an ERC-7930 version 1 address")
    namespace = _NAMESPACES.get(data[2:4])
    if namespace is None:
        raise MalformedAddress(f"chain type 0x{data[2:4].hex()} is unknown")
    reference_end = _HEADER_LENGTH + data[4]
    if len(data) <= reference_end:
        raise MalformedAddress("the chain reference is cut")
    address = data[reference_end + 1 :]
    if len(address) != data[reference_end]:
        raise MalformedAddress("the address is cut, or more bytes follow it")
    return InteroperableAddress(Chain(namespace, data[_HEADER_LENGTH:reference_end]), address)


@lru_cache(maxsize=_KNOWN_ADDRESSES)
def parse_account(data: bytes) -> InteroperableAddress:
    """As `parse_interoperable_address`, but a chain alone is refused as well."""
    address = parse_interoperable_address(data)
    if address.is_chain_only:
        raise MalformedAddress("a chain alone is no account")
    return address


def parse_chain_text(text: str) -> Chain:
    """Parse CAIP-2 text such as `eip155:31337`. Raises `MalformedAddress`."""
    namespace_text, separator, reference = text.partition(":")
    namespace = _NAMESPACES_BY_NAME.get(namespace_text)
    if not separator or namespace is None:
        raise MalformedAddress(f"{text!r} is not a chain of a known namespace")
    if namespace in _NUMBERED:
        if _DECIMAL.fullmatch(reference) is None:
            raise MalformedAddress(f"{reference!r} is not a chain id")
        return Chain.numbered(namespace, int(reference))
    if namespace is Namespace.SOLANA:
        return Chain(namespace, base58_decode(reference))
    if not reference.isascii():
        raise MalformedAddress(f"{reference!r} is not a chain id")
    return Chain(namespace, reference.encode("ascii"))


def parse_account_text(text: str, bech32_prefix: str | None = None) -> InteroperableAddress:
    """Parse CAIP-10 text such as `eip155:1:0x…`. Raises `MalformedAddress`.

    eip155 and qvm: hex with its EIP-55 checksum, or all in lower case. aptos: all 64 digits, lower case. cosmos:
    bech32, of the given prefix if one is given, or lower-case hex. solana: base58.
    """
    chain_text, separator, account = text.rpartition(":")
    if not separator:
        raise MalformedAddress(f"{text!r} is not an account")
    chain = parse_chain_text(chain_text)
    namespace = chain.namespace
    if namespace is Namespace.SOLANA:
        address = base58_decode(account)
    elif namespace is Namespace.COSMOS and not account.startswith("0x"):
        prefix, address = bech32_decode(account)
        if bech32_prefix is not None and prefix != bech32_prefix:
            raise MalformedAddress(f"{account!r} has not the prefix {bech32_prefix!r}")
    else:
        address = _parse_hex(account.lower() if namespace in _CHECKSUMMED else account)
    if not address:
        raise MalformedAddress(f"{text!r} is not an account")
    parsed = InteroperableAddress(chain, address)
    if namespace in _CHECKSUMMED and account not in {account.lower(), checksum_address(address)}:
        raise MalformedAddress(f"{account!r} fails its EIP-55 checksum")
    return parsed


def bech32_prefix(account: str) -> str | None:
    """The prefix of an account's bech32 text, such as a gateway's; None of one in any other form."""
    try:
        return bech32_decode(account)[0]
    except MalformedAddress:
        return None


def checksum_address(address: bytes) -> str:
    """The EIP-55 text of a 20-byte address."""
    digits = address.hex()
    mask = keccak256(digits.encode("ascii")).hex()
    return "0x" + "".join(
        digit.upper() if nibble >= "8" else digit for digit, nibble in zip(digits, mask[: len(digits)], strict=True)
    )


def _parse_hex(account: str) -> bytes:
    if _LOWER_HEX.fullmatch(account) is None:
        raise MalformedAddress(f"{account!r} is not lower-case hex")
    return bytes.fromhex(account[2:])
