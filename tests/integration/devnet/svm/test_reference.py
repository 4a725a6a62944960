"""The page of the devnet's Solana chain lists what it answers."""

from __future__ import annotations

import re
from pathlib import Path

from relayer.devnet.svm.chain import Chain, ChainSettings
from relayer.devnet.svm.node import Node

PAGE = Path(__file__).resolve().parents[4] / "docs" / "reference" / "devnet-solana.md"


def test_every_method_is_in_the_reference_and_no_other() -> None:
    node = Node(Chain(ChainSettings(), lambda: 0.0), has_control=True, drop_sockets=lambda: 0)
    rows = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| ")]
    listed = {name for line in rows for name in re.findall(r"`((?:get|is|send|simulate|request|devnet_)\w+)`", line)}
    listed |= {name for line in rows if "subscriptions" in line for name in re.findall(r"`(\w+Subscribe)`", line)}
    assert listed == node.method_names
