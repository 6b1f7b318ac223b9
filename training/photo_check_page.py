"""The figures and the page of the photo check."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

import numpy as np

from contract.photos import PhotoAdvice, QualityFault
from inference_worker.models.photo_advice import FAR_SHARE, NEAR_SHARE, NO_SKIN_SHARE, advice_for
from training.evaluate import Figures
from training.statistics import wilson
from training.tone import THIRDS, thirds

ABSENT = "none there"  # in place of a fault: the photo could not be made
GOOD = "good"
NOTHING = "nothing"
DARK_LIGHT = 0.05  # of white, at the median pixel: as dark as the photos that `photo_check.darkened` makes
# What has to be said of each kind; both sentences about a room say that no skin is seen.
RIGHT = {
    "dark": (QualityFault.TOO_DARK,),
    "blurred": (QualityFault.BLURRED,),
    "glare": (QualityFault.GLARE,),
    "far": (PhotoAdvice.TOO_FAR,),
    "near": (PhotoAdvice.TOO_NEAR,),
    "room": (PhotoAdvice.NO_SKIN, QualityFault.NOT_A_PHOTO),
}
# A second remedy that is right, too: "no skin" asks for the same distance as "too far".
ALSO_RIGHT = {"far": (PhotoAdvice.NO_SKIN,)}
DARK_ROOMS = ("far", "room")  # where most of the picture is a room, which may be truly dark
SOURCES = {"phantom": "drawn photos", "photo": "real photos"}
GOAL_RIGHT, GOAL_FALSE, GOAL_FALSE_DARKEST = 0.9, 0.05, 0.08
WHY = (
    "\n## Where a goal is missed\n",
    "- **near**: without healthy skin around it the segmentation cannot distinguish lesion from skin, and calls it skin. A photo has",
    "  no scale, and many good photos are skin to all four borders, so nothing else in it says that it is too near.",
    "- **room**, drawn: folded cloth is drawn without threads and is called blurred; dark colours in good light are called",
    "  too dark; a few surfaces pass for skin. None of the real rooms is called blurred.",
    "- **false alarms**: no goal is missed. On drawn photos they are of five kinds; on real photos they are lesions that",
    "  the segmentation misses, most of them on dark skin. The advice holds nothing back.",
)
ADVISING = set(map(str, PhotoAdvice))


def remedy(row: dict[str, str]) -> str:
    """Return the fault or advice that the patient reads for a measured photo, or NOTHING."""
    if row["fault"]:
        return row["fault"]
    shares = {name: float(row[name]) for name in ("skin", "largest", "lesion")}
    return str(advice_for(**shares) or NOTHING)


def by_second_remedy(row: dict[str, str]) -> bool:
    """Whether the remedy is not the first of its kind, but true of this picture as well."""
    word, kind = remedy(row), row["kind"]
    if word == QualityFault.TOO_DARK:
        return kind in DARK_ROOMS and float(row["light"]) <= DARK_LIGHT
    return word in ALSO_RIGHT.get(kind, ())


def figures_of(rows: Iterable[dict[str, str]]) -> Figures:
    """Return right verdicts by source and kind, false alarms on good photos, and the advice given."""
    rows = [row for row in rows if row["fault"] != ABSENT]
    names = ("right", "first", "second", "wrong", "advised", "false_alarms", "false_advice")
    figures: Figures = {name: {} for name in names}
    for source in SOURCES:
        own = [row for row in rows if row["source"] == source]
        kinds = {kind: [row for row in own if row["kind"] == kind] for kind in (GOOD, *RIGHT)}
        good = kinds.pop(GOOD)
        figures["advised"][source] = dict(Counter(map(remedy, good)))
        for kind, each in kinds.items():
            first = [row for row in each if remedy(row) in RIGHT[kind]]
            second = [row for row in each if by_second_remedy(row)]
            wrong = [row for row in each if row not in first and row not in second]
            figures["right"].setdefault(source, {})[kind] = share(row not in wrong for row in each)
            figures["first"].setdefault(source, {})[kind] = share(row in first for row in each)
            for name, own_rows in (("second", second), ("wrong", wrong)):
                figures[name].setdefault(source, {})[kind] = dict(Counter(map(remedy, own_rows)))
        figures["false_alarms"][source] = _by_tone(good, lambda word: word != NOTHING)
        figures["false_advice"][source] = _by_tone(good, lambda word: word in ADVISING)
    return figures


def _by_tone(rows: list[dict[str, str]], is_false) -> Figures:
    alarms = np.array([is_false(remedy(row)) for row in rows], bool)
    angles = np.array([float(row["tone"]) for row in rows])
    parts = {"all": np.arange(len(rows))} | thirds(angles)
    return {name: share(alarms[own]) for name, own in parts.items()}


def share(hits: Iterable[bool]) -> dict[str, float]:
    """Return the share of true values with its Wilson interval."""
    hits = list(map(bool, hits))
    low, high = wilson(sum(hits), len(hits))
    value = sum(hits) / len(hits) if hits else 0.0
    return {"value": value, "low": low, "high": high, "n": len(hits)}


# --- The page ---------------------------------------------------------------------------------------------
def page(figures: Figures) -> str:
    return "\n".join(_page(figures)) + "\n"


def _page(figures: Figures) -> Iterator[str]:
    yield "# The check of a draft's photos\n"
    yield "Written by `python -m training.photo_check --data ../shared/data --json runs/photo_check.json --out docs/models"
    yield f"{figures['options']}`; without the last options it measures 200 drawn photos of each kind and goes on from here."
    yield f"{figures['model']}. Intervals are Wilson's, 95 %; several photos of one person are counted singly.\n"
    yield "A photo gets at most one remedy: that of its pixels (dark, bright, blurred, glare, not a photo), else that of"
    yield f"its segmentation. The limits are shares of the photo: largest area of skin below {NO_SKIN_SHARE:.1%}, no skin;"
    yield f"all skin below {FAR_SHARE:.0%}, too far; lesion above {NEAR_SHARE:.0%}, too near; no lesion at all, put the spot in"
    yield "the middle. They were set on `train` photos and on scenes of other seeds. The real good photos are of use"
    yield "`evaluate` and nothing was tuned on them.\n"
    yield "How photos were spoilt (`training/photo_check.py`): 2 to 5 % of the light; out of focus or moved by 0.7 to 5 %"
    yield "of the long side; a white spot on 8 to 16 %; the photo's view on an eighth to a fifth of a room's side; a square"
    yield "of at least 200 px that is 95 % lesion by its true mask; rooms without skin (real ones: rendered, never trained on)."
    yield "A drawn scene counts as good only if its true mask keeps the limits above: some are drawn from too near or too far.\n"
    yield f"## Right verdicts (goal: {GOAL_RIGHT:.0%} each)\n"
    yield 'Two remedies can be true of one picture. Of a photo from too far away "no skin can be made out" is counted as'
    yield 'right, because it asks for the same 30 cm. Of a photo from too far away and of a room "too dark" is counted as'
    yield f"right where the picture is truly dark: its median pixel has at most {DARK_LIGHT:.0%} of white's light, as in the photos"
    yield "that are made dark here (the view that is put into a dark room keeps its own light). The share that got the"
    yield "first remedy stands beside it.\n"
    yield "| photo | source | right | 95 % | n | reached | first remedy | right by the second | wrong advice |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    for kind in RIGHT:
        for source, name in SOURCES.items():
            own, first = figures["right"][source][kind], figures["first"][source][kind]["value"]
            second, wrong = (_counts(figures[name][source][kind]) for name in ("second", "wrong"))
            reached = _yes(own["n"] and own["value"] >= GOAL_RIGHT)
            yield f"| {kind} | {name} | {_cells(own)} | {reached} | {first:.1%} | {second} | {wrong} |"
    yield f"\n## False alarms on good photos (goals: {GOAL_FALSE:.0%} of all, {GOAL_FALSE_DARKEST:.0%} of the darkest third)\n"
    yield "Any remedy counts, then the advice of the segmentation alone. Thirds are of skin tone (individual typology angle);"
    yield "where too little skin is found the middle of the photo is taken, so that it stays in its third.\n"
    yield "| source | photos | any remedy | 95 % | n | reached | advice alone | 95 % | n |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    for source, name in SOURCES.items():
        for part, own in figures["false_alarms"][source].items():
            goal = {"all": GOAL_FALSE, THIRDS[0]: GOAL_FALSE_DARKEST}.get(part)
            reached = "–" if goal is None else _yes(own["value"] <= goal)
            advice = figures["false_advice"][source][part]
            yield f"| {name} | {part} | {_cells(own)} | {reached} | {_cells(advice)} |"
    advice_on_good = (f"{name}: {_counts(figures['advised'][source])}" for source, name in SOURCES.items())
    yield f"\nAdvice on good photos: {'; '.join(advice_on_good)}."
    yield from WHY


def _counts(words: dict[str, int]) -> str:
    return ", ".join(f"{word} {count}" for word, count in Counter(words).most_common()) or "–"


def _cells(own: dict[str, float]) -> str:
    return f"{own['value']:.1%} | {own['low']:.1%} to {own['high']:.1%} | {own['n']}"


def _yes(is_reached: object) -> str:
    return "yes" if is_reached else "**no**"
