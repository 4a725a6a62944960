"""What a delivery costs is bounded, and every change of a cost is seen."""

import json

import pytest

from tests.integration.contracts.gas_report import (
    BLS_DELIVER_ALONE_MAXIMUM,
    BLS_DELIVER_OF_32_MAXIMUM,
    DELIVER_ALONE_MAXIMUM,
    DELIVER_OF_32_MAXIMUM,
    SNAPSHOT,
    run,
)


@pytest.fixture(scope="module")
def report() -> dict[str, int]:
    return run()


@pytest.mark.anvil
def test_a_delivery_by_13_of_19_costs_at_most_150_000(report: dict[str, int]) -> None:
    assert report["deliver 1, 13 of 19"] <= DELIVER_ALONE_MAXIMUM


@pytest.mark.anvil
def test_each_of_32_deliveries_by_13_of_19_costs_at_most_43_000(report: dict[str, int]) -> None:
    assert report["deliver 32, 13 of 19"] <= DELIVER_OF_32_MAXIMUM


@pytest.mark.anvil
def test_a_delivery_by_67_of_100_of_bls12_381_costs_at_most_260_000(report: dict[str, int]) -> None:
    assert report["deliver 1, 67 of 100, bls12-381"] <= BLS_DELIVER_ALONE_MAXIMUM


@pytest.mark.anvil
def test_each_of_32_deliveries_by_67_of_100_of_bls12_381_costs_at_most_50_000(report: dict[str, int]) -> None:
    assert report["deliver 32, 67 of 100, bls12-381"] <= BLS_DELIVER_OF_32_MAXIMUM


@pytest.mark.anvil
def test_costs_are_those_of_the_snapshot(report: dict[str, int]) -> None:
    assert report == json.loads(SNAPSHOT.read_text(encoding="utf-8")), (
        "if this is meant: python -m tests.integration.contracts.gas_report"
    )
