"""What messages cost is published in `contracts/cosmwasm/gas.json`, and stays so.

After a change that is meant: `python -m tests.cosmwasm.contract.gas > contracts/cosmwasm/gas.json`.
"""

from __future__ import annotations

import json

from tests.cosmwasm.contract.gas import measure
from tests.cosmwasm.contract.ledger import CONTRACTS


def test_gas_is_what_is_published() -> None:
    assert measure() == json.loads((CONTRACTS / "gas.json").read_text())
