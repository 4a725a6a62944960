"""The web application of a node.

Its job: put the routes of peers and of people together, and give every answer the same manners. Who listens where is
`server`'s business; both groups of routes are fit to be public, and neither changes the state of a request.
"""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from relayer.api.errors import errors_as_json
from relayer.api.operator_routes import OperatorRoutes
from relayer.api.peer_routes import PeerRoutes
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
    metrics: Metrics,
    clock: Clock,
) -> web.Application:
    """The application of one node. Serve it with `server.ApiServer`, whose limits it counts on.

    `commands` are by CAIP-2 namespace.
    """
    app = web.Application(middlewares=[errors_as_json], client_max_size=door.head_length + door.max_body_length)
    PeerRoutes(door, metrics).register(app)
    OperatorRoutes(store=store, routes=routes, status=status, commands=commands, metrics=metrics, clock=clock).register(
        app
    )
    app.on_response_prepare.append(_add_headers)
    return app


async def _add_headers(_request: web.Request, response: web.StreamResponse) -> None:
    """What a browser should know about JSON that says something else a second later."""
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Server"] = "xvm"
