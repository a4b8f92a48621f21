"""From an assessment to labels: rules raise and never lower, and what is not sure goes to a person."""

from __future__ import annotations

from itertools import product

import pytest

from tests.factories import assessment
from tests.quick_predictors import prediction
from triage.decide import decide
from triage.red_flags import shipped_red_flags
from triage.vocabulary import (
    AbuseType,
    Assessment,
    Category,
    Decision,
    Prediction,
    RedFlag,
    Severity,
    Theme,
)

RULES = shipped_red_flags()
SLAPPED = RULES.find("The carer slapped my mother.")
NOT_SLAPPED = RULES.find("The carer never slapped my mother.")
CLOSING = RULES.find("The agency is handing back all packages.")
SCREAMED = RULES.find("A carer screamed at him.")


def of(said: Prediction, flags: tuple[RedFlag, ...] = ()) -> Decision:
    """The decision over what the models and the rules say."""
    return decide(assessment(said, red_flags=flags))


def test_the_rules_used_here_are_what_they_seem() -> None:
    """One that raises, one that is denied, one of another category, one that only asks."""
    assert [RULES.raises(flag) for flag in (*SLAPPED, *NOT_SLAPPED, *CLOSING, *SCREAMED)] == [
        True,
        False,
        True,
        False,
    ]


@pytest.mark.parametrize(("category", "severity"), list(product(Category, Severity)))
@pytest.mark.parametrize("flags", [(), SLAPPED, NOT_SLAPPED, CLOSING, SCREAMED, (*SLAPPED, *CLOSING)])
def test_a_rule_raises_and_never_lowers(
    category: Category, severity: Severity, flags: tuple[RedFlag, ...]
) -> None:
    """For everything that models can say, with every kind of hit."""
    said = prediction(category, severity)
    without, with_flags = of(said), of(said, flags)
    assert with_flags.category.protection >= without.category.protection
    assert (
        -1
        if with_flags.severity is None
        else with_flags.severity >= (-1 if without.severity is None else without.severity)
    )
    if category is not Category.NOT_A_CONCERN:
        assert with_flags.severity is not None
        assert with_flags.severity >= severity
    for flag in flags:
        if RULES.raises(flag):
            assert with_flags.category.protection >= flag.category.protection
            assert with_flags.severity is not None
            assert with_flags.severity >= flag.severity
    assert with_flags.needs_review or not without.needs_review or with_flags.severity is Severity.RED


def test_a_hit_that_is_weakened_changes_no_label() -> None:
    """It is shown."""
    decision = of(prediction(Category.CARE_CONCERN, Severity.GREEN), NOT_SLAPPED)
    assert (decision.category, decision.severity) == (Category.CARE_CONCERN, Severity.GREEN)
    assert [reason.name for reason in decision.reasons] == ["hit or assaulted"]


def test_in_what_surely_is_no_concern_a_hit_asks_a_person_instead() -> None:
    """A newsletter about abuse is no abuse; but somebody looks."""
    said = prediction(Category.NOT_A_CONCERN, Severity.GREEN, sure=0.95)
    given = assessment(said, read_text="Our newsletter: why a carer slapped her.", red_flags=SLAPPED)
    decision = decide(given)
    assert (decision.category, decision.severity) == (Category.NOT_A_CONCERN, None)
    assert decision.needs_review
    assert "a rule saw more" in decision.review_reasons


def test_a_hit_raises_what_is_only_likely_no_concern() -> None:
    """Where the models are less than sure, the rule has its way."""
    decision = of(prediction(Category.NOT_A_CONCERN, Severity.GREEN, sure=0.85), SLAPPED)
    assert (decision.category, decision.severity) == (Category.SAFEGUARDING, Severity.RED)


