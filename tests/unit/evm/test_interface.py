from __future__ import annotations

import pytest

from relayer.vms.bundling.trials import SETTLED
from relayer.vms.evm import interface
from relayer.vms.evm.contract_errors import WITHOUT_REASON, error_name
from tests.unit.evm.contract_abi import load_abi, signatures

CONTRACTS = ("XvmGateway", "EcdsaVerifier", "XvmExecutor")


@pytest.mark.parametrize("signature", interface.FUNCTIONS)
def test_every_function_that_we_call_is_in_the_committed_abi(signature: str) -> None:
    assert any(signature in signatures(contract, "function") for contract in CONTRACTS)


@pytest.mark.parametrize("signature", interface.EVENTS)
def test_every_event_that_we_read_is_in_the_committed_abi(signature: str) -> None:
    assert any(signature in signatures(contract, "event") for contract in CONTRACTS)


@pytest.mark.parametrize("signature", interface.ERRORS)
def test_every_error_that_we_read_is_in_the_committed_abi(signature: str) -> None:
    assert any(signature in signatures(contract, "error") for contract in CONTRACTS)


@pytest.mark.parametrize(
    ("event", "indexed"),
    [
        ("XVMCallRequested", ["requestId", "sender", "routeHash"]),
        ("XVMFeeAdded", ["requestId"]),
        ("XVMCallbackDelivered", ["requestId"]),
        ("XVMHandlerFailed", ["requestId"]),
        ("XVMCancelled", ["requestId"]),
        ("XVMCancelledConcluded", ["requestId"]),
        ("XVMReclaimed", ["requestId"]),
        ("XVMOutcomeSkipped", ["requestId"]),
        ("XVMCallConcluded", ["requestId", "sourceGatewayHash"]),
        ("XVMCallSkipped", ["requestId"]),
    ],
)
def test_the_topics_of_the_gateways_events_are_those_that_we_read(event: str, indexed: list[str]) -> None:
    (entry,) = [entry for entry in load_abi("XvmGateway") if entry["type"] == "event" and entry["name"] == event]
    assert [parameter["name"] for parameter in entry["inputs"] if parameter["indexed"]] == indexed


@pytest.mark.parametrize("contract", CONTRACTS)
def test_every_error_of_our_contracts_has_its_name(contract: str) -> None:
    for signature in signatures(contract, "error"):
        assert error_name(interface.selector(signature) + bytes(64)) == signature.partition("(")[0]


def test_other_reverts_are_named_by_what_they_are() -> None:
    assert error_name(interface.selector("Error(string)")) == "Error"
    assert error_name(interface.selector("Panic(uint256)")) == "Panic"
    assert error_name(b"\xde\xad\xbe\xef\x00") == "0xdeadbeef"
    for data in (b"", b"\x01\x02\x03"):
        assert error_name(data) == WITHOUT_REASON


def test_the_gateway_has_the_skip_that_means_settled() -> None:
    assert f"{SETTLED}()" in signatures("XvmGateway", "error")
