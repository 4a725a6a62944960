"""The application behind the node: what the Cosmos SDK does around messages.

Its job: whether a transaction may be taken, what it pays, and what became of it. Messages are the keeper's. It is of
one thread, as the keeper is.

Source: baseapp/baseapp.go and x/auth/ante of the Cosmos SDK 0.50.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import coincurve
from coincurve.ecdsa import cdata_to_der, deserialize_compact

from relayer.cosmos.abci import Event, EventAttribute
from relayer.cosmos.accounts import account_of_key
from relayer.cosmos.base import AnyMessage
from relayer.cosmos.tx import TxMsgData
from relayer.devnet.cosmwasm.addresses import module_address
from relayer.devnet.cosmwasm.bank import Account
from relayer.devnet.cosmwasm.block_json import Dialect, base64_text
from relayer.devnet.cosmwasm.blocks import TxResult
from relayer.devnet.cosmwasm.chain_errors import ChainError
from relayer.devnet.cosmwasm.coins import Coins, coins_of, coins_text
from relayer.devnet.cosmwasm.events import Event as KeeperEvent
from relayer.devnet.cosmwasm.gas_price import GasPrice
from relayer.devnet.cosmwasm.keeper import Keeper
from relayer.devnet.cosmwasm.keeper import TxResult as KeeperResult
from relayer.devnet.cosmwasm.limits import BLOCK_MAX_GAS, SIMULATION_MAX_GAS
from relayer.devnet.cosmwasm.mempool import Ahead
from relayer.devnet.cosmwasm.merkle import merkle_root
from relayer.devnet.cosmwasm.transactions import Transaction
from relayer.devnet.cosmwasm.tx_errors import SDK, TxError

_GAS_PER_BYTE: Final = 10
"""Source: DefaultTxSizeCostPerByte of x/auth."""

_SIGNATURE_GAS: Final = 1_000
"""Source: DefaultSigVerifyCostSecp256k1 of x/auth."""

_SIGNATURE_BYTES: Final = 64


@dataclass(frozen=True, slots=True)
class Simulated:
    """What a transaction would do."""

    result: TxResult
    responses: tuple[AnyMessage, ...]


class Application:
    """Transactions and the state that they change. A block is begun, delivered to, and committed."""

    def __init__(self, keeper: Keeper, chain_id: str, gas_price: GasPrice, dialect: Dialect) -> None:
        self.keeper = keeper
        self.gas_price = gas_price
        self._chain_id = chain_id
        self._dialect = dialect
        self._collector = keeper.addresses.text(module_address("fee_collector"))
        self.committed_height = 0

    # Blocks.

    def begin(self, height: int, time_ns: int) -> None:
        """Open a block. Queries and checks see the state before it until it is committed."""
        self.keeper.begin_block(height, time_ns)

    def end(self) -> tuple[Event, ...]:
        """Let modules do what they do at a block's end; what they tell."""
        return tuple(self._block_event(event) for event in self.keeper.end_block())

    def commit(self, parent_app_hash: bytes, results: Sequence[TxResult]) -> bytes:
        """Close the block; the hash that the next header has of the state."""
        self.committed_height = self.keeper.block.height
        place = self.committed_height.to_bytes(8, "big")
        return hashlib.sha256(parent_app_hash + place + merkle_root([one.for_hash() for one in results])).digest()

    def at(self, height: int) -> int | None:
        """A committed height as the keeper wants it: the block that it holds open is `None`."""
        return None if height == self.keeper.block.height else height

    # Transactions.

    def check(self, transaction: Transaction, ahead: Ahead) -> int:
        """Whether a transaction may wait behind what is ahead of it; the gas that it used until then.

        Raises:
            TxError: it may not.
        """
        gas = transaction.fee.gas_limit
        if gas > BLOCK_MAX_GAS:
            raise TxError(SDK, 41, f"tx gas limit {gas} exceeds block max gas {BLOCK_MAX_GAS}: invalid gas limit")
        used = _gas_before_messages(transaction)
        needed = self.gas_price.fee_of(gas)
        if transaction.paid.get(self.gas_price.denom, 0) < needed:
            got = coins_text(coins_of(transaction.paid))
            text = f"insufficient fees; got: {got} required: {needed}{self.gas_price.denom}: insufficient fee"
            raise TxError(SDK, 13, text)
        height = self.at(self.committed_height)
        account = self._account(transaction.signer, height)
        for denom, amount in transaction.paid.items():
            held = self.keeper.balance(transaction.signer, denom, height) - ahead.fees[denom]
            if held < amount:
                raise _insufficient(f"spendable balance {held}{denom} is smaller than {amount}{denom}")
        self._verify(transaction, replace(account, sequence=account.sequence + ahead.count))
        self._require_timely(transaction)
        return used

    def deliver(self, transaction: Transaction) -> TxResult:
        """Run a transaction in the open block: it pays its fee and uses its sequence, whatever its messages do."""
        gas = transaction.fee.gas_limit
        try:
            used, events = self._pay(transaction)
        except TxError as error:
            return TxResult(error.code, error.codespace, error.log, b"", gas, 0, ())
        done = self.keeper.deliver(transaction.calls, gas_limit=gas, gas_used=used, tx=transaction.raw)
        return self._result(done, gas, events)

    def simulate(self, transaction: Transaction) -> Simulated:
        """What it would do upon the newest state, whatever its signature and fee are.

        Raises:
            TxError: it is not of the account's turn.
        """
        account = self._account(transaction.signer, self.at(self.committed_height))
        _require_turn(transaction, account)
        used = len(transaction.raw) * _GAS_PER_BYTE + _SIGNATURE_GAS
        done = self.keeper.simulate(transaction.calls, gas_limit=SIMULATION_MAX_GAS, gas_used=used)
        return Simulated(self._result(done, 0, ()), _responses(done))

    def _pay(self, transaction: Transaction) -> tuple[int, list[Event]]:
        """Take the fee and the sequence. Raises `TxError`: nothing happened."""
        used = _gas_before_messages(transaction)
        account = self._account(transaction.signer, None)
        key = self._verify(transaction, account)
        self._require_timely(transaction)
        fee = coins_of(transaction.paid)
        events: list[KeeperEvent] = []
        if fee:
            try:
                events += self.keeper.transfer(transaction.signer, self._collector, fee)
            except ChainError as error:
                raise _insufficient(str(error)) from None
        self.keeper.set_account(transaction.signer, replace(account, sequence=account.sequence + 1, public_key=key))
        events += _tx_events(transaction, fee)
        return used, [_event(event) for event in events]

    def _account(self, signer: str, height: int | None) -> Account:
        try:
            account = self.keeper.account(signer, height)
        except ValueError as error:
            raise TxError(SDK, 7, f"{error}: invalid address") from None
        if account is None:
            raise TxError(SDK, 9, f"account {signer} does not exist: unknown address")
        return account

    def _verify(self, transaction: Transaction, account: Account) -> bytes:
        """The public key that signed. Raises `TxError`: it is not this account's turn, or its signature."""
        key = transaction.public_key or account.public_key
        # SECURITY: an account is spoken for by the key that it is the hash of, and by no other.
        if not key or self.keeper.addresses.text(account_of_key(key)) != transaction.signer:
            text = f"pubKey does not match signer address {transaction.signer} with signer index: 0: invalid pubkey"
            raise TxError(SDK, 8, text)
        # SECURITY: a sequence is good once, so that what was signed once happens once.
        _require_turn(transaction, account)
        number = account.number
        if not _is_signature(transaction.signatures[0], key, transaction.sign_bytes(self._chain_id, number)):
            place = f"account number ({number}), sequence ({account.sequence}) and chain-id ({self._chain_id})"
            reason = "unable to verify single signer signature"
            text = f"signature verification failed; please verify {place}: ({reason}): unauthorized"
            raise TxError(SDK, 4, text)
        return key

    def _require_timely(self, transaction: Transaction) -> None:
        last, height = transaction.body.timeout_height, self.keeper.block.height
        if last and height > last:
            raise TxError(SDK, 30, f"block height: {height}, timeout height: {last}: tx timeout height")

    def _result(self, done: KeeperResult, gas: int, paid: Sequence[Event]) -> TxResult:
        data = TxMsgData(_responses(done)).encode() if not done.code else b""
        log = "[]" if self._dialect is Dialect.V034 and not done.code else done.log
        events = (*paid, *self._message_events(done.events))
        return TxResult(done.code, done.codespace, log, data, gas, done.gas_used, events)

    def _block_event(self, event: KeeperEvent) -> Event:
        """An event of no transaction; each tells when in the block it happened, since version 0.50 of the SDK."""
        told = _event(event)
        if self._dialect is Dialect.V034:
            return told
        return Event(told.type, (*told.attributes, EventAttribute("mode", "EndBlock", index=True)))

    def _message_events(self, events: Sequence[KeeperEvent]) -> Iterator[Event]:
        """Events of messages; each tells its message's place, since version 0.50 of the SDK."""
        index = -1
        for event in events:
            # Each message begins with this one, and no contract can write it.
            index += event.type == "message" and bool(event.values("action"))
            marked = _event(event)
            if self._dialect is Dialect.V038:
                mark = EventAttribute("msg_index", str(index), index=True)
                marked = Event(marked.type, (*marked.attributes, mark))
            yield marked


