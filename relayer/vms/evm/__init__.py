"""EVM chains: their JSON-RPC, our contracts there, and the registration by which the relayer finds them."""

from typing import Final

from relayer.ports.vm import VmRegistration
from relayer.vms.evm.commands import CastCommands
from relayer.vms.evm.connect import open_chain

registration: Final = VmRegistration("eip155", open_chain, CastCommands())
"""What the entry point `xvm.vms` names."""
