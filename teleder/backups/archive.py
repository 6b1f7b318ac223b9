"""The form of backups in a storage of their own (`TELEDER_BACKUP`): the database's dump and every photo's files.

    teleder-storage                  whose backups these are: the mark of the database's own storage
    backups/<name>/database/0000 …   the dump, in pieces
    backups/<name>/files/0000 …      which files of photos it holds: key, bytes, SHA-256, compressed
    backups/<name>/manifest          written last, with the SHA-256 of both; a backup without it is unfinished
    files/<first two>/<SHA-256>      the files of all backups, each content once: none is ever overwritten by another

A file of a photo is written before the row that names it: the dump comes first, then what is new among the files, or was
sealed with another key since. What was erased between the two is erased again after a restore (`manage.py retention --reapply`).
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice

from contract.storage import (
    MARK,
    FileMissingError,
    KeyExistsError,
    Storage,
    StorageKeyError,
    StorageUnavailableError,
)

FORM = "%Y%m%dT%H%M%SZ"  # of a name: the start, UTC
PIECE_BYTES = 64 * 2**20
FILES_A_PIECE = 100_000
UNFINISHED = timedelta(days=2)  # a backup without a manifest for so long is none
MARGIN = timedelta(hours=1)  # between the clocks of the storage and of this machine
VERSION = 1


class BackupError(Exception):
    """A backup cannot be made or used; the message says what to do."""


@dataclass(frozen=True)
class Piece:
    key: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    name: str
    database: list[Piece]
    files: list[Piece]
    count: int  # of photos' files
    bytes: int  # of everything
    version: int = VERSION

    @property
    def started_at(self) -> datetime:
        return datetime.strptime(self.name, FORM).replace(tzinfo=UTC)


def create(
    source: Storage,
    to: Storage,
    dump: Iterable[bytes],
    *,
    now: datetime,
    anew: bool = False,
    told: Callable[[int], object] = lambda count: None,
) -> Manifest:
    """Back up a dump and the files of photos; `anew` copies also what the last backup holds, as after one with faults.

    Raises BackupError, StorageError and what the dump raises: then the backup has no manifest, and `prune` removes it.
    """
    _require_mark(source, to)
    known, since = ({}, now) if anew else _last(to)
    name = now.astimezone(UTC).strftime(FORM)
    try:
        database = list(_pieces(to, f"backups/{name}/database", _blocks(dump)))
    except KeyExistsError:
        raise BackupError("another backup began in the same second: try again") from None
    found: list[Piece] = []
    for entry in source.list("photos"):
        piece = known.get(entry.key)
        is_new = piece is None or piece.size != entry.size
        if is_new or entry.modified >= (since - MARGIN).timestamp():
            piece = _copy(source, to, entry.key)
        if piece is not None:
            found.append(piece)
            told(len(found))
    files = list(_pieces(to, f"backups/{name}/files", _lists(found)))
    size = sum(piece.size for piece in (*database, *found))
    manifest = Manifest(name, database, files, len(found), size)
    to.create(f"backups/{name}/manifest", json.dumps(asdict(manifest)).encode())
    return manifest


def finished_backups(of: Storage) -> list[str]:
    """Return the names of the finished backups, the oldest first."""
    keys = [entry.key.split("/") for entry in of.list("backups")]
    return sorted(parts[1] for parts in keys if len(parts) == 3 and parts[2] == "manifest")


def manifest_of(of: Storage, name: str) -> Manifest:
    """Return a backup's manifest. Raises BackupError, StorageError."""
    try:
        found = json.loads(of.read(f"backups/{name}/manifest"))
        pieces = {part: [Piece(**row) for row in found.pop(part)] for part in ("database", "files")}
        manifest = Manifest(**found, **pieces)
        is_ours = manifest.version == VERSION and manifest.started_at is not None and manifest.name == name
    except (FileMissingError, StorageKeyError):
        raise BackupError(f"there is no finished backup {name}; `manage.py backup list` names them") from None
    except (ValueError, TypeError, KeyError, AttributeError):
        raise BackupError(f"the manifest of {name} is damaged: use another backup") from None
    if not is_ours:
        raise BackupError(f"{name} was made by another version of teleder: restore it with that one")
    return manifest


def damaged_pieces(
    of: Storage, manifest: Manifest, can_be_read: Callable[[Iterable[bytes]], bool]
) -> Iterator[str]:
    """Read all of a backup; yield what is missing or changed. Raises StorageError where the storage is away."""
    whole = True
    for piece in (*manifest.database, *manifest.files):
        if (fault := _fault(of, piece)) is not None:
            whole = False
            yield fault
    if not whole:
        return
    if not can_be_read(database_of(of, manifest)):
        yield f"backups/{manifest.name}/database: pg_restore does not read it"
    for piece in files_of(of, manifest):
        if (fault := _fault(of, piece, stored_at(piece.sha256))) is not None:
            yield fault