def _gas_before_messages(transaction: Transaction) -> int:
    """What size and signature cost. Raises `TxError`: that is more than there is."""
    wanted, used = transaction.fee.gas_limit, 0
    costs = (("txSize", len(transaction.raw) * _GAS_PER_BYTE), ("ante verify: secp256k1", _SIGNATURE_GAS))
    for where, cost in costs:
        used += cost
        if used > wanted:
            text = f"out of gas in location: {where}; gasWanted: {wanted}, gasUsed: {used}: out of gas"
            raise TxError(SDK, 11, text)
    return used


def _require_turn(transaction: Transaction, account: Account) -> None:
    expected, got = account.sequence, transaction.sequence
    if got != expected:
        text = f"account sequence mismatch, expected {expected}, got {got}: incorrect account sequence"
        raise TxError(SDK, 32, text)


def _is_signature(signature: bytes, public_key: bytes, document: bytes) -> bool:
    """Whether it is r and s, 32 bytes each, s in the lower half, of the document's SHA-256."""
    if len(signature) != _SIGNATURE_BYTES:
        return False
    try:
        der = cdata_to_der(deserialize_compact(signature))
        return bool(coincurve.PublicKey(public_key).verify(der, document))
    except ValueError:
        return False


def _insufficient(reason: str) -> TxError:
    return TxError(SDK, 5, f"{reason}: insufficient funds")


def _tx_events(transaction: Transaction, fee: Coins) -> list[KeeperEvent]:
    signature = base64_text(transaction.signatures[0])
    return [
        KeeperEvent("tx", [("fee", coins_text(fee)), ("fee_payer", transaction.signer)]),
        KeeperEvent("tx", [("acc_seq", f"{transaction.signer}/{transaction.sequence}")]),
        KeeperEvent("tx", [("signature", signature)]),
    ]


def _event(event: KeeperEvent) -> Event:
    return Event(event.type, tuple(EventAttribute(key, value, index=True) for key, value in event.attributes))


def _responses(done: KeeperResult) -> tuple[AnyMessage, ...]:
    return tuple(AnyMessage(response.type_url, response.value) for response in done.responses)