def test_a_rule_that_only_asks_asks() -> None:
    """It raises nothing by itself."""
    decision = of(prediction(Category.CARE_CONCERN, Severity.GREEN), SCREAMED)
    assert (decision.category, decision.severity) == (Category.CARE_CONCERN, Severity.GREEN)
    assert decision.needs_review
    assert "a rule saw more" in decision.review_reasons


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        pytest.param(
            prediction(
                Category.CARE_CONCERN,
                Severity.AMBER,
                category_set=frozenset({Category.CARE_CONCERN, Category.SAFEGUARDING}),
            ),
            "could be safeguarding",
            id="could-be-safeguarding",
        ),
        pytest.param(
            prediction(
                Category.NOT_A_CONCERN,
                Severity.GREEN,
                category_set=frozenset({Category.NOT_A_CONCERN, Category.REFERRAL}),
            ),
            "could be a concern",
            id="could-be-a-concern",
        ),
        pytest.param(
            prediction(
                Category.REFERRAL, Severity.AMBER, severity_set=frozenset({Severity.AMBER, Severity.RED})
            ),
            "could be red",
            id="could-be-red",
        ),
    ],
)
def test_what_cannot_be_ruled_out_needs_a_persons_review(said: Prediction, reason: str) -> None:
    """With the reason in words."""
    decision = of(said)
    assert decision.needs_review
    assert decision.review_reasons == (reason,)
    assert decision.could_also_be


def test_what_is_sure_needs_no_review() -> None:
    """Else everything would."""
    for category, severity in product(Category, Severity):
        decision = of(prediction(category, severity))
        assert not decision.needs_review
        assert decision.review_reasons == decision.could_also_be == ()


def test_what_could_only_be_milder_needs_no_review() -> None:
    """A red that might be amber is looked at as red anyway."""
    said = prediction(
        Category.SAFEGUARDING,
        Severity.RED,
        category_set=frozenset({Category.SAFEGUARDING, Category.CARE_CONCERN}),
        severity_set=frozenset({Severity.RED, Severity.AMBER}),
    )
    decision = of(said)
    assert not decision.needs_review
    assert decision.could_also_be == ("care_concern", "amber")


@pytest.mark.parametrize("category", list(Category))
def test_labels_keep_to_the_guide(category: Category) -> None:
    """No severity and themes without a concern, no types of abuse without safeguarding, never too many."""
    said = prediction(category, Severity.AMBER, themes=tuple(Theme)[:6], abuse_types=tuple(AbuseType)[:5])
    decision = of(said)
    is_concern = category is not Category.NOT_A_CONCERN
    assert (decision.severity is not None) is is_concern
    assert bool(decision.themes) is is_concern
    assert len(decision.themes) <= 4
    assert bool(decision.abuse_types) is (category is Category.SAFEGUARDING)
    assert len(decision.abuse_types) <= 3


def test_a_rule_brings_its_types_and_themes_where_the_models_name_none() -> None:
    """A slap is physical."""
    from dataclasses import replace

    said = replace(prediction(Category.CARE_CONCERN, Severity.GREEN), chosen_abuse_types=(), chosen_themes=())
    assert of(said, SLAPPED).abuse_types == (AbuseType.PHYSICAL,)
    assert of(said, CLOSING).themes == (Theme.PROVIDER_VIABILITY,)


def test_reasons_that_stand_come_before_weakened_ones_and_rules_before_models() -> None:
    """The desk shows them in this order."""
    from tests.quick_predictors import QuickPredictors

    said = QuickPredictors().predict("", "She was assaulted.")
    decision = decide(assessment(said, red_flags=(*NOT_SLAPPED, *SCREAMED)))
    assert [reason.kind.value for reason in decision.reasons] == ["rule", "rule", "model"]
    assert [bool(reason.context) for reason in decision.reasons] == [False, True, False]


def test_a_child_only_concern_is_sent_on_and_an_adult_one_is_not() -> None:
    """Guide, section 1."""
    text = "A little girl next door has bruises."

    def redirect(category: Category) -> str:
        given: Assessment = assessment(prediction(category, Severity.RED), read_text=text)
        return decide(given).redirect

    assert redirect(Category.NOT_A_CONCERN) == "children"
    assert redirect(Category.SAFEGUARDING) == ""
