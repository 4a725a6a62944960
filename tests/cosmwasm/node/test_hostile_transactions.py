"""Whatever a transaction's messages hold, it has a result, and the chain goes on."""

from __future__ import annotations

from conftest import CHAIN_ID, DENOM, FUNDS, OWNER, POOR
from contract import echo_wasm
from hypothesis import given, settings
from hypothesis import strategies as st

from relayer.cosmos.bank import MsgSend
from relayer.cosmos.base import Coin
from relayer.cosmos.protobuf import Message
from relayer.cosmos.wasm import (
    MsgClearAdmin,
    MsgExecuteContract,
    MsgInstantiateContract,
    MsgInstantiateContract2,
    MsgMigrateContract,
    MsgStoreCode,
    MsgUpdateAdmin,
)
from relayer.devnet.cosmwasm.blocks import TxResult
from relayer.devnet.cosmwasm.chain import Chain, ChainSettings


class _Running:
    """A chain that makes a block of each transaction."""

    def __init__(self) -> None:
        self.chain = Chain(ChainSettings(CHAIN_ID), lambda: 1_700_000_000.0)
        self.chain.fund(OWNER.address, FUNDS)
        self._sequence = 0
        self.run([MsgStoreCode(OWNER.address, echo_wasm())])
        made = self.run([MsgInstantiateContract(OWNER.address, OWNER.address, 1, "echo", b"{}")])
        (self.contract,) = [
            attribute.value
            for event in made.events
            for attribute in event.attributes
            if event.type == "instantiate" and attribute.key == "_contract_address"
        ]

    def run(self, messages: list[Message]) -> TxResult:
        """What becomes of them; of those that are refused at once, why."""
        checked = self.chain.take(OWNER.sign(messages, self._sequence, gas=2_000_000, fee=50_000))
        if checked.result.code:
            return checked.result
        self._sequence += 1
        making = self.chain.open_block()
        for transaction in making.transactions:
            making.deliver(transaction)
        self.chain.close_block(making)
        found = self.chain.find(checked.hash)
        assert found is not None
        return found.result


_RUNNING = _Running()
_ADDRESS = st.sampled_from(
    [OWNER.address, POOR.address, _RUNNING.contract, "", "wasm1", OWNER.address.upper()]
) | st.text(max_size=6)
_NUMBER = st.sampled_from([0, 1, 2, 2**63, 2**64 - 1])
_JSON = st.sampled_from([b"{}", b'{"do":1}', b'{"no":1}', b"", b"[", b"\xff", b'{"loop":1}'])
_COINS = st.lists(
    st.builds(Coin, st.sampled_from([DENOM, "other", "", "u"]), st.sampled_from(["0", "1", "-1", str(10**38), "x"])),
    max_size=2,
).map(tuple)
_TEXT = st.text(max_size=5)
_SENDER = st.just(OWNER.address)
_MESSAGES = st.one_of(
    st.builds(MsgSend, _SENDER, _ADDRESS, _COINS),
    st.builds(MsgExecuteContract, _SENDER, _ADDRESS, _JSON, _COINS),
    st.builds(MsgInstantiateContract, _SENDER, _ADDRESS, _NUMBER, _TEXT, _JSON, _COINS),
    st.builds(
        MsgInstantiateContract2, _SENDER, _ADDRESS, _NUMBER, _TEXT, _JSON, _COINS, st.binary(max_size=70), st.booleans()
    ),
    st.builds(MsgMigrateContract, _SENDER, _ADDRESS, _NUMBER, _JSON),
    st.builds(MsgUpdateAdmin, _SENDER, _ADDRESS, _ADDRESS),
    st.builds(MsgClearAdmin, _SENDER, _ADDRESS),
    st.builds(MsgStoreCode, _SENDER, st.binary(max_size=40) | st.just(b"\0asm\1\0\0\0") | st.just(b"\x1f\x8b\x08")),
)


@settings(deadline=None, max_examples=200)
@given(st.lists(_MESSAGES, min_size=1, max_size=3))
def test_any_messages_have_a_result(messages: list[Message]) -> None:
    result = _RUNNING.run(messages)
    assert (result.code == 0) == (result.log == "")
    assert bool(result.codespace) == bool(result.code)
