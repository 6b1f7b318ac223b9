"""The figures of a classification: what is reported, how well the scores order photos, and what an alarm is worth."""

from __future__ import annotations

import numpy as np

from contract.messages import Classified
from inference_worker.models.classification import CONDITIONS
from training.arms import FOUR
from training.data import Row
from training.photo_verdict import ringing
from training.statistics import Figures, auc_figure, bootstrap, likelihood_ratio, of_share, widened

POSITIVE = ("HI", "IM", "MF")  # not atopic dermatitis
BACKGROUND = ("AD", "OTHER")  # against whom an alarm is measured: what most photos of a clinic show


def classification_figures(rows: list[Row], opinions: list[Classified]) -> Figures:
    """Abstaining counts as a miss in `sensitivity`, `specificity` and `recall`; `*_answered` leaves it out and
    `*_answered_share` says of how many; `*_forced` takes the likeliest condition instead."""
    truth, named, p = truths(rows), answers(opinions), probabilities(opinions)
    forced = np.array(CONDITIONS)[p.argmax(axis=1)]
    groups = [row.group for row in rows]
    # Positive is not AD, as in the published table, among photos of the four diseases.
    ill, ad = np.isin(truth, POSITIVE), truth == "AD"
    figures = aucs(truth, p, groups)
    for ending, answer, which in (
        ("", named, named == named),
        ("_answered", named, named != ""),
        ("_forced", forced, named == named),
    ):
        figures[f"sensitivity{ending}"] = share_of(ill & which, (answer != "AD") & (answer != ""), groups)
        figures[f"specificity{ending}"] = share_of(ad & which, answer == "AD", groups)
    for name, which in (("sensitivity", ill), ("specificity", ad), ("balanced_accuracy", named == named)):
        figures[f"{name}_answered_share"] = share_of(which, named != "", groups)
    sent = {str(alarm.condition) for opinion in opinions for alarm in opinion.alarms}
    # An alarm that the weights do not have would read as one that misses all.
    ringing = {
        name: np.array([rings(opinion, name) for opinion in opinions], bool)
        for name in POSITIVE
        if name in sent
    }
    for name in sorted({row.label for row in rows}):
        own = np.array([row.label == name for row in rows])
        rates = {
            "recall": named == truth,
            "recall_forced": forced == truth,
            "abstain_rate": named == "",
            "wrong_and_confident": (named != "") & (named != truth),
            **{f"alarm_{condition}": hits for condition, hits in ringing.items()},
        }
        for rate, hits in rates.items():
            figures[f"{rate}.{name}"] = share_of(own, hits, groups)
    for name, hits in ringing.items():
        ill_of_it = truth == name
        against = {"": np.isin(truth, BACKGROUND), "_ad": ad}
        for ending, well in against.items():
            ratio = likelihood_ratio(hits, ill_of_it, well, groups)
            figures[f"alarm_{name}_likelihood_ratio{ending}"] = ratio
    figures["balanced_accuracy"] = balanced_figure(truth, named, groups)
    figures["balanced_accuracy_forced"] = balanced_figure(truth, forced, groups)
    return figures


def truths(rows: list[Row]) -> np.ndarray:
    """Return the true condition of each photo; healthy skin is OTHER."""
    return np.array(["OTHER" if row.label == "NORMAL" else row.label for row in rows])


def answers(opinions: list[Classified]) -> np.ndarray:
    """Return the named condition of each photo, "" where none is."""
    return np.array([opinion.top or "" for opinion in opinions])


def probabilities(opinions: list[Classified]) -> np.ndarray:
    """Return (N, 5) in the order of CONDITIONS; 0 for what the weights have seen no photo of."""
    return np.array([[opinion.probabilities.get(name, 0.0) for name in CONDITIONS] for opinion in opinions])


def rings(opinion: Classified, condition: str) -> bool:
    """Return whether the alarm for a condition rings."""
    return condition in ringing(opinion)


def among_four(p: np.ndarray, condition: str) -> np.ndarray:
    """Return P(condition) of probabilities (N, 5), normalised over AD, HI, IM and MF.

    Between photos of the four diseases what the model gives to OTHER says nothing, and would blur the order.
    """
    four = p[:, [CONDITIONS.index(name) for name in FOUR]]
    return four[:, FOUR.index(condition)] / np.maximum(four.sum(axis=1), 1e-12)


def aucs(truth: np.ndarray, p: np.ndarray, groups: list[str]) -> Figures:
    """Return how well the scores order photos, whatever any threshold makes of them.

    A score that is 0 everywhere is that of a condition which the weights do not know: it has no figure.
    """
    four, every = np.isin(truth, FOUR), np.ones(len(truth), bool)
    comparisons = {  # name: score, the photos it is about, the positives
        "auc_not_ad": (1 - among_four(p, "AD"), four, truth != "AD"),
        "auc_hi_of_ad": (among_four(p, "HI"), np.isin(truth, ("HI", "AD")), truth == "HI"),
        "auc_hi_of_other_diseases": (p[:, CONDITIONS.index("HI")], every, truth == "HI"),
        "auc_im_of_the_four": (among_four(p, "IM"), four, truth == "IM"),
        "auc_mf_of_the_four": (among_four(p, "MF"), four, truth == "MF"),
        "auc_four_of_other": (1 - p[:, CONDITIONS.index("OTHER")], every, four),
    }
    return {
        name: auc_figure(score[which], positive[which], [groups[i] for i in np.flatnonzero(which)])
        for name, (score, which, positive) in comparisons.items()
        if score.any()
    }


def share_of(which: np.ndarray, hits: np.ndarray, groups: list[str]) -> Figures:
    """Return the share of hits among the photos that `which` marks."""
    return of_share(hits[which], [groups[i] for i in np.flatnonzero(which)])


def balanced(truth: np.ndarray, answer: np.ndarray) -> float:
    """Return the mean recall over the classes that occur."""
    return float(np.mean([(answer[truth == name] == name).mean() for name in np.unique(truth)]))


def balanced_figure(truth: np.ndarray, answer: np.ndarray, groups: list[str]) -> Figures:
    """Return the mean recall; a draw in which a class vanishes would be another question and is not scored."""
    every, names = set(truth), np.array(groups)
    own = bootstrap(
        lambda i: balanced(truth[i], answer[i]) if set(truth[i]) == every else np.nan,
        groups,
    )
    return widened(own, min(len(set(names[truth == name])) for name in every))


def answered_share(name: str, figures: Figures) -> float | None:
    """Return of how many photos an accuracy speaks, 0..1; None for what is no accuracy."""
    quantity, _, label = name.partition(".")
    if quantity in ("recall", "wrong_and_confident"):
        abstained = figures.get(f"abstain_rate.{label}")  # none of an experiment's, which always answers
        return 1 - abstained["value"] if abstained else 1.0
    if quantity.startswith("recall_") or quantity.endswith("_forced"):
        return 1.0
    own = figures.get(f"{quantity.removesuffix('_answered')}_answered_share")
    return own["value"] if own else None
