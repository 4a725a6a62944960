"""Which chain a VM's name means.

Its job: from `evm`, `cosmwasm` or `svm` to a chain that carries it: the only one of the devnet, or the one that is
named beside it.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path
from typing import Final

from attestation.address import parse_chain_text
from attestation.errors import AttestationError
from relayer.cli.devnet_file import load_devnet
from relayer.cli.usage import WrongUsage

_VMS: Final = "xvm.vms"
"""Entry points: a VM's name → its registration."""


def chain_of(end: str, vm: str, chain: str | None, devnet: Path | None) -> str:
    """CAIP-2 of the chain. `end` is `source` or `target`. Without a devnet, `chain` is CAIP-2. Raises `WrongUsage`."""
    installed = entry_points(group=_VMS)
    if vm not in installed.names:
        raise WrongUsage([f"--{end}-vm: {vm!r}: no such VM; there are {', '.join(sorted(installed.names))}"])
    namespace: str = installed[vm].load().namespace
    if devnet is None:
        if chain is None:
            raise WrongUsage([f"--{end}-chain: without a devnet, the chain is named as CAIP-2"])
        known = {_caip2(end, chain): chain}
    else:
        known = {each.caip2: each.name for each in load_devnet(devnet).chains}
    found = [
        caip2 for caip2, name in known.items() if caip2.partition(":")[0] == namespace and chain in {None, caip2, name}
    ]
    if not found:
        raise WrongUsage([f"--{end}-vm: no chain {chain or 'here'} carries {vm}"])
    if len(found) > 1:
        names = ", ".join(known[caip2] for caip2 in found)
        raise WrongUsage([f"--{end}-chain: several chains carry {vm}: {names}; name one"])
    return found[0]


def _caip2(end: str, text: str) -> str:
    try:
        return str(parse_chain_text(text))
    except AttestationError as error:
        raise WrongUsage([f"--{end}-chain: {error}"]) from None
