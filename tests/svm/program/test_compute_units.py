"""What the dearest instructions cost is published in `contracts/svm/compute_units.json`, and stays so.

After a change that is meant: `python -m tests.svm.program.compute_units > contracts/svm/compute_units.json`.
"""

from __future__ import annotations

import json

from tests.svm.program import idl
from tests.svm.program.compute_units import MAX_TRANSACTION_LENGTH, longest_certificate, measure


def test_compute_units_are_those_that_are_published() -> None:
    assert measure() == json.loads((idl.FOLDER / "compute_units.json").read_text())


def test_a_certificate_of_13_signatures_fits_a_transaction() -> None:
    assert longest_certificate() == 13
    assert MAX_TRANSACTION_LENGTH == 1232
