"""Accounts as the RPC writes them: encodings, slices of data, and the filters of searches."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from solders.account import Account

from attestation.textcodecs import base58_encode
from relayer.devnet.svm.params import Options, as_base58, as_base64, as_integer, as_text
from relayer.devnet.svm.rpc_errors import invalid_params, invalid_request
from relayer.devnet.svm.tokens import AccountReader, parsed_json

ENCODINGS: Final = ("binary", "base58", "base64", "jsonParsed")

_MAX_BASE58_BYTES: Final = 128
"""Base58 costs the square of its length; Source: MAX_BASE58_BYTES of agave."""

_MAX_FILTERS: Final = 4
_MAX_MEMCMP_BYTES: Final = 128
_MAX_TEXT: Final = 256

AccountTest = Callable[[bytes], bool]


@dataclass(frozen=True, slots=True)
class AccountForm:
    """How an account is to be written: its encoding, and which bytes of its data."""

    encoding: str
    slice: tuple[int, int] | None

    def write(self, account: Account, read: AccountReader) -> dict[str, Any]:
        """The account as JSON; `read` finds other accounts of the same state.

        Raises:
            RpcError: the data is too long for base58.
        """
        return {
            "lamports": account.lamports,
            "owner": str(account.owner),
            "data": self._data(account, read),
            "executable": account.executable,
            "rentEpoch": account.rent_epoch,
            "space": len(account.data),
        }

    def _data(self, account: Account, read: AccountReader) -> Any:
        if self.encoding == "jsonParsed" and (parsed := parsed_json(account, read)) is not None:
            return parsed
        data = account.data
        if self.slice is not None:
            offset, length = self.slice
            data = data[offset : offset + length]
        if self.encoding in ("base64", "jsonParsed"):
            return [base64.b64encode(data).decode(), "base64"]
        if len(data) > _MAX_BASE58_BYTES:
            limit = f"less than {_MAX_BASE58_BYTES} bytes, please use Base64 encoding."
            raise invalid_request(f"Encoded binary (base 58) data should be {limit}")
        return [base58_encode(data), "base58"] if self.encoding == "base58" else base58_encode(data)


def form_of(options: Options, default: str = "binary") -> AccountForm:
    """The form that a call asks for."""
    part = options.nested("dataSlice")
    cut = None
    if part is not None:
        cut = as_integer(part.raw("offset"), "offset"), as_integer(part.raw("length"), "length")
    return AccountForm(options.choice("encoding", ENCODINGS, default), cut)


def filter_of(options: Options) -> AccountTest:
    """Whether an account's data passes all the filters of a call."""
    tests = [_test_of(value) for value in options.items("filters", _MAX_FILTERS)]
    return lambda data: all(passes(data) for passes in tests)


def _test_of(value: Any) -> AccountTest:
    match value:
        case {"dataSize": size, **more} if not more:
            wanted = as_integer(size, "dataSize")
            return lambda data: len(data) == wanted
        case {"memcmp": {"offset": offset, "bytes": wanted_bytes, **more}}:
            start = as_integer(offset, "offset")
            content = _content(wanted_bytes, more.get("encoding"))
            return lambda data: data[start : start + len(content)] == content
        case "tokenAccountState":
            raise invalid_params("the filter tokenAccountState is not supported")
    raise invalid_params("a filter must be dataSize or memcmp")


def _content(value: Any, encoding: Any) -> bytes:
    if isinstance(value, list):
        if len(value) > _MAX_MEMCMP_BYTES:
            raise invalid_params(f"decoded too large: at most {_MAX_MEMCMP_BYTES} bytes")
        return bytes(as_integer(byte, "a byte", 0, 255) for byte in value)
    text = as_text(value, "bytes", _MAX_TEXT)
    if encoding == "base64":
        return as_base64(text, _MAX_MEMCMP_BYTES)
    if encoding in (None, "base58", "binary"):
        return as_base58(text, _MAX_MEMCMP_BYTES)
    raise invalid_params("memcmp's encoding must be base58 or base64")
