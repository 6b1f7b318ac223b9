"""The photo that `benchmarks.intake` uploads, and the form that carries it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import cv2
import numpy as np

BOUNDARY = "----teleder-bench"
WIDTH, HEIGHT = 4000, 3000
PHOTO_BYTES = 3_000_000


def photo(size: int = PHOTO_BYTES) -> bytes:
    """Return a drawn photo of 12 megapixels as JPEG, with so much noise that it has about `size` bytes."""
    from training import phantom

    drawn = phantom.draw(7, condition="AD", long_side=1024).photo[..., ::-1]
    large = cv2.resize(drawn, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC).astype(np.float32)
    grain = np.random.default_rng(7).standard_normal((HEIGHT, WIDTH, 1), np.float32)
    least, most, found = 0.0, 40.0, b""
    for _ in range(8):
        sigma = (least + most) / 2
        noisy = np.clip(large + sigma * grain, 0, 255).astype(np.uint8)
        found = cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()
        least, most = (sigma, most) if len(found) < size else (least, sigma)
    return found


def form(content: bytes) -> Iterator[bytes]:
    """Yield the parts of a form with this photo; a comment in it makes it another file each time."""
    field = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="view"\r\n\r\nclose_up\r\n'
    file = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="photo.jpg"\r\n'
    yield f"{field}{file}Content-Type: image/jpeg\r\n\r\n".encode()
    comment = uuid.uuid4().bytes
    yield content[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment
    yield content[2:]
    yield f"\r\n--{BOUNDARY}--\r\n".encode()
