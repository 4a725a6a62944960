"""What can go wrong, by name, each as one act on the world.

Its job: a vocabulary for plans, so that a failing plan reads as a story. An act that does not apply does nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from attestation.domain import batch_digest
from attestation.keccak import keccak256
from attestation.request import Mode, request_id
from relayer.ports.signer import Attestation
from tests.factories import SIGNING_KEYS, make_signer_set
from tests.simulation.chain import SimChain
from tests.simulation.gateway import FAILING_HANDLER, MISSING, REVERTING, Apply, Cancel, Replay
from tests.simulation.peers import Message
from tests.simulation.world import GRACE_SECONDS, POOR_FEE, POOR_SECONDS, World

Act = Callable[[World], None]


def _pair(world: World) -> tuple[SimChain, SimChain]:
    return world.rng.choice([(world.a, world.b), (world.b, world.a)])


def _ask_call(world: World) -> None:
    world.ask(*_pair(world))


def _ask_query(world: World) -> None:
    world.ask(*_pair(world), mode=Mode.QUERY)


def _ask_reverting(world: World) -> None:
    world.ask(*_pair(world), payload=REVERTING)


def _ask_missing(world: World) -> None:
    world.ask(*_pair(world), payload=MISSING)


def _ask_with_failing_handler(world: World) -> None:
    world.ask(*_pair(world), metadata=FAILING_HANDLER)


def _ask_poor_call(world: World) -> None:
    world.ask(*_pair(world), fee=POOR_FEE, valid_seconds=POOR_SECONDS)


def _ask_poor_query(world: World) -> None:
    world.ask(*_pair(world), fee=POOR_FEE, mode=Mode.QUERY)


def _ask_late_call(world: World) -> None:
    world.ask(*_pair(world), valid_seconds=2)


def _ask_off_route(world: World) -> None:
    source, destination = _pair(world)
    world.ask(source, destination, destination_gateway=destination.gateway[:-20] + b"\x0f" * 20)


def _pay(world: World) -> None:
    world.raise_all_fees()


def _replay(world: World) -> None:
    for request in world.asked:
        world.transact(world.chain_of(request), Replay(request_id(request)))


def _cancel(world: World) -> None:
    """Askers lose patience, with some."""
    for request in world.asked:
        if world.rng.random() < 0.3:
            world.transact(world.chain_of(request), Cancel(request_id(request)))


def _reorganise(world: World) -> None:
    chain, depth = _pair(world)[0], world.rng.randint(1, 3)
    length = depth + world.rng.randint(0, 1)
    kept = [world.rng.random() < 0.7 for _ in range(20)]
    chain.reorganise(depth, length, int(world.clock.now()), kept)


def _fork_and_return(world: World) -> None:
    """Blocks are replaced, everybody has time to look, and the old ones come back."""
    chain, depth = _pair(world)[0], world.rng.randint(1, 3)
    kept = [world.rng.random() < 0.5 for _ in range(20)]
    if chain.reorganise(depth, depth, int(world.clock.now()), kept):
        world.slow.add(chain.caip2)

        def come_back() -> None:
            chain.return_to_abandoned(int(world.clock.now()))
            world.slow.discard(chain.caip2)

        world.after(world.rng.randint(50, 400), come_back)


def _flip_back(world: World) -> None:
    _pair(world)[0].return_to_abandoned(int(world.clock.now()))


def _kill(world: World) -> None:
    world.kill(world.rng.choice(world.nodes))


def _restart(world: World) -> None:
    for node in world.nodes:
        if not node.is_alive:
            world.start(node)


def _lag(world: World) -> None:
    view = world.rng.choice(list(world.rng.choice(world.nodes).running.views.values()))
    view.lag_blocks = world.rng.randint(1, 6)


def _freeze(world: World) -> None:
    view = world.rng.choice(list(world.rng.choice(world.nodes).running.views.values()))
    view.frozen = list(world.chains[view.caip2].blocks)


def _thaw(world: World) -> None:
    for node in world.nodes:
        for view in node.running.views.values():
            view.frozen, view.lag_blocks = None, 0


def _blind(world: World) -> None:
    """One node's endpoints have not got the state that queries ask for."""
    view = world.rng.choice(list(world.rng.choice(world.nodes).running.views.values()))
    view.is_unreadable = not view.is_unreadable


