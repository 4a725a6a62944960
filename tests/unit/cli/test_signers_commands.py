"""What `xvm signers` shows and records. Files, database and the relayer's API are real."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from aiohttp import web
from typer.testing import CliRunner

from attestation.address import checksum_address, parse_account_text
from attestation.schemes import BLS12381, SECP256K1
from attestation.signer_set import SignerSet, operator_id, signer_set_hash
from attestation.signer_set_file import NumberedSet, encode_signer_set, parse_signer_set
from attestation.statement import Rotate
from relayer.api.app import create_app
from relayer.cli.app import app
from relayer.cli.config_example import example_config
from relayer.config import load_config
from relayer.domain.batch import rotate_batch
from relayer.observability.metrics import Metrics
from relayer.ports.node_status import ChainStatus
from relayer.ports.store import AcceptedSet, Commit
from relayer.store.engine import open_engine
from relayer.store.memory import MemoryStore
from relayer.store.migrate import upgrade
from relayer.store.sql_store import SqlStore
from tests.factories import (
    DESTINATION_CHAIN,
    DESTINATION_GATEWAY,
    LONG_KEYS,
    NOW,
    ROUTES,
    SIGNING_KEYS,
    SOURCE_CHAIN,
    SOURCE_GATEWAY,
    attest,
    make_epoch,
    make_signer_set,
)
from tests.unit.cli.api_server import serving
from tests.unit.cli.test_request_commands import ClosedDoor, QuietStatus, StillClock

RUNNER = CliRunner()
FIFTH = SECP256K1.signing_key(b"\x77" * 32)
PRESENT = replace(make_signer_set(), valid_until=int(time.time()) + 10**6)
FOLLOWING = NumberedSet(2, replace(make_signer_set((*SIGNING_KEYS[:3], FIFTH)), valid_until=int(time.time()) + 10**7))
HASH = f"0x{FOLLOWING.rotate.signer_set_hash.hex()}"


@dataclass
class TwoChains(QuietStatus):
    """A node that knows of a signer that signed another set."""

    rivals: tuple[tuple[bytes, Rotate], ...] = ()

    def chains(self) -> tuple[ChainStatus, ...]:
        return (
            ChainStatus(SOURCE_CHAIN, "one", SOURCE_GATEWAY, None, 1, 1, rival_rotations=self.rivals),
            ChainStatus(DESTINATION_CHAIN, "two", DESTINATION_GATEWAY, None, 1, 1),
        )


def api_of(*commits: Commit, rivals: tuple[tuple[bytes, Rotate], ...] = ()) -> web.Application:
    store = MemoryStore()
    for commit in commits:
        asyncio.run(store.commit(commit))
    return create_app(
        door=ClosedDoor(),  # type: ignore[arg-type]
        store=store,
        routes=ROUTES,
        status=TwoChains(rivals=rivals),
        commands={},
        vm_names={"eip155": "evm"},
        gateways={},
        metrics=Metrics(),
        clock=StillClock(),
    )


def applied(signer_set: SignerSet = PRESENT, other: SignerSet | None = None) -> Commit:
    """Both gateways at epoch 1."""
    return Commit(
        epochs=(
            make_epoch(SOURCE_GATEWAY, 1, signer_set),
            make_epoch(DESTINATION_GATEWAY, 1, other or signer_set),
        )
    )


def xvm(*words: str, answer: str | None = None) -> tuple[int, str]:
    result = RUNNER.invoke(app, ["signers", *words], input=answer)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def node(folder: Path, *, signer_set: SignerSet = PRESENT, other: SignerSet | None = None, epoch: int = 1) -> str:
    """The configuration of a node that has seen this set applied at its gateways, or another one at the last."""
    path = folder / "relayer.toml"
    path.write_text(example_config())
    for name in ("signer.json", "wallet.json"):
        (folder / name).write_text("11" * 32)
        (folder / name).chmod(0o600)
    settings = load_config(path)
    settings.node.data_dir.mkdir()
    gateways = [parse_account_text(f"{chain.caip2}:{chain.gateway}").to_bytes() for chain in settings.chains]

    async def apply() -> None:
        await upgrade(settings.store_url)
        engine = open_engine(settings.store_url)
        epochs = [make_epoch(gateway, epoch, signer_set) for gateway in gateways]
        epochs[-1] = make_epoch(gateways[-1], epoch, other or signer_set)
        await SqlStore(engine).commit(Commit(epochs=tuple(epochs)))
        await engine.dispose()

    asyncio.run(apply())
    return str(path)


def acceptances(config: str) -> list[AcceptedSet]:
    async def load() -> list[AcceptedSet]:
        engine = open_engine(load_config(Path(config)).store_url)
        found = list(await SqlStore(engine).load_accepted_sets())
        await engine.dispose()
        return found

    return asyncio.run(load())


def accepted(config: str) -> list[NumberedSet]:
    return [each.numbered for each in acceptances(config)]


def saved(folder: Path, numbered: NumberedSet = FOLLOWING) -> str:
    path = folder / "next.json"
    path.write_text(encode_signer_set(numbered))
    return str(path)


def test_the_present_set_is_shown_and_written(tmp_path: Path) -> None:
    with serving(api_of(applied())) as url:
        code, text = xvm("show", "--api", url, "--file", str(tmp_path / "set.json"))
        told = json.loads(xvm("show", "--api", url, "--json")[1])
    assert code == 0
    assert "threshold    3 of 4" in text
    assert all(f"0x{key.hex()}" in text for key in PRESENT.keys)
    assert parse_signer_set((tmp_path / "set.json").read_text()) == NumberedSet(1, PRESENT)
    assert told["hash"] in text


def test_gateways_whose_sets_differ_are_told_apart_by_chain() -> None:
    other = replace(PRESENT, grace_seconds=7)
    with serving(api_of(applied(PRESENT, other))) as url:
        code, text = xvm("show", "--api", url)
        assert (code, "--chain" in text) == (1, True)
        code, text = xvm("show", "--api", url, "--chain", DESTINATION_CHAIN)
    assert (code, "grace        7 s" in text) == (0, True)


@pytest.mark.parametrize("is_whole", [False, True])
def test_a_key_that_is_listed_with_a_proof_leaves_by_its_public_part_or_whole(
    tmp_path: Path, *, is_whole: bool
) -> None:
    file = tmp_path / "next.json"
    present = replace(make_signer_set(LONG_KEYS, scheme=BLS12381), valid_until=PRESENT.valid_until)
    newcomer = BLS12381.signing_key(b"\x05" * 32)
    leaving = present.signers[1].key if is_whole else present.keys[1]
    with serving(api_of(applied(present, present))) as url:
        code, _ = xvm(
            *("propose", str(file), "--api", url, "--remove", f"0x{leaving.hex()}"),
            *("--add", f"0x{newcomer.listed_key(operator_id('carol')).hex()}=carol"),
        )
        # the proof is carol's
        other, told = xvm(
            *("propose", str(tmp_path / "no.json"), "--api", url),
            *("--add", f"0x{newcomer.listed_key(operator_id('carol')).hex()}=dave"),
        )
    assert (code, other, "UnprovenKey" in told) == (0, 1, True)
    following = parse_signer_set(file.read_text())
    keys = (LONG_KEYS[0], newcomer, *LONG_KEYS[2:])
    assert following.signer_set.keys == tuple(key.key for key in keys)


def test_a_proposal_puts_who_comes_in_the_place_of_who_leaves(tmp_path: Path) -> None:
    file = tmp_path / "next.json"
    with serving(api_of(applied())) as url:
        code, text = xvm(
            *("propose", str(file), "--api", url, "--valid-days", "10"),
            *("--remove", checksum_address(SIGNING_KEYS[1].key), "--add", f"0x{FIFTH.key.hex()}=carol"),
        )
    assert code == 0
    following = parse_signer_set(file.read_text())
    assert following.epoch == 2
    assert following.signer_set.keys == (SIGNING_KEYS[0].key, FIFTH.key, SIGNING_KEYS[2].key, SIGNING_KEYS[3].key)
    assert f"- 0x{SIGNING_KEYS[1].key.hex()}" in text
    assert f"+ 0x{FIFTH.key.hex()} weight 1 operator carol" in text
    assert f"hash         0x{following.rotate.signer_set_hash.hex()}" in text


@pytest.mark.parametrize(
    ("changes", "code", "told"),
    [
        (["--threshold", "2"], 1, "ThresholdTooLow"),
        (["--remove", "0x" + "99" * 20], 1, "is no signer"),
        (["--add", "0x" + "99" * 20], 2, "KEY=OPERATOR"),
        (["--add", "nobody=carol"], 2, "is no key"),
        (["--add", "0x" + "99" * 20 + "=" + "x" * 33], 2, "at most 32"),
        (["--add", f"0x{SIGNING_KEYS[0].key.hex()}=twice"], 1, "RepeatedKey"),
    ],
)
def test_a_proposal_that_no_gateway_would_take_is_not_written(
    tmp_path: Path, changes: list[str], code: int, told: str
) -> None:
    with serving(api_of(applied())) as url:
        exit_code, text = xvm("propose", str(tmp_path / "next.json"), "--api", url, *changes)
    assert (exit_code, told in text) == (code, True)
    assert not (tmp_path / "next.json").exists()


def test_an_acceptance_is_recorded_for_the_very_hash(tmp_path: Path) -> None:
    config, file = node(tmp_path), saved(tmp_path)
    code, text = xvm("accept", file, "--config", config, "--hash", "0x" + "00" * 32)
    assert (code, HASH in text, accepted(config)) == (1, True, [])
    code, text = xvm("accept", file, "--config", config, "--hash", HASH)
    assert (code, HASH in text, accepted(config)) == (0, True, [FOLLOWING])


def test_security_nothing_is_accepted_where_nobody_was_asked(tmp_path: Path) -> None:
    """SECURITY: a script that forgets the hash must not have the node sign whatever lies in the file."""
    config, file = node(tmp_path), saved(tmp_path)
    code, text = xvm("accept", file, "--config", config, answer="y\n")
    assert (code, "--hash" in text, accepted(config)) == (1, True, [])


@pytest.mark.parametrize(
    ("numbered", "told"),
    [
        (replace(FOLLOWING, epoch=3), "propose it anew"),
        (replace(FOLLOWING, epoch=1), "propose it anew"),
        (replace(FOLLOWING, signer_set=replace(FOLLOWING.signer_set, valid_until=1)), "ExpiredSignerSet"),
        (replace(FOLLOWING, signer_set=replace(FOLLOWING.signer_set, threshold=2)), "ThresholdTooLow"),
        (replace(FOLLOWING, signer_set=replace(FOLLOWING.signer_set, scheme=77)), "UnknownScheme"),
    ],
)
def test_a_set_that_cannot_be_next_is_not_accepted(tmp_path: Path, numbered: NumberedSet, told: str) -> None:
    config = node(tmp_path)
    digest = f"0x{numbered.rotate.signer_set_hash.hex()}"
    code, text = xvm("accept", saved(tmp_path, numbered), "--config", config, "--hash", digest)
    assert (code, told in text, accepted(config)) == (1, True, [])


def test_another_file_replaces_an_acceptance(tmp_path: Path) -> None:
    config = node(tmp_path)
    xvm("accept", saved(tmp_path), "--config", config, "--hash", HASH)
    other = replace(FOLLOWING, signer_set=replace(FOLLOWING.signer_set, grace_seconds=9))
    xvm("accept", saved(tmp_path, other), "--config", config, "--hash", f"0x{other.rotate.signer_set_hash.hex()}")
    assert accepted(config) == [other]


def test_security_an_acceptance_is_for_the_sets_that_it_was_shown_to_replace(tmp_path: Path) -> None:
    """SECURITY: with the epoch's number alone it would count at every gateway that ever comes to that number."""
    other = replace(PRESENT, grace_seconds=9)
    config, file = node(tmp_path, other=other), saved(tmp_path)
    code, text = xvm("accept", file, "--config", config, "--hash", HASH, "--chain", SOURCE_CHAIN)
    assert (code, DESTINATION_CHAIN in text) == (0, False)
    [only] = acceptances(config)
    assert only.replaces(make_epoch(SOURCE_GATEWAY, 1, PRESENT))
    assert not only.replaces(make_epoch(SOURCE_GATEWAY, 1, other))
    assert not only.replaces(make_epoch(SOURCE_GATEWAY, 2, PRESENT))


