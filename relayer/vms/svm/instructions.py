"""The gateway's instructions that a relayer sends.

Its job: data and accounts, in the program's order. SECURITY: of what the program passes on to others, nothing here is
the payer's or the gateway's: whoever makes the lists of a target's or a handler's accounts sees to that. It fetches
nothing and knows no transaction.

Source: contracts/svm/xvm_gateway.idl.json.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from attestation.keccak import keccak256
from attestation.request import Request
from attestation.signer_set import SignerSet
from attestation.statement import Execute, Outcome
from relayer.vms.svm.addresses import SYSTEM_PROGRAM, GatewayAddresses, program_data_address

_ROTATE: Final = b"\x0a"
_VERIFY_CERTIFICATE: Final = b"\x0b"
_CLOSE_ROOT: Final = b"\x0c"
_DELIVER: Final = b"\x10"
_CALLBACK: Final = b"\x11"
_OPEN_CREDIT: Final = b"\x13"
_EXECUTE: Final = b"\x16"
_EXPIRE: Final = b"\x17"
_STAGE: Final = b"\x19"
_APPEND: Final = b"\x1a"
_CLOSE_STAGE: Final = b"\x1b"
_USE_STAGE: Final = b"\x1c"

_LENGTH: Final = struct.Struct("<I")
_REQUEST_HEAD: Final = struct.Struct("<QB")
_REQUEST_TAIL: Final = struct.Struct("<QQIQ32s32s32sI")
_PLACE: Final = struct.Struct("<Q32sII")
_OUTCOME_HEAD: Final = struct.Struct("<32sBB32s")
_OUTCOME_TAIL: Final = struct.Struct("<32sI")
_SET_HEAD: Final = struct.Struct("<BQQQI")
_SIGNER_TAIL: Final = struct.Struct("<Q32s")


class GatewayInstructions:
    """Instructions of the gateway at `addresses`, paid for and signed by `payer`."""

    def __init__(self, addresses: GatewayAddresses, payer: Pubkey) -> None:
        self._at = addresses
        self._payer = _signer(payer, is_writable=True)
        self._authority = _signer(payer, is_writable=False)

    def verify_certificate(self, root: bytes, count: int, epoch: int, certificate: bytes) -> Instruction:
        """Count a certificate's signatures for the batch of `count` leaves under `root` (32 bytes).

        It may be a part: fewer signatures, with their bits alone.
        """
        accounts = [
            self._payer,
            _writable(self._at.root(root, epoch, count)),
            _readable(self._at.epoch(epoch)),
            _readable(SYSTEM_PROGRAM),
        ]
        return self._call(_VERIFY_CERTIFICATE + root + count.to_bytes(2, "little") + certificate, accounts)

    def close_root(self, root: Pubkey, epoch: int) -> Instruction:
        """Take back the rent of a root that the payer has paid for."""
        return self._call(_CLOSE_ROOT, [self._payer, _writable(root), _readable(self._at.epoch(epoch))])

    def execute(
        self,
        request: Request,
        place: Execute,
        payee: bytes,
        path: Sequence[bytes],
        root: Pubkey,
        epoch: int,
        declared: Sequence[AccountMeta],
    ) -> Instruction:
        """Run a certified request. `payee` is 32 bytes, `declared` the accounts that its payload names, in order."""
        data = [_EXECUTE, _encode_request(request, by_hash=False), _encode_place(place), payee, _encode_path(path)]
        own = self._at.own_account(request.sender) if request.own_account else None
        target = target_program(request)
        has_code = any(request.code_hash) and target is not None
        accounts = [
            *self._consumption(request, place.request_id, root, epoch),
            self._optional(own),
            self._optional(program_data_address(target) if has_code and target is not None else None),
            self._optional(target),
            *declared,
        ]
        return self._call(b"".join(data), accounts)

    def expire(
        self, request: Request, place: Execute, payee: bytes, path: Sequence[bytes], root: Pubkey, epoch: int
    ) -> Instruction:
        """End a certified request that is past its expiry. `payee` is 32 bytes."""
        data = [_EXPIRE, _encode_request(request, by_hash=True), _encode_place(place), payee, _encode_path(path)]
        return self._call(b"".join(data), self._consumption(request, place.request_id, root, epoch))

    def deliver(
        self, outcome: Outcome, path: Sequence[bytes], root: Pubkey, epoch: int, pending: Pubkey
    ) -> Instruction:
        """Record a certified outcome and pay who earned it."""
        data = [
            _DELIVER,
            _OUTCOME_HEAD.pack(outcome.request_id, outcome.kind, outcome.cut, outcome.return_data_hash),
            _encode_place(outcome),
            _OUTCOME_TAIL.pack(outcome.payee, outcome.round),
            _encode_path(path),
        ]
        accounts = [
            self._payer,
            _writable(self._at.config),
            *self._event_accounts,
            _writable(self._at.epoch(epoch)),
            _readable(root),
            _writable(pending),
            _writable(self._at.credit(outcome.payee)),
        ]
        return self._call(b"".join(data), accounts)

    def callback(
        self, pending: Pubkey, refund: Pubkey, handler: Pubkey | None, return_data: bytes, more: Sequence[AccountMeta]
    ) -> Instruction:
        """Tell the asking program what its request came to, and end it.

        `refund` paid for the request; `more` are the accounts that the handler gets behind its authority.
        """
        authority = None if handler is None else self._at.callback_authority(handler)
        accounts = [
            self._payer,
            _readable(self._at.config),
            *self._event_accounts,
            _writable(pending),
            _writable(refund),
            self._optional(authority),
            self._optional(handler),
            *more,
        ]
        return self._call(_CALLBACK + _encode_bytes(return_data), accounts)

    def rotate(self, signer_set: SignerSet, former_epoch: int, root: Pubkey) -> Instruction:
        """Bring in the set that follows `former_epoch`'s; `root` is its certified batch of one."""
        accounts = [
            self._payer,
            _writable(self._at.config),
            *self._event_accounts,
            _writable(self._at.epoch(former_epoch)),
            _writable(self._at.epoch(former_epoch + 1)),
            _readable(SYSTEM_PROGRAM),
            _readable(root),
        ]
        return self._call(_ROTATE + encode_signer_set(signer_set), accounts)

    def open_credit(self, beneficiary: Pubkey) -> Instruction:
        """Give a payee an account for what it earns."""
        accounts = [
            self._payer,
            _readable(beneficiary),
            _writable(self._at.credit(bytes(beneficiary))),
            _readable(SYSTEM_PROGRAM),
        ]
        return self._call(_OPEN_CREDIT, accounts)

    def stage(self, stage: Pubkey) -> Instruction:
        """Make an empty account of the gateway's a stage of the payer's."""
        return self._call(_STAGE, [_writable(stage), self._authority])

    def append(self, stage: Pubkey, offset: int, piece: bytes) -> Instruction:
        """Write a piece of a stage."""
        return self._call(_APPEND + _LENGTH.pack(offset) + _encode_bytes(piece), [_writable(stage), self._authority])

    def close_stage(self, stage: Pubkey) -> Instruction:
        """Take a stage's lamports back."""
        return self._call(_CLOSE_STAGE, [_writable(stage), self._payer])

    def use_stage(self, stage: Pubkey, staged: Instruction) -> Instruction:
        """`staged`, whose data stands in the stage."""
        return self._call(_USE_STAGE, [_readable(stage), self._authority, *staged.accounts])

    @property
    def _event_accounts(self) -> tuple[AccountMeta, AccountMeta]:
        return _readable(self._at.event_authority), _readable(self._at.program)

    def _consumption(self, request: Request, request_id: bytes, root: Pubkey, epoch: int) -> list[AccountMeta]:
        """The accounts with which `execute` and `expire` begin."""
        origin = request.first_attempt
        predecessor = request.predecessor
        return [
            self._payer,
            _readable(self._at.config),
            *self._event_accounts,
            _readable(self._at.epoch(epoch)),
            _readable(root),
            _readable(self._at.inbound(request.source_gateway)),
            _writable(self._at.slot(request_id)),
            self._optional(None if origin is None else self._at.slot(origin), is_writable=True),
            self._optional(None if predecessor is None else self._at.slot(predecessor)),
            _readable(SYSTEM_PROGRAM),
        ]

    def _optional(self, key: Pubkey | None, *, is_writable: bool = False) -> AccountMeta:
        """An account that is left out is the program itself."""
        if key is None:
            return _readable(self._at.program)
        return _writable(key) if is_writable else _readable(key)

    def _call(self, data: bytes, accounts: Sequence[AccountMeta]) -> Instruction:
        return Instruction(self._at.program, data, accounts)


