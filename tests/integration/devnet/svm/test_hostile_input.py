"""Whatever a client sends is answered, as JSON-RPC and in the RPC's own errors, and the node goes on."""

from __future__ import annotations

import base64
import random
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from solders.hash import Hash
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction

from relayer.devnet.svm.chain import Chain, ChainSettings
from relayer.devnet.svm.methods import METHODS
from relayer.devnet.svm.node import MAX_REQUEST_BYTES, Node
from relayer.devnet.svm.subscriptions import TOPICS
from tests.integration.devnet.svm.cluster import GENESIS_TIME, Cluster

EXPECTED_CODES = {*range(-32016, -32000), -32600, -32601, -32602, -32603}

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**65), 2**65)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=100)
    | st.sampled_from([str(Pubkey.default()), "1" * 64, "finalized", "base64", "jsonParsed", "AA==", "all"])
)
WORDS = [
    "commitment",
    "encoding",
    "limit",
    "before",
    "until",
    "filters",
    "memcmp",
    "offset",
    "bytes",
    "dataSize",
    "mint",
    "dataSlice",
    "length",
    "programId",
    "mentions",
    "accounts",
    "addresses",
    "minContextSlot",
    "sigVerify",
    "maxSupportedTransactionVersion",
    "transactionDetails",
    "skipPreflight",
    "replaceRecentBlockhash",
]
names = st.text(max_size=10) | st.sampled_from(WORDS)
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4))


class Deaf:
    """A listener that keeps nothing."""

    def deliver(self, document: Any) -> None:
        del document


def new_node() -> Node:
    chain = Chain(ChainSettings(finalized_after_slots=3), lambda: GENESIS_TIME)
    return Node(chain, has_control=True, drop_sockets=lambda: 0)


NODE = new_node()


def ask(document: Any) -> Any:
    answer = NODE.answer(orjson.dumps(document), Deaf())
    NODE.subscriptions.publish()
    return None if answer is None else orjson.loads(answer)


@settings(max_examples=500, deadline=None)
@given(method=st.sampled_from(sorted({*METHODS, *TOPICS})), params=st.lists(values, max_size=4) | values)
def test_parameters_of_any_shape_get_a_result_or_a_known_error(method: str, params: Any) -> None:
    bounded = orjson.loads(orjson.dumps(params, default=str)) if _fits(params) else []
    answer = ask({"jsonrpc": "2.0", "id": 1, "method": method, "params": bounded})
    assert answer["id"] == 1
    assert "result" in answer or answer["error"]["code"] in EXPECTED_CODES


def _fits(value: Any) -> bool:
    try:
        orjson.dumps(value)
    except (TypeError, ValueError):
        return False
    return True


@settings(max_examples=200, deadline=None)
@given(values.filter(_fits))
def test_documents_of_any_shape_are_answered(document: Any) -> None:
    answer = ask(document)
    for one in answer if isinstance(answer, list) else [answer]:
        assert one["jsonrpc"] == "2.0"
        assert one["error"]["code"] in (-32600, -32601)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_bytes_of_any_kind_are_answered(body: bytes) -> None:
    answer = NODE.answer(body)
    assert answer is not None
    assert orjson.loads(answer)


