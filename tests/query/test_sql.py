"""The same random expressions on the same random records, in an SQLite file and in memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.pool import NullPool

from confighub.query import evaluate, sql
from confighub.query.expression import (
    Attribute,
    Comparison,
    Expression,
    Holds,
    Length,
    Membership,
    Presence,
    Term,
)
from confighub.query.fields import Kind
from confighub.query.parser import parse

EPOCH = datetime(2025, 1, 1, tzinfo=UTC)
IDS = [f"00000000-0000-0000-0000-00000000000{n}" for n in range(1, 5)]
WORDS = ["", "web", "Web", "web-1", "w_b", "a%b", "back*", "[x]", "grün", "GRÜN", "line\nbreak", "zeta"]
KEYS = ["tier", "app.io/name", "x"]


class Moment(sa.types.TypeDecorator[datetime]):
    """Times as whole microseconds."""

    impl = sa.Integer
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> int | None:
        return None if value is None else (value - EPOCH) // timedelta(microseconds=1)


metadata = sa.MetaData()
units = sa.Table(
    "units",
    metadata,
    sa.Column("UnitID", sa.Text, primary_key=True),
    sa.Column("Slug", sa.Text),
    sa.Column("LastChangeDescription", sa.Text),
    sa.Column("HeadRevisionNum", sa.Integer),
    sa.Column("LiveRevisionNum", sa.Integer),
    sa.Column("TargetID", sa.Text),
    sa.Column("UpstreamUnitID", sa.Text),
    sa.Column("SetID", sa.Text),
    sa.Column("CreatedAt", Moment),
    sa.Column("UpdatedAt", Moment),
    sa.Column("ApprovedBy", sa.Text),
    sa.Column("ApplyGates", sa.Text),
)
labels = sa.Table(
    "labels", metadata, sa.Column("UnitID", sa.Text), sa.Column("key", sa.Text), sa.Column("value", sa.Text)
)
sets = sa.Table("sets", metadata, sa.Column("SetID", sa.Text), sa.Column("Slug", sa.Text))

upstream = units.alias("upstream")


class Storage:
    """Attributes in columns, labels in a side table, lists and gates as JSON text."""

    def _related(self, attribute: Attribute, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        return sa.select(column).where(upstream.c.UnitID == units.c.UpstreamUnitID).scalar_subquery()

    def column(self, attribute: Attribute) -> sa.ColumnElement[Any]:
        if attribute.name == "Labels":
            chosen = labels.c.UnitID == units.c.UnitID, labels.c.key == attribute.key
            return sa.select(labels.c.value).where(*chosen).scalar_subquery()
        if attribute.name == "ApplyGates":
            each = self._entries(attribute)
            return sa.cast(
                sa.select(each.c.value).select_from(each).where(each.c.key == attribute.key).scalar_subquery(),
                sa.Boolean,
            )
        if attribute.relation:
            return self._related(attribute, upstream.c[attribute.name])
        return units.c[attribute.name]

    def entry(self, attribute: Attribute, test: sql.Test) -> sa.ColumnElement[bool]:
        if attribute.name == "ApplyGates":
            return test(self.column(attribute))
        chosen = sa.select(labels.c.UnitID).where(labels.c.key == attribute.key, test(labels.c.value))
        return units.c.UnitID.in_(chosen)

    def size(self, attribute: Attribute) -> sa.ColumnElement[int]:
        if attribute.name == "Labels":
            counted = sa.select(sa.func.count()).where(labels.c.UnitID == units.c.UnitID)
            return counted.scalar_subquery()
        each = self._entries(attribute)
        return sa.select(sa.func.count()).select_from(each).scalar_subquery()

    def holds(self, attribute: Attribute, item: str) -> sa.ColumnElement[bool]:
        if attribute.name == "Labels":
            return sa.exists().where(labels.c.UnitID == units.c.UnitID, labels.c.key == item)
        each = self._entries(attribute)
        found = each.c.value if attribute.name == "ApprovedBy" else each.c.key
        return sa.exists(sa.select(1).select_from(each).where(found == item))

    def anywhere(self, attribute: Attribute, test: sql.Test) -> sa.ColumnElement[bool]:
        if attribute.name != "Labels":
            each = self._entries(attribute)
            return sa.exists(sa.select(1).select_from(each).where(test(each.c.key)))
        here = labels.c.UnitID == units.c.UnitID
        return sa.exists().where(here, sa.or_(test(labels.c.key), test(labels.c.value)))

    def refers(self, attribute: Attribute, references: tuple[str, ...]) -> sa.ColumnElement[bool]:
        named = sa.select(sets.c.SetID).where(sets.c.Slug.in_(references))
        return sa.or_(units.c.SetID.in_(references), units.c.SetID.in_(named))

    def _entries(self, attribute: Attribute) -> sa.TableValuedAlias:
        return sa.func.json_each(units.c[attribute.name]).table_valued("key", sa.column("value", sa.Text))


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sa.Engine]:
    path = tmp_path_factory.mktemp("query") / "query.sqlite"
    engine = sa.create_engine(f"sqlite:///{path}", poolclass=NullPool)
    sa.event.listen(engine, "connect", lambda connection, _: sql.register(connection))
    metadata.create_all(engine)
    yield engine
    engine.dispose()


texts = st.sampled_from(WORDS)
numbers = st.integers(0, 4)
moments = st.integers(-3, 3).map(lambda hours: EPOCH + timedelta(hours=hours, microseconds=abs(hours)))
ids = st.sampled_from(IDS)

records = st.lists(
    st.fixed_dictionaries(
        {
            "Slug": st.none() | texts,
            "LastChangeDescription": st.none() | texts,
            "HeadRevisionNum": st.none() | numbers,
            "LiveRevisionNum": st.none() | numbers,
            "TargetID": st.none() | ids,
            "SetID": st.none() | ids,
            "UpstreamUnitID": st.none() | ids,
            "CreatedAt": st.none() | moments,
            "UpdatedAt": st.none() | moments,
            "ApprovedBy": st.lists(ids, unique=True, max_size=3),
            "ApplyGates": st.dictionaries(st.sampled_from(["a/b", "c/d"]), st.booleans()),
            "Labels": st.dictionaries(st.sampled_from(KEYS), texts),
        }
    ),
    min_size=4,
    max_size=4,
)

relations = st.sampled_from(["", "UpstreamUnit"])
ORDER = st.sampled_from(["=", "!=", "<", ">", "<=", ">="])
LIKES = st.sampled_from(["LIKE", "ILIKE", "NOT LIKE"])
PATTERNS = st.sampled_from(["^w", "b$", "W.b", "[0-9]", "x|grün", "^$", "(?s)e.b"])
LIKE_TEXTS = st.sampled_from(["%", "", "w%", "%B", "w_b", "W_B%", "%*", "[x]", "gr_n", "line%", "a%b"])


def _attribute(kind: Kind, *names: str) -> st.SearchStrategy[Attribute]:
    return st.builds(Attribute, st.sampled_from(names), st.just(kind), relations)


text_side = _attribute(Kind.TEXT, "Slug", "LastChangeDescription")
label_side = st.builds(lambda key: Attribute("Labels", Kind.TEXT, key=key), st.sampled_from(KEYS))
number_side = _attribute(Kind.NUMBER, "HeadRevisionNum", "LiveRevisionNum") | st.sampled_from(
    [
        Length(Attribute("Labels", Kind.TEXT_MAP)),
        Length(Attribute("ApprovedBy", Kind.IDS)),
        Length(Attribute("ApplyGates", Kind.FLAG_MAP)),
    ]
)
time_side = _attribute(Kind.TIME, "CreatedAt", "UpdatedAt")
id_side = _attribute(Kind.ID, "TargetID", "UpstreamUnitID")
set_side = st.just(Attribute("SetID", Kind.ID))
gate_side = st.builds(lambda key: Attribute("ApplyGates", Kind.FLAG, key=key), st.sampled_from(["a/b", "c/d"]))
equality = st.sampled_from(["=", "!="])


def _lists(left: st.SearchStrategy[Any], values: st.SearchStrategy[Any]) -> st.SearchStrategy[Term]:
    return st.builds(Membership, left, st.lists(values, min_size=1, max_size=3).map(tuple), st.booleans())


terms: st.SearchStrategy[Term] = st.one_of(
    st.builds(Comparison, text_side | label_side, ORDER, texts),
    st.builds(Comparison, text_side | label_side, LIKES, LIKE_TEXTS),
    st.builds(Comparison, text_side | label_side, st.sampled_from(["~", "!~", "~*", "!~*"]), PATTERNS),
    st.builds(Comparison, text_side | label_side, ORDER, text_side | label_side),
    st.builds(Comparison, number_side, ORDER, numbers),
    st.builds(Comparison, number_side, ORDER, _attribute(Kind.NUMBER, "HeadRevisionNum", "LiveRevisionNum")),
    st.builds(Comparison, time_side, ORDER, moments),
    st.builds(Comparison, time_side, ORDER, time_side),
    st.builds(Comparison, id_side, equality, ids),
    st.builds(Comparison, id_side, equality, id_side),
    st.builds(Comparison, set_side, equality, ids | st.sampled_from(["critical", "other", "none"])),
    st.builds(Comparison, gate_side, equality, st.booleans()),
    _lists(text_side | label_side, texts),
    _lists(number_side, numbers),
    _lists(id_side, ids),
    _lists(set_side, ids | st.just("critical")),
    st.builds(Presence, text_side | label_side | id_side | time_side | set_side, st.booleans()),
    st.builds(Holds, st.just(Attribute("Labels", Kind.TEXT_MAP)), st.sampled_from([*KEYS, "none"])),
    st.builds(Holds, st.just(Attribute("ApprovedBy", Kind.IDS)), ids),
    st.builds(Holds, st.just(Attribute("ApplyGates", Kind.FLAG_MAP)), st.sampled_from(["a/b", "none"])),
)

SETS = {IDS[0]: "critical", IDS[1]: "other"}


def _store(engine: sa.Engine, rows: list[dict[str, Any]]) -> None:
    with engine.begin() as connection:
        for table in (units, labels, sets):
            connection.execute(table.delete())
        connection.execute(sets.insert(), [{"SetID": i, "Slug": slug} for i, slug in SETS.items()])
        for row in rows:
            plain = {name: value for name, value in row.items() if name != "Labels"}
            plain |= {name: json.dumps(row[name]) for name in ("ApprovedBy", "ApplyGates")}
            connection.execute(units.insert(), plain)
            for key, value in row["Labels"].items():
                connection.execute(labels.insert(), {"UnitID": row["UnitID"], "key": key, "value": value})


def _extended(row: dict[str, Any], rows: list[dict[str, Any]]) -> dict[str, Any]:
    above = next((other for other in rows if other["UnitID"] == row["UpstreamUnitID"]), None)
    named = {"Slug": SETS[row["SetID"]]} if row["SetID"] in SETS else None
    return {"Unit": row, "UpstreamUnit": above, "Set": named}


@given(rows=records, conditions=st.lists(st.lists(terms, min_size=1, max_size=3), min_size=12, max_size=12))
def test_sql_and_memory_select_the_same_records(
    engine: sa.Engine, rows: list[dict[str, Any]], conditions: list[list[Term]]
) -> None:
    rows = [{"UnitID": unit_id, **row} for unit_id, row in zip(IDS, rows, strict=True)]
    _store(engine, rows)

    for some in conditions:
        expression = Expression("Unit", tuple(some))
        in_memory = {row["UnitID"] for row in rows if evaluate.matches(expression, _extended(row, rows))}
        with engine.connect() as connection:
            found = connection.scalars(sa.select(units.c.UnitID).where(sql.condition(expression, Storage())))
            assert set(found) == in_memory, expression


@given(rows=records, text=st.sampled_from(["web", "WEB", "ü", "%", "a/", "TIER", "nothing"]))
def test_sql_and_memory_find_the_same_text(engine: sa.Engine, rows: list[dict[str, Any]], text: str) -> None:
    rows = [{"UnitID": unit_id, "DisplayName": None, **row} for unit_id, row in zip(IDS, rows, strict=True)]
    _store(engine, [{name: value for name, value in row.items() if name != "DisplayName"} for row in rows])

    in_memory = {row["UnitID"] for row in rows if evaluate.contains("Unit", text, {"Unit": row})}
    with engine.connect() as connection:
        found = connection.scalars(sa.select(units.c.UnitID).where(sql.contains("Unit", text, _Nameless())))
        assert set(found) == in_memory


class _Nameless(Storage):
    """Storage without the texts that the test table leaves out."""

    def column(self, attribute: Attribute) -> sa.ColumnElement[Any]:
        return super().column(attribute) if attribute.name in units.c else sa.null()


def test_without_re2_the_patterns_are_left_to_memory() -> None:
    expression = parse("Slug ~ '^w' AND HeadRevisionNum = 1")

    text = str(sql.condition(expression, Storage(), has_re2=False))

    assert "HeadRevisionNum" in text
    assert "Slug" not in text
    assert expression.only_patterns() == parse("Slug ~ '^w'")


def test_a_label_is_asked_through_its_table() -> None:
    text = str(sql.condition(parse("Labels.tier = 'back'"), Storage()))

    assert "labels.key = :key_1 AND labels.value = :value_1" in text


@pytest.mark.parametrize("path", sorted((Path(__file__).parent.parent / "cases/query").glob("matching*.json")))
def test_an_expression_matches_what_its_case_says(path: Path) -> None:
    for case in json.loads(path.read_text()):
        found = evaluate.matches(parse(case["where"], case["entity"]), case["record"])
        assert found is case["matches"], case["where"]
