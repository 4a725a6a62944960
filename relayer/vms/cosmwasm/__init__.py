"""CosmWasm chains: CometBFT's JSON-RPC, our contract there, and the registration by which the relayer finds them."""

from typing import Final

from relayer.ports.vm import VmRegistration
from relayer.vms.cosmwasm.commands import WasmdCommands
from relayer.vms.cosmwasm.opening import open_chain

registration: Final = VmRegistration("cosmos", open_chain, WasmdCommands())
"""What the entry point `xvm.vms` names."""