def database_of(of: Storage, manifest: Manifest) -> Iterator[bytes]:
    """Yield the dump, piece by piece."""
    return (of.read(piece.key) for piece in manifest.database)


def stored_at(sha256: str) -> str:
    """Return the key of a photo's file in the storage of backups."""
    return f"files/{sha256[:2]}/{sha256}"


def files_of(of: Storage, manifest: Manifest) -> Iterator[Piece]:
    for piece in manifest.files:
        yield from (Piece(*row) for row in json.loads(gzip.decompress(of.read(piece.key))))


def restore_files(of: Storage, manifest: Manifest, to: Storage) -> tuple[int, list[str]]:
    """Bring the files back that are not there; return how many, and the keys of those that were damaged or are missing."""
    count, lost = 0, []
    to.check()  # makes the folder of a new installation
    for piece in files_of(of, manifest):
        content = _read_or_nothing(of, stored_at(piece.sha256))
        if hashlib.sha256(content).hexdigest() != piece.sha256:
            lost.append(piece.key)
            continue
        if _read_or_nothing(to, piece.key) != content:
            to.write(piece.key, content)
        count += 1
    return count, lost


def prune(of: Storage, *, older_than: datetime) -> tuple[list[str], int]:
    """Delete backups that began earlier, and unfinished ones; then files that no backup names. The newest backup stays.

    Returns the names that are gone and the number of files.
    """
    finished = finished_backups(of)
    kept = [name for name in finished if name >= older_than.strftime(FORM)] or finished[-1:]
    others = {entry.key.split("/")[1] for entry in of.list("backups")} - set(kept)
    # What is being made at this moment has no manifest yet, and a young name.
    young = (datetime.now(UTC) - UNFINISHED).strftime(FORM)
    gone = sorted(name for name in others if name in finished or name < young)
    for name in gone:
        of.delete_all(f"backups/{name}")
    if not gone:
        return [], 0
    named = {stored_at(piece.sha256) for name in kept for piece in files_of(of, manifest_of(of, name))}
    # Younger ones may be of a backup that is being made.
    aged = (entry.key for entry in of.list("files") if entry.modified < older_than.timestamp())
    spare = [key for key in aged if key not in named]
    for key in spare:
        of.delete(key)
    return gone, len(spare)


# --- Within -----------------------------------------------------------------------------------------------
def _require_mark(source: Storage, to: Storage) -> None:
    """Let one place hold the backups of one installation. Raises BackupError, StorageUnavailableError."""
    if not (own := source.mark()):
        raise StorageUnavailableError(f"no mark of ours at {source}: is the disk mounted?")
    if source == to:
        raise BackupError("the backups would lie among the photos: name another place")
    try:
        to.create(MARK, own.encode())
    except KeyExistsError:
        if to.mark() != own:
            raise BackupError(f"{to} holds the backups of another installation: name another place") from None


def _last(to: Storage) -> tuple[dict[str, Piece], datetime]:
    """Return what the last finished backup holds, and its start."""
    finished = finished_backups(to)
    if not finished:
        return {}, datetime.now(UTC)
    manifest = manifest_of(to, finished[-1])
    return {piece.key: piece for piece in files_of(to, manifest)}, manifest.started_at


def _copy(source: Storage, to: Storage, key: str) -> Piece | None:
    """Copy one file; nothing where it was erased meanwhile or is no file of ours."""
    try:
        content = source.read(key)
    except (FileMissingError, StorageKeyError):
        return None
    sha256 = hashlib.sha256(content).hexdigest()
    to.write(stored_at(sha256), content)
    return Piece(key, len(content), sha256)


def _pieces(to: Storage, prefix: str, blocks: Iterable[bytes]) -> Iterator[Piece]:
    for number, block in enumerate(blocks):
        to.create(key := f"{prefix}/{number:04}", block)
        yield Piece(key, len(block), hashlib.sha256(block).hexdigest())


def _blocks(chunks: Iterable[bytes]) -> Iterator[bytes]:
    block = bytearray()
    for chunk in chunks:
        block += chunk
        if len(block) >= PIECE_BYTES:
            yield bytes(block)
            block.clear()
    if block:
        yield bytes(block)


def _lists(found: list[Piece]) -> Iterator[bytes]:
    rows = ([piece.key, piece.size, piece.sha256] for piece in found)
    while some := list(islice(rows, FILES_A_PIECE)):
        yield gzip.compress(json.dumps(some).encode())


def _fault(of: Storage, piece: Piece, key: str = "") -> str | None:
    digest, size = hashlib.sha256(), 0
    try:
        with of.open(key or piece.key) as file:
            while chunk := file.read(2**20):
                digest.update(chunk)
                size += len(chunk)
    except FileMissingError:
        return f"{piece.key}: missing"
    except StorageKeyError:
        return f"{piece.key}: no file of ours"
    return None if (size, digest.hexdigest()) == (piece.size, piece.sha256) else f"{piece.key}: changed"


def _read_or_nothing(of: Storage, key: str) -> bytes:
    try:
        return of.read(key)
    except FileMissingError:
        return b""
