"""`python -m local.pin_images`: write beside each image's version tag the digest that its registry answers.

A tag can be moved, a digest cannot. Nobody types one: they are read from the registry (its HTTP API, Docker Registry v2),
by .github/workflows/pin-images.yml. Where no registry answers nothing is changed. Needs nothing but Python.
"""

from __future__ import annotations

import json
import os
import re
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

ROOT = Path(__file__).resolve().parents[1]
FILES = (
    "docker-compose.yml",
    *(f"docker/{name}.Dockerfile" for name in ("postgres", "proxy", "web", "worker")),
)
OURS = re.compile(r"teleder-")  # built here, in no registry
NAMED = re.compile(
    r"^(?P<before>\s*image:\s*|FROM\s+)(?P<name>[\w./:-]+?):(?P<tag>[\w.-]+)(?:@(?P<digest>sha256:[0-9a-f]{64}))?(?P<after>\s.*)?$",
    re.MULTILINE,
)
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
HUB = "https://registry-1.docker.io"
TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
SECONDS = 30


class RegistryError(Exception):
    """A registry cannot be reached, or does not say which digest a tag has."""


@dataclass(frozen=True)
class Image:
    """An image as a file names it, for instance `valkey/valkey:9.1.2`."""

    name: str
    tag: str

    def __str__(self) -> str:
        return f"{self.name}:{self.tag}"


def images(text: str) -> list[Image]:
    """Return the images of others that a compose file or a Dockerfile names by a tag."""
    found = (Image(each["name"], each["tag"]) for each in NAMED.finditer(text))
    return [image for image in found if not OURS.match(image.name)]


def pinned(text: str, digests: Mapping[Image, str]) -> str:
    """Return the text with the digest of each image that is known; any other line stays as it is."""

    def written(found: re.Match) -> str:
        digest = digests.get(Image(found["name"], found["tag"]))
        if digest is None:
            return found[0]
        return f"{found['before']}{found['name']}:{found['tag']}@{digest}{found['after'] or ''}"

    return NAMED.sub(written, text)


def digest_of(image: Image, registry: str = "") -> str:
    """Ask the registry which digest a tag has now. Raises RegistryError."""
    host, _, rest = image.name.partition("/")
    if rest and ("." in host or ":" in host):  # it names a registry of its own
        base, repository = f"https://{host}", rest
    else:
        base, repository = HUB, image.name if rest else f"library/{image.name}"
    url = f"{(registry or base).rstrip('/')}/v2/{repository}/manifests/{image.tag}"
    try:
        answer = _head(url)
    except urllib.error.HTTPError as error:
        raise RegistryError(f"{image}: the registry answers {error.code}") from error
    except (OSError, ValueError, KeyError) as error:
        raise RegistryError(f"{image}: no registry answers ({type(error).__name__})") from error
    if not DIGEST.fullmatch(answer):
        raise RegistryError(f"{image}: the registry names no digest")
    return answer


def _head(url: str, token: str = "") -> str:
    headers = {"Accept": ", ".join(TYPES)} | ({"Authorization": f"Bearer {token}"} if token else {})
    request = urllib.request.Request(url, method="HEAD", headers=headers)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:  # noqa: S310
            return answer.headers.get("Docker-Content-Digest", "")
    except urllib.error.HTTPError as error:
        if error.code != 401 or token:
            raise
        return _head(url, _token(error.headers.get("WWW-Authenticate", "")))


def _token(challenge: str) -> str:
    """Return a token for anybody, from where the registry says (`Bearer realm="…",service="…",scope="…"`)."""
    asked = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
    realm = asked.pop("realm", "")
    if not realm.startswith(("https://", "http://127.0.0.1")):
        raise ValueError("no realm")
    with urllib.request.urlopen(f"{realm}?{urlencode(asked)}", timeout=SECONDS) as answer:  # noqa: S310
        found = json.load(answer)
    return found.get("token") or found["access_token"]


def main(root: Path = ROOT, registry: str = "") -> int:
    """Pin all or nothing: half of the images at new digests is a state that nobody tested."""
    texts = {path: (root / path).read_text() for path in FILES}
    wanted = dict.fromkeys(image for text in texts.values() for image in images(text))
    try:
        digests = {image: digest_of(image, registry) for image in wanted}
    except RegistryError as error:
        print(f"nothing was changed: {error}", file=sys.stderr)
        return 1
    for path, text in texts.items():
        if (new := pinned(text, digests)) != text:
            (root / path).write_text(new)
            print(f"{path}: pinned")
    print(f"{len(digests)} images are at the digests that the registry names now")
    return 0


if __name__ == "__main__":
    sys.exit(main(registry=os.environ.get("TELEDER_REGISTRY", "")))
