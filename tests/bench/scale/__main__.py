"""The scale model: `python -m tests.bench.scale [--json] [--seconds S] [--seed N] [--only TEXT]`.

Simulates networks from what `costs.toml` says that things cost, and says what each would be limited by. Nothing of the
relayer runs; docs/concepts/scale.md explains the model and discusses what it says.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from typing import Final

from tests.bench.scale.inputs import Scenario, load_costs
from tests.bench.scale.report import HEADINGS, Finding, as_object, examine, row

_BASE: Final = Scenario()
_LARGE: Final = replace(_BASE, rate=500.0, hubs=10)
_QUARTERS: Final = replace(_LARGE, groups=4)

SCENARIOS: Final[dict[str, Scenario]] = {
    "4 nodes, 2 chains, 20/s": Scenario(chains=2, nodes=4, threshold=3, rate=20.0),
    "4 nodes, 2 chains, 500/s": Scenario(chains=2, nodes=4, threshold=3, rate=500.0),
    "4 nodes, 2 chains, 1000/s": Scenario(chains=2, nodes=4, threshold=3, rate=1_000.0),
    "19 nodes, 2 chains, 100/s": Scenario(chains=2, rate=100.0),
    "19 nodes, 2 chains, 500/s": Scenario(chains=2, rate=500.0),
    "100 chains, idle": replace(_BASE, rate=0.0),
    "100 chains, idle, 12 s blocks": replace(_BASE, rate=0.0, block_seconds=12.0),
    "100 chains, 10/s": replace(_BASE, rate=10.0),
    "100 chains, 50/s": replace(_BASE, rate=50.0),
    "100 chains, 100/s": _BASE,
    "100 chains, 500/s": replace(_BASE, rate=500.0),
    "100 chains, 100/s, 4 nodes": replace(_BASE, nodes=4, threshold=3),
    "100 chains, 100/s, 8 nodes": replace(_BASE, nodes=8, threshold=6),
    "100 chains, 100/s, 32 nodes": replace(_BASE, nodes=32, threshold=22),
    "100 chains, 100/s, windows of 4": replace(_BASE, window=4),
    "100 chains, 100/s, windows of 16": replace(_BASE, window=16, seconds=60.0),
    "100 chains, 500/s among 10": _LARGE,
    "the same, 2 groups": replace(_LARGE, groups=2),
    "the same, 4 groups": _QUARTERS,
    "the same, 4 groups, watchers": replace(_QUARTERS, watchers=True),
    "the same, 8 groups, watchers": replace(_LARGE, groups=8, watchers=True),
    "the same, 8 groups, watchers, windows of 4": replace(_LARGE, groups=8, watchers=True, window=4),
}


def main() -> None:
    """Run them all and print a table, or one JSON object."""
    options = argparse.ArgumentParser(prog="python -m tests.bench.scale", description=__doc__)
    options.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    options.add_argument("--seconds", type=float, help="simulated time of each scenario")
    options.add_argument("--seed", type=int, default=_BASE.seed)
    options.add_argument("--only", default="", metavar="TEXT", help="scenarios whose name has this text in it")
    given = options.parse_args()
    costs, found = load_costs(), dict[str, Finding]()
    for name, scenario in SCENARIOS.items():
        if given.only in name:
            seconds = given.seconds or scenario.seconds
            found[name] = examine(costs, replace(scenario, seed=given.seed, seconds=seconds))
            sys.stderr.write(f"{name}\n")
    if given.json:
        sys.stdout.write(json.dumps({name: as_object(finding) for name, finding in found.items()}, indent=2) + "\n")
        return
    lines = [HEADINGS, *(row(name, finding) for name, finding in found.items())]
    widths = [max(len(line[place]) for line in lines) for place in range(len(HEADINGS))]
    for line in lines:
        cells = [
            text.ljust(width) if place == 0 else text.rjust(width)
            for place, (text, width) in enumerate(zip(line, widths, strict=True))
        ]
        sys.stdout.write("  ".join(cells).rstrip() + "\n")


if __name__ == "__main__":
    main()
