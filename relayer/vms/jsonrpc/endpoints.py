"""The N endpoints of one chain, of which M must say the same.

Its job: ask several endpoints and believe what M of them agree on, whatever the others say or fail to say; prefer the
quick and healthy ones. SECURITY: one poisoned RPC is never believed alone: whatever can lead to a signature goes
through `vote`. It must not know what is being asked.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any, Final, Generic, NamedTuple, Self, TypeVar

import structlog

from relayer.errors import RpcUnavailable
from relayer.vms.jsonrpc.rpc import RpcCall, RpcEndpoint, require_result

_FIRST_BACKOFF_SECONDS: Final = 0.5
_MAX_BACKOFF_SECONDS: Final = 30.0
"""An endpoint that fails is asked last for so long, doubling; after the longest it is noticed soon when it is back."""

_HEDGE_PART: Final = 0.1
"""Part of the request timeout after which one more endpoint is asked, so that a hanging one costs little."""

_LATENCY_MEMORY: Final = 0.8
"""Weight of the past in an endpoint's average latency."""

_PARSE_FAULTS: Final = (LookupError, ValueError, TypeError, OverflowError, AttributeError)
"""What a parser raises that met an answer of a shape nobody thought of.

SECURITY: parsers are to raise `RpcUnavailable`; where one does not, a single hostile endpoint must not end the process,
so that in `ask` these are that endpoint's fault. It is no `except Exception`: what no answer can bring about (a failed
assertion, exhausted memory, a broken store, a fault of ours elsewhere) still ends it: then nothing is to be trusted.
"""

T = TypeVar("T")

_log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(__name__)


class ChainProbe(NamedTuple):
    """How an endpoint tells which chain it serves: a cheap call, and whether its result is this chain's.

    `caip2` names the chain in logs. `is_served` raises `RpcUnavailable` for what is no answer to the call.
    """

    caip2: str
    call: RpcCall
    is_served: Callable[[Any], bool]


@dataclass(frozen=True, slots=True)
class Verdict(Generic[T]):
    """What came of one item: the value that M endpoints gave, or None; `is_disputed` if given values differed."""

    value: T | None
    is_disputed: bool


@dataclass(slots=True)
class Member:
    """An endpoint and how it has behaved. Times are in seconds of the pool's clock."""

    endpoint: RpcEndpoint
    is_verified: bool = False
    is_behind: bool = False
    failures: int = 0
    resume_at: float = 0.0
    latency_seconds: float = 0.0


@dataclass(slots=True)
class _Tally(Generic[T]):
    """The values given for one item, each with those who gave it."""

    voices: list[tuple[T, list[Member]]] = field(default_factory=list)

    def add(self, value: T, member: Member) -> None:
        for known, members in self.voices:
            if known == value:
                members.append(member)
                return
        self.voices.append((value, [member]))

    def agreed(self, quorum: int) -> T | None:
        return next((value for value, members in self.voices if len(members) >= quorum), None)


