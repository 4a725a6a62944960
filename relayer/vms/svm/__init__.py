"""Solana chains: their JSON-RPC, our program there, and the registration by which the relayer finds them."""

from typing import Final

from relayer.errors import ConfigError
from relayer.ports.vm import ChainSettings, OpenChain, VmRegistration


async def _open_chain(settings: ChainSettings) -> OpenChain:
    """Connect. Raises `ConfigError`, also where the library for Solana's formats is not installed."""
    try:
        # A node without Solana chains neither needs the library nor waits for it.
        from relayer.vms.svm.opening import open_chain  # noqa: PLC0415
    except ModuleNotFoundError as missing:
        if missing.name is None or missing.name.partition(".")[0] != "solders":
            raise
        raise ConfigError([f"{settings.caip2} needs solders: install the extra `svm`"]) from None
    return await open_chain(settings)


registration: Final = VmRegistration("solana", _open_chain)
"""What the entry point `xvm.vms` names."""