def test_an_acceptance_for_one_present_set_leaves_that_for_another_as_it_is(tmp_path: Path) -> None:
    other = replace(PRESENT, grace_seconds=9)
    config = node(tmp_path, other=other)
    code, text = xvm("accept", saved(tmp_path), "--config", config, "--hash", HASH)
    assert (code, SOURCE_CHAIN in text, DESTINATION_CHAIN in text) == (0, True, True)
    assert accepted(config) == [FOLLOWING, FOLLOWING]
    second = replace(FOLLOWING, signer_set=replace(FOLLOWING.signer_set, grace_seconds=8))
    digest = f"0x{second.rotate.signer_set_hash.hex()}"
    xvm("accept", saved(tmp_path, second), "--config", config, "--hash", digest, "--chain", DESTINATION_CHAIN)
    assert {each.predecessor: each.numbered for each in acceptances(config)} == {
        signer_set_hash(PRESENT): FOLLOWING,
        signer_set_hash(other): second,
    }
    code, text = xvm("accept", saved(tmp_path), "--config", config, "--hash", HASH, "--chain", "eip155:99")
    assert (code, "has seen no signer set" in text) == (1, True)


def test_what_replaces_two_different_sets_is_shown_for_each_with_its_gateways(tmp_path: Path) -> None:
    other = replace(PRESENT, grace_seconds=9)
    both = tuple(AcceptedSet(FOLLOWING, signer_set_hash(each), NOW) for each in (PRESENT, other))
    with serving(api_of(applied(PRESENT, other), Commit(accepted=both))) as url:
        file = str(tmp_path / "next.json")
        told = xvm("propose", file, "--api", url, "--chain", SOURCE_CHAIN)[1]
        status = xvm("status", "--api", url)[1]
    for text in (told, status):
        assert f"replaces 0x{signer_set_hash(PRESENT).hex()} at {SOURCE_CHAIN}\n" in text
        assert f"replaces 0x{signer_set_hash(other).hex()} at {DESTINATION_CHAIN}\n" in text
        assert "~ grace seconds: 9 → " in text
    assert f"next set {HASH}" in status