class EndpointPool:
    """The endpoints of the chain that `probe` names. `clock` is monotonic seconds, `jitter` gives 0 to 1."""

    def __init__(
        self,
        endpoints: Iterable[RpcEndpoint],
        quorum: int,
        probe: ChainProbe,
        timeout_seconds: float,
        clock: Callable[[], float],
        jitter: Callable[[], float],
    ) -> None:
        self.members: Final = tuple(Member(endpoint) for endpoint in endpoints)
        self.quorum: Final = quorum
        if not 0 < quorum <= len(self.members):
            raise ValueError("a quorum of endpoints is 1 to as many as there are")
        self._probe = probe
        self._hedge_seconds = timeout_seconds * _HEDGE_PART
        self._clock = clock
        self._jitter = jitter

    async def vote(
        self, ask: Callable[[RpcEndpoint], Awaitable[Sequence[T | None]]], *, at_tip: bool = False
    ) -> tuple[Verdict[T], ...]:
        """Ask until every item has M equal values, or all endpoints have spoken. Values are compared by `==`.

        `ask` gives equally many items from every endpoint, None for what the endpoint does not know: that is no voice,
        so that one which lags contradicts nobody. `at_tip`: honest endpoints may differ for a moment, so that nobody is
        blamed for being outvoted.

        Raises:
            RpcUnavailable: fewer than M endpoints answered at all.
        """
        if len(self.members) == 1:
            (answers,) = await self._ask_only(ask)
            return tuple(Verdict(value, is_disputed=False) for value in answers)
        tallies: list[_Tally[T]] = []
        async with _Poll(self, ask) as poll:
            while not self._is_decided(tallies) and (poll.ask_at_least(self.quorum) or poll.ask_one_more()):
                heard = await poll.hear(self._hedge_seconds)
                if heard is None:
                    poll.ask_one_more()
                    continue
                for member, answer in heard:
                    tallies = tallies or [_Tally() for _ in answer]
                    for tally, value in zip(tallies, answer, strict=True):
                        if value is not None:
                            tally.add(value, member)
        poll.require(self.quorum)
        return self._judge(tallies, is_blaming=not at_tip)

    async def each(self, ask: Callable[[RpcEndpoint], Awaitable[T]]) -> list[T]:
        """What every endpoint that answers in good time says: M answers at least, and no long wait for the rest.

        Raises:
            RpcUnavailable: fewer than M endpoints answered.
        """
        if len(self.members) == 1:
            return await self._ask_only(ask)
        now = self._clock()
        async with _Poll(self, ask) as poll:
            poll.ask_at_least(sum(1 for member in self.members if member.resume_at <= now))
            while poll.ask_at_least(self.quorum):
                heard = await poll.hear(self._hedge_seconds)
                if heard is None and len(poll.answers) >= self.quorum:
                    break
        poll.require(self.quorum)
        return [answer for _, answer in poll.answers]

    async def first(self, ask: Callable[[RpcEndpoint], Awaitable[T]]) -> T:
        """What the first endpoint that answers says. SECURITY: for nothing that leads to a signature.

        Raises:
            RpcUnavailable: none answered.
        """
        async with _Poll(self, ask) as poll:
            while poll.ask_at_least(1):
                # SECURITY: one that answers our probes and nothing else could keep us waiting once a call.
                if await poll.hear(self._hedge_seconds) is None:
                    poll.ask_one_more()
                elif poll.answers:
                    break
        poll.require(1)
        return poll.answers[0][1]

    def reached(self, values: Iterable[int]) -> int:
        """The highest number that M of the values reach: M liars are needed to raise it, N - M + 1 to lower it."""
        return sorted(values, reverse=True)[self.quorum - 1]

    async def find_foreign(self) -> list[str]:
        """Labels of the endpoints that serve another chain. Those that do not answer are looked at when they do."""
        foreign: list[str] = []

        async def look(member: Member) -> None:
            try:
                if not await self._serves_chain(member.endpoint):
                    foreign.append(member.endpoint.label)
                else:
                    member.is_verified = True
            except RpcUnavailable as error:
                self._note_failure(member, str(error))

        async with asyncio.TaskGroup() as group:
            for member in self.members:
                group.create_task(look(member))
        return foreign

    def note_heights(self, heights: Mapping[RpcEndpoint, int]) -> None:
        """Remember who lags behind the height that M have reached: they are asked after the others."""
        tip = self.reached(heights.values())
        for member in self.members:
            if member.endpoint in heights:
                member.is_behind = heights[member.endpoint] < tip

    def by_preference(self) -> list[Member]:
        """All members, those first that are well, up to date and quick."""
        now = self._clock()
        return sorted(self.members, key=lambda m: (m.resume_at > now, m.is_behind, m.latency_seconds))

    async def ask(self, member: Member, ask: Callable[[RpcEndpoint], Awaitable[T]]) -> T:
        """Ask one member, and remember how it went. Raises `RpcUnavailable`."""
        started = self._clock()
        try:
            # SECURITY: an endpoint of another chain answers plausibly; none is heard before it has said which it is.
            if not member.is_verified:
                if not await self._serves_chain(member.endpoint):
                    raise RpcUnavailable(f"{member.endpoint.label} serves another chain")  # noqa: TRY301
                member.is_verified = True
            answer = await ask(member.endpoint)
        except _PARSE_FAULTS as error:
            # The error's text may quote the answer, so that its kind and the line that met it are all that is kept.
            met_at = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{PurePath(met_at.filename).name}:{met_at.lineno}"
            reason = f"{member.endpoint.label} answered with what no parser takes: {type(error).__name__} at {place}"
            self._note_failure(member, reason)
            raise RpcUnavailable(reason) from None
        except RpcUnavailable as error:
            self._note_failure(member, str(error))
            raise
        except asyncio.CancelledError:
            # The others were enough. Whoever kept them waiting is asked last, or it would do so every time.
            if self._clock() - started >= self._hedge_seconds:
                self._note_failure(member, "slow")
            raise
        latency = self._clock() - started
        past = member.latency_seconds or latency
        member.latency_seconds = _LATENCY_MEMORY * past + (1 - _LATENCY_MEMORY) * latency
        member.failures = 0
        return answer

    async def _ask_only(self, ask: Callable[[RpcEndpoint], Awaitable[T]]) -> list[T]:
        """The answer of the one endpoint that there is: nobody else to ask, to hedge with or to wait for."""
        try:
            return [await self.ask(self.members[0], ask)]
        except RpcUnavailable as error:
            raise _too_few(0, 1, [str(error)]) from None

    async def _serves_chain(self, endpoint: RpcEndpoint) -> bool:
        (answer,) = await endpoint.call([self._probe.call])
        return self._probe.is_served(require_result(answer, endpoint))

    def _note_failure(self, member: Member, reason: str) -> None:
        backoff = min(_FIRST_BACKOFF_SECONDS * 2**member.failures, _MAX_BACKOFF_SECONDS)
        member.failures = min(member.failures + 1, 16)
        member.resume_at = self._clock() + backoff * (0.5 + self._jitter() / 2)
        _log.warning("rpc_endpoint_failed", chain=self._probe.caip2, endpoint=member.endpoint.label, reason=reason)

    def _is_decided(self, tallies: Sequence[_Tally[T]]) -> bool:
        return bool(tallies) and all(tally.agreed(self.quorum) is not None for tally in tallies)

    def _judge(self, tallies: Sequence[_Tally[T]], *, is_blaming: bool) -> tuple[Verdict[T], ...]:
        verdicts: list[Verdict[T]] = []
        outvoted: dict[str, Member] = {}
        for tally in tallies:
            value = tally.agreed(self.quorum)
            verdicts.append(Verdict(value, is_disputed=len(tally.voices) > 1))
            if value is not None and is_blaming:
                losers = (m for voice, members in tally.voices if voice != value for m in members)
                outvoted.update((m.endpoint.label, m) for m in losers)
        for member in outvoted.values():
            self._note_failure(member, "outvoted")
        return tuple(verdicts)


