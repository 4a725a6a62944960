"""A Solana ledger with the gateway on it, and everybody who deals with it: owner, signers, a payer, a sender.

Deterministic: keys, clock and addresses are the same in every run, so that compute units can be pinned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from build_program import compile_program
from solders.account import Account
from solders.compute_budget import set_compute_unit_limit
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.litesvm import LiteSVM
from solders.message import Message
from solders.pubkey import Pubkey
from solders.system_program import CreateAccountParams, create_account
from solders.transaction import Transaction
from solders.transaction_metadata import FailedTransactionMetadata, TransactionMetadata

from attestation.address import Chain, InteroperableAddress, Namespace, evm_account
from attestation.batch import Batch
from attestation.certificate import build_certificate
from attestation.keccak import keccak256
from attestation.merkle import merkle_path
from attestation.request import Mode, Request, request_id
from attestation.schemes import SECP256K1
from attestation.signer_set import Signer, SignerSet, signer_set_hash
from attestation.statement import Execute, Outcome, OutcomeKind, Rotate
from relayer.devnet.svm.apart import run_apart
from tests.svm.program import idl

NOW: Final = 1_800_000_000
SLOT: Final = 1_000
GENESIS: Final = bytes(range(32))
SOLANA: Final = Chain(Namespace.SOLANA, GENESIS)
PROGRAM: Final = Pubkey(keccak256(b"gateway program"))
PROBE: Final = Pubkey(keccak256(b"probe program"))
LOADER: Final = Pubkey.from_string("BPFLoaderUpgradeab1e11111111111111111111111")
MEMO: Final = Pubkey.from_string("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr")
SYSTEM: Final = Pubkey.default()

GATEWAY: Final = InteroperableAddress(SOLANA, bytes(PROGRAM)).to_bytes()
REMOTE_CHAIN: Final = Chain.evm(31337)
REMOTE_GATEWAY: Final = evm_account(31337, b"\x51" * 20).to_bytes()
REMOTE_SENDER: Final = evm_account(31337, b"\x5e" * 20).to_bytes()
REMOTE_TARGET: Final = evm_account(31337, b"\x7a" * 20).to_bytes()

TERMS: Final = {
    "address_lengths": 1 << 20,
    "max_execution_gas": 10_000_000,
    "max_callback_gas": 1_000_000,
    "min_expiry_seconds": 60,
    "default_expiry_seconds": 600,
    "max_expiry_seconds": 86_400,
    "deadline_slots": 2_000,
    "max_deadline_slots": 100_000,
    "execution_price": 1_000_000,
    "execution_overhead_gas": 100_000,
    "execution_gas_per_byte": 40,
    "callback_price": 50_000,
    "delivery_lamports": 20_000,
    "signers_lamports": 30_000,
    "max_payload_bytes": 8_192,
    "max_return_bytes": 1_024,
    "expire_bps": 1_000,
    "is_open": True,
    "takes_queries": True,
    "reserved": bytes(4),
}
OPTIONS: Final = {
    "mode": 0,
    "own_account": False,
    "execution_gas_limit": 0,
    "callback_gas_limit": 0,
    "return_limit": 0,
    "expiry": 0,
    "ordered": False,
    "code_hash": bytes(32),
    "dispute_blocks": 0,
    "deadline_slots": 0,
    "metadata": b"",
}


def keypair(name: str) -> Keypair:
    """A key that is the same in every run."""
    return Keypair.from_seed(keccak256(name.encode()))


def address(*seeds: bytes, program: Pubkey = PROGRAM) -> Pubkey:
    """The canonical address of seeds."""
    return Pubkey.find_program_address(list(seeds), program)[0]


CONFIG: Final = address(b"config")
EVENT_AUTHORITY: Final = address(b"__event_authority")
BASE: Final = {"config": CONFIG, "event_authority": EVENT_AUTHORITY, "program": PROGRAM}


def signing_keys(count: int, first: int = 1) -> list[Any]:
    """Signers' keys."""
    return [SECP256K1.signing_key(keccak256(b"signer %d" % number)) for number in range(first, first + count)]


