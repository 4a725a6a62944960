"""Asking on a Solana chain, as any outside program would: one RPC endpoint, one account, the gateway's instructions.

Its job: quote, send, and read the gateway's events. It asks no relayer and believes its one endpoint, which is the
caller's own choice; relayers never use it.

Source: contracts/svm/README.md; contracts/svm/xvm_gateway.idl.json.
"""

from __future__ import annotations

import base64
import secrets
import struct
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.system_program import CreateAccountWithSeedParams, create_account_with_seed

from attestation.address import InteroperableAddress, parse_account_text
from attestation.errors import AttestationError
from attestation.keccak import keccak256
from attestation.request import RequestId
from relayer.cli.asking import Ask, Asked, Cancelled, Ending, Endpoint, Place, Receipt, TypedCall
from relayer.cli.svm.endpoint import SvmEndpoint, explain_failure
from relayer.cli.svm.payload import SvmPayloadCodec
from relayer.cli.svm.requesting import chain_of, quote_lamports, request_instruction
from relayer.cli.svm.told import (
    CANCELLED,
    CONCLUDED,
    REQUESTED,
    Transaction,
    find_called_back,
    parse_transaction,
    read_cut,
    read_kind,
    read_return_data,
    transaction_call,
)
from relayer.errors import CallReverted, ConfigError, RejectedError, RpcUnavailable
from relayer.keys.keystore import Secret
from relayer.vms.jsonrpc.rpc import RpcCall
from relayer.vms.svm.account_reading import accounts_call, parse_accounts
from relayer.vms.svm.accounts import STAGE_HEAD_LENGTH, AccountState, Outbound, parse_account
from relayer.vms.svm.addresses import GatewayAddresses
from relayer.vms.svm.codec import read_requested
from relayer.vms.svm.instructions import GatewayInstructions
from relayer.vms.svm.transactions import draft_of, is_fitting, sign_draft
from relayer.vms.svm.values import parse_count, parse_hash

MINED_SECONDS: Final = 90.0
"""Until a transaction is confirmed: its blockhash lives for 150 slots, which take about a minute."""

_POLL_SECONDS: Final = 0.2
_CONFIRMED: Final = "confirmed"
_COMPUTE_UNITS: Final = 150_000
"""A request takes some 19,000, and more where addresses are far to derive."""

_UNIT_PRICE: Final = 10_000
"""Micro-lamports: 1,500 lamports a transaction, and ahead of all that offer nothing."""

_PIECE: Final = 900
"""Bytes that one `append` brings within a transaction."""

_CLOCK: Final = Pubkey.from_string("SysvarC1ock11111111111111111111111111111111")
_UNIX_TIMESTAMP: Final = struct.Struct("<32xq")


class SvmTools:
    """Implements `VmTools`."""

    def account_text(self, secret: Secret) -> str:
        """Base58 of the public key of an ed25519 seed. Raises `ConfigError`."""
        return str(_keypair(secret).pubkey())

    def open_call(self, call: TypedCall) -> SvmPayloadCodec:
        """A call in Borsh. Raises `ConfigError`."""
        return SvmPayloadCodec(call)

    def open_source(self, endpoint: Endpoint, secret: Secret) -> SvmSourceSession:
        """As the account with this key. Raises `ConfigError`."""
        return SvmSourceSession(endpoint, secret)

    def open_destination(self, endpoint: Endpoint) -> SvmGatewaySession:
        """To look. Raises `ConfigError`."""
        return SvmGatewaySession(endpoint)


