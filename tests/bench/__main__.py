"""All micro-benchmarks as one JSON object: `make bench-micro`. Asserts nothing: machines differ."""

from __future__ import annotations

import sys

import orjson

from tests.bench import evm, peers, signatures, store

PARTS = (evm, signatures, store, peers)


def main() -> None:
    """Each part's figures under its name."""
    figures = {part.__name__.rpartition(".")[2]: part.measure() for part in PARTS}
    sys.stdout.write(orjson.dumps(figures, option=orjson.OPT_INDENT_2).decode() + "\n")


if __name__ == "__main__":
    main()