def test_mangled_transactions_are_refused_or_run_and_the_chain_goes_on() -> None:
    """SECURITY: what LiteSVM is given is sane; a wrong offset in it would end the process."""
    drawn, payer = random.Random(7), Keypair.from_seed(bytes(32))
    node = new_node()
    node.chain.airdrop(payer.pubkey(), 10**12, node.chain.blockhash_at(node.chain.ledger.open)[0])
    blockhash: Hash = node.chain.blockhash_at(node.chain.ledger.open)[0]
    pay = TransferParams(from_pubkey=payer.pubkey(), to_pubkey=Pubkey.default(), lamports=1)
    good = bytes(VersionedTransaction(MessageV0.try_compile(payer.pubkey(), [transfer(pay)], [], blockhash), [payer]))
    for _ in range(3_000):
        bad = bytearray(good)
        for _ in range(drawn.randint(1, 3)):
            bad[drawn.choice([0, drawn.randrange(len(bad)), drawn.randrange(65, 75)])] = drawn.randrange(256)
        del bad[drawn.choice([len(bad), drawn.randrange(len(bad))]) :]
        if bad == good:
            continue
        text = base64.b64encode(bad).decode()
        for method, options in (
            ("simulateTransaction", {"encoding": "base64", "replaceRecentBlockhash": True}),
            ("sendTransaction", {"encoding": "base64", "skipPreflight": True}),
        ):
            call = {"jsonrpc": "2.0", "id": 1, "method": method, "params": [text, options]}
            answer = orjson.loads(node.answer(orjson.dumps(call)) or b"")
            assert "result" in answer or answer["error"]["code"] in (-32602, -32003), answer
    node.advance()
    assert len(node.chain.ledger.of_address(payer.pubkey())) == 1


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", -32700),
        (b"[" * 100_000, -32700),
        (b"\xff", -32700),
        (b"[]", -32600),
        (b"3", -32600),
        (b'{"jsonrpc":"1.0","id":1,"method":"getSlot"}', -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":7}', -32600),
        (b'{"jsonrpc":"2.0","id":[],"method":"getSlot"}', -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":"getSlot","params":{}}', -32602),
        (b'{"jsonrpc":"2.0","id":1,"method":"getSlot","params":[{},{}]}', -32602),
        (b'{"jsonrpc":"2.0","id":1,"method":"getBalance"}', -32602),
        (b'{"jsonrpc":"2.0","id":1,"method":"getVoteAccounts"}', -32601),
    ],
)
def test_what_is_no_call_has_its_own_error(body: bytes, code: int) -> None:
    answer = NODE.answer(body)
    assert answer is not None
    assert orjson.loads(answer)["error"]["code"] == code


async def test_a_batch_is_answered_call_by_call_in_order(cluster: Cluster) -> None:
    slot = {"jsonrpc": "2.0", "method": "getSlot"}
    batch = [{**slot, "id": "a"}, slot, {**slot, "id": 2, "method": "nothing"}, {"id": 3}]
    answers = await cluster.post(batch)
    assert [(answer["id"], answer.get("error", {}).get("code")) for answer in answers] == [
        ("a", None),
        (2, -32601),
        (3, -32600),
    ]
    assert await cluster.post(slot) is None
    assert await cluster.post([slot, slot]) is None


async def test_too_large_a_request_is_refused(cluster: Cluster) -> None:
    async with cluster.session.post(cluster.url, json=["x" * MAX_REQUEST_BYTES]) as response:
        assert response.status == 413
    async with cluster.session.post(cluster.url, data=b"{}") as response:
        assert response.status == 415
    async with cluster.session.get(f"{cluster.url}/health") as response:
        assert await response.text() == "ok"
    async with cluster.session.get(cluster.url) as response:
        assert response.status == 400


async def test_hostile_sockets_end_alone(cluster: Cluster) -> None:
    async with cluster.session.ws_connect(cluster.websocket_url) as kept:
        async with cluster.session.ws_connect(cluster.websocket_url) as hostile:
            await hostile.send_bytes(b"\xff\x00")
            assert orjson.loads(await hostile.receive_str())["error"]["code"] == -32700
            await hostile.send_str("x" * (MAX_REQUEST_BYTES + 1))
            await hostile.receive()
        await kept.send_json({"jsonrpc": "2.0", "id": 1, "method": "getHealth"})
        assert (await kept.receive_json())["result"] == "ok"


async def test_control_methods_are_absent_unless_asked_for() -> None:
    chain = Chain(ChainSettings(), lambda: GENESIS_TIME)
    node = Node(chain, has_control=False, drop_sockets=lambda: 0)
    for name in ("advanceSlots", "dropSockets", "hideSignatures", "hideStatuses", "setAhead", "setLag", "skipSlots"):
        answer = node.answer(orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": f"devnet_{name}", "params": [1]}))
        assert answer is not None
        assert orjson.loads(answer)["error"]["code"] == -32601