def test_a_peer_that_signed_our_set_before_we_accepted_it_is_no_rival() -> None:
    commits = (applied(), Commit(accepted=(AcceptedSet(FOLLOWING, signer_set_hash(PRESENT), NOW),)))
    with serving(api_of(*commits, rivals=((SIGNING_KEYS[3].key, FOLLOWING.rotate),))) as url:
        assert "OTHER" not in xvm("status", "--api", url)[1]


def test_the_status_names_who_signed_who_did_not_and_who_signed_another_set() -> None:
    batch = rotate_batch(SOURCE_GATEWAY, SOURCE_CHAIN, FOLLOWING)
    signed = tuple(attest(batch, key) for key in SIGNING_KEYS[:2])
    other = Rotate(bytes(32), 2)
    acceptance = AcceptedSet(FOLLOWING, signer_set_hash(PRESENT), NOW)
    commits = (applied(), Commit(accepted=(acceptance,), attestations=signed))
    with serving(api_of(*commits, rivals=((SIGNING_KEYS[3].key, other),))) as url:
        code, text = xvm("status", "--api", url)
        told = json.loads(xvm("status", "--api", url, "--json")[1])
    assert code == 0
    here, there = text.split("eip155:31338:")
    assert "weight 2 of 3 needed" in here
    assert f"not signed  0x{SIGNING_KEYS[2].key.hex()}" in here
    assert f"OTHER 0x{SIGNING_KEYS[3].key.hex()} signed another set: 0x{'00' * 32}" in here
    assert "weight 0 of 3 needed" in there
    assert [gateway["next"]["weight"] for gateway in told["gateways"]] == [2, 0]


def test_the_status_says_when_nothing_is_accepted_and_when_a_set_has_lapsed() -> None:
    lapsed = replace(PRESENT, valid_until=1)
    with serving(api_of(applied(lapsed))) as url:
        code, text = xvm("status", "--api", url)
    assert code == 0
    assert "accepted no set for epoch 2" in text
    assert "LAPSED" in text


def test_a_node_that_has_seen_no_set_says_so() -> None:
    with serving(api_of()) as url:
        assert "no signer set is known here yet" in xvm("status", "--api", url)[1]
        assert xvm("show", "--api", url)[0] == 1


def test_an_api_that_tells_something_else_is_refused_in_one_line() -> None:
    async def tell(_request: web.Request) -> web.Response:
        return web.json_response({"gateways": [{"current": 1}]})

    application = web.Application()
    application.router.add_get("/v1/signers", tell)
    with serving(application) as url:
        for command in ("show", "status"):
            code, text = xvm(command, "--api", url)
            assert (code, text.count("\n")) == (1, 1)
