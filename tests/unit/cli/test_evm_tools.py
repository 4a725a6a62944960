"""What a session on an EVM chain says of endpoints that are not what they should be, over real loopback HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from aiohttp import web

from attestation.address import parse_chain_text
from relayer.cli.asking import Endpoint, tools_for
from relayer.errors import ConfigError, RejectedError, RpcUnavailable
from tests.unit.cli.api_server import serving

GATEWAY = "0x5151515151515151515151515151515151515151"
ALPHA = parse_chain_text("eip155:31337")


def endpoint(answers: Mapping[str, Any]) -> web.Application:
    """A JSON-RPC endpoint; what is an exception is its error's message."""

    async def answer(request: web.Request) -> web.Response:
        call = await request.json()
        found = answers[call["method"]]
        fields = (
            {"error": {"code": -32000, "message": str(found)}} if isinstance(found, Exception) else {"result": found}
        )
        return web.json_response({"jsonrpc": "2.0", "id": call["id"], **fields})

    app = web.Application()
    app.router.add_post("/apikey", answer)
    return app


def open_at(url: str, gateway: str = GATEWAY) -> None:
    tools_for("eip155").open_destination(Endpoint(ALPHA, f"{url}/apikey", gateway))


def test_an_endpoint_of_another_chain_is_refused() -> None:
    with (
        serving(endpoint({"eth_chainId": "0x5", "eth_getCode": "0x00"})) as url,
        pytest.raises(ConfigError, match="--rpc: the endpoint serves eip155:5, not eip155:31337"),
    ):
        open_at(url)


def test_a_gateway_without_code_is_refused() -> None:
    with (
        serving(endpoint({"eth_chainId": hex(31337), "eth_getCode": "0x"})) as url,
        pytest.raises(ConfigError, match=f"--gateway: {GATEWAY} has no code on eip155:31337"),
    ):
        open_at(url)


def test_a_gateway_that_is_no_address_is_refused() -> None:
    with pytest.raises(ConfigError, match="--gateway: "):
        open_at("http://127.0.0.1:1", "0x12")


def test_what_an_endpoint_refuses_is_told_in_its_words() -> None:
    with (
        serving(endpoint({"eth_chainId": RuntimeError("quota exceeded")})) as url,
        pytest.raises(RejectedError) as caught,
    ):
        open_at(url)
    assert str(caught.value) == "eip155:31337: the endpoint refuses: quota exceeded"


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "nonsense"])
def test_SECURITY_an_endpoint_that_gives_no_answer_is_told_without_its_url(url: str) -> None:  # noqa: N802
    with pytest.raises(RpcUnavailable) as caught:
        open_at(url)
    assert "apikey" not in str(caught.value)
