"""Do the contracts' tests reach enough branches? Reads forge's lcov report.

Its job: say the figure over contracts/evm/src (examples and mocks apart), name every branch that no test reaches, and
fail below the bar. It runs nothing: contracts/evm/script/coverage.sh does.
"""

from __future__ import annotations

import sys
from pathlib import Path

BAR_PERCENT = 97
_COUNTED = "src/"
_NOT_COUNTED = ("src/examples/", "src/mock/")


def branches_of(report: str) -> dict[tuple[str, int, str], bool]:
    """(file, line, branch) → whether a test reached it, of an lcov report's counted files."""
    reached: dict[tuple[str, int, str], bool] = {}
    name = ""
    for line in report.splitlines():
        kind, _, value = line.partition(":")
        if kind == "SF":
            name = value
        elif kind == "BRDA" and name.startswith(_COUNTED) and not name.startswith(_NOT_COUNTED):
            number, block, branch, taken = value.split(",")
            reached[name, int(number), f"{block}.{branch}"] = taken not in {"-", "0"}
    return reached


def main(report: Path) -> int:
    """Print figure and gaps; 0 at or above the bar."""
    branches = branches_of(report.read_text("utf-8"))
    missing = [place for place, reached in branches.items() if not reached]
    for name, line, branch in missing:
        print(f"not reached: contracts/evm/{name}:{line}, branch {branch}")
    percent = 100 * (len(branches) - len(missing)) / len(branches) if branches else 0.0
    print(
        f"branches reached: {len(branches) - len(missing)} of {len(branches)}, {percent:.1f} % (bar: {BAR_PERCENT} %)"
    )
    return 0 if percent >= BAR_PERCENT else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
