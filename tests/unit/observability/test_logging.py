"""What reaches the log, and what must not."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from attestation.request import RequestId
from relayer.observability.logging import (
    REDACTED,
    bind_chain,
    bind_request,
    bind_stage,
    configure_logging,
    is_secret_name,
)

KEY_HEX = "ab" * 32


@pytest.fixture(autouse=True)
def _restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = tuple(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def _lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_off_a_terminal_is_one_json_object_with_what_was_bound() -> None:
    stream = io.StringIO()
    configure_logging("info", stream=stream)
    with bind_request(RequestId(b"\x01" * 32)), bind_chain("eip155:1"), bind_stage("watch"):
        structlog.get_logger("relayer.stages.watch").info("block_taken_in", number=7, hash=b"\x02\x03")
    structlog.get_logger().info("unbound")
    bound, unbound = _lines(stream)
    assert bound["event"] == "block_taken_in"
    assert (bound["request_id"], bound["chain"], bound["stage"]) == ("0x" + "01" * 32, "eip155:1", "watch")
    assert (bound["number"], bound["hash"], bound["level"]) == (7, "0x0203", "info")
    assert "request_id" not in unbound


def test_lines_below_the_level_are_not_written() -> None:
    stream = io.StringIO()
    configure_logging("warning", stream=stream)
    structlog.get_logger().info("quiet")
    logging.getLogger("aiohttp.server").info("quiet")
    assert stream.getvalue() == ""


@pytest.mark.parametrize("is_json", [True, False])
def test_security_a_field_named_like_a_secret_loses_its_value(*, is_json: bool) -> None:
    """SECURITY: a key that somebody logs by name does not reach the log, however deep it sits."""
    stream = io.StringIO()
    configure_logging("info", is_json=is_json, stream=stream)
    structlog.get_logger().info(
        "configured",
        private_key=bytes.fromhex(KEY_HEX),
        nested={"walletKey": KEY_HEX, "list": [{"db_password": KEY_HEX}, ({"apiKey": KEY_HEX},)]},
    )
    assert KEY_HEX not in stream.getvalue()
    assert REDACTED in stream.getvalue()


def test_security_what_lies_too_deep_to_be_looked_at_is_not_logged() -> None:
    """SECURITY: nesting is no way around redaction."""
    stream = io.StringIO()
    configure_logging("info", stream=stream)
    nested: dict[str, object] = {"password": KEY_HEX}
    for _ in range(20):
        nested = {"inner": nested}
    structlog.get_logger().info("deep", field=nested)
    assert KEY_HEX not in stream.getvalue()


@pytest.mark.parametrize(
    ("text", "logged"),
    [
        ("https://node.example/v3/0123abcd", "https://node.example/…"),
        ("wss://user:hunter2@node.example:8546/?key=0123abcd", "wss://node.example:8546/…"),
        ("postgresql+asyncpg://xvm:hunter2@db/xvm", "postgresql+asyncpg://db/…"),
        ("cannot reach https://node.example?key=0123abcd now", "cannot reach https://node.example/… now"),
        ("http://127.0.0.1:8545", "http://127.0.0.1:8545"),
    ],
)
def test_security_a_url_keeps_only_scheme_and_host(text: str, logged: str) -> None:
    """SECURITY: endpoint URLs carry API keys and passwords in user part, path and query."""
    stream = io.StringIO()
    configure_logging("info", stream=stream)
    structlog.get_logger().info("rpc_failed", url=text)
    logging.getLogger("aiohttp.client").warning("%s", text)
    ours, theirs = _lines(stream)
    assert (ours["url"], theirs["event"]) == (logged, logged)


def _fail_with_a_key_in_a_local(local: str) -> None:
    raise ValueError(f"GET https://node.example/v3/0123abcd ({len(local)} digits)")


@pytest.mark.parametrize("is_json", [True, False])
def test_security_a_traceback_shows_no_local_variables_and_no_url_path(*, is_json: bool) -> None:
    """SECURITY: locals of a failing frame may hold keys; texts of library errors hold URLs."""
    stream = io.StringIO()
    configure_logging("info", is_json=is_json, stream=stream)
    try:
        _fail_with_a_key_in_a_local(bytes.fromhex(KEY_HEX).hex())
    except ValueError:
        structlog.get_logger().exception("rpc_failed")
    assert "ValueError" in stream.getvalue()
    assert KEY_HEX not in stream.getvalue()
    assert "0123abcd" not in stream.getvalue()


@pytest.mark.parametrize(
    "name",
    [
        "private_key",
        "privateKey",
        "wallet_key",
        "db_password",
        "PASSWORD",
        "api_key",
        "apiKey",
        "access_token",
        "mnemonic",
        "seed",
        "client_secret",
        "Authorization",
        "keystore_password",
        "signingKey",
    ],
)
def test_names_of_secrets_are_known(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize("name", ["guard_key", "peer_key", "signer", "key_path", "tokens", "secretary", "keys"])
def test_ordinary_names_stay(name: str) -> None:
    assert not is_secret_name(name)
