"""What `xvm evidence` says of a node's evidence and of files. The database, the files and the API are real."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from typer.testing import CliRunner

from attestation.evidence import Equivocation
from attestation.evidence_file import encode_evidence
from attestation.schemes import BLS12381
from attestation.signer_set import Signer
from attestation.signer_set_file import NumberedSet, encode_signer_set
from relayer.cli.app import app
from relayer.cli.config_example import example_config
from relayer.config import load_config
from relayer.ports.store import Commit, EvidenceRow
from relayer.store.engine import open_engine
from relayer.store.migrate import upgrade
from relayer.store.sql_store import SqlStore
from tests.factories import LONG_KEYS, NOW, make_signer_set
from tests.unit.cli.api_server import serving
from tests.vectors.evidence_vectors import example_equivocation, example_evidence

RUNNER = CliRunner()
GOOD = example_equivocation()
SIGNER = f"0x{GOOD.signer_key.hex()}"


def row(evidence: Equivocation = GOOD, guard_key: bytes = b"\x01" * 33) -> EvidenceRow:
    return EvidenceRow("EQUIVOCATION", GOOD.signer_key, guard_key, encode_evidence(evidence), NOW)


def config_with(folder: Path, *rows: EvidenceRow) -> str:
    """The configuration of a node that recorded these."""
    path = folder / "relayer.toml"
    path.write_text(example_config())
    for name in ("signer.json", "wallet.json"):
        (folder / name).write_text("11" * 32)
        (folder / name).chmod(0o600)
    settings = load_config(path)
    settings.node.data_dir.mkdir()

    async def record() -> None:
        await upgrade(settings.store_url)
        engine = open_engine(settings.store_url)
        await SqlStore(engine).commit(Commit(evidence=rows))
        await engine.dispose()

    asyncio.run(record())
    return str(path)


def saved(folder: Path, text: str) -> str:
    path = folder / "evidence.json"
    path.write_text(text)
    return str(path)


def set_file(folder: Path, keys: tuple[bytes, ...] = (GOOD.signer_key,), epoch: int = 1, scheme: int = 1) -> str:
    signers = tuple(Signer(key, 1, bytes([place + 1]) * 32) for place, key in enumerate(keys))
    path = folder / "set.json"
    signer_set = replace(make_signer_set(), signers=signers, scheme=scheme)
    path.write_text(encode_signer_set(NumberedSet(epoch, signer_set)))
    return str(path)


def xvm(*words: str) -> tuple[int, str]:
    result = RUNNER.invoke(app, ["evidence", *words])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.output


def xvm_json(*words: str) -> tuple[int, Any]:
    code, text = xvm(*words, "--json")
    return code, json.loads(text)


def test_a_file_that_convicts_says_who_signed_which_two_statements(tmp_path: Path) -> None:
    code, text = xvm("verify", saved(tmp_path, encode_evidence(GOOD)))
    assert code == 0
    first, second = GOOD.first, GOOD.second
    for told in (
        f"signer      {SIGNER} (ecdsa-secp256k1)",
        "about       the place of request 0x",
        "differs in  blockHash",
        f"blockHash       0x{first.statement.block_hash.hex()}",  # type: ignore[union-attr]
        f"blockHash       0x{second.statement.block_hash.hex()}",  # type: ignore[union-attr]
        "signed in epoch 1 for eip155:",
        "signed in epoch 2 for eip155:",
        first.signature.hex(),
        second.signature.hex(),
        "not looked at",
    ):
        assert told in text


def test_a_signer_with_a_long_key_is_listed_by_its_beginning_and_found_by_it(tmp_path: Path) -> None:
    key = LONG_KEYS[0]
    first, second = (replace(item, signature=key.sign(item.batch.digest())) for item in (GOOD.first, GOOD.second))
    document = encode_evidence(Equivocation(BLS12381.number, key.key, first, second))
    config = config_with(tmp_path, EvidenceRow("EQUIVOCATION", key.key, b"\x01" * 33, document, NOW))
    shown = f"0x{key.key[:20].hex()}"
    code, text = xvm("list", "--config", config)
    assert (code, shown in text, key.key.hex() in text) == (0, True, False)
    for signer in (shown, f"0x{key.key.hex()}"):
        assert xvm_json("show", signer, "--config", config)[1]["signer"] == f"0x{key.key.hex()}"
    members = set_file(tmp_path, tuple(each.listed_key(bytes(32)) for each in LONG_KEYS), scheme=BLS12381.number)
    code, told = xvm_json("verify", saved(tmp_path, document), "--signer-set", members)
    assert (code, told["scheme"], told["signer_set"]["index"]) == (0, "bls12-381", 0)


@pytest.mark.parametrize("name", list(example_evidence())[:4])
def test_every_kind_of_statement_is_told(tmp_path: Path, name: str) -> None:
    file = saved(tmp_path, encode_evidence(example_evidence()[name]))
    assert xvm("verify", file)[0] == 0
    code, told = xvm_json("verify", file)
    assert (code, told["is_convicted"], told["offence"], told["signer"]) == (0, True, "EQUIVOCATION", SIGNER)
    assert told["first"]["domainSalt"].startswith("0x")
    assert told["first"]["statement"] != told["second"]["statement"]
    assert told["differs"]


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("the same leaf in two batches", "NoContradiction"),
        ("two requests", "NoContradiction"),
        ("execute and outcome", "NoContradiction"),
        ("one epoch, two gateways", "NoContradiction"),
        ("one batch is another's", "UnsignedBatch"),
        ("signed in another epoch", "UnsignedBatch"),
        ("a path that leads elsewhere", "PathMismatch"),
        ("a path that is too long", "PathTooLong"),
    ],
)
def test_security_a_file_that_does_not_convict_is_refused_by_name(tmp_path: Path, name: str, error: str) -> None:
    """SECURITY: nobody is convicted of what does not contradict, or of what somebody else signed."""
    file = saved(tmp_path, encode_evidence(example_evidence()[name]))
    code, text = xvm("verify", file)
    assert (code, text.count("\n")) == (1, 1)
    assert f"xvm: {error}: " in text
    code, told = xvm_json("verify", file)
    assert (code, told["is_convicted"], told["error"]) == (1, False, error)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "[" * 9_000, '{"a":' * 3_000, "9" * 9_000, "x" * 100_000, json.dumps({"kind": 1})],
)
def test_any_other_file_is_refused_in_one_line(tmp_path: Path, text: str) -> None:
    code, told = xvm("verify", saved(tmp_path, text))
    assert (code, told.count("\n")) == (1, 1)


def test_what_is_no_text_file_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    for name in ("binary", "missing", "."):
        code, told = xvm("verify", str(tmp_path / name))
        assert (code, told.count("\n")) == (1, 1)


def test_a_signer_is_found_in_the_set_of_its_epoch(tmp_path: Path) -> None:
    file = saved(tmp_path, encode_evidence(GOOD))
    code, told = xvm_json("verify", file, "--signer-set", set_file(tmp_path, (b"\x0a" * 20, GOOD.signer_key)))
    assert (code, told["signer_set"]["epoch"], told["signer_set"]["index"]) == (0, 1, 1)
    assert "the signer is its signer 0" in xvm("verify", file, "--signer-set", set_file(tmp_path))[1]


@pytest.mark.parametrize(
    ("changes", "error"),
    [({"keys": (b"\x0a" * 20,)}, "UnknownSigner"), ({"scheme": 2}, "UnknownSigner"), ({"epoch": 9}, "OtherEpoch")],
)
def test_security_somebody_outside_the_set_is_no_signer(tmp_path: Path, changes: dict[str, Any], error: str) -> None:
    """SECURITY: two signatures by a key that never counted convict nobody of the network."""
    file = saved(tmp_path, encode_evidence(GOOD))
    code, told = xvm_json("verify", file, "--signer-set", set_file(tmp_path, **changes))
    assert (code, told["error"]) == (1, error)


def test_a_signer_set_that_is_none_is_a_fault_in_one_line(tmp_path: Path) -> None:
    file = saved(tmp_path, encode_evidence(GOOD))
    code, told = xvm("verify", file, "--signer-set", file)
    assert (code, told.count("\n")) == (1, 1)


def test_a_node_without_evidence_says_so(tmp_path: Path) -> None:
    assert xvm("list", "--config", config_with(tmp_path)) == (
        0,
        "no evidence: no signer is known to have contradicted itself\n",
    )


def test_the_database_of_a_node_that_is_down_is_read(tmp_path: Path) -> None:
    config = config_with(tmp_path, row())
    assert SIGNER in xvm("list", "--config", config)[1]
    code, told = xvm_json("list", "--config", config)
    assert (code, [item["signer"] for item in told["evidence"]]) == (0, [SIGNER])
    code, told = xvm_json("show", SIGNER.upper().replace("0X", "0x"), "--config", config)
    assert (code, told["signer"]) == (0, SIGNER)


def test_an_export_is_the_file_and_is_never_overwritten(tmp_path: Path) -> None:
    config = config_with(tmp_path, row())
    file = tmp_path / "exported.json"
    assert xvm("export", SIGNER, str(file), "--config", config)[0] == 0
    assert file.read_text() == encode_evidence(GOOD) + "\n"
    assert xvm("verify", str(file))[0] == 0
    code, told = xvm("export", SIGNER, str(file), "--config", config)
    assert (code, "exists already" in told) == (1, True)


def test_of_several_one_is_chosen_by_its_guard_key(tmp_path: Path) -> None:
    other = example_evidence()["two sets for one epoch"]
    config = config_with(tmp_path, row(), row(other, b"\x03" * 41))
    code, told = xvm("show", SIGNER, "--config", config)
    assert (code, "--guard-key" in told) == (1, True)
    code, told = xvm("show", SIGNER, "--config", config, "--guard-key", "0x" + "03" * 41)
    assert (code, "the signer set of epoch 2" in told) == (0, True)


def test_evidence_that_is_not_there_and_a_database_that_is_not_there_are_faults(tmp_path: Path) -> None:
    config = config_with(tmp_path)
    assert xvm("show", SIGNER, "--config", config)[0] == 1
    (tmp_path / "data" / "relayer.sqlite3").unlink()
    assert xvm("list", "--config", config)[0] == 1
    assert not (tmp_path / "data" / "relayer.sqlite3").exists()
    assert xvm("list", "--config", config, "--api", "http://127.0.0.1:1")[0] == 2


def api_that_tells(*rows: dict[str, Any]) -> web.Application:
    async def answer(_request: web.Request) -> web.Response:
        return web.json_response({"evidence": rows, "total": len(rows)})

    application = web.Application()
    application.router.add_get("/v1/evidence", answer)
    return application


def as_told(evidence: Equivocation, signer: str = SIGNER) -> dict[str, Any]:
    document = json.loads(encode_evidence(evidence))
    return {"offence": "EQUIVOCATION", "signer": signer, "guard_key": "0x01", "at": NOW, "document": document}


def test_an_api_gives_the_same_file(tmp_path: Path) -> None:
    with serving(api_that_tells(as_told(GOOD))) as url:
        assert xvm("export", SIGNER, str(tmp_path / "exported.json"), "--api", url)[0] == 0
    assert (tmp_path / "exported.json").read_text() == encode_evidence(GOOD) + "\n"


def test_security_a_node_that_slanders_is_not_believed(tmp_path: Path) -> None:
    """SECURITY: what a node tells is judged here before it is shown as evidence, and before it is written."""
    slander = as_told(example_evidence()["one batch is another's"])
    misnamed = as_told(GOOD, "0x" + "77" * 20)
    with serving(api_that_tells(slander, misnamed)) as url:
        for signer in (slander["signer"], misnamed["signer"]):
            assert xvm("show", signer, "--api", url)[0] == 1
            assert xvm("export", signer, str(tmp_path / "exported.json"), "--api", url)[0] == 1
    assert not (tmp_path / "exported.json").exists()


@pytest.mark.parametrize("answer", [{}, {"evidence": [1], "total": 1}, {"evidence": [{}], "total": 1}])
def test_an_api_that_tells_something_else_is_refused_in_one_line(answer: dict[str, Any]) -> None:
    async def tell(_request: web.Request) -> web.Response:
        return web.json_response(answer)

    application = web.Application()
    application.router.add_get("/v1/evidence", tell)
    with serving(application) as url:
        code, told = xvm("list", "--api", url)
    assert (code, told.count("\n")) == (1, 1)
