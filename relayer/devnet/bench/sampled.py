"""A relayer that samples itself: `python -m relayer.devnet.bench.sampled FILE COMMAND...` is `xvm COMMAND...`.

Its job: from a signal on, look each few milliseconds of the process's CPU time at what the main thread does, and write
at the end how much CPU time went where. The node knows nothing of it. CPU time of other threads is told apart, not
where they spend it; time in C counts for the Python function that called it.
"""

from __future__ import annotations

import asyncio
import json
import runpy
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Coroutine, Generator, Sequence
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Final, NamedTuple

from relayer.devnet.bench.profile import BEGIN_SIGNAL

_INTERVAL_SECONDS: Final = 0.005
"""Of CPU time. One look takes some 20 us."""

_LOOP: Final = "event loop"
_THREADS: Final = "other threads"
_UNNAMED: Final = "Task-"
"""How the names begin that the event loop gives itself."""


class Place(NamedTuple):
    """Where a function stands: its module and qualified name."""

    module: str
    function: str

    @property
    def is_ours(self) -> bool:
        """Whether it is the project's."""
        return self.module.startswith(("relayer.", "attestation."))

    @property
    def package(self) -> str:
        """The top of its module's name."""
        return self.module.partition(".")[0]


_STEP: Final = Place("asyncio.events", "Handle._run")
"""What a stack holds inside of it is one step of one task."""


class Sampler:
    """CPU seconds by concern and function."""

    def __init__(self) -> None:
        self.spent: defaultdict[str, defaultdict[str, float]] = defaultdict(lambda: defaultdict(float))
        self._names: dict[int, tuple[CodeType, Place]] = {}
        self._thread_time = self._process_time = 0.0

    def begin(self, *_: object) -> None:
        """Sample from now on."""
        self._thread_time, self._process_time = time.thread_time(), time.process_time()
        signal.signal(signal.SIGPROF, self._look)
        signal.setitimer(signal.ITIMER_PROF, _INTERVAL_SECONDS, _INTERVAL_SECONDS)

    def end(self) -> None:
        """Sample no more."""
        signal.setitimer(signal.ITIMER_PROF, 0)

    def _look(self, _: int, frame: FrameType | None) -> None:
        here, everywhere = time.thread_time(), time.process_time()
        own, all_threads = here - self._thread_time, everywhere - self._process_time
        self._thread_time, self._process_time = here, everywhere
        if all_threads > own:
            self.spent[_THREADS][""] += all_threads - own
        concern, function = self._describe(frame)
        self.spent[concern][function] += own

    def _describe(self, frame: FrameType | None) -> tuple[str, str]:
        stack = []
        while frame is not None:
            place = self._place(frame)
            if place == _STEP:
                break
            stack.append(place)
            frame = frame.f_back
        # A stack without a step is the loop's own, or a greenlet's, which has only what it began with.
        if not stack or (frame is None and _task() is None):
            return _LOOP, f"{stack[0].module}.{stack[0].function}" if stack else ""
        return _concern(stack), _function(stack)

    def _place(self, frame: FrameType) -> Place:
        code = frame.f_code
        known = self._names.get(id(code))
        if known is None:
            # The code is kept as well, or another one could come to have its identity.
            known = self._names[id(code)] = code, Place(str(frame.f_globals.get("__name__", "")), code.co_qualname)
        return known[1]


def _concern(stack: Sequence[Place]) -> str:
    """What a step is for: its task's first word, such as a stage's, else the part of ours that began it.

    The stack's innermost function comes first. A step that is not ours at all is its library's.
    """
    task = _task()
    if task is not None and not task.get_name().startswith(_UNNAMED):
        return task.get_name().partition(" ")[0]
    ours = [place for place in stack if place.is_ours]
    return ours[-1].module.removeprefix("relayer.").partition(".")[0] if ours else stack[-1].package


def _task() -> asyncio.Task[Any] | None:
    try:
        return asyncio.current_task()
    except RuntimeError:  # no loop runs any more
        return None


def _function(stack: Sequence[Place]) -> str:
    """Our innermost function, and the library that it is in, if any."""
    leaf = stack[0]
    own = next((place for place in stack if place.is_ours), None)
    if own is None:
        return f"in {leaf.package}"
    name = f"{own.module.removeprefix('relayer.')}.{own.function}"
    return name if own is leaf else f"{name}, in {leaf.package}"


class Loops(asyncio.DefaultEventLoopPolicy):
    """Of event loops whose tasks are called as the task that made them, unless they have a name of their own."""

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        """One that passes names on."""
        loop = super().new_event_loop()
        loop.set_task_factory(_heir)
        return loop


def _heir(
    loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Any] | Generator[Any, None, Any], **more: Any
) -> asyncio.Task[Any]:
    task: asyncio.Task[Any] = asyncio.Task(coroutine, loop=loop, **more)
    # The first task of all is made before the loop runs.
    maker = asyncio.current_task(loop) if loop.is_running() else None
    if maker is not None and task.get_name().startswith(_UNNAMED):
        task.set_name(maker.get_name())
    return task


def main(path: Path, arguments: Sequence[str]) -> None:
    """Be `xvm` with these arguments, and write the samples at its end."""
    sampler = Sampler()
    signal.signal(BEGIN_SIGNAL, sampler.begin)
    asyncio.set_event_loop_policy(Loops())
    sys.argv = ["xvm", *arguments]
    try:
        runpy.run_module("relayer.cli", run_name="__main__")
    finally:
        sampler.end()
        path.write_text(json.dumps(sampler.spent), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
