"""reference-data: which securities exist, and at what price. Depends on nothing.

The seed asks ``/api/reference-data/AAPL`` and wants price and valid; the FINOS programs ask
``/stocks/AAPL`` and want ticker and companyName. Both get all fields.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from traderx.services.errors import Unavailable, Unknown
from traderx.services.platform.answers import limit_of, ticker_failure
from traderx.services.platform.environment import Environment
from traderx.services.platform.metrics import Metrics
from traderx.services.platform.service import Service
from traderx.services.reference_data.securities import load_securities


def build(environment: Environment, metrics: Metrics) -> Service:
    """Return the service with its table loaded."""
    securities = load_securities(environment.variables)
    metrics.gauge("traderx_securities", "Securities that can be traded").set(len(securities))

    async def list_securities(request: Request) -> Response:
        """List the securities in the table's order; ?search= narrows, ?limit= cuts."""
        found = [s.as_answer() for s in securities.values() if s.matches(request.query_params.get("search", ""))]
        return JSONResponse(found[: limit_of(request)])

    async def get_stock(request: Request) -> Response:
        """Return one security; the ticker is matched exactly."""
        ticker = request.path_params["ticker"]
        if ticker not in securities:
            raise Unknown(f'Stock ticker "{ticker}" not found.')
        return JSONResponse(securities[ticker].as_answer())

    async def check_symbol(request: Request) -> Response:
        """Return one security in any case; ?soft=true answers valid=false instead of 404."""
        symbol = request.path_params["ticker"]
        if security := securities.get(symbol.upper()):
            return JSONResponse(security.as_answer())
        if request.query_params.get("soft", "").lower() == "true":
            return JSONResponse({"ticker": symbol, "symbol": symbol, "price": None, "valid": False})
        raise Unknown(f'Stock ticker "{symbol}" not found.')

    async def has_data() -> None:
        if not securities:
            raise Unavailable("no securities loaded, see REFERENCE_DATA_SUPPORTED_TICKERS")

    return Service(
        routes=[
            Route("/stocks", list_securities),
            Route("/stocks/{ticker}", get_stock),
            Route("/api/reference-data", list_securities),
            Route("/api/reference-data/{ticker}", check_symbol),
            Route("/api/securities", list_securities),
            Route("/api/securities/{ticker}", check_symbol),
        ],
        checks={"securities": has_data},
        failure=ticker_failure,
    )
