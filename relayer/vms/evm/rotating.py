"""Bringing in a gateway's next signer set.

Its job: the `rotate` call of the gateway's verifier, simulated. Anybody may send it; the certificate is what counts.

Source: contracts/evm/src/interfaces/IXvmVerifier.sol.
"""

from __future__ import annotations

from attestation.signer_set import SignerSet
from relayer.errors import CallReverted
from relayer.ports.wallet import PreparedCall
from relayer.vms.bundling.trials import Trial
from relayer.vms.evm.calldata import encode_rotation
from relayer.vms.evm.gas import rotation_load
from relayer.vms.evm.simulation import Simulator


class Rotator:
    """Prepares rotations of one verifier (20-byte address) under a gas cap; `simulator` calls that verifier."""

    def __init__(self, simulator: Simulator, verifier: bytes, gas_cap: int) -> None:
        self._simulator = simulator
        self._verifier = verifier
        self._gas_cap = gas_cap

    async def prepare(self, signer_set: SignerSet, certificate: bytes) -> PreparedCall:
        """The call. Raises `CallReverted`, `RpcUnavailable`."""
        data = encode_rotation(signer_set, certificate)
        gas_limit = min(rotation_load(data, signer_set, certificate).gas, self._gas_cap)
        (finding,) = await self._simulator.run([Trial(data, gas_limit)])
        if finding.error:
            raise CallReverted(finding.error)
        return PreparedCall(self._verifier, data, gas_limit, min(finding.gas_used, gas_limit), 0, ())
