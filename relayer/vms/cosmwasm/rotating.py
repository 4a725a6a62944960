"""Bringing in a gateway's next signer set.

Its job: the gateway's `rotate`, simulated. Anybody may send it; the certificate is what counts.

Source: contracts/cosmwasm/gateway.
"""

from __future__ import annotations

from attestation.signer_set import SignerSet
from relayer.errors import CallReverted
from relayer.ports.wallet import PreparedCall
from relayer.vms.bundling.trials import Trial, Trier
from relayer.vms.cosmwasm.gas import rotation_load, with_margin
from relayer.vms.cosmwasm.limits import GasLimits
from relayer.vms.cosmwasm.messages import encode_rotation


class Rotator:
    """Prepares rotations of one gateway (32 bytes)."""

    def __init__(self, trier: Trier, gateway: bytes, limits: GasLimits) -> None:
        self._trier = trier
        self._gateway = gateway
        self._limits = limits

    async def prepare(self, signer_set: SignerSet, certificate: bytes) -> PreparedCall:
        """The call. Raises `CallReverted`, `RpcUnavailable`."""
        data = encode_rotation(signer_set, certificate)
        gas_cap = await self._limits.fetch_gas_cap()
        sufficient = min(rotation_load(data, signer_set, certificate).gas, gas_cap)
        (finding,) = await self._trier.run([Trial(data, sufficient)])
        if finding.error:
            raise CallReverted(finding.error)
        gas_limit = min(max(sufficient, with_margin(finding.gas_used)), gas_cap)
        return PreparedCall(self._gateway, data, gas_limit, gas_limit, 0, ())
