"""How much a bench may ask."""

from __future__ import annotations

import pytest

from attestation.request import Mode
from relayer.devnet.bench.load import Load
from relayer.errors import ConfigError


@pytest.mark.parametrize(
    ("rate", "burst", "seconds", "count"), [(500.0, 0, 60.0, 30_000), (0.0, 40, 10.0, 40), (0.5, 0, 3.0, 1)]
)
def test_a_load_asks_its_rate_for_its_seconds_or_its_burst(rate: float, burst: int, seconds: float, count: int) -> None:
    assert Load(Mode.CALL, rate, burst, seconds).count == count


@pytest.mark.parametrize(
    ("rate", "burst", "seconds", "fault"),
    [
        (0.0, 0, 10.0, "either --rate R"),
        (5.0, 5, 10.0, "either --rate R"),
        (-1.0, 0, 10.0, "--rate -1"),
        (float("nan"), 0, 10.0, "--rate nan"),
        (float("inf"), 0, 10.0, "--rate inf"),
        (0.0, -5, 10.0, "--burst -5"),
        (0.0, 10**7, 10.0, "--burst 10000000"),
        (5.0, 0, 0.0, "--seconds 0"),
        (5.0, 0, float("nan"), "--seconds nan"),
        (0.01, 0, 10.0, "--rate 0.01 for --seconds 10 is 0 requests"),
        (10_000.0, 0, 10_000.0, "--rate 10000 for --seconds 10000 is 100000000 requests"),
    ],
)
def test_numbers_that_nobody_can_mean_are_refused(rate: float, burst: int, seconds: float, fault: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Load(Mode.CALL, rate, burst, seconds)
    (told,) = caught.value.faults
    assert told.startswith(fault)
