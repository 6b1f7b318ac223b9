"""How one photo becomes many: other distances, angles, lights, skin tones and cameras.

Pure functions of a sample and a `numpy` generator, so that a seed decides the whole run.
"""

from __future__ import annotations

import cv2
import numpy as np

from training.data import Known, Sample
from training.phantom import onto

LONG_SIDES = (240, 800)  # px the whole photo would have; log-uniform, around the size of inference
MAX_TURN_DEGREES = 30
BLACK = 12  # of 255; some sets cut their people out and leave this behind them
PAINTED_MM = (0.12, 0.9)  # side of a pixel for a rash drawn on a photo of unknown scale
VISIBLE = 7  # of 255; a rash paler than this on this skin is nothing to be judged by
FEATHER = 0.03  # share of a cut-out's side over which it melts into the skin below


def crop(rng: np.random.Generator, sample: Sample, side: int) -> Sample:
    """Cut a turned, mirrored, rescaled square of `side` px; outside the photo nothing is known."""
    scale = np.exp(rng.uniform(*np.log(LONG_SIDES))) / max(sample.known.shape)
    turn = np.deg2rad(rng.uniform(-MAX_TURN_DEGREES, MAX_TURN_DEGREES))
    mirror = np.diag(rng.choice([-1.0, 1.0], size=2))
    linear = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) @ mirror
    # Half of the time about a lesion, else where the square stays inside the photo.
    (height, width), reach = sample.known.shape, side / scale
    lesion = np.flatnonzero(sample.known == Known.LESION)
    if lesion.size and rng.random() < 0.5:
        y, x = divmod(int(rng.choice(lesion)), width)
        centre = np.array([x, y]) + rng.uniform(-reach / 3, reach / 3, size=2)
    else:
        centre = np.array([_inside(rng, width, reach), _inside(rng, height, reach)])
    shift = side / 2 - linear @ centre
    matrix = np.hstack([linear, shift[:, None]])
    photo = cv2.warpAffine(sample.photo, matrix, (side, side), flags=cv2.INTER_LINEAR)
    known = cv2.warpAffine(
        sample.known,
        matrix,
        (side, side),
        flags=cv2.INTER_NEAREST,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=int(Known.NOTHING),
    )
    return Sample(photo, known)


def _inside(rng: np.random.Generator, length: int, reach: float) -> float:
    margin = min(reach / 2, length / 2)
    return rng.uniform(margin, length - margin)


def develop(rng: np.random.Generator, photo: np.ndarray) -> np.ndarray:
    """Return the photo under another light, on other skin, by another camera."""
    pixels = photo.astype(np.float32) / 255
    pixels = pixels ** np.exp(rng.normal(0, 0.35))  # strong: most training skin is light
    pixels = pixels * np.exp(rng.normal(0, 0.08, size=3)) * np.exp(rng.normal(0.03, 0.16))
    grey = pixels.mean(axis=2, keepdims=True)
    pixels = grey + (pixels - grey) * np.exp(rng.normal(0, 0.2))
    if rng.random() < 0.3:
        pixels = cv2.GaussianBlur(pixels, (0, 0), rng.uniform(0.4, 1.6))
    if rng.random() < 0.3:
        pixels = pixels + rng.normal(0, rng.uniform(0.005, 0.03), size=pixels.shape).astype(np.float32)
    pixels = (np.clip(pixels, 0, 1) * 255).astype(np.uint8)
    if rng.random() < 0.2:
        pixels = stamp(rng, pixels)
    return compress(pixels, int(rng.integers(40, 96))) if rng.random() < 0.5 else pixels


