"""One gateway on one real chain, put back to its beginning before each test."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from web3.logs import DISCARD

from attestation.batch import Batch
from attestation.certificate import build_certificate
from attestation.request import Request
from attestation.schemes import SECP256K1, SigningKey
from relayer.vms.evm.contract_errors import error_name
from tests.integration.contracts.local_gateway import LocalGateway, anvil

RESULT = b"\x2a" * 32


class Bridge(LocalGateway):
    """3 of 4 signers, and the ways in which people have tried to get money out of such a thing."""

    def rpc(self, method: str, *params: Any) -> Any:
        answer = self.web3.provider.make_request(method, list(params))  # type: ignore[arg-type]
        assert "error" not in answer, answer
        return answer["result"]

    def increment(self) -> Request:
        """A request of an honest user, for the counter."""
        return self.ask(bytes.fromhex(self.counter.encode_abi("increment", [1])[2:]))

    def signed_by(self, signers: Mapping[int, SigningKey], batch: Batch) -> bytes:
        """A certificate of these keys at these places of the set."""
        signatures = {index: key.sign(batch.digest()) for index, key in signers.items()}
        return build_certificate(batch, SECP256K1.number, signatures).to_bytes()

    def execute(self, batch: dict[str, Any]) -> Any:
        return self.gateway.functions.execute([batch], bytes(32))

    def deliver(self, batch: dict[str, Any]) -> Any:
        return self.gateway.functions.deliver([batch])

    def refusal(self, call: Any) -> str:
        """The name of the error with which a call would be refused; empty if it would be taken."""
        transaction = call.build_transaction(
            {"from": self.deliverer.address, "gas": 40_000_000, "gasPrice": 0, "nonce": 0, "chainId": 0}
        )
        fields = {"from": self.deliverer.address, "to": call.address, "data": transaction["data"]}
        answer = self.web3.provider.make_request("eth_call", [fields, "latest"])  # type: ignore[arg-type]
        return self.error_of(answer)

    def error_of(self, answer: Any) -> str:
        return error_name(bytes.fromhex(answer["error"]["data"][2:])) if "error" in answer else ""

    def events(self, receipt: Any, name: str) -> list[Any]:
        """The arguments of the gateway's events of this name."""
        return [event["args"] for event in self.gateway.events[name]().process_receipt(receipt, errors=DISCARD)]


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bridge]:
    with anvil(tmp_path_factory.mktemp("anvil")) as web3:
        yield Bridge(web3, 3, 4)


@pytest.fixture
def bridge(deployed: Bridge) -> Iterator[Bridge]:
    snapshot = deployed.rpc("evm_snapshot")
    yield deployed
    deployed.rpc("evm_revert", snapshot)
