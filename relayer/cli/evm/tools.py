"""Asking on an EVM chain, as any outside program would: one RPC endpoint, one account, web3.py and the gateway's ABI.

Its job: quote, send, and read the gateway's events. It asks no relayer and believes its one endpoint, which is the
caller's own choice; relayers never use it.

Source: contracts/evm/src/interfaces, IXvmSource and IXvmDestination.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

from eth_account import Account
from eth_account.signers.local import LocalAccount
from web3 import HTTPProvider, Web3
from web3.contract.contract import ContractFunction
from web3.exceptions import ContractLogicError, TransactionNotFound, Web3Exception, Web3RPCError
from web3.logs import DISCARD
from web3.types import FilterParams, TxParams, Wei

from attestation.address import checksum_address, evm_account, parse_account_text
from attestation.errors import AttestationError
from attestation.keccak import keccak256
from attestation.request import RequestId
from attestation.schemes import SECP256K1
from attestation.statement import OutcomeKind
from relayer.cli.asking import Ask, Asked, Cancelled, Ending, Endpoint, Place, Receipt, TypedCall
from relayer.cli.evm.payload import EvmPayloadCodec, explain_revert
from relayer.errors import CallReverted, ConfigError, RejectedError, RpcUnavailable
from relayer.keys.keystore import Secret
from relayer.vms.evm.contract_artifacts import load_artifact

RPC_SECONDS: Final = 10.0
"""For one exchange."""

MINED_SECONDS: Final = 120.0
"""Until the transaction is in a block: ten of the slowest chain's blocks."""

_POLL_SECONDS: Final = 0.2
_GAS_MARGIN_PERCENT: Final = 120
"""Of the estimate: storage that another transaction clears in between costs more."""

_PRIORITY_FEE: Final = 10**9


class EvmTools:
    """Implements `VmTools`."""

    def account_text(self, secret: Secret) -> str:
        """Its checksummed address. Raises `ConfigError`."""
        return checksum_address(_require_key(secret))

    def open_call(self, call: TypedCall) -> EvmPayloadCodec:
        """A call in Solidity's ABI. Raises `WrongUsage`."""
        return EvmPayloadCodec(call)

    def open_source(self, endpoint: Endpoint, secret: Secret) -> EvmSourceSession:
        """As the account with this key. Raises `ConfigError`."""
        return EvmSourceSession(endpoint, secret)

    def open_destination(self, endpoint: Endpoint) -> EvmGatewaySession:
        """To look. Raises `ConfigError`."""
        return EvmGatewaySession(endpoint)


class EvmGatewaySession:
    """A gateway, to look at. Implements `DestinationSession`."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._chain = endpoint.chain
        try:
            self._address = parse_account_text(f"{endpoint.chain}:{endpoint.gateway}")
        except AttestationError as error:
            raise ConfigError([f"--gateway: {error}"]) from None
        self._web3 = Web3(HTTPProvider(endpoint.rpc_url, request_kwargs={"timeout": RPC_SECONDS}))
        checksummed = Web3.to_checksum_address(self._address.address)
        self._gateway = self._web3.eth.contract(address=checksummed, abi=load_artifact("XvmGateway").abi)
        with self._translated():
            chain_id, code = self._web3.eth.chain_id, self._web3.eth.get_code(checksummed)
        faults = []
        if chain_id != endpoint.chain.chain_id:
            faults.append(f"--rpc: the endpoint serves eip155:{chain_id}, not {endpoint.chain}")
        elif not code:
            faults.append(f"--gateway: {checksummed} has no code on {endpoint.chain}")
        if faults:
            raise ConfigError(faults)

    def fetch_receipt(self, asked: Asked) -> Receipt | None:
        """The `XVMCallConcluded` of a request."""
        for log in self._fetch_logs(("XVMCallConcluded",), asked.request_id, 0):
            return Receipt(OutcomeKind(log["args"]["kind"]), _place(log))
        return None

    def _fetch_logs(self, names: tuple[str, ...], request_id: RequestId, first: int) -> Iterator[Mapping[str, Any]]:
        """The gateway's logs with one of these names about a request, from this block on."""
        events = {self._gateway.events[name].topic: self._gateway.events[name]() for name in names}
        topics: list[Any] = [list(events), f"0x{request_id.hex()}"]
        where: FilterParams = {"address": self._gateway.address, "topics": topics, "fromBlock": first}
        with self._translated():
            logs = self._web3.eth.get_logs(where)
        for log in logs:
            yield events[Web3.to_hex(log["topics"][0])].process_log(log)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """The library's errors as ours. SECURITY: none shows the endpoint's URL, which may hold an access key."""
        try:
            yield
        except ContractLogicError as error:
            data = bytes.fromhex(error.data[2:]) if isinstance(error.data, str) else b""
            raise CallReverted(explain_revert(data), data) from None
        except Web3RPCError as error:
            raise RejectedError(f"{self._chain}: the endpoint refuses: {_message(error)}") from None
        except (Web3Exception, OSError, ValueError) as error:
            raise RpcUnavailable(f"{self._chain}: the endpoint gives no answer ({type(error).__name__})") from None


