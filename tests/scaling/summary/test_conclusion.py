from __future__ import annotations

from itertools import product

import pytest

from ase_probe.scaling.summary.claims import Statement, conclusion

CLAIMS = ("stable-only", "with-h2", "without-h2")


def said(*verdicts: str) -> str:
    return conclusion([
        Statement(claim=claim, subject="schnet", verdict=verdict, provisional=False, reasons=())
        for claim, verdict in zip(CLAIMS, verdicts, strict=True)
    ])  # fmt: skip


@pytest.mark.parametrize(
    "verdicts",
    [
        (first, *others)
        for first in ("yes", "no", "undecided")
        for others in product(["yes", "no"], repeat=2)
    ],
)
def test_every_outcome_has_a_sentence_that_knows_the_control(verdicts: tuple[str, ...]) -> None:
    sentence = said(*verdicts)
    assert ("is undecided" in sentence) == (verdicts[0] == "undecided")
    assert "cannot be read together" not in sentence
    other_bonds_do = (
        "with or without H2" in sentence or "other stretched and compressed bonds did." in sentence
    )
    assert other_bonds_do == (verdicts[2] == "yes")


def test_an_undecided_control_is_said() -> None:
    for first in ("yes", "no", "undecided"):
        assert "not decided by the control" in said(first, "yes", "undecided")


@pytest.mark.parametrize("falls", [True, False])
def test_a_shape_without_the_curve_is_told_apart(falls: bool) -> None:
    statements = [
        Statement(
            claim=claim, subject="schnet", verdict="yes", provisional=False, reasons=(),
            error_falls=falls or claim != "without-h2",
        )
        for claim in CLAIMS
    ]  # fmt: skip
    sentence = conclusion(statements)
    assert ("not H2." in sentence) == falls
    assert ("a shape, not this curve" in sentence) != falls


def test_without_a_verdict_on_both_there_is_nothing_to_say_together() -> None:
    assert said("undecided", "undecided", "yes").endswith("together: (1) undecided; (2) undecided.")
    assert said("not run", "yes", "yes").endswith("together: (1) not run.")
