"""Claude may explain, and raise a risk; it may not lower one, invent a figure, be late or answer in another form."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from confighub.operations.drift.risk import Risk
from confighub.operations.explaining import MODEL, Explainer, Explanation, explainer_from
from tests.operations.messages_api import KEY, MessagesApi, serve_messages

FACTS = {
    "service": "reference-data",
    "cpu": {"requested": "250m", "p95": "40m", "advised": "60m"},
    "saving_usd_per_month": 31.2,
    "replicas": 3,
}


@pytest.fixture
def api() -> Iterator[MessagesApi]:
    """A server in Claude's place."""
    with serve_messages() as served:
        yield served


def asking(api: MessagesApi, **more: str) -> Explainer:
    environ = {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": api.url, **more}
    return explainer_from(environ, timeout_s=5)


def test_an_advice_is_explained_in_the_words_of_the_answer(api: MessagesApi) -> None:
    api.says(explanation="reference-data uses 40m of 250m; 60m leaves room and saves 31.20 USD a month.")

    explained = asking(api).explain_advice(FACTS)

    assert explained == Explanation("reference-data uses 40m of 250m; 60m leaves room and saves 31.20 USD a month.")
    assert json.dumps(FACTS) in api.question()
    assert api.asked[0]["model"] == MODEL
    schema = api.asked[0]["output_config"]["format"]["schema"]
    assert (schema["required"], schema["additionalProperties"]) == (["explanation"], False)
    assert api.key() == KEY


def test_the_model_is_the_one_that_the_environment_names(api: MessagesApi) -> None:
    api.says(explanation="It is idle.")

    asking(api, CLAUDE_MODEL="claude-opus-5").explain_advice(FACTS)

    assert api.asked[0]["model"] == "claude-opus-5"


@pytest.mark.parametrize(
    ("said", "figure"),
    [
        ("It saves 374.40 USD a year.", "374.40"),
        ("It saves about 31 USD a month.", "31"),
        ("It uses 16 % of what it asks for.", "16"),
        ("It would save half of the cost.", "half"),
        ("Four replicas would do.", "four"),
        ("It saves 31.2k USD a month.", "31.2 k"),
        ("It saves ½ of the cost.", "½"),
    ],
)
def test_a_figure_that_is_not_in_the_facts_makes_the_answer_worthless(api: MessagesApi, said: str, figure: str) -> None:
    api.says(explanation=said)

    explained = asking(api).explain_advice(FACTS)

    assert explained.text == ""
    assert explained.failure == f"Claude's answer has figures that are not in the facts: {figure}"


@pytest.mark.requirement("R-275")
@pytest.mark.parametrize(
    ("rules", "said", "counts"),
    [
        (Risk.LOW, "LOW", Risk.LOW),
        (Risk.LOW, "HIGH", Risk.HIGH),
        (Risk.MEDIUM, "LOW", Risk.MEDIUM),
        (Risk.HIGH, "MEDIUM", Risk.HIGH),
    ],
)
def test_a_risk_is_raised_and_never_lowered(api: MessagesApi, rules: Risk, said: str, counts: Risk) -> None:
    api.says(explanation="Somebody scaled it by hand.", risk=said)

    explained = asking(api).explain_drift({"unit": "trade-service-deployment"}, risk=rules)

    assert explained == Explanation("Somebody scaled it by hand.", risk=counts)
    assert f"the rules say {rules.name}" in api.question()


@pytest.mark.parametrize(
    "text",
    [
        "It is fine.",
        '{"explanation": "fine"}',
        '{"explanation": "fine", "risk": "NONE"}',
        '{"explanation": "fine", "risk": "LOW", "command": "kubectl delete"}',
        '{"explanation": "", "risk": "LOW"}',
        json.dumps({"explanation": "x" * 1_201, "risk": "LOW"}),
        '{"explanation": ["fine"], "risk": "LOW"}',
        "",
    ],
)
def test_an_answer_of_another_form_is_not_used(api: MessagesApi, text: str) -> None:
    api.text = text

    explained = asking(api).explain_drift({"unit": "web"}, risk=Risk.LOW)

    assert (explained.text, explained.risk) == ("", Risk.LOW)
    assert "does not have the agreed form" in explained.failure


def test_an_answer_that_would_move_the_terminal_is_not_used(api: MessagesApi) -> None:
    api.says(explanation="fine \x1b[J")

    assert "characters that are not text" in asking(api).explain_advice(FACTS).failure


@pytest.mark.parametrize("reason", ["max_tokens", "refusal"])
def test_an_unfinished_answer_is_not_used(api: MessagesApi, reason: str) -> None:
    api.says(explanation="It is")
    api.stop_reason = reason

    assert asking(api).explain_advice(FACTS).failure == f"Claude did not finish its answer: {reason}"


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"type": "message"}', b'{"content": 7}'])
def test_what_is_no_message_at_all_is_told_and_harms_nobody(api: MessagesApi, body: bytes) -> None:
    api.body = body

    explained = asking(api).explain_advice(FACTS)

    assert explained.text == ""
    assert explained.failure


@pytest.mark.parametrize(("status", "text"), [(401, "invalid x-api-key"), (429, "rate limited"), (529, "overloaded")])
def test_a_refusal_of_the_api_is_told_with_its_reason_and_tried_once(api: MessagesApi, status: int, text: str) -> None:
    api.status, api.text = status, text

    explained = asking(api).explain_advice(FACTS)

    assert explained.failure == f"Claude cannot be asked: HTTP {status}: {text}"
    assert len(api.asked) == 1


@pytest.mark.parametrize("how", ["is_silent", "drips"])
def test_an_answer_that_does_not_come_to_an_end_is_not_waited_for(api: MessagesApi, how: str) -> None:
    setattr(api, how, True)
    explainer = explainer_from({"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": api.url}, timeout_s=1)

    assert explainer.explain_advice(FACTS).failure == "Claude did not answer within 1 s"


def test_nobody_there_is_told() -> None:
    with serve_messages() as gone:
        pass

    assert asking(gone).explain_advice(FACTS).failure.startswith("Claude cannot be reached: ")


def test_without_a_key_nobody_is_asked_and_that_is_said() -> None:
    explainer = explainer_from({})

    assert explainer.absent == "no key is set: ANTHROPIC_API_KEY"
    assert explainer.explain_drift({}, risk=Risk.MEDIUM) == Explanation(failure=explainer.absent, risk=Risk.MEDIUM)


def test_without_the_package_it_is_named_with_the_way_to_get_it() -> None:
    """A fresh interpreter that finds no such package, as where only the locked ones are installed."""
    code = (
        "import sys; sys.modules['anthropic'] = None\n"
        "import importlib.util as util; found = util.find_spec\n"
        "from confighub.operations import explaining\n"
        "print(explaining.explainer_from({'ANTHROPIC_API_KEY': 'k'}).absent)"
    )

    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout

    assert said == "the package anthropic is not installed: pip install 'traderx-confighub[claude]'\n"


def test_the_key_is_in_nothing_that_is_printed(api: MessagesApi) -> None:
    api.status, api.text = 400, "bad"
    explainer = asking(api)

    assert KEY not in repr(explainer)
    assert KEY not in explainer.explain_advice(FACTS).failure
