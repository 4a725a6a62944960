"""A Solana chain as the place where requests are executed and questions are answered.

Its job: the port `PresentVm`: the transactions that run or end what is not consumed yet, and the reading of QUERYs in
the state that is final now. It must not judge whether an execution pays.

Source: contracts/svm/src/destination.h.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from attestation.request import Request
from relayer.ports.destination_vm import Answer
from relayer.ports.source_chain import CertifiedBatch, Preparation
from relayer.vms.svm.answers import AnswerReader
from relayer.vms.svm.chain import ChainParts, SvmChain
from relayer.vms.svm.executing import Executor


class SvmDestination(SvmChain):
    """The executing and answering side."""

    def __init__(self, parts: ChainParts, executor: Executor, answers: AnswerReader) -> None:
        super().__init__(parts)
        self._executor = executor
        self._answers = answers

    @property
    def reads_history(self) -> Literal[False]:
        """Nodes tell the newest state of a commitment, and no older one."""
        return False

    async def prepare_execute(self, batches: Sequence[CertifiedBatch], payee: bytes) -> Preparation:
        """Executions, simulated; what M endpoints know as consumed is `settled`."""
        return await self._executor.prepare(batches, payee, is_expiring=False)

    async def prepare_expire(self, batches: Sequence[CertifiedBatch], payee: bytes) -> Preparation:
        """The same for requests past their expiry by the chain's clock."""
        return await self._executor.prepare(batches, payee, is_expiring=True)

    async def fetch_present_answers(self, requests: Sequence[Request]) -> Sequence[Answer | None]:
        """What each QUERY reads in final state, in order; None where M endpoints do not read the same."""
        return await self._answers.read(requests)