class _Poll(Generic[T]):
    """One question under way: who is still to be asked, who is being asked, and what came back."""

    def __init__(self, pool: EndpointPool, ask: Callable[[RpcEndpoint], Awaitable[T]]) -> None:
        self.answers: list[tuple[Member, T]] = []
        self._pool = pool
        self._ask = ask
        self._idle = pool.by_preference()
        self._running: dict[asyncio.Task[T], Member] = {}
        self._faults: list[str] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    def ask_at_least(self, count: int) -> bool:
        """Let so many have answered or be asked, while endpoints last. Whether anybody is being asked."""
        while self._idle and len(self._running) + len(self.answers) < count:
            self.ask_one_more()
        return bool(self._running)

    def ask_one_more(self) -> bool:
        """Ask the next endpoint, if there is one."""
        if not self._idle:
            return False
        member = self._idle.pop(0)
        self._running[asyncio.create_task(self._pool.ask(member, self._ask))] = member
        return True

    async def hear(self, patience_seconds: float) -> list[tuple[Member, T]] | None:
        """The next answers, none if those asked failed; None if nobody said anything for so long."""
        done, _ = await asyncio.wait(self._running, timeout=patience_seconds, return_when=asyncio.FIRST_COMPLETED)
        heard: list[tuple[Member, T]] = []
        for task in done:
            member = self._running.pop(task)
            try:
                heard.append((member, task.result()))
            except RpcUnavailable as error:
                self._faults.append(str(error))
        self.answers.extend(heard)
        return heard if done else None

    def require(self, count: int) -> None:
        """Raise `RpcUnavailable` unless so many answered."""
        if len(self.answers) < count:
            raise _too_few(len(self.answers), count, self._faults)


def alike(views: Sequence[Sequence[T | None]], quorum: int) -> list[T]:
    """The items that all of these views begin with, which are equally long; none if the views are fewer."""
    shared: list[T] = []
    if len(views) < quorum:
        return shared
    for item, *others in zip(*views, strict=True):
        # SECURITY: what M endpoints do not tell alike is voted on, or not believed.
        if item is None or any(other != item for other in others):
            break
        shared.append(item)
    return shared


def _too_few(count: int, quorum: int, faults: Sequence[str]) -> RpcUnavailable:
    return RpcUnavailable(f"{count} of {quorum} needed endpoints answered: {'; '.join(faults)}")
