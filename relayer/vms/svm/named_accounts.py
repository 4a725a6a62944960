"""The accounts that a request names: those of the call in its payload, and those of its callback in its metadata.

Its job: their lists, as the gateway will take them. SECURITY: what we pay with and what is the gateway's is passed on
to nobody. The gateway refuses it as well; here it is not even offered. It fetches nothing.

Source: contracts/svm/src/destination.h (`is_payload`), source.h (`pass_accounts`); contracts/svm/README.md.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from relayer.vms.svm.payloads import parse_payload

PAYER_AMONG_ACCOUNTS: Final = "PayerAmongAccounts"
TOO_MANY_ACCOUNTS: Final = "TooManyAccounts"
WRONG_TARGET_ACCOUNTS: Final = "WrongTargetAccounts"
MALFORMED_CALLBACK_ACCOUNTS: Final = "MalformedCallbackAccounts"

_CALLBACK_MARK: Final = b"xvmcb1"
_CALLBACK_ACCOUNT: Final = struct.Struct("<32sB")
_MAX_CALLBACK_ACCOUNTS: Final = 7
"""That fit beside the largest delivery."""


def declared_accounts(payload: bytes, own_account: Pubkey | None) -> list[AccountMeta] | None:
    """The accounts that a call's payload declares, in order; None where the gateway will not make such a call.

    Their signatures are the gateway's to lend: for the sender's `own_account` alone.
    """
    call = parse_payload(payload)
    if call is None:
        return None
    # SECURITY: a call that wants our signature is none that can be made, and our account is not even named in it.
    if any(meta.is_signer and meta.pubkey != own_account for meta in call.accounts):
        return None
    return [AccountMeta(meta.pubkey, is_signer=False, is_writable=meta.is_writable) for meta in call.accounts]


def callback_accounts(metadata: bytes) -> list[AccountMeta] | None:
    """The accounts that the requester wants its handler to get; None where its metadata says so and cannot be read."""
    if not metadata.startswith(_CALLBACK_MARK):
        return []
    counted = metadata[len(_CALLBACK_MARK) :]
    count = counted[0] if counted else _MAX_CALLBACK_ACCOUNTS + 1
    listed = counted[1 : 1 + count * _CALLBACK_ACCOUNT.size]
    if count > _MAX_CALLBACK_ACCOUNTS or len(listed) != count * _CALLBACK_ACCOUNT.size:
        return None
    pairs = list(_CALLBACK_ACCOUNT.iter_unpack(listed))
    if any(is_writable > 1 for _, is_writable in pairs):
        return None
    return [AccountMeta(Pubkey(key), is_signer=False, is_writable=is_writable == 1) for key, is_writable in pairs]


def passing_fault(passed: Sequence[AccountMeta], payer: Pubkey, fixed: Sequence[Pubkey]) -> str:
    """Why these accounts may not be passed on, by the gateway's own name for it; empty if they may.

    `fixed` are the gateway's accounts that the instruction has of its own.
    """
    keys = {meta.pubkey for meta in passed}
    # SECURITY: whoever is called must not get at who pays for it.
    if payer in keys:
        return PAYER_AMONG_ACCOUNTS
    # SECURITY: nor at anything of the gateway's.
    return WRONG_TARGET_ACCOUNTS if not keys.isdisjoint(fixed) else ""


def first_keys(step: Instruction, count: int) -> list[Pubkey]:
    """The addresses of an instruction's first accounts."""
    return [meta.pubkey for meta in step.accounts[:count]]
