"""Transactions as the RPC writes them: encodings, status metadata, memos, simulations."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from solders.instruction import CompiledInstruction
from solders.message import Message, MessageV0
from solders.pubkey import Pubkey
from solders.system_program import ID as SYSTEM_PROGRAM
from solders.transaction import VersionedTransaction
from solders.transaction_metadata import TransactionMetadata

from attestation.textcodecs import base58_encode
from relayer.devnet.svm.blocks import Landed
from relayer.devnet.svm.messages import MessageKeys
from relayer.devnet.svm.params import Options
from relayer.devnet.svm.rpc_errors import unsupported_transaction_version
from relayer.devnet.svm.transaction_errors import ErrorJson

ENCODINGS: Final = ("binary", "base58", "base64", "json", "jsonParsed")

_MEMO_PROGRAMS: Final = frozenset(
    Pubkey.from_string(name)
    for name in ("Memo1UhkJRfHyvLMcVucJwxXeuD728EqVDDwQDxFMNo", "MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr")
)
_KEPT: Final = 1_024
"""Transactions as they were written: several ask for the same within a slot or two, which a busy chain fills so."""

_SYSTEM_TRANSFER: Final = (2).to_bytes(4, "little")
_SYSTEM_TRANSFER_BYTES: Final = 12
_MAX_VERSION: Final = 255


@dataclass(frozen=True, slots=True)
class TransactionForm:
    """How transactions are to be written, and the highest version that the client knows; None if only legacy ones."""

    encoding: str
    highest_version: int | None

    def write(self, landed: Landed, *, shows_rewards: bool = True) -> dict[str, Any]:
        """The members `transaction`, `meta` and `version`.

        Raises:
            RpcError: the client does not know the transaction's version.
        """
        version = self._version(landed)
        transaction, meta = _written(self.encoding, landed)
        written = {"transaction": transaction, "meta": {**meta, "rewards": [] if shows_rewards else None}}
        return written if version is None else {**written, "version": version}

    def _version(self, landed: Landed) -> Any:
        version = landed.transaction.version()
        number = version if isinstance(version, int) else None
        if number is not None and (self.highest_version is None or number > self.highest_version):
            raise unsupported_transaction_version(number)
        if self.highest_version is None:
            return None
        return "legacy" if number is None else number


def form_of(options: Options) -> TransactionForm:
    """The form that a call asks for."""
    version = options.integer("maxSupportedTransactionVersion", most=_MAX_VERSION)
    return TransactionForm(options.choice("encoding", ENCODINGS, "json"), version)


def memo_of(transaction: VersionedTransaction) -> str | None:
    """The memos of a transaction's own instructions, each with its length in front."""
    message = transaction.message
    named = message.account_keys
    memos = [
        f"[{len(bytes(instruction.data))}] {bytes(instruction.data).decode('utf-8', 'replace')}"
        for instruction in message.instructions
        if instruction.program_id_index < len(named) and named[instruction.program_id_index] in _MEMO_PROGRAMS
    ]
    return "; ".join(memos) or None


def return_data_json(result: TransactionMetadata) -> dict[str, Any] | None:
    """What the last program to do so returned; None if none did."""
    returned = result.return_data()
    if not returned.data:
        return None
    return {"programId": str(returned.program_id), "data": [base64.b64encode(returned.data).decode(), "base64"]}


def inner_json(result: TransactionMetadata, keys: MessageKeys, *, is_parsed: bool) -> list[dict[str, Any]]:
    """The instructions that programs called, by the instruction that led to them."""
    groups = []
    for index, group in enumerate(result.inner_instructions()):
        calls = [_instruction(call.instruction(), keys, call.stack_height(), is_parsed=is_parsed) for call in group]
        if calls:
            groups.append({"index": index, "instructions": calls})
    return groups


def status_json(error: ErrorJson | None) -> dict[str, Any]:
    """The outdated member `status` beside `err`."""
    return {"Ok": None} if error is None else {"Err": error}


def _raw_message(message: Message | MessageV0) -> dict[str, Any]:
    header = message.header
    written: dict[str, Any] = {
        "header": {
            "numRequiredSignatures": header.num_required_signatures,
            "numReadonlySignedAccounts": header.num_readonly_signed_accounts,
            "numReadonlyUnsignedAccounts": header.num_readonly_unsigned_accounts,
        },
        "accountKeys": [str(key) for key in message.account_keys],
        "recentBlockhash": str(message.recent_blockhash),
        "instructions": [_raw_instruction(instruction, None) for instruction in message.instructions],
    }
    return {**written, **_lookups(message)}


