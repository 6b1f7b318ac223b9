"""What an alarm is worth, on rings whose truth is known, and what it does to a submission."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from contract.alarms import Alarm, Condition, Figure
from contract.messages import Abstention, Classified, ModelRef
from contract.photos import QualityFault
from inference_worker.models.classification import CONDITIONS
from training import publish, submissions, worth
from training.classification_figures import aucs
from training.data import Row
from training.statistics import bootstrap
from training.submissions import Submission, earned, level_of, levels_before, submissions_of

TRUTH = np.array(["HI"] * 20 + ["AD"] * 40 + ["OTHER"] * 40)
GROUPS = [str(n) for n in range(100)]


def rings(hi: int, ad: int, other: int) -> np.ndarray:
    return np.concatenate([np.arange(n) < k for k, n in ((hi, 20), (ad, 40), (other, 40))])


def test_a_likelihood_ratio_is_that_of_the_shares():
    own = worth.alarm_figures(rings(10, 2, 6), TRUTH, GROUPS, "HI")
    assert own["sensitivity"]["value"] == 0.5 and own["sensitivity"]["n"] == 20
    assert own["likelihood_ratio"]["value"] == pytest.approx(0.5 / 0.1)
    assert own["likelihood_ratio_ad"]["value"] == pytest.approx(0.5 / 0.05)
    assert own["false_AD"]["value"] == 0.05 and own["false_OTHER"]["value"] == 0.15
    assert own["likelihood_ratio"]["low"] < 5 < own["likelihood_ratio"]["high"]


def test_an_alarm_that_never_rings_falsely_stays_a_number_that_a_message_holds():
    own = worth.alarm_figures(rings(10, 0, 0), TRUTH, GROUPS, "HI")["likelihood_ratio"]
    assert own["value"] == pytest.approx(0.5 / (0.5 / 80)) and own["low"] > 4
    Figure(**own)


def test_photos_of_one_person_count_as_one_draw():
    alone = worth.alarm_figures(rings(10, 4, 4), TRUTH, GROUPS, "HI")["sensitivity"]
    persons = [str(n // 10) for n in range(100)]
    together = worth.alarm_figures(rings(10, 4, 4), TRUTH, persons, "HI")["sensitivity"]
    assert together["high"] - together["low"] > alone["high"] - alone["low"]


def test_scores_among_the_four_are_compared_among_the_four():
    """A photo that is mostly "other" still says more for herpes than for AD, or not."""
    p = np.array([[0.1, 0.2, 0, 0, 0.7], [0.4, 0.3, 0, 0, 0.3]])
    found = aucs(np.array(["HI", "AD"]), p, ["a", "b"])
    assert found["auc_hi_of_ad"]["value"] == 1.0 and found["auc_hi_of_other_diseases"]["value"] == 0.0
    assert "auc_mf_of_the_four" not in found  # .5 would read as if it had been tried


def test_a_candidate_is_measured_at_the_line_of_the_recipe():
    p = np.zeros((100, len(CONDITIONS)))
    p[:, CONDITIONS.index("IM")] = rings(0, 4, 4) * 0.5
    found = worth.candidates(p, np.where(TRUTH == "HI", "IM", TRUTH), GROUPS, {"candidate line IM": 0.5})
    assert found["candidate_IM.false_AD"]["value"] == 0.1 and found["candidate_IM.sensitivity"]["value"] == 0


def test_the_budget_counts_a_photo_once_and_thirds_of_skin_tone_are_measured():
    opinions = [
        opinion(
            *(Alarm(condition=Condition(name), score=float(rung), threshold=0.5) for name in ("HI", "IM"))
        )
        for rung in rings(20, 4, 8)
    ]
    rows = [row(label, group) for label, group in zip(TRUTH, GROUPS, strict=True)]
    angles = np.where(np.arange(100) < 10, np.nan, np.arange(100.0))
    own = dataclasses.make_dataclass("Own", ["recipe"])({})
    figures, alarms = worth.measure(rows, opinions, angles, own)
    budget = figures["any_alarm.AD_or_OTHER"]
    assert budget["value"] == 12 / 80 and budget["n"] == 80
    assert set(alarms) == {"HI", "IM"}
    darkest, middle, lightest = figures["by_tone_third"].values()
    assert darkest["alarm_HI.HI"]["n"] == 10 and darkest["alarm_HI.AD"]["n"] == 20  # ten have no angle
    assert middle["alarm_HI.AD"]["n"] == 20 and lightest["alarm_HI.OTHER"]["n"] == 30


def test_what_could_not_be_measured_is_not_sent(tmp_path):
    figure = {"value": 0.5, "low": 0.4, "high": 0.6, "n": 9}
    row = {"name": "classification", "alarms": {"HI": {}}}
    (tmp_path / "table.json").write_text(json.dumps([row]))
    nothing = dict.fromkeys(("value", "low", "high")) | {"n": 0}
    publish.record_alarms({"HI": {"sensitivity": figure, "likelihood_ratio": nothing}}, row["name"], tmp_path)
    assert json.loads((tmp_path / "table.json").read_text())[0]["alarms"] == {"HI": {"sensitivity": figure}}


# --- Submissions ------------------------------------------------------------------------------------------
def row(label, group, name="x.jpg"):
    return Row(name, name, None, label, "evaluate", "here", "", group, "", "")


def test_photos_of_a_person_are_a_submission_and_photos_alone_are_paired_within_their_class():
    rows = [row("AD", "p")] * 7 + [row("AD", "q")] + [row("AD", "r")] + [row("HI", "s")]
    found = submissions_of(rows)
    real = [one for one in found if not one.is_simulated]
    assert sorted(len(one.photos) for one in real) == [2, 2, 3] and {one.group for one in real} == {"p"}
    (pair,) = [one for one in found if one.is_simulated]
    assert sorted(pair.photos) == [7, 8] and pair.label == "AD"  # the one photo of herpes is left over
    assert submissions_of(rows) == found


GOOD = Figure(value=5.0, low=2.0, high=9.0, n=90)
ALARM = Alarm(
    condition=Condition.HI,
    score=0.3,
    threshold=0.2,
    sensitivity=Figure(value=0.7, low=0.5, high=0.8, n=80),
    likelihood_ratio=GOOD,
    likelihood_ratio_ad=GOOD,
)


@pytest.mark.parametrize(
    "lacking",
    [
        {"sensitivity": Figure(value=0.7, low=0.49, high=0.8, n=80)},
        {"likelihood_ratio": Figure(value=5.0, low=1.99, high=9.0, n=90)},
        {"likelihood_ratio_ad": Figure(value=5.0, low=1.99, high=9.0, n=90)},
        {"likelihood_ratio": None},
        {"sensitivity": None},
    ],
)
def test_an_alarm_raises_only_where_every_figure_earned_it(lacking):
    assert earned(ALARM) and not earned(dataclasses.replace(ALARM, **lacking))


def opinion(*alarms: Alarm) -> Classified:
    return Classified(
        probabilities={"HI": 0.3},
        views=(),
        thresholds={},
        top=None,
        abstention=None if any(a.rings for a in alarms) else Abstention.UNCERTAIN,
        demonstration=True,
        alarms=alarms,
        model=ModelRef(name="m", version="1", sha256="0"),
    )


def test_one_alarm_raises_a_submission_and_doubt_raises_none():
    silent = dataclasses.replace(ALARM, threshold=0.4)
    unearned = dataclasses.replace(ALARM, sensitivity=None)
    photos = list(
        submissions.levels_by_alarms([opinion(silent), opinion(ALARM), opinion(unearned)], [True] * 3)
    )
    assert [level for level, _ in photos] == ["routine", "same_day", "routine"]
    pair = Submission("HI", "g", (0, 1), False)
    assert level_of(pair, photos) == "same_day"
    assert level_of(Submission("HI", "g", (0, 2), False), photos) == "routine"


def test_a_submission_without_a_usable_photo_waits_two_days_at_most():
    photos = [("routine", False), ("routine", False), ("routine", True), ("same_day", False)]
    levels = [level_of(Submission("AD", "g", own, False), photos) for own in ((0, 1), (0, 2), (0, 3))]
    assert levels == ["days_2", "routine", "same_day"]


def test_under_the_former_policy_every_alarm_and_abstention_raises():
    ringing, silent = opinion(dataclasses.replace(ALARM, sensitivity=None)), opinion()
    named = dataclasses.replace(silent, abstention=None)
    levels = [level for level, _ in levels_before([ringing, silent, named], [None] * 3)]
    assert levels == ["same_day", "days_2", "routine"]
    assert [usable for _, usable in levels_before([named, named], [None, QualityFault.GLARE])] == [
        True,
        False,
    ]


def test_the_page_says_of_each_goal_whether_it_is_reached():
    cases = [Submission("AD", str(n), (n,), False) for n in range(10)]
    cases += [Submission("HI", f"h{n}", (10 + n,), True) for n in range(10)]
    photos = [("routine", True)] * 15 + [("same_day", True)] * 5
    text = "\n".join(submissions.page({"m": submissions.figures_of(cases, photos)}, ["m"]))
    assert "AD left routine at least 0.80: 1.000 [0.723, 1.000], reached" in text
    assert "HI raised at least 0.60: 0.500" in text and "**not reached**" in text
    shares = submissions.figures_of(cases, photos)["HI"]
    assert shares["raised, of one person"]["n"] == 0 and shares["raised"]["n"] == 10
    assert shares["same_day"]["value"] == bootstrap(lambda i: 0.5, GROUPS)["value"]