class SvmGatewaySession:
    """A gateway, to look at. Implements `DestinationSession`."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._chain = endpoint.chain
        try:
            program = parse_account_text(f"{endpoint.chain}:{endpoint.gateway}").address
        except AttestationError as error:
            raise ConfigError([f"--gateway: {error}"]) from None
        self._at = GatewayAddresses(program)
        self._rpc = SvmEndpoint(endpoint.chain, endpoint.rpc_url)
        # A request is looked at again and again; public endpoints count the calls.
        self._transactions: dict[str, Transaction] = {}
        genesis = self._rpc.call(RpcCall("getGenesisHash", []))
        if parse_hash(genesis) != endpoint.chain.reference:
            raise ConfigError([f"--rpc: the endpoint serves solana:{genesis}, not {endpoint.chain}"])
        (found,) = self._fetch_accounts(self._at.program)
        if found is None or not found.is_executable:
            raise ConfigError([f"--gateway: {self._at.program} is no program on {endpoint.chain}"])

    def fetch_receipt(self, asked: Asked) -> Receipt | None:
        """The `XVMCallConcluded` of a request."""
        with self._reading():
            for transaction in self._fetch_transactions(self._at.slot(asked.request_id)):
                for borsh in transaction.fields(CONCLUDED):
                    if borsh.word() == asked.request_id:
                        borsh.sized()  # the source gateway
                        return Receipt(read_kind(borsh), _place(transaction))
        return None

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """What is not written as Solana's RPC writes it is no answer."""
        try:
            yield
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise RpcUnavailable(
                f"{self._chain}: the endpoint gives a malformed answer ({type(error).__name__})"
            ) from None

    def _fetch_transactions(self, account: Pubkey) -> Iterator[Transaction]:
        """The gateway's transactions that name one of its accounts, oldest first."""
        for slot, signature in self._rpc.fetch_mentions(account):
            yield self._fetch_transaction(slot, signature)

    def _fetch_transaction(self, slot: int, signature: str) -> Transaction:
        found = self._transactions.get(signature)
        if found is None:
            answer = self._rpc.call(transaction_call(signature))
            found = self._transactions[signature] = parse_transaction(answer, slot, signature, self._at.program)
        return found

    def _fetch_accounts(self, *keys: Pubkey) -> tuple[AccountState | None, ...]:
        return parse_accounts(self._rpc.call(accounts_call(keys, _CONFIRMED)), len(keys)).accounts


