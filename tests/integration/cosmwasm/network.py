"""Two CosmWasm chains of the devnet with gateways that know each other, and what a test needs to act on them.

They run in the test's own loop; blocks are made when a test says so, and final at once. What a relayer would do is done
by the package under test.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TypeVar

import orjson

from attestation.address import Chain as ChainName
from attestation.address import InteroperableAddress, Namespace
from attestation.batch import Batch as SignedBatch
from attestation.certificate import build_certificate
from attestation.keccak import keccak256
from attestation.request import Mode
from attestation.signer_set import SignerSet, signer_set_hash
from attestation.statement import Rotate
from relayer.cosmos.accounts import BaseAccount, account_of_secret, from_bech32, to_bech32
from relayer.cosmos.base import Coin
from relayer.cosmos.wasm import MsgExecuteContract, MsgInstantiateContract2
from relayer.devnet.cosmwasm.block_json import Dialect
from relayer.devnet.cosmwasm.chain import PREFIX, Chain
from relayer.devnet.cosmwasm.chain import ChainSettings as DevnetSettings
from relayer.devnet.cosmwasm.messages import ExecuteContract
from relayer.devnet.cosmwasm.node import Node
from relayer.devnet.cosmwasm.server import ServerSettings, serving
from relayer.devnet.ports import free_ports
from relayer.domain.finality import FinalityRule
from relayer.domain.observations import ObservedBlock
from relayer.domain.route import Route, RouteTable
from relayer.domain.tracked import TrackedRequest
from relayer.ports.deployment import ChainPlan, Deployed, DeploymentPlan
from relayer.ports.source_chain import CertifiedBatch
from relayer.ports.vm import ChainSettings
from relayer.ports.wallet import PreparedCall
from relayer.vms.cosmwasm.contract_code import ACCOUNT, GATEWAY, load_code
from relayer.vms.cosmwasm.deployment_steps import StoredCode, configuration_steps, instantiation_step, offer
from relayer.vms.cosmwasm.messages import encode_rotation
from relayer.vms.cosmwasm.signing_account import SigningAccount
from tests import certifying
from tests.factories import NOW, SIGNING_KEYS, make_signer_set

RELAYER_KEY: Final = keccak256(b"relayer of the integration tests")
RELAYER: Final = to_bech32(PREFIX, account_of_secret(RELAYER_KEY))
DENOMINATION: Final = "uxvm"
_PROBE: Final = Path(__file__).resolve().parents[2] / "cosmwasm" / "contract" / "probe.wasm"
_MONEY: Final = 10**13
_FEE: Final = 10**9
_GAS: Final = 3_000_000
_GAS_PRICE: Final = 25_000

T = TypeVar("T")


class LocalChain:
    """One chain with its gateway, and a contract to be called. `owner` set it up, `sender` asks."""

    def __init__(self, name: str, dialect: Dialect, code_cache: Path) -> None:
        self.name = name
        self._now = NOW
        settings = DevnetSettings(chain_id=f"xvm-{name}", dialect=dialect, code_cache=code_cache)
        self.chain = Chain(settings, lambda: self._now)
        self.identity = ChainName(Namespace.COSMOS, self.chain.settings.chain_id.encode())
        self._owner_key, sender_key = (keccak256(f"{who} of {name}".encode()) for who in ("owner", "sender"))
        self.owner = to_bech32(PREFIX, account_of_secret(self._owner_key))
        self.sender = SigningAccount(sender_key, self.identity, PREFIX, DENOMINATION)
        for account in (self.owner, self.sender.text, RELAYER):
            self.chain.fund(account, _MONEY)
        self.url = self.websocket_url = ""
        self._node: Node | None = None
        self._keeper = self.chain._keeper
        self.plan = ChainPlan(
            name=name,
            chain=self.identity,
            finality=FinalityRule(depth_blocks=0),
            block_time_seconds=1.0,
            price_per_gigagas=_GAS_PRICE * 10**3,
            bech32_prefix=PREFIX,
            fee_denom=DENOMINATION,
            coin_decimals=6,
        )
        gateway, account = (self._store(code) for code in (GATEWAY, ACCOUNT))
        owner = account_of_secret(self._owner_key)
        made = instantiation_step(self.plan, owner, bytes(32), gateway, account).message
        assert isinstance(made, MsgInstantiateContract2)
        self.gateway_text = self._keeper.instantiate(self.owner, gateway.code_id, made.msg)
        self.gateway = InteroperableAddress(self.identity, from_bech32(PREFIX, self.gateway_text)).to_bytes()
        probe = self._keeper.store_code(self.owner, _PROBE.read_bytes())
        self.probe = from_bech32(PREFIX, self._keeper.instantiate(self.owner, probe, {}))

    @property
    def now(self) -> int:
        """The time of the next block, in seconds."""
        return int(self._now)

    @property
    def deployed(self) -> Deployed:
        contract = from_bech32(PREFIX, self.gateway_text)
        return Deployed(contract, contract, 1, offer(self.plan))

    def configure(self, plan: DeploymentPlan, deployed: Mapping[str, Deployed]) -> None:
        """The signers, and a route each way; then the first block."""
        for step in configuration_steps(plan, self.plan, account_of_secret(self._owner_key), deployed):
            message = step.message
            assert isinstance(message, MsgExecuteContract)
            result = self._keeper.execute(self.owner, message.contract, message.msg)
            assert result.code == 0, (step.name, result.log)
        self.close_blocks()

    @asynccontextmanager
    async def served(self) -> AsyncIterator[None]:
        """Answers on a loopback port inside."""
        (port,) = free_ports(1)
        settings = ServerSettings(port, block_seconds=0, has_control=True)
        async with serving(self.chain, settings) as self._node:
            self.url, self.websocket_url = f"http://127.0.0.1:{port}", f"ws://127.0.0.1:{port}/websocket"
            yield

    def close_blocks(self, count: int = 1) -> None:
        """So many blocks, with what waits in the first."""
        for _ in range(count):
            self._apart(self._close_block)
            if self._node is not None:
                self._node.publish()

    def pass_seconds(self, seconds: int) -> None:
        """Let the clock run ahead."""
        self._now += seconds

    def ask(self, remote: LocalChain, target: bytes, payload: Any, **options: Any) -> None:
        """A request of the sender's account, in the block to come: no contract is called back."""
        call = {
            "target": f"0x{InteroperableAddress(remote.identity, target).to_bytes().hex()}",
            "payload": b64encode(orjson.dumps(payload)).decode(),
            "options": {
                "execution_gas_limit": "500000",
                "callback_gas_limit": "300000",
                "return_limit": 1_024,
                **options,
            },
        }
        message = MsgExecuteContract(
            self.sender.text,
            self.gateway_text,
            orjson.dumps({"xvm_execute": call}),
            (Coin(DENOMINATION, str(_FEE)),),
        )
        self.send(message)

    def rotate(self, signer_set: SignerSet) -> None:
        """Bring in the second signers, in a block of their own."""
        statement = Rotate(signer_set_hash(signer_set), 2)
        signed = SignedBatch(self.gateway, statement.leaf, 1, 1)
        signatures = {index: SIGNING_KEYS[index].sign(signed.digest()) for index in (0, 2, 3)}
        message = encode_rotation(signer_set, build_certificate(signed, 1, signatures).to_bytes())
        self.send(MsgExecuteContract(self.sender.text, self.gateway_text, message))
        self.close_blocks()

    def send(self, message: MsgExecuteContract) -> None:
        """A transaction of the sender's, for the next block."""
        waiting = sum(transaction.signer == self.sender.text for transaction in self.chain.mempool)
        account = self._apart(lambda: self._keeper.account(self.sender.text))
        assert account is not None
        told = BaseAccount(address=self.sender.text, account_number=account.number, sequence=account.sequence)
        raw = self.sender.sign(message, told, account.sequence + waiting, _GAS, _GAS_PRICE)
        checked = self._apart(lambda: self.chain.take(raw))
        assert checked.result.code == 0, checked.result.log

    def gas_used(self, call: PreparedCall) -> int:
        """By a relayer's message to the gateway, if it ran now."""
        message = ExecuteContract(RELAYER, self.gateway_text, call.data, ())
        return self._apart(lambda: self._keeper.simulate([message])).gas_used

    def _store(self, code: str) -> StoredCode:
        number = self._keeper.store_code(self.owner, load_code(code))
        info = self._keeper.code_info(number)
        assert info is not None
        return StoredCode(number, info.checksum)

    def _close_block(self) -> None:
        making = self.chain.open_block()
        for transaction in making.transactions:
            making.deliver(transaction)
        self.chain.close_block(making)

    def _apart(self, work: Callable[[], T]) -> T:
        """Where the node looks into the state, so that the two never do at once."""
        return work() if self._node is None else self._node._apart.submit(work).result()


