"""Is every finding of Slither answered? Compares its JSON report with docs/reference/slither.md.

Its job: name what is found and not answered, and what is answered and no longer found. It judges no answer and runs
nothing: contracts/evm/script/slither.sh does.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

ANSWERS = Path(__file__).resolve().parent.parent / "docs" / "reference" / "slither.md"
_SOURCES = "src/"
_LEFT_OUT = "src/mock/"
"""Plays gateways in the tests of others, hostile ones among them; holds nothing and is deployed nowhere."""
_EVERYWHERE = "everywhere"
_ROW = re.compile(r"^\| `([a-z0-9-]+)` \| (.+?) \| .+ \|$", re.MULTILINE)
_PLACE = re.compile(r"`([^`]+)`")

Finding = tuple[str, str]
"""Detector, and place: `Contract.function`, `Contract.variable` or `Contract`."""


def place_of(element: dict[str, Any]) -> str:
    """Where a finding stands, by names, so that an edit elsewhere in the file does not move it."""
    names = [element["name"].partition("(")[0]]
    while parent := element.get("type_specific_fields", {}).get("parent"):
        if parent["type"] != "contract" and parent["type"] != "function":
            break
        names.append(parent["name"].partition("(")[0])
        element = parent
    return ".".join(reversed(names))


def findings_of(report: dict[str, Any]) -> set[Finding]:
    """What was found in our own sources."""
    found = set()
    for finding in report["results"].get("detectors", []):
        element = finding["elements"][0]
        file = element["source_mapping"]["filename_relative"]
        if file.startswith(_SOURCES) and not file.startswith(_LEFT_OUT):
            found.add((finding["check"], place_of(element)))
    return found


def answers_of(page: str) -> set[Finding]:
    """What the page's tables answer."""
    answered = set()
    for detector, places in _ROW.findall(page):
        named = [_EVERYWHERE] if places == _EVERYWHERE else _PLACE.findall(places)
        answered |= {(detector, place) for place in named}
    return answered


def main(report: Path) -> int:
    """Print the faults; 0 if there are none."""
    content = json.loads(report.read_text("utf-8"))
    if not content["success"]:
        print(f"slither failed: {content['error']}", file=sys.stderr)
        return 1
    found, answered = findings_of(content), answers_of(ANSWERS.read_text("utf-8"))
    everywhere = {detector for detector, place in answered if place == _EVERYWHERE}
    open_ = sorted(finding for finding in found - answered if finding[0] not in everywhere)
    stale = sorted(
        (detector, place)
        for detector, place in answered - found
        if place != _EVERYWHERE or detector not in {check for check, _ in found}
    )
    for detector, place in open_:
        print(f"not answered: {detector} at {place}", file=sys.stderr)
    for detector, place in stale:
        print(f"answered, but not found any more: {detector} at {place}", file=sys.stderr)
    print(f"slither: {len(found)} findings, {len(open_)} not answered, {len(stale)} answers too many")
    return 1 if open_ or stale else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
