"""What people see of a node over HTTP, and that looking costs it little."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestClient, TestServer

from attestation.address import parse_interoperable_address
from attestation.request import format_request_id
from attestation.statement import OutcomeKind
from relayer.api.app import create_app
from relayer.api.reading import MAX_CONCURRENT_READS
from relayer.domain.blocks import BlockRef
from relayer.domain.effects import EffectKind
from relayer.domain.halt import Halt
from relayer.domain.status import Status
from relayer.domain.tracked import TrackedRequest
from relayer.errors import StoreConflict, StoreUnavailable, TransientError
from relayer.observability.metrics import Metrics
from relayer.ports.node_status import ChainStatus, PeerHead, PeerStatus
from relayer.ports.store import Certificate, Change, Commit, EvidenceRow, FeeEntry, OutboxRow, RequestFilter
from relayer.store.memory import MemoryStore
from tests.factories import (
    DESTINATION_CHAIN,
    DESTINATION_GATEWAY,
    NOW,
    ROUTES,
    SENDER,
    SIGNING_KEYS,
    SOURCE_CHAIN,
    SOURCE_GATEWAY,
    attest,
    execute_batch,
    make_conclusion,
    make_epoch,
    make_query,
    make_request,
    make_transaction,
    track,
    word,
)

PEER_KEYS = [key.key for key in SIGNING_KEYS[1:]]
Client = TestClient[Any, Any]


class StillClock:
    """A clock that stands."""

    def now(self) -> float:
        return NOW

    async def sleep(self, seconds: float) -> None:
        raise AssertionError(f"nobody who looks waits {seconds} s")


HALT = Halt(SOURCE_CHAIN, "reorg_below_finality", "block 7 is another", BlockRef(7, b"\x11" * 32), b"\x22" * 32, NOW)


@dataclass
class KnownStatus:
    """A node with three peers, of which two are up, on two chains."""

    key: bytes = SIGNING_KEYS[0].key
    peer_key: bytes = SIGNING_KEYS[0].key
    version: str = "0.1.0"
    started_at: float = NOW - 60
    last_beat_at: float = NOW - 1
    store_fault: str = ""
    halt: Halt | None = None
    up: frozenset[bytes] = frozenset(PEER_KEYS[:2])
    lag: int = 0
    heads: tuple[PeerHead, ...] = field(default=(PeerHead(SOURCE_CHAIN, 12, 10),))

    def chains(self) -> Sequence[ChainStatus]:
        tip = BlockRef(20, word("tip"))
        return (
            ChainStatus(SOURCE_CHAIN, "one", SOURCE_GATEWAY, tip, 18, 18 - self.lag, self.halt),
            ChainStatus(DESTINATION_CHAIN, "two", DESTINATION_GATEWAY, tip, 18, 18),
        )

    def peers(self) -> Sequence[PeerStatus]:
        return tuple(
            PeerStatus(key, key, "http://peer:1", key in self.up, NOW - 1, 0.25, 3, self.heads) for key in PEER_KEYS
        )


class ClosedDoor:
    """A door that no test here knocks at."""

    head_length = 1
    max_body_length = 1

    def admit(self, head: bytes) -> contextlib.AbstractContextManager[Any]:
        raise AssertionError(head)


class BusyStore(MemoryStore):
    """A store that is slow, or refuses, when it is asked for a list."""

    def __init__(self) -> None:
        super().__init__()
        self.refusal: TransientError | None = None
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.asked = 0

    async def list_requests(self, where: RequestFilter, limit: int) -> Sequence[tuple[int, TrackedRequest]]:
        self.asked += 1
        if self.refusal is not None:
            raise self.refusal
        await self.go_on.wait()
        return await super().list_requests(where, limit)


@pytest.fixture
def store() -> BusyStore:
    return BusyStore()


@pytest.fixture
def status() -> KnownStatus:
    return KnownStatus()


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
async def client(store: BusyStore, status: KnownStatus, metrics: Metrics) -> AsyncIterator[Client]:
    app = create_app(
        store=store,
        routes=ROUTES,
        status=status,
        door=ClosedDoor(),
        commands={},
        vm_names={"eip155": "evm"},
        gateways={},
        metrics=metrics,
        clock=StillClock(),
    )
    async with TestClient(TestServer(app)) as client:
        yield client


async def _get(client: Client, path: str, status: int = 200) -> Any:
    response = await client.get(path)
    assert response.status == status, await response.text()
    assert response.content_type == "application/json"
    assert response.headers["Cache-Control"] == "no-store"
    return await response.json()


async def _observe(store: MemoryStore, *requests: TrackedRequest) -> None:
    await store.commit(
        Commit(observed=tuple(Change(Status.OBSERVED, request, "observed", NOW - 30) for request in requests))
    )


async def test_requests_are_listed_newest_first_and_paged(client: Client, store: BusyStore) -> None:
    requests = [track(make_request(nonce)) for nonce in range(5)]
    await _observe(store, *requests)
    first = await _get(client, "/v1/requests?limit=3")
    assert [line["nonce"] for line in first["requests"]] == [4, 3, 2]
    second = await _get(client, f"/v1/requests?limit=3&before={first['next']}")
    assert [line["nonce"] for line in second["requests"]] == [1, 0]
    assert second["next"] is None
    line = second["requests"][1]
    assert line["id"] == format_request_id(requests[0].request_id)
    assert (line["source_chain"], line["destination_chain"], line["mode"]) == (SOURCE_CHAIN, DESTINATION_CHAIN, "CALL")
    assert line["sender"] == str(parse_interoperable_address(SENDER))
    assert (line["fee"], line["status"], line["kind"]) == ("10000000000000000", "OBSERVED", None)


async def test_filters_hold_together(client: Client, store: BusyStore) -> None:
    other_sender = parse_interoperable_address(SENDER)
    other = replace(other_sender, address=b"\x99" * 20)
    await _observe(store, track(make_request(0)), track(make_request(1, sender=other.to_bytes())), track(make_query(2)))
    assert len((await _get(client, f"/v1/requests?sender={other}"))["requests"]) == 1
    assert len((await _get(client, "/v1/requests?status=observed&status=FINAL"))["requests"]) == 3
    assert (await _get(client, "/v1/requests?status=FINAL"))["requests"] == []
    assert (await _get(client, "/v1/requests?chain=eip155:1"))["requests"] == []
    assert len((await _get(client, f"/v1/requests?chain={SOURCE_CHAIN}"))["requests"]) == 3


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=201",
        "limit=x",
        "limit=%C2%B2",
        "before=0",
        "before=-1",
        "before=99999999999999999999",
        "status=DONE",
        "sender=0x1234",
        "chain=alpha",
        "colour=red",
    ],
)
async def test_a_question_that_makes_no_sense_is_refused_with_its_reason(client: Client, query: str) -> None:
    answer = await _get(client, f"/v1/requests?{query}", status=400)
    assert answer["error"]["code"] == "malformed_query"
    assert answer["error"]["message"]


async def test_one_request_is_told_whole(client: Client, store: BusyStore) -> None:
    request = track(fee=2**200)
    batch = execute_batch(request)
    concluded = replace(
        request,
        status=Status.EXECUTION_HELD,
        hold_reason="fee_below_cost",
        execute_root=batch.root,
        conclusion=make_conclusion(request.request_id, kind=OutcomeKind.REVERTED),
    )
    await _observe(store, request)
    await store.commit(
        Commit(
            changes=(Change(Status.OBSERVED, concluded, "ExecutionHeld", NOW - 20),),
            batches=(batch,),
            attestations=tuple(attest(batch, key) for key in SIGNING_KEYS[:3]),
            certificates=(Certificate(batch.root, DESTINATION_GATEWAY, 1, b"\x01\x02", NOW - 10),),
            epochs=(make_epoch(DESTINATION_GATEWAY, 1), make_epoch(DESTINATION_GATEWAY, 2)),
            transactions=(make_transaction(4, [request.request_id]),),
            fees=(FeeEntry(request.request_id, SOURCE_CHAIN, "offered", 2**200, b"", NOW - 30),),
        )
    )
    told = await _get(client, f"/v1/requests/{format_request_id(request.request_id)}")
    assert told["request"]["fee"] == str(2**200)
    assert (told["status"], told["hold_reason"]) == ("EXECUTION_HELD", "fee_below_cost")
    assert "add to the fee" in told["explanation"]
    assert told["route"]["destination_chain"] == DESTINATION_CHAIN
    assert [(step["status"], step["cause"], step["seconds"]) for step in told["timeline"]] == [
        ("OBSERVED", "observed", None),
        ("EXECUTION_HELD", "ExecutionHeld", 10.0),
    ]
    execute = told["execute"]
    assert (execute["epoch"], execute["weight"], execute["threshold"], execute["index"]) == (1, 3, 3, 0)
    assert [signer["has_signed"] for signer in execute["signers"]] == [True, True, True, False]
    assert execute["certificate"] == {"epoch": 1, "encoded": "0x0102", "at": NOW - 10}
    assert told["outcome"] is None
    assert (told["conclusion"]["kind"], told["conclusion"]["return_data"]) == ("REVERTED", "0x2a")
    assert (told["transactions"][0]["nonce"], told["transactions"][0]["status"]) == (4, "SIGNED")
    assert told["fees"][0]["amount"] == str(2**200)


async def test_a_batch_without_a_certificate_shows_the_newest_epoch(client: Client, store: BusyStore) -> None:
    request = track()
    batch = execute_batch(request)
    final = replace(request, status=Status.FINAL, execute_root=batch.root)
    await _observe(store, request)
    await store.commit(
        Commit(
            changes=(Change(Status.OBSERVED, final, "RequestFinal", NOW),),
            batches=(batch,),
            attestations=(attest(batch, epoch=1),),
            epochs=(make_epoch(DESTINATION_GATEWAY, 1), make_epoch(DESTINATION_GATEWAY, 2)),
        )
    )
    told = await _get(client, f"/v1/requests/{format_request_id(request.request_id)}")
    assert (told["execute"]["epoch"], told["execute"]["weight"], told["execute"]["certificate"]) == (2, 0, None)
    assert "weight 0 of the 3 needed have signed for epoch 2" in told["explanation"]


async def test_a_request_whose_addresses_nobody_can_parse_is_still_told(client: Client, store: BusyStore) -> None:
    request = track(make_request(target=b"\xff\xfe", sender=b""))
    rejected = replace(request, status=Status.REJECTED, hold_reason="malformed", route=b"elsewhere")
    await _observe(store, rejected)
    told = await _get(client, f"/v1/requests/{format_request_id(request.request_id)}")
    assert (told["request"]["target"], told["request"]["sender"], told["route"]) == ("0xfffe", None, None)
    assert (await _get(client, "/v1/requests"))["requests"][0]["destination_chain"] is None


async def test_an_unknown_request_is_404_and_a_malformed_id_400(client: Client) -> None:
    assert (await _get(client, "/v1/requests/0x" + "00" * 32, 404))["error"]["code"] == "unknown_request"
    assert (await _get(client, "/v1/requests/0x00", 400))["error"]["code"] == "malformed_query"
    assert (await _get(client, "/v1/nothing", 404))["error"]["code"] == "not_found"
    response = await client.post("/v1/requests")
    assert (response.status, (await response.json())["error"]["code"]) == (405, "method_not_allowed")


async def test_the_status_tells_of_chains_peers_queues_and_epochs(client: Client, store: BusyStore) -> None:
    await _observe(store, track())
    await store.commit(
        Commit(
            effects=(OutboxRow(EffectKind.SUBMIT_EXECUTE, word("x"), DESTINATION_CHAIN, NOW),),
            epochs=tuple(make_epoch(SOURCE_GATEWAY, number) for number in (1, 2, 3)),
        )
    )
    told = await _get(client, "/v1/status")
    assert (told["node"]["key"], told["node"]["uptime_seconds"]) == ("0x" + SIGNING_KEYS[0].key.hex(), 60.0)
    source = told["chains"][0]
    assert (source["chain"], source["tip"]["number"], source["lag_blocks"], source["halt_reason"]) == (
        SOURCE_CHAIN, 20, 0, None,
    )  # fmt: skip
    assert [epoch["epoch"] for epoch in source["epochs"]] == [3, 2]
    assert source["epochs"][0]["threshold"] == 3
    assert [peer["is_up"] for peer in told["peers"]] == [True, True, False]
    assert told["peers"][0]["heads"] == [{"chain": SOURCE_CHAIN, "tip_number": 12, "final_number": 10}]
    assert told["queues"] == [{"chain": DESTINATION_CHAIN, "effect": "SUBMIT_EXECUTE", "depth": 1}]
    assert told["requests"] == [{"source_chain": SOURCE_CHAIN, "status": "OBSERVED", "count": 1}]


async def test_a_halt_is_told_with_both_blocks(client: Client, status: KnownStatus) -> None:
    status.halt = HALT
    [chain, _] = (await _get(client, "/v1/status"))["chains"]
    assert chain["halt_reason"] == "reorg_below_finality: block 7 is another"
    assert chain["halt"] == {
        "code": "reorg_below_finality",
        "reason": "block 7 is another",
        "held": {"number": 7, "hash": "0x" + "11" * 32},
        "found_hash": "0x" + "22" * 32,
        "at": NOW,
        "resumed_at": None,
    }


async def test_the_metrics_tell_when_the_newest_signer_set_lapses(client: Client, store: BusyStore) -> None:
    epochs = tuple(replace(make_epoch(SOURCE_GATEWAY, number), valid_until=number * 10**9) for number in (1, 2))
    await store.commit(Commit(epochs=epochs))
    text = await (await client.get("/metrics")).text()
    assert f'xvm_signer_set_valid_until_seconds{{chain="{SOURCE_CHAIN}"}} 2e+09' in text


async def test_evidence_is_shown_byte_for_byte(client: Client, store: BusyStore) -> None:
    document = '{"b": 18446744073709551616, "a":1.50}'
    row = EvidenceRow("EQUIVOCATION", b"\x01" * 20, b"\x02" * 33, document, NOW)
    await store.commit(Commit(evidence=(row,)))
    response = await client.get("/v1/evidence")
    assert document in await response.text()
    told = await response.json()
    assert told["evidence"][0]["signer"] == "0x" + "01" * 20


async def test_security_evidence_comes_in_pages_newest_first(client: Client, store: BusyStore) -> None:
    """SECURITY: who contradicts itself a million times must not be shown all at once."""
    rows = tuple(EvidenceRow("EQUIVOCATION", b"\x01" * 20, bytes([n]) * 33, "{}", NOW + n) for n in range(60))
    await store.commit(Commit(evidence=rows))
    told = await _get(client, "/v1/evidence")
    assert (len(told["evidence"]), told["total"], told["evidence"][0]["at"]) == (50, 60, NOW + 59)
    rest = await _get(client, "/v1/evidence?skip=50&limit=200")
    assert [row["at"] for row in rest["evidence"]] == [NOW + n for n in range(9, -1, -1)]
    for query in ("limit=201", "skip=-1", "status=x"):
        assert (await _get(client, f"/v1/evidence?{query}", 400))["error"]["code"] == "malformed_query"


async def test_metrics_are_those_of_now(client: Client, store: BusyStore, status: KnownStatus) -> None:
    status.lag = 4
    await store.commit(Commit(effects=(OutboxRow(EffectKind.SIGN_BATCH, word("x"), SOURCE_CHAIN, NOW),)))
    text = await (await client.get("/metrics")).text()
    assert f'xvm_chain_lag_blocks{{chain="{SOURCE_CHAIN}"}} 4.0' in text
    assert f'xvm_chain_head_number{{chain="{SOURCE_CHAIN}"}} 20.0' in text
    assert f'xvm_outbox_depth{{chain="{SOURCE_CHAIN}",effect="SIGN_BATCH"}} 1.0' in text
    await store.commit(Commit(done=((EffectKind.SIGN_BATCH, word("x")),)))
    assert 'effect="SIGN_BATCH"' not in await (await client.get("/metrics")).text()


async def test_a_node_is_ready_when_caught_up_with_a_store_and_a_quorum(
    client: Client, store: BusyStore, status: KnownStatus
) -> None:
    assert not (await _get(client, "/readyz", 503))["is_ok"]
    await store.commit(Commit(epochs=(make_epoch(SOURCE_GATEWAY), make_epoch(DESTINATION_GATEWAY))))
    assert (await _get(client, "/readyz"))["is_ok"]
    changes: list[dict[str, object]] = [
        {"lag": 17},
        {"halt": HALT},
        {"store_fault": "disk full"},
        {"up": frozenset()},
    ]
    for change in changes:
        former = {name: getattr(status, name) for name in change}
        vars(status).update(change)
        told = await _get(client, "/readyz", 503)
        assert [check["reason"] for check in told["checks"] if not check["is_ok"]]
        vars(status).update(former)
    assert (await _get(client, "/readyz"))["is_ok"]


async def test_a_node_whose_loop_hangs_is_not_alive(client: Client, status: KnownStatus) -> None:
    assert (await _get(client, "/healthz"))["is_ok"]
    status.last_beat_at = NOW - 31
    assert not (await _get(client, "/healthz", 503))["is_ok"]


@pytest.mark.parametrize("refusal", [StoreConflict("locked"), StoreUnavailable("locked")])
async def test_a_store_that_cannot_answer_is_503_and_says_no_more(
    client: Client, store: BusyStore, refusal: TransientError
) -> None:
    store.refusal = refusal
    answer = await _get(client, "/v1/requests", 503)
    assert answer["error"]["code"] == refusal.code
    assert "locked" not in answer["error"]["message"]


async def test_security_those_who_look_take_a_bounded_part_of_the_store(client: Client, store: BusyStore) -> None:
    """SECURITY: a flood of questions must neither starve the stages nor have the node restarted."""
    store.go_on.clear()
    async with ClientSession(base_url=client.make_url("/")) as session:
        flood = [asyncio.ensure_future(session.get("/v1/requests")) for _ in range(3 * MAX_CONCURRENT_READS)]
        refused = 0
        for done in asyncio.as_completed(flood):
            response = await done
            refused += response.status == 503
            if refused == 2 * MAX_CONCURRENT_READS:
                break
        assert store.asked == MAX_CONCURRENT_READS
        assert (await _get(client, "/healthz"))["is_ok"]
        assert "busy" not in await (await client.get("/readyz")).text()
        assert (await client.get("/metrics")).status == 200
        store.go_on.set()
        statuses = [(await answer).status for answer in flood]
        assert statuses.count(200) == MAX_CONCURRENT_READS
    assert (await _get(client, "/v1/requests"))["requests"] == []