def target_program(request: Request) -> Pubkey | None:
    """The program that the request's target (ERC-7930) names, or None where its account has not 32 bytes."""
    address = target_account(request)
    return Pubkey(address) if len(address) == Pubkey.LENGTH else None


def target_account(request: Request) -> bytes:
    """The account within the request's target (ERC-7930), of whatever length."""
    reference = request.target[_REFERENCE_PLACE]
    return request.target[_REFERENCE_PLACE + 2 + reference :]


def encode_signer_set(signer_set: SignerSet) -> bytes:
    """A set as instructions have it."""
    head = _SET_HEAD.pack(
        signer_set.scheme,
        signer_set.threshold,
        signer_set.valid_until,
        signer_set.grace_seconds,
        len(signer_set.signers),
    )
    signers = (_encode_bytes(one.key) + _SIGNER_TAIL.pack(one.weight, one.operator) for one in signer_set.signers)
    return head + b"".join(signers)


_REFERENCE_PLACE: Final = 4  # of the byte that says how long an ERC-7930 address's chain reference is


def _encode_request(request: Request, *, by_hash: bool) -> bytes:
    """The request without what is the gateway's own: its address, and its chain in the target's."""
    return b"".join(
        (
            _encode_bytes(request.source_gateway),
            _encode_bytes(request.sender),
            _encode_bytes(target_account(request)),
            _REQUEST_HEAD.pack(request.nonce, request.own_account),
            keccak256(request.payload) if by_hash else _encode_bytes(request.payload),
            _REQUEST_TAIL.pack(
                request.execution_gas_limit,
                request.callback_gas_limit,
                request.return_limit,
                request.expiry,
                request.ordered_after.to_bytes(32, "big"),
                request.origin.to_bytes(32, "big"),
                request.code_hash,
                request.dispute_blocks,
            ),
            _encode_bytes(request.metadata),
        )
    )


def _encode_place(place: Execute | Outcome) -> bytes:
    return _PLACE.pack(place.height, place.block_hash, place.tx_index, place.log_index)


def _encode_path(path: Sequence[bytes]) -> bytes:
    return _LENGTH.pack(len(path)) + b"".join(path)


def _encode_bytes(data: bytes) -> bytes:
    return _LENGTH.pack(len(data)) + data


def _signer(key: Pubkey, *, is_writable: bool) -> AccountMeta:
    return AccountMeta(key, is_signer=True, is_writable=is_writable)


def _writable(key: Pubkey) -> AccountMeta:
    return AccountMeta(key, is_signer=False, is_writable=True)


def _readable(key: Pubkey) -> AccountMeta:
    return AccountMeta(key, is_signer=False, is_writable=False)
