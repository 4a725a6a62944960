"""Which way a bench asks: from a chain of one VM to a chain of one, perhaps the same.

Its job: read the route, and say what devnet it takes and which of its chains are meant.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from relayer.devnet.bench.sides import require_sides
from relayer.devnet.kinds import registered_kinds
from relayer.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Route:
    """Two kinds of chains, by the names that `xvm devnet up --vms` has for them."""

    source: str
    destination: str

    def __str__(self) -> str:
        return f"{self.source}:{self.destination}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Of `SOURCE:DESTINATION`. Raises `ConfigError` if it is none, or names what cannot be measured."""
        source, _, destination = text.partition(":")
        if not (source and destination):
            raise ConfigError([f"--route {text}: two VMs, such as evm:svm"])
        try:
            require_sides([source, destination])
        except ConfigError as error:
            raise ConfigError([f"--route {text}: {fault}" for fault in error.faults]) from None
        return cls(source, destination)

    @property
    def vms(self) -> tuple[str, ...]:
        """The fewest chains that a devnet takes for it, as `DevnetSpec.vms` has them."""
        if self.source != self.destination:
            return (self.source, self.destination)
        return (self.source,) * (1 if registered_kinds()[self.source].chains > 1 else 2)

    def chains_of(self, description: Mapping[str, Any]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """Source and destination among the chains of a devnet's description: the first ones of their kinds."""
        chains = description["chains"]
        here = next(chain for chain in chains if _is_of(chain, self.source))
        return here, next(chain for chain in chains if chain is not here and _is_of(chain, self.destination))


def _is_of(chain: Mapping[str, Any], vm: str) -> bool:
    return str(chain["caip2"]).partition(":")[0] == registered_kinds()[vm].namespace