def _parsed_message(message: Message | MessageV0, keys: MessageKeys) -> dict[str, Any]:
    return {
        "accountKeys": [
            {
                "pubkey": str(key),
                "signer": index < keys.signers,
                "writable": keys.is_writable(index),
                "source": "transaction" if index < len(keys.named) else "lookupTable",
            }
            for index, key in enumerate(keys.all)
        ],
        "recentBlockhash": str(message.recent_blockhash),
        "instructions": [_instruction(instruction, keys, 1, is_parsed=True) for instruction in message.instructions],
        **_lookups(message),
    }


def _lookups(message: Message | MessageV0) -> dict[str, Any]:
    if isinstance(message, Message):
        return {}
    return {
        "addressTableLookups": [
            {
                "accountKey": str(lookup.account_key),
                "writableIndexes": list(lookup.writable_indexes),
                "readonlyIndexes": list(lookup.readonly_indexes),
            }
            for lookup in message.address_table_lookups
        ]
    }


def _instruction(
    instruction: CompiledInstruction, keys: MessageKeys, height: int | None, *, is_parsed: bool
) -> dict[str, Any]:
    if not is_parsed:
        return _raw_instruction(instruction, height)
    every = keys.all
    program, data = every[instruction.program_id_index], bytes(instruction.data)
    accounts = [every[index] for index in instruction.accounts]
    for parsed in _parsed(program, data, accounts):
        return {**parsed, "programId": str(program), "stackHeight": height}
    return {
        "programId": str(program),
        "accounts": [str(key) for key in accounts],
        "data": base58_encode(data),
        "stackHeight": height,
    }


def _parsed(program: Pubkey, data: bytes, accounts: Sequence[Pubkey]) -> Iterator[dict[str, Any]]:
    if program in _MEMO_PROGRAMS:
        yield {"program": "spl-memo", "parsed": data.decode("utf-8", "replace")}
    is_transfer = program == SYSTEM_PROGRAM and data[:4] == _SYSTEM_TRANSFER and len(data) == _SYSTEM_TRANSFER_BYTES
    if is_transfer and len(accounts) >= 2:  # noqa: PLR2004 - from whom, to whom
        lamports = int.from_bytes(data[4:], "little")
        info = {"source": str(accounts[0]), "destination": str(accounts[1]), "lamports": lamports}
        yield {"program": "system", "parsed": {"type": "transfer", "info": info}}


def _raw_instruction(instruction: CompiledInstruction, height: int | None) -> dict[str, Any]:
    return {
        "programIdIndex": instruction.program_id_index,
        "accounts": list(instruction.accounts),
        "data": base58_encode(bytes(instruction.data)),
        "stackHeight": height,
    }


@lru_cache(maxsize=_KEPT)
def _written(encoding: str, landed: Landed) -> tuple[Any, Mapping[str, Any]]:
    """A transaction and its metadata. Whoever asks gets the same: it must not be changed."""
    return _transaction_of(landed, encoding), _meta_of(landed, is_parsed=encoding == "jsonParsed")


def _transaction_of(landed: Landed, encoding: str) -> Any:
    transaction = landed.transaction
    if encoding == "base64":
        return [base64.b64encode(bytes(transaction)).decode(), "base64"]
    if encoding in ("base58", "binary"):
        text = base58_encode(bytes(transaction))
        return text if encoding == "binary" else [text, "base58"]
    message = transaction.message
    assert isinstance(message, Message | MessageV0)
    is_parsed = encoding == "jsonParsed"
    signatures = [str(signature) for signature in transaction.signatures]
    return {
        "signatures": signatures,
        "message": _parsed_message(message, landed.keys) if is_parsed else _raw_message(message),
    }


def _meta_of(landed: Landed, *, is_parsed: bool) -> dict[str, Any]:
    keys, result = landed.keys, landed.result
    meta: dict[str, Any] = {
        "err": landed.error,
        "status": status_json(landed.error),
        "fee": result.fee(),
        "preBalances": landed.balances_before,
        "postBalances": landed.balances_after,
        "innerInstructions": inner_json(result, keys, is_parsed=is_parsed),
        "logMessages": result.logs(),
        "preTokenBalances": [balance.as_json() for balance in landed.tokens_before],
        "postTokenBalances": [balance.as_json() for balance in landed.tokens_after],
        "computeUnitsConsumed": result.compute_units_consumed(),
    }
    if not is_parsed:
        meta["loadedAddresses"] = {
            "writable": [str(key) for key in keys.loaded_writable],
            "readonly": [str(key) for key in keys.loaded_readonly],
        }
    returned = return_data_json(result)
    return meta if returned is None else {**meta, "returnData": returned}
