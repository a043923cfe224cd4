"""How answers look: tables, JSON, YAML, the result of a jq expression, names.

Source: the public client's layout. A column is as wide as its widest cell and four blanks;
a header ends with one blank.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Literal, NamedTuple, TextIO

from confighub.errors import BadRequest

Row = Sequence[str]
Colour = Literal["red", "green", "cyan"]
How = Literal["text", "json", "jq", "yaml", "names", "mutations", "nothing"]

_GAP = "    "
_COLOURS: dict[Colour, int] = {"red": 31, "green": 32, "cyan": 36}
_FORMATS: dict[str, How] = {
    "json": "json",
    "yaml": "yaml",
    "names": "names",
    "mutations": "mutations",
    "table": "text",
    "text": "text",
}


class Output(NamedTuple):
    """The output options of one command, and the printing they ask for.

    ``--json`` prints records as the hub answers them, extended; ``--format`` prints them flat,
    each record alone, as the seed's scripts read them.
    """

    json: bool = False
    jq: str = ""
    output: str = ""
    flat: str = ""
    names: bool = False
    header: bool = True
    quiet: bool = False

    @property
    def stream(self) -> TextIO:
        """Where it is printed."""
        return sys.stdout

    @property
    def how(self) -> How:
        """What the options come to. Raises: BadRequest for an unknown format."""
        if self.expression:
            return "jq"
        chosen = self.output or self.flat
        if chosen:
            if chosen not in _FORMATS:
                raise BadRequest(f"unknown output format: {chosen}", hint="json, yaml, jq=EXPRESSION, names, table")
            return _FORMATS[chosen]
        if self.json:
            return "json"
        if self.names:
            return "names"
        return "nothing" if self.quiet else "text"

    @property
    def expression(self) -> str:
        """The jq expression, from ``--jq`` or ``-o jq=…``."""
        return self.output[3:] if self.output.startswith("jq=") else self.jq

    @property
    def is_flat(self) -> bool:
        """Tell whether records are printed alone, without their relations."""
        return bool(self.flat)

    @property
    def is_for_people(self) -> bool:
        """Tell whether sentences belong on standard output."""
        return self.how == "text"

    def say(self, sentence: str) -> None:
        """Print a sentence for people: nowhere with ``--quiet``, beside the data when data is printed."""
        if self.how == "text":
            self.write(sentence)
        elif not self.quiet:
            note(sentence)

    def write(self, text: str) -> None:
        """Print the text and end the line."""
        self.stream.write(text if text.endswith("\n") else f"{text}\n")

    def show(self, value: object, text: Callable[[], str]) -> None:
        """Print ``value`` as data when that is asked for, else what ``text`` returns."""
        how = self.how
        if how == "json":
            self.write(as_json(value))
        elif how == "yaml":
            self.write(as_yaml(value))
        elif how == "jq":
            for line in jq_lines(self.expression, value):
                self.write(line)
        elif how != "nothing":
            shown = text()
            if shown:
                self.write(shown)

    def table(self, header: Row, rows: Iterable[Row]) -> str:
        """Return the table, without its header when ``--no-header`` says so."""
        return table(header if self.header else None, rows)


def coloured(text: str, colour: Colour, *, bold: bool = False) -> str:
    """Return the text as a terminal shows it in that colour."""
    start = f"\033[{_COLOURS[colour]}m" + ("\033[1m" if bold else "")
    return f"{start}{text}\033[0m"


def note(sentence: str) -> None:
    """Print a line on standard error, where it never mixes with data."""
    print(sentence, file=sys.stderr, flush=True)


def table(header: Row | None, rows: Iterable[Row]) -> str:
    """Return the lines of a table; empty when there is neither header nor row."""
    body = [[cell.replace("\n", " ") for cell in row] for row in rows]
    lines = [header, *body] if header else body
    if not lines:
        return ""
    widths = [max(len(row[position]) for row in lines) for position in range(len(lines[0]))]
    drawn = ["".join(cell.ljust(width) + _GAP for cell, width in zip(row, widths, strict=True)) for row in lines]
    if header:
        drawn[0] = drawn[0][: 1 - len(_GAP)]
    return "\n".join(drawn)


def pairs(rows: Iterable[tuple[str, str]]) -> str:
    """Return a table of two columns without a header, as for one record."""
    return table(None, rows)


def as_json(value: object) -> str:
    """Return the value as JSON, two blanks a level."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def as_yaml(value: object) -> str:
    """Return the value as YAML, long texts as blocks."""
    import yaml

    class Dumper(yaml.SafeDumper):
        """The plain dumper, with blocks for texts of several lines and nothing abbreviated."""

        def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002
            """Write a value again instead of referring to it."""
            return True

    def block(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)

    Dumper.add_representer(str, block)
    return str(yaml.dump(value, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=1_000_000))


def jq_lines(expression: str, value: object) -> list[str]:
    """Return what a jq expression makes of the value: strings, numbers and booleans bare, the rest as JSON.

    Raises: BadRequest with jq's own words.
    """
    import jq

    try:
        results = jq.compile(expression).input_value(value).all()
    except ValueError as error:
        raise BadRequest(f"jq: {str(error).splitlines()[0]}: {expression}") from error
    return [one if isinstance(one, str) else as_json(one) for one in results]


def moment(text: object) -> str:
    """Return a time of the wire as the public client prints it; empty for none and for the zero time."""
    stamp = str(text or "")
    if len(stamp) < 19 or stamp.startswith("0001-01-01"):
        return ""
    return f"{stamp[:10]} {stamp[11:19]}"


def moment_utc(text: object) -> str:
    """Return a time with its zone, always UTC here."""
    short = moment(text)
    return f"{short} +0000 UTC" if short else ""


def yes_no(value: object) -> str:
    """Return ``true`` or ``false``."""
    return "true" if value else "false"


def labels(value: object) -> str:
    """Return a map as ``a=1,b=2``, sorted by key."""
    return ",".join(f"{key}={one}" for key, one in sorted(value.items())) if isinstance(value, dict) else ""


def one_of_map(value: object) -> str:
    """Return ``None``, the single key, or ``Multiple``."""
    keys = list(value) if isinstance(value, dict) else []
    return "None" if not keys else keys[0] if len(keys) == 1 else "Multiple"


def an_id(value: object) -> str:
    """Return the id; empty for the id that stands for none."""
    text = str(value or "")
    return "" if text.startswith("00000000-0000-0000-0000") else text
