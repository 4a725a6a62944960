"""A build of the program `xvm` whose node lies: `python -m tests.chaos.byzantine run --config FILE`.

Its job: put lying parts where the composition root takes its honest ones. All else is the same code.
"""

from __future__ import annotations

import os
import random
from collections.abc import Mapping

from attestation.address import Namespace, parse_chain_text
from relayer import service
from relayer.cli.app import main as xvm
from relayer.domain.policy import SpendPolicy
from relayer.stages.desk import Desk
from relayer.stages.inbox import Inbox
from relayer.stages.stage import Stage
from tests.chaos.byzantine.lies import SEED_VARIABLE, Lies
from tests.chaos.byzantine.parts import LyingInbox, LyingPeers, LyingSigner, RepeatStage


def main() -> None:
    """Run the command line of the lying build."""
    lies = Lies(random.Random(os.environ.get(SEED_VARIABLE, "0")))
    honest_stages = service._stages

    def stages(desk: Desk, inbox: Inbox, policy: SpendPolicy, start_blocks: Mapping[str, int]) -> list[Stage]:
        # What it repeats, it repeats on EVM chains.
        repeaters = [
            RepeatStage(chain, parsed.chain_id, lies)
            for parsed, chain in ((parse_chain_text(name), chain) for name, chain in desk.chains.items())
            if parsed.namespace is Namespace.EIP155
        ]
        return [*honest_stages(desk, inbox, policy, start_blocks), *repeaters]

    LyingSigner.lies = LyingPeers.lies = LyingInbox.lies = lies
    service.LocalSigner = LyingSigner
    service.HttpPeers = LyingPeers
    service.Inbox = LyingInbox
    service._stages = stages
    xvm()


if __name__ == "__main__":
    main()