def stamp(rng: np.random.Generator, photo: np.ndarray) -> np.ndarray:
    """Return the photo with a publisher's mark on it, which is neither a hole in the skin nor a lesion."""
    marked, side = photo.copy(), max(photo.shape)
    x, y = (int(v) for v in rng.uniform(0.02, 0.85, size=2) * side)
    grey = tuple(int(v) for v in np.full(3, rng.choice([0, 40, 200, 255])))
    size = float(rng.uniform(0.0008, 0.003) * side)
    text = "".join(rng.choice(list("abcdeghklmnorstuwDMNS.()"), size=int(rng.integers(4, 16))))
    cv2.putText(
        marked, text, (x, y), cv2.FONT_HERSHEY_DUPLEX, size, grey, max(1, round(2 * size)), cv2.LINE_AA
    )
    radius = int(rng.uniform(0.03, 0.08) * side)
    for row in range(-radius, radius, max(4, radius // 3)) if rng.random() < 0.5 else ():
        half = int(np.sqrt(radius**2 - row**2))
        centre = (x + radius, y - 2 * radius + row)
        cv2.ellipse(
            marked,
            centre,
            (half, max(1, radius // 9)),
            float(rng.normal(0, 9)),
            0,
            360,
            grey,
            -1,
            cv2.LINE_AA,
        )
    share = rng.uniform(0.5, 1)
    return cv2.addWeighted(marked, share, photo, 1 - share, 0)


def compress(photo: np.ndarray, quality: int) -> np.ndarray:
    """Return what a JPEG of this quality keeps of an RGB photo."""
    _, encoded = cv2.imencode(".jpg", photo[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.imdecode(encoded, cv2.IMREAD_COLOR)[..., ::-1]


def graft(rng: np.random.Generator, donor: Sample, host: Sample) -> Sample:
    """Lay the donor's lesion on the host's skin, its surround matched to the skin it lands on.

    Returns the host unchanged when either has no place for it.
    """
    cut = _lesion_cut(rng, donor)
    place = np.argwhere(np.isin(host.known, (Known.SKIN, Known.SKIN_OR_LESION)))
    if cut is None or len(place) < cut.known.size // 4:
        return host
    photo, known = host.photo.copy(), host.known.copy()
    known[known == Known.SKIN_OR_LESION] = Known.SKIN  # healthy people: what is not grafted is plain skin
    _lay(photo, known, cut, place[rng.integers(len(place))])
    return Sample(photo, known)


def rehang(rng: np.random.Generator, sample: Sample, behind: np.ndarray) -> Sample:
    """Return the sample before another background (uint8 RGB of its shape), with or without the clothes."""
    background = sample.known == Known.BACKGROUND
    if rng.random() < 0.6:
        background &= sample.photo.max(axis=2) < BLACK
    weight = cv2.GaussianBlur(background.astype(np.float32), (0, 0), rng.uniform(0.5, 1.5))[..., None]
    return Sample(
        (sample.photo + weight * (behind - sample.photo.astype(np.float32))).astype(np.uint8), sample.known
    )


def painted(
    rng: np.random.Generator, host: Sample, condition: str, mm: tuple[float, float] = PAINTED_MM
) -> Sample:
    """Return the host with a drawn rash on its skin; what is not drawn on healthy people is plain skin.

    `mm` bounds the side of a pixel, which is drawn at random.
    """
    known = host.known.copy()
    known[known == Known.SKIN_OR_LESION] = Known.SKIN
    pixel = float(np.exp(rng.uniform(*np.log(mm))))
    photo, lesion = onto.paint(rng, host.photo, known == Known.SKIN, condition, pixel)
    changed = cv2.GaussianBlur(cv2.absdiff(photo, host.photo).max(axis=2), (0, 0), 3) > VISIBLE
    known[lesion] = np.where(changed[lesion], Known.LESION, Known.NOTHING)
    return Sample(photo, known)


def _lesion_cut(rng: np.random.Generator, donor: Sample) -> Sample | None:
    """Return the box round the donor's lesion with some surround, at most 160 px wide."""
    ys, xs = np.nonzero(donor.known == Known.LESION)
    if len(ys) < 40:
        return None
    top, left, pad = ys.min(), xs.min(), int(0.2 * max(np.ptp(ys), np.ptp(xs))) + 4
    rows = slice(max(0, top - pad), ys.max() + pad)
    columns = slice(max(0, left - pad), xs.max() + pad)
    photo, known = donor.photo[rows, columns], donor.known[rows, columns]
    side = int(rng.uniform(30, 160))
    scale = side / max(known.shape)
    size = (max(8, int(known.shape[1] * scale)), max(8, int(known.shape[0] * scale)))
    return Sample(
        cv2.resize(photo, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR),
        cv2.resize(known, size, interpolation=cv2.INTER_NEAREST),
    )


def _lay(photo: np.ndarray, known: np.ndarray, cut: Sample, centre: np.ndarray) -> None:
    top, left = (int(c - s // 2) for c, s in zip(centre, cut.known.shape, strict=True))
    bottom, right = (
        min(known.shape[0], top + cut.known.shape[0]),
        min(known.shape[1], left + cut.known.shape[1]),
    )
    here = np.s_[max(0, top) : bottom, max(0, left) : right]
    there = np.s_[max(0, -top) : bottom - top, max(0, -left) : right - left]
    below, piece, lesion = photo[here], cut.photo[there], cut.known[there] == Known.LESION
    skin = np.isin(known[here], (Known.SKIN, Known.LESION))
    softness = max(0.7, FEATHER * max(cut.known.shape))
    weight = cv2.GaussianBlur((lesion & skin).astype(np.float32), (0, 0), softness)
    matched = piece.astype(np.float32)
    if not lesion.all() and skin.any():  # the donor's healthy surround gets the colour of the skin below
        ratio = (below[skin].mean(axis=0) + 1) / (piece[~lesion].mean(axis=0) + 1)
        matched = np.clip(piece * ratio, 0, 255)
    photo[here] = np.where(skin[..., None], below + weight[..., None] * (matched - below), below).astype(
        np.uint8
    )
    known[here][(weight > 0.5) & skin] = Known.LESION
