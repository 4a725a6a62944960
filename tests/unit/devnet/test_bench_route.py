"""Which chains a bench is about."""

from __future__ import annotations

import pytest

from relayer.devnet.bench.route import Route
from relayer.errors import ConfigError

EVM, OTHER_EVM, SOLANA, OTHER_SOLANA = (
    {"name": name, "caip2": caip2}
    for name, caip2 in (
        ("alpha", "eip155:31337"),
        ("beta", "eip155:31338"),
        ("gamma", "solana:aaaa"),
        ("delta", "solana:bbbb"),
    )
)


@pytest.mark.parametrize(
    ("text", "vms", "chains"),
    [
        ("evm:evm", ("evm",), (EVM, OTHER_EVM)),
        ("evm:svm", ("evm", "svm"), (EVM, SOLANA)),
        ("svm:evm", ("svm", "evm"), (SOLANA, EVM)),
        ("svm:svm", ("svm", "svm"), (SOLANA, OTHER_SOLANA)),
    ],
)
def test_a_route_names_two_kinds_of_chains_and_takes_the_first_of_each(
    text: str, vms: tuple[str, ...], chains: tuple[object, object]
) -> None:
    route = Route.parse(text)
    assert (str(route), route.vms) == (text, vms)
    assert route.chains_of({"chains": [EVM, OTHER_EVM, SOLANA, OTHER_SOLANA]}) == chains


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("evm", "two VMs"),
        ("evm:", "two VMs"),
        (":svm", "two VMs"),
        ("evm:pigeon", "pigeon: no such VM to measure"),
        ("evm:svm:evm", "svm:evm: no such VM"),
    ],
)
def test_what_names_no_two_kinds_that_can_be_measured_is_refused(text: str, fault: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Route.parse(text)
    (told,) = caught.value.faults
    assert told.startswith(f"--route {text}: ")
    assert fault in told
