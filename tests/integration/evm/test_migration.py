"""A gateway that goes on with another verifier, as relayers see it."""

from __future__ import annotations

import pytest
from web3.contract import Contract

from relayer.ports.store import Commit, StoredEpoch
from tests.factories import SIGNING_KEYS, make_signer_set
from tests.integration.evm.network import LocalChain, Network, calldata
from tests.integration.evm.relaying import Relayer, relay
from tests.unit.evm.gateway_logs import signer_set_tuple

pytestmark = pytest.mark.anvil

NEXT = make_signer_set(SIGNING_KEYS[::-1])


def act(chain: LocalChain, contract: Contract, function: str, *arguments: object) -> None:
    """The owner's call, in a block of its own."""
    sent = contract.functions[function](*arguments).transact({"from": chain.owner, "gas": 5_000_000})
    chain.mine()
    assert chain.web3.eth.get_transaction_receipt(sent)["status"] == 1


def set_up_next(chain: LocalChain) -> Contract:
    """A second verifier of the gateway with its first signer set, before the switch."""
    verifier = chain.deploy("EcdsaVerifier", chain.gateway.address, chain.owner)
    act(chain, verifier, "install", signer_set_tuple(NEXT))
    return verifier


def newest(relayer: Relayer, chain: LocalChain) -> StoredEpoch:
    """The epoch that the node signs under for the chain's gateway."""
    epoch = relayer.desk.epochs.newest(chain.gateway_address)
    assert epoch is not None
    return epoch


def ask(network: Network) -> None:
    """One more request, in a final block."""
    network.ask(calldata(network.destination.counter, "increment", 1))
    network.source.mine()


async def work_until_executed(relayer: Relayer, network: Network, count: int) -> None:
    """Rounds of the node until the counter stands there."""
    for _ in range(20):
        await relayer.work()
        network.destination.mine()
        if network.destination.counter.functions.count().call() == count:
            return
    raise AssertionError([request.status for request in relayer.store._requests.values()])


async def test_after_a_migration_a_node_signs_under_the_new_verifiers_epoch(network: Network) -> None:
    chain = network.destination
    async with relay(network, 0) as before:
        ask(network)
        await work_until_executed(before, network, 1)
        following = set_up_next(chain)
        # what happens at the next verifier is no concern of a node that knows the former one
        await before.work()
        assert newest(before, chain).epoch == 1
        act(chain, chain.gateway, "setVerifier", following.address)
        ask(network)
        await before.work()
    async with relay(network, 0, before.store, verifier=following.address) as after:
        assert (newest(after, chain).epoch, newest(after, chain).signer_set) == (2, NEXT)
        assert newest(after, network.source).epoch == 1
        await work_until_executed(after, network, 2)
        ask(network)
        await work_until_executed(after, network, 3)


async def test_security_epochs_of_a_former_verifier_never_outrank_those_that_count(network: Network) -> None:
    """SECURITY: whoever holds a former verifier's leaked keys can rotate there for ever, and would stall each node."""
    chain = network.destination
    async with relay(network, 0) as before:
        following = set_up_next(chain)
        act(chain, chain.gateway, "setVerifier", following.address)
        await before.work()
        beyond = StoredEpoch(chain.gateway_address, 9, make_signer_set(), make_signer_set().valid_until)
        await before.store.commit(Commit(epochs=(beyond,)))
    async with relay(network, 0, before.store, verifier=following.address) as after:
        assert newest(after, chain).epoch == 2
        ask(network)
        await work_until_executed(after, network, 1)


async def test_a_node_is_told_that_the_gateway_has_another_verifier(network: Network) -> None:
    chain = network.destination
    async with relay(network, 0) as node:
        source = node.desk.chains[f"eip155:{chain.chain_id}"].source
        assert await source.fetch_verifier_fault() == ""
        following = set_up_next(chain)
        former = chain.gateway.functions.verifier().call()
        act(chain, chain.gateway, "setVerifier", following.address)
        assert await source.fetch_verifier_fault() == (
            f"the gateway's verifier is {following.address}, and {former} is configured"
        )