class SvmSourceSession(SvmGatewaySession):
    """An account and its gateway. Implements `SourceSession`."""

    def __init__(self, endpoint: Endpoint, secret: Secret) -> None:
        self._key = _keypair(secret)
        super().__init__(endpoint)
        self._sender = self._key.pubkey()
        self._instructions = GatewayInstructions(self._at, self._sender)
        self._pending: dict[RequestId, Pubkey] = {}

    def quote(self, ask: Ask) -> int:
        """What the gateway will take, in lamports."""
        with self._reading():
            return quote_lamports(ask, self._fetch_outbound(ask).terms)

    def send(self, ask: Ask, fee: int) -> Asked:
        """One transaction, several if the payload is long; returns when it is confirmed."""
        with self._reading():
            salt, expiry = secrets.randbits(64), 0
            if ask.expires_in_seconds:
                expiry = self._fetch_time() + ask.expires_in_seconds
            asking = request_instruction(self._at, self._sender, ask, salt=salt, max_fee=fee, expiry=expiry)
            slot, signature = self._run(self._staged(asking))
            transaction = self._fetch_transaction(slot, signature)
            for borsh in transaction.fields(REQUESTED):
                told = read_requested(borsh)
                self._pending[told.request_id] = told.pending
                sender = InteroperableAddress(self._chain, bytes(self._sender))
                return Asked(told.request_id, sender, told.fee, _place(transaction), str(told.pending))
            raise RejectedError(f"{self._chain}: the gateway told of no request in transaction {signature}")

    def fetch_ending(self, asked: Asked) -> Ending | Cancelled | None:
        """The gateway's event, with the data that the transaction of the callback holds."""
        with self._reading():
            return self._find_ending(asked)

    def _find_ending(self, asked: Asked) -> Ending | Cancelled | None:
        is_cut = False
        for transaction in self._fetch_transactions(self._pending_account(asked)):
            for borsh in transaction.fields(CANCELLED):
                if borsh.word() == asked.request_id:
                    return Cancelled(borsh.u64(), _place(transaction))
            instructions = list(self._instructions_of(transaction))
            is_cut = is_cut or any(read_cut(data, asked.request_id) for data in instructions)
            told = find_called_back(transaction, asked.request_id)
            if told is not None:
                given = (data for data in map(read_return_data, instructions) if data is not None)
                return Ending(
                    kind=told.kind,
                    success=told.success,
                    is_handler_failed=False,
                    cut=is_cut,
                    return_data=next((data for data in given if keccak256(data) == told.return_data_hash), b""),
                    place=_place(transaction),
                )
        return None

    def _pending_account(self, asked: Asked) -> Pubkey:
        """Where a request waits: its own transaction tells."""
        if asked.request_id not in self._pending:
            transaction = self._fetch_transaction(asked.place.block, asked.place.tx)
            for borsh in transaction.fields(REQUESTED):
                told = read_requested(borsh)
                self._pending[told.request_id] = told.pending
        try:
            return self._pending[asked.request_id]
        except KeyError:
            raise RejectedError(f"{self._chain}: transaction {asked.place.tx} does not make this request") from None

    def _instructions_of(self, transaction: Transaction) -> Iterator[bytes]:
        """The data of the gateway's instructions, and of those that came in pieces."""
        yield from (data for _, data in transaction.instructions)
        for stage in transaction.used_stages:
            content = bytearray()
            for earlier in self._fetch_transactions(Pubkey.from_string(stage)):
                for written, offset, piece in earlier.appended:
                    if written == stage:
                        content[offset : offset + len(piece)] = piece
            yield bytes(content)

    def _fetch_outbound(self, ask: Ask) -> Outbound:
        (account,) = self._fetch_accounts(self._at.outbound(chain_of(ask.target)))
        outbound = parse_account(Outbound, account, self._at.program)
        if outbound is None:
            raise CallReverted("Unrouted: no route leads from this gateway to the target's chain", b"")
        return outbound

    def _fetch_time(self) -> int:
        """Unix seconds, by the chain's own clock."""
        (clock,) = self._fetch_accounts(_CLOCK)
        if clock is None:
            raise RpcUnavailable(f"{self._chain}: the endpoint shows no clock")
        return int(_UNIX_TIMESTAMP.unpack_from(clock.data)[0])

    def _staged(self, asking: Instruction) -> list[Instruction]:
        """What is left to send: it alone, or, of one too long for a transaction, what runs it from a stage."""
        if is_fitting(draft_of(self._sender, [asking])):
            return [asking]
        seed, data = secrets.token_hex(16), bytes(asking.data)
        stage = Pubkey.create_with_seed(self._sender, seed, self._at.program)
        space = STAGE_HEAD_LENGTH + len(data)
        rent = parse_count(self._rpc.call(RpcCall("getMinimumBalanceForRentExemption", [space])))
        made = create_account_with_seed(
            CreateAccountWithSeedParams(
                from_pubkey=self._sender,
                to_pubkey=stage,
                base=self._sender,
                seed=seed,
                lamports=rent,
                space=space,
                owner=self._at.program,
            )
        )
        self._run([made, self._instructions.stage(stage)])
        for offset in range(0, len(data), _PIECE):
            self._run([self._instructions.append(stage, offset, data[offset : offset + _PIECE])])
        return [self._instructions.use_stage(stage, asking), self._instructions.close_stage(stage)]

    def _run(self, instructions: Sequence[Instruction]) -> tuple[int, str]:
        """Send a transaction and wait until it is confirmed: its slot and signature."""
        draft = draft_of(self._sender, instructions)
        recent = self._rpc.call(RpcCall("getLatestBlockhash", [{"commitment": _CONFIRMED}]))["value"]
        _, raw = sign_draft(draft, self._key, _COMPUTE_UNITS, _UNIT_PRICE, parse_hash(recent["blockhash"]))
        options = {"encoding": "base64", "preflightCommitment": _CONFIRMED}
        signature = str(self._rpc.call(RpcCall("sendTransaction", [base64.b64encode(raw).decode(), options])))
        deadline = time.monotonic() + MINED_SECONDS
        while time.monotonic() < deadline:
            (status,) = self._rpc.call(RpcCall("getSignatureStatuses", [[signature]]))["value"]
            if status is not None and status["err"] is not None:
                raise explain_failure(status, f"transaction {signature} failed")
            if status is not None and status["confirmationStatus"] in (_CONFIRMED, "finalized"):
                return int(status["slot"]), signature
            time.sleep(_POLL_SECONDS)
        raise RejectedError(
            f"{self._chain}: transaction {signature} was not seen in {MINED_SECONDS:.0f} s; where slots are slow it "
            "may still be mined: look for it before you ask again"
        )


def _keypair(secret: Secret) -> Keypair:
    try:
        return Keypair.from_seed(secret.reveal())
    except ValueError:
        # SECURITY: no `from`: the library's text may hold what it choked on.
        raise ConfigError(["--key-file: an ed25519 seed is 32 bytes"]) from None


def _place(transaction: Transaction) -> Place:
    return Place(transaction.slot, transaction.signature)


tools: Final = SvmTools()
"""What the entry point `solana` in `xvm.tools` names."""