class EvmSourceSession(EvmGatewaySession):
    """An account and its gateway. Implements `SourceSession`."""

    def __init__(self, endpoint: Endpoint, secret: Secret) -> None:
        _require_key(secret)
        super().__init__(endpoint)
        self._account: LocalAccount = Account.from_key(secret.reveal())
        self._sender = evm_account(endpoint.chain.chain_id, bytes.fromhex(self._account.address[2:]))

    def quote(self, ask: Ask) -> int:
        """The gateway's quote, in wei."""
        call = self._overload("quote", ask.target.to_bytes(), len(ask.payload), self._options(ask))
        with self._translated():
            return int(call.call())

    def send(self, ask: Ask, fee: int) -> Asked:
        """One transaction; returns when it is mined."""
        call = self._overload("xvmExecute", ask.target.to_bytes(), ask.payload, self._options(ask))
        with self._translated():
            transaction = self._build(call, fee)
            signed = self._account.sign_transaction(transaction)  # type: ignore[arg-type]
            tx_hash = self._web3.eth.send_raw_transaction(signed.raw_transaction)
            receipt = self._web3.eth.wait_for_transaction_receipt(tx_hash, MINED_SECONDS, _POLL_SECONDS)
            if receipt["status"] != 1:
                # What it was estimated for is not what it met; on the block that it stands in it fails again, by name.
                call.call({"from": self._account.address, "value": Wei(fee)}, receipt["blockNumber"])
        logs = self._gateway.events.XVMCallRequested().process_receipt(receipt, errors=DISCARD)
        if receipt["status"] != 1 or not logs:
            raise RejectedError(f"{self._chain}: the gateway refused transaction {Web3.to_hex(tx_hash)} when it ran")
        identifier = RequestId(int(logs[0]["args"]["requestId"]).to_bytes(32, "big"))
        return Asked(identifier, self._sender, int(logs[0]["args"]["fee"]), _place(logs[0]))

    def fetch_ending(self, asked: Asked) -> Ending | Cancelled | None:
        """The gateway's event, and from the transaction that delivered it the outcome with its data."""
        names = ("XVMCallbackDelivered", "XVMHandlerFailed", "XVMCancelled")
        for log in self._fetch_logs(names, asked.request_id, asked.place.block):
            fields = log["args"]
            if log["event"] == "XVMCancelled":
                return Cancelled(int(fields["returned"]), _place(log))
            ending = Ending(
                kind=OutcomeKind(fields["kind"]),
                success=bool(fields["success"]),
                is_handler_failed=log["event"] == "XVMHandlerFailed",
                cut=False,
                return_data=b"",
                place=_place(log),
            )
            return self._with_data(ending, asked.request_id, fields.get("returnDataHash"))
        return None

    def _with_data(self, ending: Ending, request_id: RequestId, data_hash: bytes | None) -> Ending:
        """The event has the data's hash alone; the data stands in the delivering transaction's input."""
        with self._translated():
            try:
                sent = self._web3.eth.get_transaction(ending.place.tx)  # type: ignore[arg-type]
            except TransactionNotFound:
                raise RpcUnavailable(f"{self._chain}: the endpoint does not show {ending.place.tx}") from None
            function, arguments = self._gateway.decode_function_input(sent["input"])
        if function.fn_name != "deliver":
            return ending
        for batch in arguments["batches"]:
            for outcome in batch["outcomes"]:
                data = bytes(outcome["returnData"])
                is_it = outcome["requestId"] == int.from_bytes(request_id, "big") and outcome["kind"] == ending.kind
                if is_it and data_hash in (None, keccak256(data)):
                    return replace(ending, cut=bool(outcome["cut"]), return_data=data)
        return ending

    def _options(self, ask: Ask) -> dict[str, Any]:
        """The gateway's `Options`."""
        expiry = 0
        if ask.expires_in_seconds:
            with self._translated():
                expiry = self._web3.eth.get_block("latest")["timestamp"] + ask.expires_in_seconds
        return {
            "mode": int(ask.mode),
            "ownAccount": ask.own_account,
            "executionGasLimit": ask.execution_gas_limit,
            "callbackGasLimit": ask.callback_gas_limit,
            "returnLimit": ask.return_limit,
            "expiry": expiry,
            "ordered": False,
            "codeHash": ask.code_hash,
            "disputeBlocks": 0,
            "deadlineBlocks": ask.deadline_blocks,
            "metadata": ask.metadata,
        }

    def _build(self, call: ContractFunction, fee: int) -> TxParams:
        base_fee = self._web3.eth.get_block("latest")["baseFeePerGas"]
        fields: TxParams = {"from": self._account.address, "value": Wei(fee)}
        return call.build_transaction(
            {
                **fields,
                "gas": call.estimate_gas(fields) * _GAS_MARGIN_PERCENT // 100,
                "chainId": self._chain.chain_id,
                "nonce": self._web3.eth.get_transaction_count(self._account.address, "pending"),
                "maxFeePerGas": Wei(2 * base_fee + _PRIORITY_FEE),
                "maxPriorityFeePerGas": Wei(_PRIORITY_FEE),
            }
        )

    def _overload(self, name: str, *arguments: object) -> ContractFunction:
        """The call of that function of this name which has so many parameters."""
        found = self._gateway.find_functions_by_name(name)
        call: ContractFunction = next(f for f in found if len(f.argument_types) == len(arguments))(*arguments)
        return call


def _require_key(secret: Secret) -> bytes:
    """The 20-byte address of a key. Raises `ConfigError`."""
    try:
        return SECP256K1.signing_key(secret.reveal()).key
    except AttestationError as error:
        raise ConfigError([f"--key-file: {error}"]) from None


def _place(log: Mapping[str, Any]) -> Place:
    return Place(int(log["blockNumber"]), Web3.to_hex(log["transactionHash"]))


def _message(error: Web3RPCError) -> str:
    """The endpoint's words."""
    told = error.rpc_response.get("error") if error.rpc_response else None
    return str(told["message"]) if told else "no reason given"


tools: Final = EvmTools()
"""What the entry point `eip155` in `xvm.tools` names."""
