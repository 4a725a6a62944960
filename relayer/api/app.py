"""The web application of a node.

Its job: put the routes of peers and of people together, and give every answer the same manners. Who listens where is
`server`'s business; both groups of routes are fit to be public, and neither changes the state of a request.
"""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from relayer.api.account_texts import AccountTexts
from relayer.api.crossvm_routes import CrossVmRoutes
from relayer.api.crossvm_socket import CrossVmSocket
from relayer.api.errors import errors_as_json
from relayer.api.operator_routes import OperatorRoutes
from relayer.api.peer_routes import PeerRoutes
from relayer.api.reading import MAX_CONCURRENT_READS, ReadingPlaces
from relayer.crossvm.messages import Writing
from relayer.domain.route import RouteTable
from relayer.observability.metrics import Metrics
from relayer.ports.clock import Clock
from relayer.ports.node_status import NodeStatus
from relayer.ports.peer_door import PeerDoor
from relayer.ports.store import Store
from relayer.ports.vm import GatewayCommands


def create_app(
    *,
    store: Store,
    routes: RouteTable,
    status: NodeStatus,
    door: PeerDoor,
    commands: Mapping[str, GatewayCommands],
    vm_names: Mapping[str, str],
    gateways: Mapping[str, str],
    metrics: Metrics,
    clock: Clock,
) -> web.Application:
    """The application of one node. Serve it with `server.ApiServer`, whose limits it counts on.

    `commands` and `vm_names` are by CAIP-2 namespace; `gateways` are the configured texts by CAIP-2.
    """
    app = web.Application(middlewares=[errors_as_json], client_max_size=door.head_length + door.max_body_length)
    PeerRoutes(door, metrics).register(app)
    places = ReadingPlaces(MAX_CONCURRENT_READS)
    accounts = AccountTexts(gateways)
    OperatorRoutes(
        store=store,
        routes=routes,
        status=status,
        commands=commands,
        metrics=metrics,
        clock=clock,
        places=places,
        accounts=accounts,
    ).register(app)
    writing = Writing(vm_names, accounts.alone)
    CrossVmRoutes(store=store, status=status, writing=writing, places=places).register(app)
    CrossVmSocket(store=store, writing=writing).register(app)
    app.on_response_prepare.append(_add_headers)
    return app


async def _add_headers(_request: web.Request, response: web.StreamResponse) -> None:
    """What a browser should know about JSON that says something else a second later."""
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Server"] = "xvm"
