"""What people and the command line can look at: read-only JSON, and the health and metrics of the node.

| GET | answer |
| --- | --- |
| `/v1/requests` | `{requests: [summary], next}`; filters `status` (may repeat), `sender` (CAIP-10), `chain` (source, CAIP-2); `limit` 1 to 200, `before` = the last answer's `next` |
| `/v1/requests/{id}` | `{request, status, hold_reason, explanation, route, timeline, conclusion, execute, outcome, transactions, fees}` |
| `/v1/status` | `{node, chains, peers, queues, requests}` |
| `/v1/signers` | `{gateways: [{chain, gateway, current, next, rivals}]}`: present sets, and how far an accepted next one is |
| `/v1/evidence` | `{evidence: [{offence, signer, guard_key, at, document}], total}`, newest first; `limit` 1 to 200, `skip` |
| `/metrics` | Prometheus text |
| `/healthz` | alive: 200, else 503, with `{is_ok, checks: [{name, is_ok, reason}]}` |
| `/readyz` | ready: the same |

`views` documents the values. Its job: read the store and the node's status, and let `views` and `explain` speak. Nothing
here changes a request, a transaction or a peer.
"""  # noqa: E501 - a table's row is one line

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import orjson
from aiohttp import web

from attestation.address import parse_account_text, parse_chain_text
from attestation.errors import MalformedRequest
from attestation.request import RequestId, parse_request_id
from relayer.api import views
from relayer.api.account_texts import AccountTexts
from relayer.api.errors import error_response
from relayer.api.explain import Facts, explain
from relayer.api.reading import MAX_CONCURRENT_PROBES, ReadingPlaces
from relayer.domain.batch import Batch
from relayer.domain.route import RouteTable
from relayer.domain.status import Status
from relayer.domain.tracked import TrackedRequest
from relayer.observability.health import (
    Health,
    check_beat,
    check_chain,
    check_quorum,
    check_store,
    liveness,
    readiness,
)
from relayer.observability.metrics import CONTENT_TYPE, Metrics
from relayer.ports.clock import Clock
from relayer.ports.node_status import NodeStatus
from relayer.ports.signer import Attestation
from relayer.ports.store import AcceptedSet, Certificate, RequestFilter, Store, StoredEpoch
from relayer.ports.vm import GatewayCommands

DEFAULT_PAGE: Final = 50
MAX_PAGE: Final = 200
"""Requests in one answer: some 100 KB, and one index range of the database."""

MAX_ROW: Final = (1 << 63) - 1
"""The highest row number that a database has."""

EPOCHS_SHOWN: Final = 2
"""The newest and the one before it, which may still verify."""


