"""Every error of ours.

    ConfigHubError
    ├── BadRequest          the caller's input is wrong; say where
    │   ├── NotYaml         text that does not parse, with line and column
    │   ├── BadPath         a path that cannot be read or does not fit the document
    │   ├── NotAResource    a document without apiVersion, kind or name
    │   └── BadQuery        a where-expression, shown with a mark under the place
    ├── Unauthenticated     nobody we know
    ├── Forbidden           somebody we know, who may not
    ├── NotFound            no such thing, or none the caller may see
    ├── Conflict            it changed in between, or the two sides do not fit
    ├── Gated               refused by a gate: say which, and how to open it
    └── RetryLater          busy or unreachable; the same call may work soon

A class exists only because someone treats it differently. The message says what was
attempted, where and why; the hint says what to do next. No secret goes into either.
"""

from __future__ import annotations


class ConfigHubError(Exception):
    """Something went wrong that a person should read about in one line.

    ``status`` and ``request_id`` are those of the hub's answer, where one was given.
    """

    status: int = 0
    request_id: str = ""

    def __init__(self, message: str, *, hint: str = "", details: list[str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.details = details or []

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class BadRequest(ConfigHubError):
    """The caller's input is wrong."""


class NotYaml(BadRequest):
    """The text is not YAML that we accept; ``line`` and ``column`` count from 1."""

    def __init__(self, reason: str, *, line: int = 0, column: int = 0, hint: str = "") -> None:
        place = f"line {line}, column {column}: " if line else ""
        super().__init__(f"{place}{reason}", hint=hint)
        self.reason, self.line, self.column = reason, line, column


class BadPath(BadRequest):
    """A path that cannot be read, or that does not fit the document."""


class NotAResource(BadRequest):
    """A document that lacks ``apiVersion``, ``kind`` or ``metadata.name``."""


class BadQuery(BadRequest):
    """A where-expression that cannot be read; ``position`` counts characters from 0."""

    def __init__(self, reason: str, *, text: str, position: int, hint: str = "") -> None:
        super().__init__(f"{reason} at column {position + 1}: {text}", hint=hint)
        self.reason, self.text, self.position = reason, text, position

    def drawing(self) -> str:
        """Return the expression with a mark under the place, on two lines."""
        return f"{self.text}\n{' ' * self.position}^"


class Unauthenticated(ConfigHubError):
    """The caller gave no credentials, or wrong ones."""


class Forbidden(ConfigHubError):
    """The caller is known and may not do this."""


class NotFound(ConfigHubError):
    """No such thing, or none that the caller may see."""


class Conflict(ConfigHubError):
    """The thing changed since the caller read it, or two changes do not fit together."""


class Gated(ConfigHubError):
    """A gate refuses; ``gates`` names each one."""

    def __init__(self, message: str, *, gates: list[str], hint: str = "") -> None:
        super().__init__(message, hint=hint, details=gates)
        self.gates = gates


class RetryLater(ConfigHubError):
    """Busy or unreachable; the same call may work soon."""
