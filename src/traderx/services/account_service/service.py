"""account-service: which accounts exist, and who works on them.

A balance is the opening balance (OPENING_BALANCE, 50 000 dollars as in the seed's example) plus
what the account's orders moved. Mapping a user asks people-service whether there is one.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from traderx.services.errors import Unavailable, Unknown
from traderx.services.ledger import accounts
from traderx.services.ledger.accounts import AccountUser
from traderx.services.ledger.database import Session
from traderx.services.ledger.ledger import Ledger
from traderx.services.ledger.records import Account
from traderx.services.ledger.vocabulary import ACCOUNT_WORDS, one_of, read_integer, read_text
from traderx.services.platform.answers import read_object, whole_number
from traderx.services.platform.environment import Environment
from traderx.services.platform.http_client import HttpClient
from traderx.services.platform.metrics import Metrics
from traderx.services.platform.service import Service
from traderx.services.platform.variables import number

LONGEST_NAME = 50
LONGEST_USERNAME = 15
DEFAULT_OPENING_BALANCE = 50_000.0


class AccountService:
    """The handlers, with what they need."""

    def __init__(self, environment: Environment) -> None:
        self.ledger = Ledger(environment.database_url)
        self.http = HttpClient()
        self._people_url = environment.urls["people-service"]
        dollars = number(environment.variables, "OPENING_BALANCE", default=DEFAULT_OPENING_BALANCE)
        self._opening_cents = round(dollars * 100)

    async def list_accounts(self, request: Request) -> Response:
        """List the accounts by number."""
        found = await self.ledger.read(
            lambda session: accounts.list_accounts(session, opening_cents=self._opening_cents)
        )
        return JSONResponse([_answer(account, request) for account in found])

    async def get_account(self, request: Request) -> Response:
        """Return one account."""
        account_id = whole_number(request.path_params["account_id"], name="account id")
        account = await self.ledger.read(lambda session: self._get(session, account_id))
        return JSONResponse(_answer(account, request))

    async def put_account(self, request: Request) -> Response:
        """Make an account when the id is absent or not positive, else name the account of that id."""
        account_id, display_name = _read_account(await read_object(request))

        def keep(session: Session) -> Account:
            if account_id > 0:
                accounts.put_account(session, account_id, display_name)
                return self._get(session, account_id)
            return self._get(session, accounts.create_account(session, display_name))

        return JSONResponse(_answer(await self.ledger.write(keep), request))

    async def list_users(self, _request: Request) -> Response:
        """List the users of all accounts, by account and name."""
        return JSONResponse([user.as_answer() for user in await self.ledger.read(accounts.list_users)])

    async def get_user(self, request: Request) -> Response:
        """Return the first user of the account by name."""
        account_id = whole_number(request.path_params["account_id"], name="account id")
        users = await self.ledger.read(lambda session: accounts.list_users(session, account_id))
        if not users:
            raise Unknown(f"AccountUser with id {account_id} not found")
        return JSONResponse(users[0].as_answer())

    async def list_account_users(self, request: Request) -> Response:
        """List the users of one account by name."""
        account_id = whole_number(request.path_params["account_id"], name="account id")

        def find(session: Session) -> list[AccountUser]:
            self._get(session, account_id)
            return accounts.list_users(session, account_id)

        return JSONResponse([user.as_answer() for user in await self.ledger.read(find)])

    async def post_user(self, request: Request) -> Response:
        """Let a person that people-service knows work on an account."""
        user = _read_user(await read_object(request))
        await self._check_person(user.username)
        await self.ledger.write(lambda session: accounts.add_user(session, user))
        return JSONResponse(user.as_answer())

    async def put_user(self, request: Request) -> Response:
        """Let a person work on an account, without asking people-service."""
        user = _read_user(await read_object(request))
        await self.ledger.write(lambda session: accounts.add_user(session, user))
        return JSONResponse(user.as_answer())

    def _get(self, session: Session, account_id: int) -> Account:
        return accounts.get_account(session, account_id, opening_cents=self._opening_cents)

    async def _check_person(self, username: str) -> None:
        query = urlencode({"LogonId": username})
        reply = await self.http.get("people-service", f"{self._people_url}/People/GetPerson?{query}")
        if HTTPStatus.BAD_REQUEST <= reply.status < HTTPStatus.INTERNAL_SERVER_ERROR:
            raise Unknown(f"{username} not found in People service.")
        if reply.status != HTTPStatus.OK:
            raise Unavailable(f"people-service answered {reply.status}")


def build(environment: Environment, _metrics: Metrics) -> Service:
    """Return the service; the database is opened once it runs."""
    service = AccountService(environment)
    return Service(
        routes=[
            Route("/account", service.list_accounts, methods=["GET"]),
            Route("/account", service.put_account, methods=["POST", "PUT"]),
            Route("/account/{account_id}", service.get_account, methods=["GET"]),
            Route("/accountuser", service.list_users, methods=["GET"]),
            Route("/accountuser", service.post_user, methods=["POST"]),
            Route("/accountuser", service.put_user, methods=["PUT"]),
            Route("/accountuser/{account_id}", service.get_user, methods=["GET"]),
            Route("/api/accounts", service.list_accounts, methods=["GET"]),
            Route("/api/accounts", service.put_account, methods=["POST", "PUT"]),
            Route("/api/accounts/{account_id}", service.get_account, methods=["GET"]),
            Route("/api/accounts/{account_id}/users", service.list_account_users, methods=["GET"]),
            Route("/api/account-users", service.list_users, methods=["GET"]),
            Route("/api/account-users", service.post_user, methods=["POST"]),
        ],
        checks={"database": service.ledger.check},
        jobs=[service.ledger.keep_opening],
        closers=[service.ledger.close, service.http.close],
    )


def _answer(account: Account, request: Request) -> dict[str, object]:
    return account.as_seed() if request.url.path.startswith("/api/") else account.as_finos()


def _read_account(body: Mapping[str, object]) -> tuple[int, str]:
    """Return id (0 or less: make one) and display name."""
    given = one_of(body, ("id", "accountId"))
    account_id = 0 if given in (None, "") else read_integer(given, "id")
    return account_id, read_text(one_of(body, ("displayName",)), "displayName", longest=LONGEST_NAME)


def _read_user(body: Mapping[str, object]) -> AccountUser:
    return AccountUser(
        account_id=read_integer(one_of(body, ACCOUNT_WORDS), "accountId"),
        username=read_text(one_of(body, ("username",)), "username", longest=LONGEST_USERNAME),
    )