class OperatorRoutes:
    """The read-only routes."""

    def __init__(
        self,
        *,
        store: Store,
        routes: RouteTable,
        status: NodeStatus,
        commands: Mapping[str, GatewayCommands],
        metrics: Metrics,
        clock: Clock,
        places: ReadingPlaces,
        accounts: AccountTexts,
    ) -> None:
        self._store = store
        self._routes = routes
        self._status = status
        self._commands = commands
        self._metrics = metrics
        self._clock = clock
        self._places = places
        self._accounts = accounts

    def register(self, app: web.Application) -> None:
        """Add the routes."""
        probes = ReadingPlaces(MAX_CONCURRENT_PROBES)
        for path, handler in (
            ("/v1/requests", self._places.bound(self._list_requests)),
            ("/v1/requests/{id}", self._places.bound(self._show_request)),
            ("/v1/status", self._places.bound(self._show_status)),
            ("/v1/signers", self._places.bound(self._show_signers)),
            ("/v1/evidence", self._places.bound(self._list_evidence)),
            ("/metrics", probes.bound(self._show_metrics)),
            ("/readyz", probes.bound(self._show_readiness)),
            # It asks nobody anything; refusing it for load would have the node restarted under load.
            ("/healthz", self._show_liveness),
        ):
            app.router.add_get(path, handler)

    async def _list_requests(self, request: web.Request) -> web.Response:
        try:
            where, limit = _parse_filter(request)
        except ValueError as error:
            return error_response(400, "malformed_query", str(error))
        rows = await self._store.list_requests(where, limit)
        listed = [views.summary_view(self._accounts, row, item, self._routes.get(item.route)) for row, item in rows]
        return _json({"requests": listed, "next": rows[-1][0] if len(rows) == limit else None})

    async def _show_request(self, request: web.Request) -> web.Response:
        try:
            identifier = parse_request_id(request.match_info["id"])
        except MalformedRequest as error:
            return error_response(400, "malformed_query", str(error))
        tracked = (await self._store.load_requests([identifier])).get(identifier)
        if tracked is None:
            return error_response(404, "unknown_request", "this node has not seen a request with this id")
        return _json(await self._request_answer(identifier, tracked))

    async def _request_answer(self, identifier: RequestId, tracked: TrackedRequest) -> views.Json:
        route = self._routes.get(tracked.route)
        transitions = await self._store.load_transitions(identifier)
        transactions = await self._store.load_transactions_of(identifier)
        fees = await self._store.load_fees(identifier)
        execute = await self._load_signed(tracked.execute_root)
        outcome = await self._load_signed(tracked.outcome_root)
        awaited = outcome if tracked.outcome_root else execute
        facts = Facts(
            request=tracked,
            route=route,
            transitions=transitions,
            transactions=transactions,
            attestations=() if awaited is None else awaited.attestations,
            epoch=None if awaited is None else awaited.epoch,
            chains={chain.caip2: chain for chain in self._status.chains()},
            commands=self._commands,
            accounts=self._accounts,
            now=self._clock.now(),
        )
        return {
            "request": views.request_view(self._accounts, tracked),
            "status": tracked.status,
            "hold_reason": tracked.hold_reason or None,
            "explanation": explain(facts),
            "route": None if route is None else views.route_view(self._accounts, route),
            "timeline": views.timeline_view(transitions),
            "conclusion": views.conclusion_view(tracked),
            "execute": None if execute is None else execute.view(self._accounts, tracked),
            "outcome": None if outcome is None else outcome.view(self._accounts, tracked),
            "transactions": [views.transaction_view(self._accounts, transaction) for transaction in transactions],
            "fees": [views.fee_view(entry) for entry in fees],
        }

    async def _load_signed(self, root: bytes) -> _Signed | None:
        """A batch with who signed it, for the epoch of its certificate or, without one, the gateway's newest."""
        batch = (await self._store.load_batches([root])).get(root) if root else None
        if batch is None:
            return None
        certificate = (await self._store.load_certificates([root])).get(root)
        epochs = await self._store.load_epochs(batch.verifying_gateway)
        certified = [epoch for epoch in epochs if certificate is not None and epoch.epoch == certificate.epoch]
        attestations = (await self._store.load_attestations([root])).get(root, ())
        return _Signed(batch, attestations, next(iter(certified or epochs[-1:]), None), certificate)

    async def _show_status(self, _request: web.Request) -> web.Response:
        now = self._clock.now()
        status = self._status
        chains = [
            views.chain_view(
                self._accounts, chain, list(reversed(await self._store.load_epochs(chain.gateway)))[:EPOCHS_SHOWN]
            )
            for chain in status.chains()
        ]
        counts = await self._store.count_by_status()
        depths = await self._store.count_effects()
        return _json(
            {
                "node": {
                    "key": views.hex_text(status.key),
                    "peer_key": views.hex_text(status.peer_key),
                    "version": status.version,
                    "started_at": status.started_at,
                    "uptime_seconds": round(now - status.started_at, 3),
                    "now": now,
                },
                "chains": chains,
                "peers": [views.peer_view(peer) for peer in status.peers()],
                "queues": [
                    {"chain": chain, "effect": effect, "depth": depth}
                    for (chain, effect), depth in sorted(depths.items())
                ],
                "requests": [
                    {"source_chain": chain, "status": name, "count": count}
                    for (chain, name), count in sorted(counts.items())
                ],
            }
        )

    async def _show_signers(self, _request: web.Request) -> web.Response:
        accepted = await self._store.load_accepted_sets()
        gateways = []
        for chain in self._status.chains():
            newest = next(reversed(await self._store.load_epochs(chain.gateway)), None)
            ours = None if newest is None else next((each for each in accepted if each.replaces(newest)), None)
            signed = set() if ours is None else await self._load_rotation_signers(chain.gateway, ours)
            gateways.append(views.signers_view(self._accounts, chain, newest, ours, signed))
        return _json({"gateways": gateways})

    async def _load_rotation_signers(self, gateway: bytes, accepted: AcceptedSet) -> set[bytes]:
        """Who signed the accepted set's rotation at this gateway; its root is the same at every gateway."""
        numbered = accepted.numbered
        return {
            attestation.signer
            for attestation in (await self._store.load_attestations([numbered.rotate.leaf])).get(
                numbered.rotate.leaf, ()
            )
            if (attestation.gateway, attestation.epoch) == (gateway, numbered.epoch - 1)
        }

    async def _list_evidence(self, request: web.Request) -> web.Response:
        try:
            _require_known(request, {"limit", "skip"})
            limit = _parse_number("limit", request.query.get("limit", str(DEFAULT_PAGE)), 1, MAX_PAGE)
            skip = _parse_number("skip", request.query.get("skip", "0"), 0, MAX_ROW)
        except ValueError as error:
            return error_response(400, "malformed_query", str(error))
        # SECURITY: a signer can contradict itself without end; one answer shows a page of it.
        rows = await self._store.list_evidence()
        shown = rows[::-1][skip : skip + limit]
        return _json({"evidence": [views.evidence_view(row) for row in shown], "total": len(rows)})

    async def _show_metrics(self, _request: web.Request) -> web.Response:
        for chain in self._status.chains():
            self._metrics.chain_head.labels(chain.caip2).set(-1 if chain.tip is None else chain.tip.number)
            self._metrics.chain_final.labels(chain.caip2).set(chain.final_number)
            self._metrics.chain_lag.labels(chain.caip2).set(chain.lag_blocks)
            self._metrics.chain_halted.labels(chain.caip2).set(bool(chain.halt_reason))
            for newest in (await self._store.load_epochs(chain.gateway))[-1:]:
                self._metrics.signer_set_valid_until.labels(chain.caip2).set(newest.valid_until)
        depths = await self._store.count_effects()
        # A queue that is empty has no row to say so.
        self._metrics.outbox_depth.clear()
        for (name, effect), depth in depths.items():
            self._metrics.outbox_depth.labels(name, effect).set(depth)
        return web.Response(body=self._metrics.render(), headers={"Content-Type": CONTENT_TYPE})

    async def _show_liveness(self, _request: web.Request) -> web.Response:
        return _health(liveness(check_beat(self._status.last_beat_at, self._clock.now())))

    async def _show_readiness(self, _request: web.Request) -> web.Response:
        chains = self._status.chains()
        reachable = frozenset({self._status.key, *(peer.key for peer in self._status.peers() if peer.is_up)})
        quorums = []
        for chain in chains:
            newest = (await self._store.load_epochs(chain.gateway))[-1:]
            signer_set = newest[0].signer_set if newest else None
            quorums.append(check_quorum(self._accounts.caip10(chain.gateway) or chain.caip2, signer_set, reachable))
        return _health(readiness(map(check_chain, chains), check_store(self._status.store_fault), quorums))