def signer_set(keys: Sequence[Any], threshold: int, valid_until: int = NOW + 10**6) -> SignerSet:
    """A set of equal signers, each its own operator."""
    signers = tuple(Signer(key.key, 1, keccak256(b"operator %d" % index)) for index, key in enumerate(keys))
    return SignerSet(SECP256K1.number, threshold, valid_until, 86_400, signers)


def set_args(chosen: SignerSet) -> dict[str, Any]:
    """A set as an instruction has it."""
    return {
        "scheme": chosen.scheme,
        "threshold": chosen.threshold,
        "valid_until": chosen.valid_until,
        "grace_seconds": chosen.grace_seconds,
        "signers": [{"key": one.key, "weight": one.weight, "operator": one.operator} for one in chosen.signers],
    }


@cache
def probe() -> bytes:
    """The tests' own program."""
    return compile_program(Path(__file__).with_name("probe.c"), ("sol_set_return_data",))


@dataclass(frozen=True)
class Sent:
    """A transaction that went through."""

    units: int
    events: list[tuple[str, dict[str, Any]]]
    return_data: bytes
    logs: list[str]

    def event(self, name: str) -> dict[str, Any]:
        """The one event of this name."""
        (found,) = (fields for kind, fields in self.events if kind == name)
        return found


class Refused(Exception):  # noqa: N818 - what a test expects, not a fault of its own
    """A transaction that failed; `name` is the gateway's error, or the runtime's own words."""

    def __init__(self, failure: FailedTransactionMetadata) -> None:
        """Reads what the ledger says."""
        error = failure.err()
        code = getattr(getattr(error, "err", None), "code", None)
        self.name = idl.ERRORS.get(code, str(error)) if code is not None else str(error)
        self.logs = failure.meta().logs()
        super().__init__(self.name, self.logs[-6:])


