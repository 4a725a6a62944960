"""Calls of Solana programs, and what they and accounts hold, as people type and read them.

Its job: between text and bytes: the payload of a CALL or a QUERY from instruction data and accounts, results from
return data or an account's data. It reaches no chain.

Source: contracts/svm/README.md, Payload; Anchor's instruction data.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from attestation.address import parse_account_text
from attestation.errors import AttestationError
from attestation.request import Mode
from attestation.textcodecs import base58_encode
from relayer.cli.asking import TypedCall
from relayer.cli.svm.borsh_types import BorshTypes, Kind, kind_text
from relayer.cli.svm.borsh_values import MalformedValue, parse_address
from relayer.cli.svm.idl import NO_IDL, Idl, IdlInstruction, anchor_discriminator
from relayer.cli.usage import WrongUsage
from relayer.errors import ConfigError
from relayer.vms.svm.addresses import GatewayAddresses

MAX_ACCOUNTS: Final = 255
"""In one payload: a transaction names an account in one byte."""

_SIGNATURE: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(\(.*\))")
_ACCOUNT: Final = re.compile(r"(?:([A-Za-z_][A-Za-z0-9_.]*)=)?([1-9A-HJ-NP-Za-km-z]+|own)(?::(w|s|sw|ws))?")
_OWN: Final = "own"
_SLICE: Final = "slice"


class DeclaredAccount(NamedTuple):
    """An account that a call may touch, as its payload lists it. `address` is 32 bytes."""

    address: bytes
    is_signer: bool
    is_writable: bool


class _TypedAccount(NamedTuple):
    name: str
    account: DeclaredAccount


class SvmPayloadCodec:
    """Implements `PayloadCodec`.

    A function is an instruction of the IDL, or, without one, Anchor's for a signature such as `increment(u64)`. A QUERY
    without a function, data and accounts asks for all data of the target account, `slice` with two numbers for a part.
    """

    def __init__(self, call: TypedCall) -> None:
        if call.data is not None and (call.function is not None or call.arguments):
            raise WrongUsage(["name the call either by --fn and --args, or by --data alone"])
        self._call = call
        self._idl = NO_IDL if call.interface is None else Idl.load(call.interface)
        self._accounts = [self._parse_account(text) for text in call.accounts]

    def encode(self, mode: Mode) -> bytes:
        """Borsh `{accounts, data}`; of a QUERY of an account nothing, or offset and length (u32 each)."""
        call = self._call
        if mode is Mode.QUERY and call.interface is None and call.function == _SLICE:
            return self._encode_slice()
        if call.function is None and call.data is None:
            if mode is Mode.CALL:
                raise WrongUsage(["name the call either by --fn and --args, or by --data alone"])
            if call.arguments or call.accounts:
                raise WrongUsage(["--accounts, --args: a query of an account's data takes none; name a call by --fn"])
            return b""
        accounts, data = self._parts()
        signers = [base58_encode(each.address) for each in accounts if each.is_signer]
        if signers and mode is Mode.QUERY:
            raise WrongUsage([f"--accounts: {signers[0]} signs, and a query has nobody's signature"])
        if signers and not call.is_own_account:
            # The gateway calls nothing where anybody else is to sign: it would end as UNREACHED, and paid.
            raise WrongUsage(
                [f"--accounts: {signers[0]} signs, which only the asker's own account can: add --own-account"]
            )
        if len(accounts) > MAX_ACCOUNTS:
            raise WrongUsage([f"--accounts: {len(accounts)}, of which a transaction holds {MAX_ACCOUNTS} at most"])
        listed = b"".join(each.address + bytes([each.is_signer, each.is_writable]) for each in accounts)
        return _with_count(len(accounts), listed) + _with_count(len(data), data)

    @property
    def result_types(self) -> str | None:
        """What the IDL says that the instruction returns."""
        instruction = self._idl.instructions.get(self._call.function or "")
        return None if instruction is None or instruction.returns is None else kind_text(instruction.returns)

    def check_result_types(self, types: str) -> None:
        """Whether these can be the types of a result."""
        self._result_kind(types)

    def decode_result(self, types: str, data: bytes) -> list[Any]:
        """Values of types such as `u64,pubkey`, or of an account of the IDL, whose discriminator goes before it."""
        kind = self._result_kind(types)
        try:
            if types in self._idl.accounts:
                return [self._decode_account(types, kind, data)]
            value = self._idl.types.decode(kind, data)
        except MalformedValue as error:
            raise ConfigError([f"--returns: the data is none of {types}: {error}"]) from None
        return list(value) if isinstance(kind, dict) and "tuple" in kind else [value]

    def explain_failure(self, data: bytes) -> str:
        """A program that aborts gives no data with it."""
        return f"0x{data.hex()}" if data else "the program aborted"

    def _result_kind(self, types: str) -> Kind:
        compact = types if types.startswith("(") else f"({types})"
        try:
            if types in self._idl.types.defined:
                return {"defined": {"name": types}}
            return self._idl.types.parse(compact)
        except MalformedValue as error:
            raise WrongUsage([f"--returns: {types!r} is no list of types, such as u64,vec<pubkey>: {error}"]) from None

    def _decode_account(self, name: str, kind: Kind, data: bytes) -> Any:
        discriminator = self._idl.accounts[name]
        if not data.startswith(discriminator):
            raise MalformedValue("its discriminator is another")
        # Accounts have room behind what they hold.
        return self._idl.types.decode_from(kind, data, len(discriminator))[0]

    def _encode_slice(self) -> bytes:
        try:
            return b"".join(BorshTypes({}).encode("u32", text) for text in _exactly(2, self._call.arguments))
        except MalformedValue as error:
            raise WrongUsage([f"--args: {_SLICE} takes an offset and a length in bytes: {error}"]) from None

    def _parts(self) -> tuple[list[DeclaredAccount], bytes]:
        """The accounts and the instruction's data."""
        call = self._call
        if call.function is None:
            return self._unnamed(), call.data or b""
        if call.interface is None:
            return self._unnamed(), self._encode_signature(call.function)
        try:
            instruction = self._idl.instruction(call.function)
        except MalformedValue as error:
            raise WrongUsage([f"--fn: {error}"]) from None
        data = self._encode_arguments(call.function, instruction.discriminator, instruction.arguments)
        return self._named(instruction), data

    def _encode_signature(self, function: str) -> bytes:
        match = _SIGNATURE.fullmatch("".join(function.split()))
        if match is None:
            raise WrongUsage([f"--fn: {function!r} is no signature; write it as 'name(type,type)', or give an --idl"])
        try:
            kind = self._idl.types.parse(match[2])
        except MalformedValue as error:
            raise WrongUsage([f"--fn: {error}"]) from None
        assert isinstance(kind, dict)
        arguments = [(str(number), item) for number, item in enumerate(kind["tuple"], 1)]
        return self._encode_arguments(function, anchor_discriminator("global", match[1]), arguments)

    def _encode_arguments(self, function: str, begin: bytes, arguments: Sequence[tuple[str, Kind]]) -> bytes:
        typed = self._call.arguments
        if len(typed) != len(arguments):
            names = ", ".join(name for name, _ in arguments)
            raise WrongUsage([f"--args: {function} takes {len(arguments)} arguments ({names}), not {len(typed)}"])
        parts, faults = [begin], []
        for (name, kind), text in zip(arguments, typed, strict=True):
            try:
                parts.append(self._idl.types.read_text(kind, text))
            except MalformedValue as error:
                faults.append(f"--args: {name}: {error}")
        if faults:
            raise WrongUsage(faults)
        return b"".join(parts)

    def _unnamed(self) -> list[DeclaredAccount]:
        named = [each.name for each in self._accounts if each.name]
        if named:
            raise WrongUsage([f"--accounts: {named[0]}: accounts have names only where --idl gives them"])
        return [each.account for each in self._accounts]

    def _named(self, instruction: IdlInstruction) -> list[DeclaredAccount]:
        """In the instruction's order, with its own flags besides those typed; what has no name follows."""
        typed = {each.name: each.account for each in self._accounts if each.name}
        listed, faults = [], []
        for wanted in instruction.accounts:
            given = typed.pop(wanted.name, None)
            if given is not None:
                is_signer, is_writable = given.is_signer or wanted.is_signer, given.is_writable or wanted.is_writable
                listed.append(DeclaredAccount(given.address, is_signer, is_writable))
            elif wanted.address:
                listed.append(DeclaredAccount(parse_address(wanted.address), wanted.is_signer, wanted.is_writable))
            elif wanted.is_optional:
                # As Anchor writes one that is left out.
                listed.append(DeclaredAccount(self._call.target.address, is_signer=False, is_writable=False))
            else:
                faults.append(f"--accounts: {instruction.name} takes {wanted.name}: write {wanted.name}=ADDRESS")
        faults += [f"--accounts: {instruction.name} takes no {name}" for name in typed]
        if faults:
            raise WrongUsage(faults)
        return [*listed, *(each.account for each in self._accounts if not each.name)]

    def _parse_account(self, text: str) -> _TypedAccount:
        match = _ACCOUNT.fullmatch(text)
        if match is None:
            raise WrongUsage([f"--accounts: {text!r} is no account; write ADDRESS or NAME=ADDRESS, and :w, :s or :sw"])
        name, address, flags = match[1] or "", match[2], match[3] or ""
        try:
            key = self._own_account() if address == _OWN else parse_address(address)
        except MalformedValue as error:
            raise WrongUsage([f"--accounts: {error}"]) from None
        return _TypedAccount(name, DeclaredAccount(key, "s" in flags, "w" in flags))

    def _own_account(self) -> bytes:
        """That of the asker at the target's gateway."""
        call = self._call
        try:
            gateway = parse_account_text(f"{call.target.chain}:{call.gateway}")
        except AttestationError:
            raise WrongUsage(
                ["--accounts: own: the gateway of the target's chain is not known here; write the account's address"]
            ) from None
        return bytes(GatewayAddresses(gateway.address).own_account(call.asker.to_bytes()))


def _exactly(count: int, items: Sequence[str]) -> Sequence[str]:
    if len(items) != count:
        raise MalformedValue(f"{len(items)} values, not {count}")
    return items


def _with_count(count: int, data: bytes) -> bytes:
    return count.to_bytes(4, "little") + data
