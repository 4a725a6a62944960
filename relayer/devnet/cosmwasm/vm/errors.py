"""How a run in the virtual machine ends early."""

from __future__ import annotations


class VmError(Exception):
    """The machine ended the run, not the contract. The text names why; it may differ between versions of nodes."""

    gas_used = 0
    """CosmWasm gas, as far as it was counted."""


class CodeRefusedError(VmError):
    """The gatekeeper, or the compiler, does not take this code."""


class VmOutOfGasError(Exception):
    """The run used up the gas that it was given."""
