"""Bringing in a gateway's next signer set.

Its job: the next transaction on the way to the gateway's `rotate`: the certificate, then the set in pieces where it is
too long for a transaction, then the rotation itself. Anybody may send each of them; the certificate is what counts.

Source: contracts/svm/src/certificates.h, epochs.h.
"""

from __future__ import annotations

from typing import Final

from attestation.certificate import parse_certificate
from attestation.merkle import merkle_root
from attestation.signer_set import SignerSet, signer_set_hash
from attestation.statement import Rotate
from relayer.errors import CallReverted, RpcUnavailable
from relayer.ports.wallet import PreparedCall
from relayer.vms.svm.accounts import Epoch, Root, Stage
from relayer.vms.svm.acting import Acting
from relayer.vms.svm.certifying import BELOW_THRESHOLD
from relayer.vms.svm.costs import SIGNATURE_LAMPORTS, epoch_rent
from relayer.vms.svm.preparing import Plan, Progress
from relayer.vms.svm.transactions import MAX_COMPUTE_UNITS, draft_of, is_fitting

_NOT_CURRENT_EPOCH: Final = "NotCurrentEpoch"


class Rotator:
    """Prepares rotations."""

    def __init__(self, acting: Acting) -> None:
        self._acting = acting

    async def prepare(self, signer_set: SignerSet, certificate: bytes) -> PreparedCall:
        """The next transaction. Raises `CallReverted`, `RpcUnavailable`."""
        acting = self._acting
        former = parse_certificate(certificate).epoch
        root = acting.certifier.root(
            merkle_root([Rotate(signer_set_hash(signer_set), former + 1).leaf]), 1, certificate
        )
        step = acting.instructions.rotate(signer_set, former, root.key)
        stage_key, next_key = acting.stager.key_of(step.data), acting.addresses.epoch(former + 1)
        states = await acting.states.fetch([root.key, stage_key, next_key])
        if not all(map(states.is_known, (root.key, stage_key, next_key))):
            raise RpcUnavailable("the endpoints do not agree on how far the rotation is")
        if states.get(Epoch, next_key) is not None:
            raise CallReverted(_NOT_CURRENT_EPOCH)
        plans: list[Plan] = []
        progress = Progress()
        if acting.certify(root, states.get(Root, root.key), (), plans, progress):
            draft = draft_of(acting.payer, [step])
            if not is_fitting(draft):
                plans = acting.stager.plans(step.data, states.get(Stage, stage_key), ())
                draft = draft_of(acting.payer, acting.stager.using(step))
            value = SIGNATURE_LAMPORTS + epoch_rent(len(signer_set.signers))
            plans = plans or [Plan(draft, MAX_COMPUTE_UNITS, value, ())]
        if not plans:
            raise CallReverted(BELOW_THRESHOLD)
        (finding,) = await acting.preparer.try_all(plans[:1])
        if finding.error:
            raise CallReverted(finding.error)
        return acting.preparer.call_of(plans[0], finding)