def _blind_to_some(world: World) -> None:
    """Some nodes' endpoints cannot read some of the queries."""
    for node in world.nodes:
        for view in node.running.views.values():
            view.unreadable_payloads |= {request.payload for request in world.asked if world.rng.random() < 0.2}


def _lose_pushes(world: World) -> None:
    world.network.on_the_way.clear()


def _lose_transactions(world: World) -> None:
    """Pools forget what they hold, but for what users sent."""
    accounts = {view.address for node in world.nodes for view in node.running.views.values()}
    for chain in world.chains.values():
        chain.pool = [t for t in chain.pool if t.sender not in accounts]


def _lose_sends(world: World) -> None:
    """One node's endpoint says yes and forgets."""
    view = world.rng.choice(list(world.rng.choice(world.nodes).running.views.values()))
    view.is_lossy = not view.is_lossy


def _fail_transactions(world: World) -> None:
    _pair(world)[0].failing += 1


def _break_endpoints(world: World) -> None:
    world.rpc_failures = 0.1 - world.rpc_failures


def _mine(world: World) -> None:
    _pair(world)[0].mine(int(world.clock.now()))


def _pass_time(world: World) -> None:
    world.clock.seconds += 40


def _rotate(world: World) -> None:
    """The same signers in another order are the next epoch of a gateway; the former one soon lapses."""
    keys = list(SIGNING_KEYS)
    world.rng.shuffle(keys)
    signer_set = replace(make_signer_set(keys), grace_seconds=GRACE_SECONDS)
    world.transact(_pair(world)[0], Apply(signer_set))


def _lie(world: World) -> None:
    """The last signer, gone bad, says everything that it can: roots that nobody built, others' words, other epochs."""
    liar, victim = SIGNING_KEYS[-1], SIGNING_KEYS[0]
    gateway = world.a.gateway
    root = keccak256(b"invented %d" % world.rng.randrange(100))
    true = Attestation(gateway, root, 1, 1, liar.key, liar.sign(batch_digest(gateway, root, 1, 1)))
    known = [batch for batches in world.truth.signed.values() for batch in batches]
    lies = [
        true,
        replace(true, epoch=9),
        replace(true, signer=victim.key),
        replace(true, signature=bytes(64)),
        replace(true, count=0),
        replace(true, gateway=world.b.gateway),
    ]
    if known:
        batch = world.rng.choice(known)
        digest = batch_digest(batch.verifying_gateway, batch.root, batch.count + 1, 1)
        lies.append(Attestation(batch.verifying_gateway, batch.root, batch.count + 1, 1, liar.key, liar.sign(digest)))
    for node in world.nodes[:-1]:
        world.network.on_the_way += [Message(liar.key, node.key.key, (lie,)) for lie in lies]
    world.network.lies[liar.key] = [true]


def _stop_lying(world: World) -> None:
    world.network.lies.clear()


ASKS: Final[dict[str, Act]] = {
    "call": _ask_call,
    "query": _ask_query,
    "reverting call": _ask_reverting,
    "call to nothing": _ask_missing,
    "call with a failing handler": _ask_with_failing_handler,
    "poor call": _ask_poor_call,
    "poor query": _ask_poor_query,
    "late call": _ask_late_call,
    "call off route": _ask_off_route,
}

FAULTS: Final[dict[str, Act]] = {
    "pay": _pay,
    "replay": _replay,
    "cancel": _cancel,
    "reorganise": _reorganise,
    "fork and return": _fork_and_return,
    "flip back": _flip_back,
    "kill": _kill,
    "restart": _restart,
    "lag": _lag,
    "freeze": _freeze,
    "thaw": _thaw,
    "blind": _blind,
    "blind to some": _blind_to_some,
    "lose pushes": _lose_pushes,
    "lose transactions": _lose_transactions,
    "lose sends": _lose_sends,
    "fail transactions": _fail_transactions,
    "break endpoints": _break_endpoints,
    "mine": _mine,
    "pass time": _pass_time,
    "rotate": _rotate,
    "lie": _lie,
    "stop lying": _stop_lying,
}
