"""A command line taken apart, when nothing is wrong with it.

This is the short way: it reads what is plainly a command with its parameters, and leaves all else (help, mistakes,
unusual spellings) to Click, which reads the same declarations. A test holds both to the same reading.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from confighub.cli.call import Call, Typed
from confighub.cli.command import Command, Group, Parameter
from confighub.errors import BadRequest

TRUE = frozenset({"true", "t", "1", "yes"})
FALSE = frozenset({"false", "f", "0", "no"})


class Line(NamedTuple):
    """A command and what was typed for it."""

    command: Command
    typed: Typed


def read(root: Group, words: Sequence[str], *, program: str = "cub") -> Line | None:
    """Return the command of the line with its parameters; None when the line is not as plain as that."""
    found: Command | Group = root
    name, rest, above = program, list(words), None
    while isinstance(found, Group):
        taken = _options(found, rest, is_group=True)
        if taken is None or not taken.positional:
            return None
        above = _typed(name, taken, above)
        name, rest = taken.positional[0], taken.positional[1:]
        inner = None if name.startswith("-") else found.find(name, Call(above))
        if inner is None:
            return None
        found = inner
    taken = _options(found, rest, is_group=False)
    if taken is None or not _place(found, taken):
        return None
    return Line(found, _typed(name, taken, above))


def truth(name: str, text: str) -> bool:
    """Return what a value of true or false means; raises BadRequest for anything else."""
    if text.lower() not in TRUE | FALSE:
        raise BadRequest(f'invalid argument "{text}" for "--{name}": true or false')
    return text.lower() in TRUE


class _Taken(NamedTuple):
    values: dict[str, object]
    given: set[str]
    positional: list[str]


def _options(found: Command | Group, words: list[str], *, is_group: bool) -> _Taken | None:
    """Take the options out of the words; what follows a group's first plain word belongs to its command."""
    by_spelling = {spelling: one for one in found.params for spelling in one.opts}
    off = {one.off: one for one in found.params if one.off}
    taken = _Taken({one.key: one.unset for one in found.params}, set(), [])
    position = 0
    while position < len(words):
        word = words[position]
        position += 1
        if word == "--" and not is_group:
            taken.positional.extend(words[position:])
            break
        if word == "-" or not word.startswith("-"):
            taken.positional.append(word)
            if is_group:
                taken.positional.extend(words[position:])
                break
            continue
        if word in off:
            _set(taken, off[word], value=False)
            continue
        name, equals, value = word.partition("=")
        one = by_spelling.get(name)
        if one is None or one.bare or (equals and not name.startswith("--")):
            return None
        if one.sort == "switch":
            if equals and value.lower() not in TRUE | FALSE:
                return None
            is_on = not equals or value.lower() in TRUE
            if not is_on and not one.off:
                continue
            _set(taken, one, value=is_on)
        elif equals:
            _set(taken, one, value=value)
        elif position < len(words):
            _set(taken, one, value=words[position])
            position += 1
        else:
            return None
    return taken


def _set(taken: _Taken, one: Parameter, *, value: object) -> None:
    taken.given.add(one.key)
    before = taken.values[one.key]
    taken.values[one.key] = (*before, value) if isinstance(before, tuple) else value


def _place(found: Command, taken: _Taken) -> bool:
    """Give the plain words to the arguments; False when there are too few or too many."""
    left = taken.positional
    for one in found.params:
        if one.sort != "argument":
            continue
        if one.many:
            taken.values[one.key], left = tuple(left), []
        elif left:
            taken.values[one.key], left = left[0], left[1:]
        if one.required and not taken.values[one.key]:
            return False
        taken.given.add(one.key)
    return not left


def _typed(name: str, taken: _Taken, above: Typed | None) -> Typed:
    path = f"{above.path} {name}" if above else name
    return Typed(path, name, taken.values, frozenset(taken.given), above.kept if above else {}, above)
