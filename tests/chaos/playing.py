"""Plays the plan of a storm.

Its job: each fault at its time, healed at its end, and a count of what was really played. It draws nothing.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

from relayer.vms.evm import interface
from tests.chaos.crew import Crew
from tests.chaos.evm_side import EvmSide
from tests.chaos.kinds import Sides
from tests.chaos.plan import Fault, FaultKind, Lie, Plan
from tests.chaos.proxy import LyingProxy

AIM_SECONDS = 4.0
"""How long an aimed reorg waits for a block with a relayer's transaction."""

_AIM_LOOK_SECONDS = 0.1

_MINING_ENDS_SECONDS = 0.5
"""For a block that is being mined when mining is stopped: tens of milliseconds on an idle machine."""

_REORG_ATTEMPTS = 5
_NAMES = {
    f"0x{interface.selector(signature).hex()}": name
    for name, signature in (
        ("execute", interface.EXECUTE),
        ("deliver", interface.DELIVER),
        ("expire", interface.EXPIRE),
    )
}


class Player:
    """`wallets` are the relayers' accounts. `played` counts faults; `dropped` what reorgs took out of blocks."""

    def __init__(
        self,
        crew: Crew,
        proxy: LyingProxy,
        sides: Sides,
        wallets: Sequence[bytes],
    ) -> None:
        self._crew = crew
        self._proxy = proxy
        self._sides = sides
        self._wallets = {f"0x{wallet.hex()}" for wallet in wallets}
        self.played: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()

    async def play(self, plan: Plan) -> None:
        """All of it, to its end; everything is healed then."""
        self._began = asyncio.get_running_loop().time()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._play_faults(plan.faults))
            tasks.create_task(self._play_reorgs(plan.reorgs))
            tasks.create_task(self._play_slot_faults(plan.slot_faults))
            tasks.create_task(self._play_instant_faults(plan.instant_faults))
            for where in sorted({(lie.node, lie.chain) for lie in plan.lies}):
                tasks.create_task(self._play_lies([lie for lie in plan.lies if (lie.node, lie.chain) == where]))
        await self._crew.heal()

    async def _until(self, at: float) -> None:
        await asyncio.sleep(max(0.0, self._began + at - asyncio.get_running_loop().time()))

    async def _play_faults(self, faults: Sequence[Fault]) -> None:
        for fault in faults:
            await self._until(fault.at)
            await self._play(fault)

    async def _play(self, fault: Fault) -> None:
        count = len(fault.subjects)
        self.played[fault.kind if count == 1 else f"{fault.kind}, {count} at once"] += 1
        names = [f"chain-{name}" for name in fault.subjects] if fault.kind is FaultKind.FREEZE_CHAIN else fault.subjects
        for name in names:
            if fault.kind is FaultKind.KILL:
                self._crew.kill(name)
            else:
                self._crew.freeze(name)
        await asyncio.sleep(fault.seconds)
        for name in names:
            if fault.kind is FaultKind.KILL:
                await self._crew.start(name)
            else:
                self._crew.thaw(name)

    async def _play_lies(self, lies: Sequence[Lie]) -> None:
        for lie in lies:
            await self._until(lie.at)
            where = (lie.node, lie.chain)
            await self._proxy.tell(where, lie.kind)
            await self._until(lie.at + lie.seconds)
            self._proxy.lies.pop(where, None)

    async def _play_reorgs(self, reorgs: Sequence[Fault]) -> None:
        for fault in reorgs:
            await self._until(fault.at)
            side = self._sides.evm[fault.subjects[0]]
            if fault.is_aimed:
                await self._aim(side)
            await self._reorganise(side, fault.depth)
            self.played[FaultKind.REORG] += 1

    async def _play_slot_faults(self, faults: Sequence[Fault]) -> None:
        for fault in faults:
            await self._until(fault.at)
            rpc = self._sides.svm[fault.subjects[0]].rpc
            match fault.kind:
                case FaultKind.SKIP_SLOTS:
                    await rpc.call("devnet_skipSlots", fault.depth)
                case FaultKind.EXPIRE:
                    await rpc.call("devnet_advanceSlots", fault.depth)
                case FaultKind.LAG:
                    await rpc.call("devnet_setLag", fault.depth)
                case FaultKind.LATE_STATUSES:
                    tip = await rpc.number()
                    await rpc.call("devnet_hideStatuses", tip, tip + fault.depth)
                case _:
                    await rpc.call("devnet_dropSockets")
            await asyncio.sleep(fault.seconds)
            if fault.kind is FaultKind.LAG:
                await rpc.call("devnet_setLag", 0)
            elif fault.kind is FaultKind.LATE_STATUSES:
                await rpc.call("devnet_hideStatuses", 0, 0)
            self.played[fault.kind] += 1

    async def _play_instant_faults(self, faults: Sequence[Fault]) -> None:
        for fault in faults:
            await self._until(fault.at)
            rpc = self._sides.cosmwasm[fault.subjects[0]].rpc
            match fault.kind:
                case FaultKind.LAG:
                    await rpc.call("devnet_setLag", fault.depth)
                case FaultKind.PRUNE:
                    await rpc.call("devnet_prune", await rpc.number() - fault.depth)
                case FaultKind.LOSE:
                    await rpc.call("devnet_loseTransactions", fault.depth)
                case _:
                    await rpc.call("devnet_dropSockets")
            await asyncio.sleep(fault.seconds)
            if fault.kind is FaultKind.LAG:
                await rpc.call("devnet_setLag", 0)
            elif fault.kind is FaultKind.PRUNE:
                await rpc.call("devnet_prune", 0)
            self.played[fault.kind] += 1

    async def _reorganise(self, side: EvmSide, depth: int) -> None:
        """Replace the newest blocks.

        A block that anvil mines by its interval within a reorg leaves heights without a block behind, for good. So
        mining is stopped, what is under way is waited for, and a hole is replaced at once.
        """
        await side.rpc.call("evm_setIntervalMining", 0)
        await asyncio.sleep(_MINING_ENDS_SECONDS)
        tip = await side.rpc.number()
        for block in await self._blocks(side, range(tip - depth + 1, tip + 1)):
            self._count_dropped(side, block)
        for _ in range(_REORG_ATTEMPTS):
            await side.rpc.call("anvil_reorg", depth, [])
            tip = await side.rpc.number()
            if len(await self._blocks(side, range(tip - depth, tip + 1))) == depth + 1:
                break
        await side.rpc.call("evm_setIntervalMining", side.block_seconds)

    async def _aim(self, side: EvmSide) -> None:
        """Until the latest block holds a relayer's transaction, or patience is over."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + AIM_SECONDS
        while loop.time() < deadline:
            block = await side.rpc.call("eth_getBlockByNumber", "latest", True)  # noqa: FBT003 - whole transactions
            if any(sent["from"] in self._wallets for sent in block["transactions"]):
                return
            await asyncio.sleep(_AIM_LOOK_SECONDS)

    @staticmethod
    async def _blocks(side: EvmSide, numbers: range) -> list[dict]:
        found = await side.rpc.batch([("eth_getBlockByNumber", [hex(number), True]) for number in numbers])
        return [block for block in found if isinstance(block, dict)]

    def _count_dropped(self, side: EvmSide, block: dict) -> None:
        users = {f"0x{account.address.hex()}" for account in side.accounts}
        for sent in block["transactions"]:
            if sent["from"] in self._wallets:
                self.dropped[_NAMES.get(sent["input"][:10], "other")] += 1
            elif sent["from"] in users:
                self.dropped["request"] += 1
