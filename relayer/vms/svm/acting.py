"""What everything that is sent to one gateway is made with.

Its job: to hold the parts that executing, delivering and rotating share, and the one step that all of them begin with:
a batch has to be certified. It must not know which of them it serves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from solders.pubkey import Pubkey

from attestation.request import RequestId
from relayer.vms.jsonrpc.endpoints import EndpointPool
from relayer.vms.svm.accounts import Root
from relayer.vms.svm.addresses import GatewayAddresses
from relayer.vms.svm.certifying import BELOW_THRESHOLD, CertifiedRoot, Certifier
from relayer.vms.svm.costs import SIGNATURE_LAMPORTS
from relayer.vms.svm.fates import FateReader
from relayer.vms.svm.instructions import GatewayInstructions
from relayer.vms.svm.preparing import Plan, Preparer, Progress
from relayer.vms.svm.shelf import Shelf
from relayer.vms.svm.simulation import Simulator
from relayer.vms.svm.staging import Stager
from relayer.vms.svm.states import StateReader
from relayer.vms.svm.succession import Succession
from relayer.vms.svm.tabling import TableKeeper


class Acting:
    """The account `payer` at the gateway of `addresses`. No transaction gets more than `unit_cap` compute units.

    `clock` is monotonic seconds.
    """

    def __init__(
        self,
        pool: EndpointPool,
        addresses: GatewayAddresses,
        payer: Pubkey,
        unit_cap: int,
        clock: Callable[[], float],
    ) -> None:
        self.addresses: Final = addresses
        self.payer: Final = payer
        self.instructions: Final = GatewayInstructions(addresses, payer)
        self.states: Final = StateReader(pool, addresses.program)
        self.fates: Final = FateReader(pool)
        self.simulator: Final = Simulator(pool, addresses.program)
        self.preparer: Final = Preparer(self.simulator, addresses.program, unit_cap)
        self.certifier: Final = Certifier(addresses, self.instructions, payer)
        self.stager: Final = Stager(self.instructions, payer, addresses.program)
        self.tables: Final = TableKeeper(pool, self.states, self.stager, self.instructions, payer)
        self.shelf: Final = Shelf(clock)
        self.succession: Final = Succession(clock)

    def certify(
        self,
        root: CertifiedRoot,
        state: Root | None,
        serves: Sequence[RequestId],
        plans: list[Plan],
        progress: Progress,
    ) -> bool:
        """Whether the gateway counts the batch as certified; else what brings that about is added to `plans`."""
        # SECURITY: a root may be there with some signatures only, and nothing can be executed by it.
        if state is not None and state.is_complete:
            return True
        drafts = self.certifier.drafts(root, state)
        if not drafts:
            progress.refuse(serves, BELOW_THRESHOLD)
        for draft, compute_units in drafts:
            plans.append(Plan(draft, compute_units, SIGNATURE_LAMPORTS, tuple(serves), is_groundwork=True))
        return False
