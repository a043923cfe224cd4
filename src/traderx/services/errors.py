"""Every error of the services.

    ServiceError
    ├── BadInput       400: the caller's order, account or query is wrong
    ├── Unknown        404: no such ticker, account, person or trade
    ├── Clash          409: the id was used before for something else
    ├── TooLarge       413: the body is longer than anything we take
    ├── Unavailable    503: something this service needs is down; the same call may work soon
    └── Misconfigured  the process cannot start with this environment

The services see nothing else of the project, so they have their own tree. The message is what
the caller reads.
"""

from __future__ import annotations


class ServiceError(Exception):
    """Something the caller should read about in one line; ``status`` is its HTTP status."""

    status = 500

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class BadInput(ServiceError):
    """The caller's input is wrong; say which field and what was found there."""

    status = 400


class Unknown(ServiceError):
    """No such thing."""

    status = 404


class Clash(ServiceError):
    """The id was used before for something different."""

    status = 409


class TooLarge(ServiceError):
    """The body is longer than anything the service takes."""

    status = 413


class Unavailable(ServiceError):
    """Something this service needs cannot be reached."""

    status = 503


class Misconfigured(ServiceError):
    """The environment variables do not make a service."""
