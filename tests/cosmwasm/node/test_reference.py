"""The page of the devnet's CosmWasm chain lists what it answers."""

from __future__ import annotations

import re
from pathlib import Path

from conftest import Devnet

from relayer.cosmos import accounts, bank, consensus, node, tx, wasm
from relayer.devnet.cosmwasm.__main__ import _parser

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "devnet-cosmwasm.md"
_ROWS = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| ")]
_SUBJECTS = ("| the node", "| blocks", "| transactions", "| the application", "| subscriptions", "| `devnet_")


async def test_every_method_is_in_the_reference_and_no_other(devnet: Devnet) -> None:
    cells = [
        line.split("|")[1] if "devnet_" in line else line.split("|")[2] for line in _ROWS if line.startswith(_SUBJECTS)
    ]
    listed = {name for cell in cells for name in re.findall(r"`([a-z_A-Z]+)`", cell)}
    assert listed == devnet.node.method_names


async def test_every_path_in_the_reference_is_answered(devnet: Devnet) -> None:
    await devnet.node.advance()
    rows = [line.split("|") for line in _ROWS if re.match(r"\| `cosm\w+\.", line)]
    listed = {
        f"/{module}/{name}"
        for row in rows
        for module in re.findall(r"`([\w.]+)`", row[1])
        for name in re.findall(r"`(\w+)`", row[2])
    }
    assert listed == {
        str(value)
        for module in (accounts, bank, consensus, node, tx, wasm)
        for value in vars(module).values()
        if isinstance(value, str) and value.startswith("/cosm") and "/" in value[1:]
    }
    for path in listed:
        assert "unknown query path" not in (await devnet.result("abci_query", path=path, data=""))["response"]["log"]


def test_every_option_is_in_the_reference() -> None:
    options = {text for action in _parser()._actions for text in action.option_strings if text.startswith("--")}
    listed = {name for line in _ROWS for name in re.findall(r"^\| `(--[a-z-]+)`", line)}
    assert listed == options - {"--help"}
