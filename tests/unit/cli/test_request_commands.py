"""What `xvm request` shows of relayers' answers. The relayers' API and store are real, served on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from typer.testing import CliRunner

from attestation.address import parse_interoperable_address
from attestation.request import format_request_id
from attestation.statement import OutcomeKind
from relayer.api.app import create_app
from relayer.cli.app import app
from relayer.cli.request_text import request_lines
from relayer.domain.status import Status
from relayer.observability.metrics import Metrics
from relayer.ports.node_status import ChainStatus, PeerStatus
from relayer.ports.store import Certificate, Change, Commit
from relayer.store.memory import MemoryStore
from tests.factories import (
    DESTINATION_GATEWAY,
    NOW,
    ROUTES,
    SENDER,
    SIGNING_KEYS,
    SOURCE_CHAIN,
    attest,
    execute_batch,
    make_conclusion,
    make_epoch,
    make_query,
    make_request,
    make_transaction,
    track,
)
from tests.unit.cli.api_server import serving

RUNNER = CliRunner()
REQUEST = track(make_request(0, payload=b"\x07" * 100))
ID = format_request_id(REQUEST.request_id)
UNUSED = "http://127.0.0.1:1"


class StillClock:
    def now(self) -> float:
        return NOW

    async def sleep(self, seconds: float) -> None:
        raise AssertionError(seconds)


@dataclass
class QuietStatus:
    """A node without chains and peers."""

    key: bytes = SIGNING_KEYS[0].key
    peer_key: bytes = SIGNING_KEYS[0].key
    version: str = "0.1.0"
    started_at: float = NOW
    last_beat_at: float = NOW
    store_fault: str = ""

    def chains(self) -> Sequence[ChainStatus]:
        return ()

    def peers(self) -> Sequence[PeerStatus]:
        return ()


class ClosedDoor:
    head_length = 1
    max_body_length = 1

    def admit(self, head: bytes) -> contextlib.AbstractContextManager[Any]:
        raise AssertionError(head)


def node(kind: OutcomeKind = OutcomeKind.REVERTED) -> web.Application:
    """A relayer that knows `REQUEST`, concluded, a request that is done, and a query."""
    store = MemoryStore()
    batch = execute_batch(REQUEST)
    concluded = replace(
        REQUEST,
        status=Status.CONCLUDED,
        execute_root=batch.root,
        conclusion=make_conclusion(REQUEST.request_id, kind=kind),
    )
    others = [replace(track(make_request(1)), status=Status.DELIVERED), track(make_query(2))]

    async def fill() -> None:
        observed = tuple(Change(Status.OBSERVED, item, "observed", NOW - 30) for item in (REQUEST, *others))
        await store.commit(Commit(observed=observed))
        await store.commit(
            Commit(
                changes=(Change(Status.OBSERVED, concluded, "RequestConcluded", NOW - 20),),
                batches=(batch,),
                attestations=tuple(attest(batch, key) for key in SIGNING_KEYS[:3]),
                certificates=(Certificate(batch.root, DESTINATION_GATEWAY, 1, b"\x01\x02", NOW - 10),),
                epochs=(make_epoch(DESTINATION_GATEWAY, 1),),
                transactions=(make_transaction(4, [REQUEST.request_id]),),
            )
        )

    asyncio.run(fill())
    return create_app(
        store=store,
        routes=ROUTES,
        status=QuietStatus(),
        door=ClosedDoor(),
        commands={},
        vm_names={"eip155": "evm"},
        gateways={},
        metrics=Metrics(),
        clock=StillClock(),
    )


@pytest.fixture(scope="module")
def api() -> Iterator[str]:
    with serving(node()) as url:
        yield url


def devnet(folder: Path, *urls: str) -> Path:
    chains = [
        {
            "name": name,
            "caip2": caip2,
            "rpc_url": UNUSED,
            "block_time_seconds": 1,
            "gateway": "0x" + "51" * 20,
            "accounts": [{"address": "0x" + "5e" * 20, "private_key": "0x" + "11" * 32}],
        }
        for name, caip2 in (("alpha", SOURCE_CHAIN), ("beta", "eip155:31338"))
    ]
    relayers = [{"name": f"relayer-{number}", "api_url": url} for number, url in enumerate(urls, 1)]
    document = {"schema_version": 1, "chains": chains, "relayers": relayers, "later": "ignored"}
    (folder / "devnet.json").write_text(json.dumps(document))
    return folder


def test_a_request_is_shown_with_its_outcome_life_signatures_and_transactions(api: str) -> None:
    answer = RUNNER.invoke(app, ["request", "show", ID, "--api", api])
    assert (answer.exit_code, answer.stderr) == (0, "")
    for part in (
        f"request  {ID}\n",
        "status   CONCLUDED\n",
        "(100 bytes)",
        "outcome  REVERTED",
        "CONCLUDED       RequestConcluded",
        "+10.000 s",
        "weight 3 of 3 needed, epoch 1",
        f"not signed by 0x{SIGNING_KEYS[3].key.hex()}",
        "certificate made",
        "EXECUTE on ",
    ):
        assert part in answer.stdout, part


def test_with_json_the_relayers_answer_is_passed_on_whole(api: str) -> None:
    answer = RUNNER.invoke(app, ["request", "show", ID.upper().replace("0X", "0x"), "--api", api, "--json"])
    told = json.loads(answer.stdout)
    assert (told["request"]["id"], told["conclusion"]["kind"]) == (ID, "REVERTED")


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (b'{"increment":{"by":"5"}}', '{"increment":{"by":"5"}}'),
        ("é".encode() * 121, f"{'é' * 120}… (242 bytes)"),
        (b"math", "0x6d617468"),
        (b"\x1b[2J\nstatus", "0x1b5b324a0a737461747573"),
        (b"\xff" * 5, "0xffffffffff"),
        (b"", "0x"),
    ],
)
def test_what_is_a_line_to_read_is_shown_as_text(api: str, data: bytes, shown: str) -> None:
    """SECURITY: codes for the terminal and line ends are not: they stay hex."""
    answer = json.loads(RUNNER.invoke(app, ["request", "show", ID, "--api", api, "--json"]).output)
    answer["request"]["payload"] = answer["conclusion"]["return_data"] = f"0x{data.hex()}"
    lines = list(request_lines(answer))
    assert f"payload  {shown}" in lines
    assert f"returned {shown}" in lines


def test_explain_prints_the_paragraph(api: str) -> None:
    text = RUNNER.invoke(app, ["request", "explain", ID, "--api", api]).stdout
    told = json.loads(RUNNER.invoke(app, ["request", "explain", ID, "--api", api, "--json"]).stdout)
    assert text == f"{told['explanation']}\n"
    assert (told["status"], told["hold_reason"]) == ("CONCLUDED", None)


def test_pending_lists_what_is_not_at_its_end(api: str) -> None:
    told = json.loads(RUNNER.invoke(app, ["request", "pending", "--api", api, "--json"]).stdout)
    assert [line["nonce"] for line in told["requests"]] == [2, 0]
    answer = RUNNER.invoke(app, ["request", "pending", "--api", api, "--chain", "eip155:1"])
    assert (answer.exit_code, ID in answer.stdout) == (0, False)


def test_a_page_that_is_full_says_how_to_go_on(api: str) -> None:
    answer = RUNNER.invoke(app, ["request", "pending", "--api", api, "--limit", "1"])
    assert answer.stderr == "there may be more: --before 3\n"
    answer = RUNNER.invoke(app, ["request", "pending", "--api", api, "--before", "3"])
    assert ID in answer.stdout


def test_a_sender_finds_its_requests(api: str) -> None:
    account = str(parse_interoperable_address(SENDER))
    told = json.loads(RUNNER.invoke(app, ["request", "by-sender", account, "--api", api, "--json"]).stdout)
    assert [line["nonce"] for line in told["requests"]] == [2, 1, 0]


def test_the_first_relayer_of_the_devnet_that_answers_is_asked(api: str, tmp_path: Path) -> None:
    folder = devnet(tmp_path, UNUSED, api)
    answer = RUNNER.invoke(app, ["request", "pending", "--devnet", str(folder), "--chain", "alpha", "--json"])
    assert len(json.loads(answer.stdout)["requests"]) == 2


def test_relayers_that_agree_are_said_to(api: str, tmp_path: Path) -> None:
    folder = devnet(tmp_path, api, api)
    answer = RUNNER.invoke(app, ["request", "show", ID, "--devnet", str(folder), "--all-relayers"])
    assert (answer.exit_code, answer.stdout.splitlines()[-1]) == (0, "all 2 relayers agree")


def test_relayers_that_differ_are_named_with_what_each_says(api: str, tmp_path: Path) -> None:
    with serving(node(OutcomeKind.EXECUTED)) as other:
        folder = devnet(tmp_path, api, other, UNUSED)
        command = ["request", "show", ID, "--devnet", str(folder), "--all-relayers"]
        answer = RUNNER.invoke(app, command)
        as_json = RUNNER.invoke(app, [*command, "--json"])
    assert (answer.exit_code, as_json.exit_code) == (1, 1)
    missing, different = answer.stdout.splitlines()[-2:]
    assert missing.startswith("relayer-3 has no answer: relayer-3 does not answer at http://127.0.0.1:1")
    assert different.startswith("different conclusion: relayer-1: REVERTED in block")
    assert "; relayer-2: EXECUTED in block" in different
    told = json.loads(as_json.stdout)
    assert (told["is_agreed"], list(told["relayers"])) == (False, ["relayer-1", "relayer-2", "relayer-3"])


@pytest.mark.parametrize("command", [["show", "0x12"], ["explain", "12" * 32], ["by-sender", "0x12"]])
def test_what_cannot_be_meant_is_a_usage_error(command: list[str]) -> None:
    assert RUNNER.invoke(app, ["request", *command, "--api", UNUSED]).exit_code == 2


def test_an_unknown_request_and_a_silent_relayer_are_one_line(api: str, tmp_path: Path) -> None:
    answer = RUNNER.invoke(app, ["request", "show", "0x" + "00" * 32, "--api", api])
    assert (answer.exit_code, answer.stdout) == (1, "")
    assert answer.stderr == f"xvm: {api}: this node has not seen a request with this id\n"
    answer = RUNNER.invoke(app, ["request", "show", ID, "--api", UNUSED])
    assert (answer.exit_code, answer.stderr.count("\n")) == (1, 1)
    assert "does not answer at http://127.0.0.1:1; is it running?" in answer.stderr
    answer = RUNNER.invoke(app, ["request", "pending", "--devnet", str(tmp_path)])
    assert (answer.exit_code, answer.stderr.count("\n")) == (1, 1)
    assert "start a devnet with `xvm devnet up`" in answer.stderr


def test_something_else_than_a_relayer_is_told_from_one() -> None:
    with serving(web.Application()) as url:
        answer = RUNNER.invoke(app, ["request", "show", ID, "--api", url])
    assert (answer.exit_code, answer.stderr) == (
        1,
        f"xvm: {url} answers 404 and no JSON object; is it a relayer's API?\n",
    )


def test_SECURITY_nesting_without_end_is_no_answer_and_no_traceback() -> None:  # noqa: N802
    """SECURITY: whoever serves the API must not end the command in a way that nobody planned for."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=b"[" * 2_000_000)

    deep = web.Application()
    deep.router.add_get("/{path:.*}", answer)
    with serving(deep) as url:
        answered = RUNNER.invoke(app, ["request", "show", ID, "--api", url])
    assert (answered.exit_code, answered.stderr) == (
        1,
        f"xvm: {url} answers 200 and no JSON object; is it a relayer's API?\n",
    )


def test_SECURITY_a_malformed_devnet_file_does_not_show_its_private_keys(tmp_path: Path) -> None:  # noqa: N802
    folder = devnet(tmp_path)
    path = folder / "devnet.json"
    path.write_text(path.read_text().replace('"schema_version": 1', '"schema_version": 2').replace("alpha", ""))
    document = json.loads(path.read_text())
    del document["chains"][0]["rpc_url"]
    path.write_text(json.dumps(document))
    answer = RUNNER.invoke(app, ["request", "pending", "--devnet", str(folder)])
    assert (answer.exit_code, answer.stderr.count("\n")) == (1, 2)
    assert "chains.0.rpc_url: Field required" in answer.stderr
    assert "11" * 32 not in answer.stderr