class Network:
    """Requests go from `source` to `destination`. They are nodes of CometBFT's oldest and newest kind."""

    def __init__(self, code_cache: Path) -> None:
        self.source = LocalChain("source", Dialect.V038, code_cache)
        self.destination = LocalChain("destination", Dialect.V034, code_cache)
        here, there = self.source.gateway, self.destination.gateway
        names = (str(self.source.identity), str(self.destination.identity))
        self.call_route = Route(here + there, Mode.CALL, *names, here, there)
        self.query_route = Route(here + self.destination.identity.to_bytes(), Mode.QUERY, *names, here, b"")
        self.routes = RouteTable((self.call_route, self.query_route))
        chains = (self.source, self.destination)
        plan = DeploymentPlan(tuple(chain.plan for chain in chains), make_signer_set())
        deployed = {str(chain.identity): chain.deployed for chain in chains}
        for chain in chains:
            chain.configure(plan, deployed)

    def settings(self, chain: LocalChain, **changes: Any) -> ChainSettings:
        settings = ChainSettings(
            name=chain.name,
            caip2=str(chain.identity),
            # Two names of one node: a quorum of two that always agrees.
            rpc_urls=(chain.url, chain.url + "/?endpoint=2"),
            rpc_quorum=2,
            ws_urls=(chain.websocket_url,),
            gateway=chain.gateway_text,
            verifier=chain.gateway_text,
            finality=FinalityRule(depth_blocks=0),
            block_time_seconds=1.0,
            max_blocks_per_fetch=64,
            transaction_gas_cap=10_000_000,
            max_fee_per_gas=10**6,
            request_timeout_seconds=10.0,
            wallet_key=RELAYER_KEY,
        )
        return replace(settings, **changes)

    def executions(self, *blocks: ObservedBlock) -> list[CertifiedBatch]:
        """The certified Execute batches of these source blocks, everything in them to be acted on."""
        return certifying.executions(self.routes, *blocks)

    def deliveries(self, block: ObservedBlock, requests: Sequence[TrackedRequest]) -> list[CertifiedBatch]:
        """The certified Outcome batches of a destination block, for these requests."""
        return certifying.deliveries(self.routes, self.destination.gateway, block, requests)


@asynccontextmanager
async def running_network(code_cache: Path) -> AsyncIterator[Network]:
    """Both chains, with gateways, answering on loopback ports. What is compiled is kept in the folder."""
    network = Network(code_cache)
    async with AsyncExitStack() as stack:
        for chain in (network.source, network.destination):
            await stack.enter_async_context(chain.served())
        yield network
