"""position-service: what was traded and what is held, read-only; the processor is the writer.

Source: requirements.md C-32.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from traderx.services.errors import Unknown
from traderx.services.ledger.ledger import Ledger
from traderx.services.ledger.positions import find_position, list_positions
from traderx.services.ledger.records import Position, Trade
from traderx.services.ledger.trades import list_trades
from traderx.services.platform.answers import limit_of, whole_number
from traderx.services.platform.environment import Environment
from traderx.services.platform.metrics import Metrics
from traderx.services.platform.service import Service


def build(environment: Environment, _metrics: Metrics) -> Service:
    """Return the service; the database is opened once it runs."""
    ledger = Ledger(environment.database_url)

    async def trades_of(request: Request) -> list[Trade]:
        account_id, limit = _account_of(request), limit_of(request)
        return await ledger.read(lambda session: list_trades(session, account_id, limit))

    async def positions_of(request: Request) -> list[Position]:
        account_id = _account_of(request)
        return await ledger.read(lambda session: list_positions(session, account_id))

    async def trades(request: Request) -> Response:
        """List trades newest first, of one account when named; ?limit= cuts."""
        return JSONResponse([trade.as_finos() for trade in await trades_of(request)])

    async def positions(request: Request) -> Response:
        """List positions by account and security, of one account when named."""
        return JSONResponse([position.as_finos() for position in await positions_of(request)])

    async def seed_positions(request: Request) -> Response:
        """List positions by account and security, of one account when named."""
        return JSONResponse([position.as_seed() for position in await positions_of(request)])

    async def seed_position(request: Request) -> Response:
        """Return one position of an account."""
        account_id = whole_number(request.path_params["account_id"], name="account id")
        symbol = request.path_params["symbol"]
        position = await ledger.read(lambda session: find_position(session, account_id, symbol))
        if position is None:
            raise Unknown(f"account {account_id} has no position in: {symbol}")
        return JSONResponse(position.as_seed())

    return Service(
        routes=[
            Route("/trades", trades),
            Route("/trades/{account_id}", trades),
            Route("/positions", positions),
            Route("/positions/{account_id}", positions),
            Route("/api/positions", seed_positions),
            Route("/api/positions/{account_id}", seed_positions),
            Route("/api/positions/{account_id}/{symbol}", seed_position),
        ],
        checks={"database": ledger.check},
        jobs=[ledger.keep_opening],
        closers=[ledger.close],
        # The FINOS programs expect the bare word.
        ready_answer=True,
    )


def _account_of(request: Request) -> int | None:
    text = request.path_params.get("account_id") or request.query_params.get("accountId")
    return None if text is None else whole_number(text, name="account id")