class Ledger:
    """LiteSVM with the gateway, initialized, a first signer set and a route each way."""

    def __init__(self, *, signers: int = 4, threshold: int = 3) -> None:
        self.svm = LiteSVM()
        self.svm.add_program(PROGRAM, (idl.FOLDER / "xvm_gateway.so").read_bytes())
        self.svm.add_program(PROBE, probe())
        self.owner = keypair("owner")
        self.payer = keypair("payer")
        self.sender = keypair("sender")
        self.guardian = keypair("guardian")
        self.treasury = keypair("treasury")
        for key in (self.owner, self.payer, self.sender, self.guardian, self.treasury):
            self.svm.airdrop(key.pubkey(), 10**12)
        self.keys = signing_keys(signers)
        self.set = signer_set(self.keys, threshold)
        self.set_time(NOW, SLOT)
        self._own_the_program()

    def _own_the_program(self) -> None:
        code = address(bytes(PROGRAM), program=LOADER)
        account = self.account(code)
        data = account.data[:12] + b"\1" + bytes(self.owner.pubkey()) + account.data[45:]
        self.svm.set_account(code, Account(account.lamports, data, LOADER))

    def open(self) -> Ledger:
        """Everything that an owner does before the first request."""
        self.initialize()
        self.install(self.set)
        self.set_outbound()
        self.set_inbound()
        return self

    def set_time(self, now: int, slot: int) -> None:
        """Moves the ledger's clock."""
        clock = self.svm.get_clock()
        clock.unix_timestamp = now
        clock.slot = slot
        self.svm.set_clock(clock)

    def account(self, key: Pubkey) -> Account:
        """An account that there is."""
        found = self.svm.get_account(key)
        assert found is not None
        return found

    def state(self, name: str, key: Pubkey) -> dict[str, Any]:
        """What an account of the gateway's holds."""
        return idl.decode_account(name, bytes(self.account(key).data))

    def balance(self, key: Pubkey) -> int:
        """Lamports."""
        return self.svm.get_balance(key) or 0

    def send(self, *instructions: Instruction, signers: Sequence[Keypair] = (), units: int | None = 1_400_000) -> Sent:
        """Sends a transaction of the payer's. Raises `Refused`."""
        self.svm.expire_blockhash()
        steps = [*([set_compute_unit_limit(units)] if units else []), *instructions]
        message = Message.new_with_blockhash(steps, self.payer.pubkey(), self.svm.latest_blockhash())
        others = [key for key in signers if key.pubkey() != self.payer.pubkey()]
        transaction = Transaction([self.payer, *others], message, self.svm.latest_blockhash())
        done = run_apart(lambda: self.svm.send_transaction(transaction))
        if isinstance(done, FailedTransactionMetadata):
            raise Refused(done)
        assert isinstance(done, TransactionMetadata)
        events = []
        for inner in done.inner_instructions():
            for one in inner:
                compiled = one.instruction()
                caller_is_us = message.account_keys[compiled.program_id_index] == PROGRAM
                if caller_is_us and bytes(compiled.data)[:8] == idl.EVENT_TAG:
                    events.append(idl.decode_event(bytes(compiled.data)))
        return Sent(done.compute_units_consumed(), events, bytes(done.return_data().data), done.logs())

    def call(
        self,
        name: str,
        accounts: dict[str, Pubkey],
        args: dict[str, Any] | None = None,
        *,
        tail: bytes = b"",
        more: list[AccountMeta] | None = None,
        signers: Sequence[Keypair] = (),
        units: int | None = 1_400_000,
    ) -> Sent:
        """Sends one instruction of the gateway."""
        step = idl.instruction(PROGRAM, name, {**BASE, **accounts}, args or {}, tail=tail, more=more)
        return self.send(step, signers=signers, units=units)

    def initialize(self, **changes: Any) -> Sent:
        """Makes the config."""
        accounts = {
            "payer": self.payer.pubkey(),
            "upgrade_authority": self.owner.pubkey(),
            "program_data": address(bytes(PROGRAM), program=LOADER),
        }
        args = {
            "genesis_hash": GENESIS,
            "guardian": self.guardian.pubkey(),
            "treasury": self.treasury.pubkey(),
            "max_pause_slots": 500,
        }
        signers = changes.pop("signers", [self.owner])
        return self.call("initialize", {**accounts, **changes}, args, signers=signers)

    def install(self, chosen: SignerSet, epoch: int = 1, former: int | None = None) -> Sent:
        """The owner's set."""
        accounts = {"owner": self.owner.pubkey(), "next_epoch": epoch_address(epoch)}
        if former is not None:
            accounts["former_epoch"] = epoch_address(former)
        return self.call("install", accounts, {"signer_set": set_args(chosen)}, signers=[self.owner])

    def set_outbound(self, **terms: Any) -> Sent:
        """The route to the remote chain."""
        chain = REMOTE_CHAIN.to_bytes()
        args = {"chain": chain, "destination_gateway": REMOTE_GATEWAY, "terms": {**TERMS, **terms}}
        accounts = {"owner": self.owner.pubkey(), "outbound": outbound_address(chain)}
        return self.call("set_outbound", accounts, args, signers=[self.owner])

    def set_inbound(self, *, is_open: bool = True) -> Sent:
        """The route from the remote chain."""
        accounts = {"owner": self.owner.pubkey(), "inbound": inbound_address(REMOTE_GATEWAY)}
        return self.call(
            "set_inbound", accounts, {"source_gateway": REMOTE_GATEWAY, "is_open": is_open}, signers=[self.owner]
        )

    def batch(self, leaves: Sequence[bytes], epoch: int = 1) -> Batch:
        """A batch for this gateway."""
        return Batch.of_leaves(GATEWAY, list(leaves), epoch)

    def certificate(self, batch: Batch, signers: Sequence[int]) -> bytes:
        """The bytes that these signers' signatures give."""
        signatures = {index: self.keys[index].sign(batch.digest()) for index in signers}
        return build_certificate(batch, SECP256K1.number, signatures).to_bytes()

    def certify(self, batch: Batch, signers: Sequence[int] | None = None, **changes: Any) -> Sent:
        """Has a batch verified."""
        chosen = range(self.set.threshold) if signers is None else signers
        certificate = changes.pop("certificate", None) or self.certificate(batch, chosen)
        return self.send(self.certify_step(batch, certificate, **changes))

    def certify_step(self, batch: Batch, certificate: bytes, **accounts: Pubkey) -> Instruction:
        """The instruction that verifies a certificate."""
        places = {"payer": self.payer.pubkey(), "root": root_address(batch), "epoch": epoch_address(batch.epoch)}
        head = {
            "scheme": certificate[0],
            "epoch_big_endian": certificate[1:9],
            "chain_tag": certificate[9:13],
            "gateway_tag": certificate[13:17],
            "bitmap_big_endian": certificate[17:49],
        }
        args = {"batch_root": batch.root, "count": batch.count, "certificate": head}
        return idl.instruction(PROGRAM, "verify_certificate", {**places, **accounts}, args, tail=certificate[49:])

    def request(self, salt: int = 0, **changes: Any) -> tuple[Sent, Request]:
        """Asks, as the wallet that sends; returns the request as its event tells it."""
        args, accounts = self.request_parts(salt, **changes)
        sent = self.call("request", accounts, args, signers=[self.sender])
        return sent, request_of(sent.event("XVMCallRequested")["request"])

    def request_parts(
        self, salt: int = 0, sender: Pubkey | None = None, **changes: Any
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Arguments and accounts of a request."""
        who = sender or self.sender.pubkey()
        options = {**OPTIONS, **changes.pop("options", {})}
        args = {
            "salt": salt,
            "max_fee": 10**9,
            "target": REMOTE_TARGET,
            "payload": b"\x12\x34\x56\x78",
            "callback": None,
            **changes,
            "options": options,
        }
        accounts = {
            "payer": self.payer.pubkey(),
            "sender": who,
            "outbound": outbound_address(REMOTE_CHAIN.to_bytes()),
            "sender_state": address(b"sender", bytes(who)),
            "pending": pending_address(who, salt),
        }
        return args, accounts

    def execute(self, asked: Request, *, certified: bool = False, leaves: Sequence[bytes] = (), **changes: Any) -> Sent:
        """Has a request to here certified, if it is not, and executed."""
        step, batch = self.execute_step(asked, leaves=leaves, **changes)
        if not certified:
            self.certify(batch)
        return self.send(step)

    def execute_step(
        self,
        asked: Request,
        *,
        name: str = "execute",
        leaves: Sequence[bytes] = (),
        accounts: dict[str, Pubkey] | None = None,
        more: list[AccountMeta] | None = None,
        payee: bytes = bytes(32),
    ) -> tuple[Instruction, Batch]:
        """The instruction that runs a request, and the batch that certifies it."""
        identity = request_id(asked)
        leaf = Execute(identity, 7, b"\xb0" * 32, 3, 1).leaf
        every = [*leaves, leaf]
        batch = self.batch(every)
        fields = inbound_args(asked)
        if name == "execute":
            del fields["payload_hash"]
        else:
            del fields["payload"]
        args = {
            "request": fields,
            "place": {"height": 7, "block_hash": b"\xb0" * 32, "tx_index": 3, "log_index": 1},
            "payee": payee,
            "path": list(merkle_path(every, len(every) - 1)),
        }
        places = {**BASE, **self.execute_accounts(asked, batch), **(accounts or {})}
        return idl.instruction(PROGRAM, name, places, args, more=more), batch

    def execute_accounts(self, asked: Request, batch: Batch) -> dict[str, Pubkey]:
        """Where a request to here is looked up and consumed."""
        places = {
            "payer": self.payer.pubkey(),
            "epoch": epoch_address(batch.epoch),
            "root": root_address(batch),
            "inbound": inbound_address(asked.source_gateway),
            "slot": slot_address(request_id(asked)),
            "target": Pubkey(asked.target[-32:]),
        }
        if asked.origin:
            places["origin_slot"] = slot_address(asked.origin.to_bytes(32, "big"))
        if asked.ordered_after > 1:
            places["predecessor"] = slot_address(asked.ordered_after.to_bytes(32, "big"))
        if asked.own_account:
            places["own_account"] = own_account(asked.sender)
        return places

    def remember(self, memory: Pubkey, first: bytes = b"\0") -> None:
        """Gives the probe an empty memory; its first byte says whether its handler fails."""
        self.svm.set_account(memory, Account(10**9, first + bytes(1_199), PROBE))

    def make_stage(self, length: int, name: str = "stage") -> Keypair:
        """An empty stage of the payer's for so many bytes."""
        key = keypair(name)
        lamports = self.svm.minimum_balance_for_rent_exemption(48 + length)
        made = create_account(
            CreateAccountParams(
                from_pubkey=self.payer.pubkey(),
                to_pubkey=key.pubkey(),
                lamports=lamports,
                space=48 + length,
                owner=PROGRAM,
            )
        )
        places = {"stage": key.pubkey(), "authority": self.payer.pubkey()}
        self.send(made, idl.instruction(PROGRAM, "stage", places, {}), signers=[key])
        return key

    def fill_stage(self, key: Pubkey, data: bytes) -> None:
        """Brings data in pieces."""
        places = {"stage": key, "authority": self.payer.pubkey()}
        for offset in range(0, len(data), 900):
            self.call("append", places, {"offset": offset, "piece": data[offset : offset + 900]})

    def send_staged(self, step: Instruction, *, close: bool = True) -> Sent:
        """Sends an instruction whose data does not fit a transaction."""
        key = self.make_stage(len(step.data)).pubkey()
        self.fill_stage(key, bytes(step.data))
        places = {"stage": key, "authority": self.payer.pubkey()}
        steps = [idl.instruction(PROGRAM, "use_stage", places, {}, more=list(step.accounts))]
        if close:
            steps.append(idl.instruction(PROGRAM, "close_stage", places, {}))
        return self.send(*steps)

    def outcome(
        self, asked: Request, kind: OutcomeKind = OutcomeKind.EXECUTED, data: bytes = b"", payee: bytes = bytes(32)
    ) -> Outcome:
        """What became of a request from here, as the remote gateway tells it."""
        return Outcome(request_id(asked), kind, False, keccak256(data), 9, b"\xb1" * 32, 2, 0, payee, 0)  # noqa: FBT003 - a field

    def deliver(self, outcome: Outcome, pending: Pubkey, *, certified: bool = False, **accounts: Pubkey) -> Sent:
        """Has an outcome certified, if it is not, and recorded."""
        batch = self.batch([outcome.leaf])
        if not certified:
            self.certify(batch)
        places = {
            "payer": self.payer.pubkey(),
            "epoch": epoch_address(1),
            "root": root_address(batch),
            "pending": pending,
            "credit": address(b"credit", outcome.payee),
            **accounts,
        }
        return self.call("deliver", places, {"outcome": outcome_args(outcome), "path": []})

    def callback(self, pending: Pubkey, data: bytes = b"", *, handler: Pubkey | None = None, **changes: Any) -> Sent:
        """Runs a callback."""
        accounts = {
            "payer": self.payer.pubkey(),
            "pending": pending,
            "refund": self.payer.pubkey(),
            "callback_authority": callback_authority(handler or PROGRAM),
        }
        if handler is not None:
            accounts["handler"] = handler
        more = changes.pop("more", None)
        return self.call("callback", {**accounts, **changes}, {"return_data": data}, more=more)

    def rotate(self, chosen: SignerSet, epoch: int = 2, **accounts: Pubkey) -> Sent:
        """Certifies a next set and applies it."""
        batch = self.batch([Rotate(signer_set_hash(chosen), epoch).leaf], epoch - 1)
        self.certify(batch)
        places = {
            "payer": self.payer.pubkey(),
            "former_epoch": epoch_address(epoch - 1),
            "next_epoch": epoch_address(epoch),
            "root": root_address(batch),
            **accounts,
        }
        return self.call("rotate", places, {"signer_set": set_args(chosen)})


def epoch_address(epoch: int) -> Pubkey:
    """Where an epoch's signers are."""
    return address(b"epoch", epoch.to_bytes(8, "little"))


def root_address(batch: Batch) -> Pubkey:
    """Where a verified root is."""
    return address(b"root", batch.root, batch.epoch.to_bytes(8, "little"), batch.count.to_bytes(4, "little"))


def outbound_address(chain: bytes) -> Pubkey:
    """Where the terms of a destination are."""
    return address(b"outbound", keccak256(chain))


def inbound_address(gateway: bytes) -> Pubkey:
    """Where it stands whether a source gateway is believed."""
    return address(b"inbound", keccak256(gateway))


def pending_address(sender: Pubkey, salt: int) -> Pubkey:
    """Where a request from here waits."""
    return address(b"pending", bytes(sender), salt.to_bytes(8, "little"))


def slot_address(identity: bytes) -> Pubkey:
    """Where it stands that a request was consumed."""
    return address(b"slot", identity)


def own_account(sender: bytes) -> Pubkey:
    """A remote sender's own account here."""
    return address(b"account", keccak256(sender))


def callback_authority(handler: Pubkey) -> Pubkey:
    """What signs the callbacks to one program."""
    return address(b"callback", bytes(handler))


def payload(data: bytes, accounts: Sequence[AccountMeta] = ()) -> bytes:
    """A call's payload on this chain."""
    declared = b"".join(bytes(one.pubkey) + bytes([one.is_signer, one.is_writable]) for one in accounts)
    return len(accounts).to_bytes(4, "little") + declared + len(data).to_bytes(4, "little") + data


def inbound_request(target: Pubkey, call: bytes, nonce: int = 0, **changes: Any) -> Request:
    """A request from the remote chain to a program here."""
    fields: dict[str, Any] = {
        "source_gateway": REMOTE_GATEWAY,
        "sender": REMOTE_SENDER,
        "destination_gateway": GATEWAY,
        "target": InteroperableAddress(SOLANA, bytes(target)).to_bytes(),
        "nonce": nonce,
        "mode": Mode.CALL,
        "own_account": False,
        "payload": call,
        "execution_gas_limit": 50_000,
        "callback_gas_limit": 300_000,
        "return_limit": 1_024,
        "expiry": NOW + 600,
        "ordered_after": 0,
        "origin": 0,
        "code_hash": bytes(32),
        "dispute_blocks": 0,
        "metadata": b"",
    }
    return Request(**{**fields, **changes})


def inbound_args(asked: Request) -> dict[str, Any]:
    """A request to here as instructions have it, with its payload and its payload's hash."""
    return {
        "source_gateway": asked.source_gateway,
        "sender": asked.sender,
        "target": asked.target[38:],
        "nonce": asked.nonce,
        "own_account": asked.own_account,
        "payload": asked.payload,
        "payload_hash": keccak256(asked.payload),
        "execution_gas_limit": asked.execution_gas_limit,
        "callback_gas_limit": asked.callback_gas_limit,
        "return_limit": asked.return_limit,
        "expiry": asked.expiry,
        "ordered_after": asked.ordered_after.to_bytes(32, "big"),
        "origin": asked.origin.to_bytes(32, "big"),
        "code_hash": asked.code_hash,
        "dispute_blocks": asked.dispute_blocks,
        "metadata": asked.metadata,
    }


def outcome_args(outcome: Outcome) -> dict[str, Any]:
    """An outcome as `deliver` has it."""
    return {
        "request_id": outcome.request_id,
        "kind": int(outcome.kind),
        "cut": outcome.cut,
        "return_data_hash": outcome.return_data_hash,
        "place": {
            "height": outcome.height,
            "block_hash": outcome.block_hash,
            "tx_index": outcome.tx_index,
            "log_index": outcome.log_index,
        },
        "payee": outcome.payee,
        "round": outcome.round,
    }


def request_of(fields: dict[str, Any]) -> Request:
    """A request from its event."""
    numbers = {name: int.from_bytes(fields[name], "big") for name in ("ordered_after", "origin")}
    return Request(**{**fields, **numbers, "mode": Mode(fields["mode"])})