@dataclass(frozen=True, slots=True)
class _Signed:
    """A batch and what is known of its signatures."""

    batch: Batch
    attestations: Sequence[Attestation]
    epoch: StoredEpoch | None
    certificate: Certificate | None

    def view(self, accounts: AccountTexts, request: TrackedRequest) -> views.Json:
        """In JSON, as the batch of this request."""
        return views.batch_view(accounts, self.batch, request, self.attestations, self.epoch, self.certificate)


def _parse_filter(request: web.Request) -> tuple[RequestFilter, int]:
    """Raises `ValueError` (`MalformedAddress` is one), whose text is for whoever asked."""
    query = request.query
    _require_known(request, {"status", "sender", "chain", "limit", "before"})
    sender, chain, before = query.get("sender"), query.get("chain"), query.get("before")
    where = RequestFilter(
        statuses=frozenset(_parse_status(name) for name in query.getall("status", [])),
        sender=None if sender is None else parse_account_text(sender).to_bytes(),
        source_chain=None if chain is None else str(parse_chain_text(chain)),
        before_row=None if before is None else _parse_number("before", before, 1, MAX_ROW),
    )
    return where, _parse_number("limit", query.get("limit", str(DEFAULT_PAGE)), 1, MAX_PAGE)


def _require_known(request: web.Request, names: set[str]) -> None:
    """A misspelt filter must not silently be none."""
    unknown = set(request.query) - names
    if unknown:
        raise ValueError(f"unknown parameters: {', '.join(sorted(unknown))}")


def _parse_status(name: str) -> Status:
    try:
        return Status(name.upper())
    except ValueError:
        raise ValueError(f"{name!r} is no status; they are {', '.join(Status)}") from None


def _parse_number(name: str, text: str, least: int, most: int) -> int:
    """A decimal from `least` to `most`."""
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(most)) and least <= int(text) <= most):
        raise ValueError(f"{name} is a number from {least} to {most}")
    return int(text)


def _json(value: views.Json) -> web.Response:
    return web.Response(body=orjson.dumps(value), content_type="application/json")


def _health(health: Health) -> web.Response:
    body = orjson.dumps(views.health_view(health))
    return web.Response(status=200 if health.is_ok else 503, body=body, content_type="application/json")
