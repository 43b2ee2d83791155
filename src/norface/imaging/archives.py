"""Members of zip and tar files, read in place: nothing is unpacked, nothing stays open.

An archive is scanned once for the place of every member. Scans that took long are kept in the user's cache folder
(``$NORFACE_CACHE``, else ``$XDG_CACHE_HOME/norface``, else ``~/.cache/norface``), never beside the archive. They hold
as long as its size and time of modification stay the same; where that folder cannot be written to, in memory only.
Names are looked up, never turned into paths, so a hostile name in an archive has no effect.
"""

from __future__ import annotations

import hashlib
import logging
import os
import tarfile
import time
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from copy import copy
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO, NamedTuple, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from norface.errors import ImageError, OutputError
from norface.imaging.files import write_atomically
from norface.imaging.storage import Storage

MAX_BYTES = 512 * 1024**2
"""Larger members are refused before they are unpacked: a small archive can claim enormous contents."""
WORTH_KEEPING = 0.5
"""Seconds that a scan must have taken to be kept on disk."""
COMPRESSED_TARS = (".tar.gz", ".tgz")
"""Refused: every read would start to unpack from the beginning."""

_log = logging.getLogger(__name__)

_RAW, _STORED, _DEFLATED, _ENCRYPTED = -1, zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, -2
_LOCAL_HEADER = 30  # bytes of a zip member's own header, before its name and extra fields
_SLACK = 300
_SCHEMA = pa.schema(
    [
        ("name", pa.large_binary()),  # sorted; as bytes, because tar files may hold names in any encoding
        ("start", pa.int64()),
        ("stored", pa.int64()),
        ("size", pa.int64()),
        ("crc", pa.int64()),
        ("method", pa.int16()),
    ]
)


class Member(NamedTuple):
    """Where one member lies.

    Args:
        start: First byte: of the contents (tar) or of the member's own header (zip).
        stored: Bytes in the archive.
        size: Bytes when unpacked.
        crc: CRC-32 of the contents, -1 = unknown (tar).
        method: How it is compressed.
    """

    start: int
    stored: int
    size: int
    crc: int
    method: int


@dataclass(frozen=True, eq=False)
class ArchiveIndex:
    """Names and places of all members, as Arrow columns: a million members take 100 MB, and forks share them."""

    members: pa.Table

    def names(self) -> list[str]:
        """All members, sorted by their bytes."""
        return [_text(name) for name in self.members["name"].to_pylist()]

    def find(self, name: str) -> Member | None:
        """The member of that name."""
        wanted, names = _bytes(name), self.members["name"]
        low, high = 0, len(names)
        while low < high:
            middle = (low + high) // 2
            low, high = (middle + 1, high) if names[middle].as_py() < wanted else (low, middle)
        if low == len(names) or names[low].as_py() != wanted:
            return None
        return Member(*(self.members[column][low].as_py() for column in Member._fields))


def read_member(storage: Storage, archive: str, name: str) -> bytes:
    """The contents of one member.

    Args:
        storage: Where the archive lies.
        archive: Its path.
        name: The member's, without ``./`` in front.

    Raises:
        ImageError: The archive or the member is missing, damaged, encrypted, too large or compressed in another way.
    """
    where = f"{storage.where(archive)}!{name}"
    member = archive_index(storage, archive).find(name)
    if member is None:
        _fail(where, "a member of the archive", "no such member", "Check the path; upper and lower case differ.")
    if not 0 <= min(member.size, member.stored) <= max(member.size, member.stored) <= MAX_BYTES:
        _fail(where, f"an image of at most {MAX_BYTES} bytes", f"{member.size}", "Remove its row from the face table.")
    data = _stored_bytes(storage, archive, member, where)
    if member.method == _DEFLATED:
        data = _inflate(data, member.size, where)
    if len(data) != member.size or (member.crc >= 0 and zlib.crc32(data) != member.crc):
        _fail(where, f"{member.size} bytes with their checksum", "damaged contents", "Copy the archive again.")
    return data


def _stored_bytes(storage: Storage, archive: str, member: Member, where: str) -> bytes:
    if member.method == _RAW:
        return storage.read(archive, member.start, member.stored)
    if member.method not in (_STORED, _DEFLATED):
        found = "an encrypted one" if member.method == _ENCRYPTED else f"compression method {member.method}"
        _fail(
            where, "a stored or deflated member", found, "Unpack the archive, or pack it again with the usual method."
        )
    # One read for header and contents; a second where the header is longer than they are wont to be.
    guess = _LOCAL_HEADER + _SLACK + member.stored
    data = storage.read(archive, member.start, guess)
    if data[:4] != b"PK\x03\x04" or len(data) < _LOCAL_HEADER:
        _fail(where, "the header of a zip member", "other bytes", "Copy the archive again.")
    begin = _LOCAL_HEADER + int.from_bytes(data[26:28], "little") + int.from_bytes(data[28:30], "little")
    if begin + member.stored > len(data) == guess:
        data = storage.read(archive, member.start, begin + member.stored)
    return data[begin : begin + member.stored]


def _inflate(data: bytes, size: int, where: str) -> bytes:
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, size + 1)  # never more than was claimed
    except zlib.error as error:
        _fail(where, "deflated contents", str(error), "Copy the archive again.")


def archive_index(storage: Storage, archive: str) -> ArchiveIndex:
    """The index of an archive; scanned once for each version of it.

    Raises:
        ImageError: The archive is missing or damaged, or a compressed tar file.
    """
    if archive.lower().endswith(COMPRESSED_TARS):
        plain = archive.rsplit("/", 1)[-1]
        _fail(
            storage.where(archive),
            "an archive that can be read in place: .zip or .tar",
            "a compressed tar file",
            f"Decompress it once: `gunzip --keep {plain}`; then name the .tar file, or unpack it.",
        )
    found = _index(storage, archive, storage.version(archive))
    if isinstance(found, ImageError):
        raise copy(found)  # raised again and again, one error would collect all tracebacks
    return found


@lru_cache(maxsize=1024)
def _index(storage: Storage, archive: str, version: str) -> ArchiveIndex | ImageError:
    """Damage is a result too, so that a million members of a damaged archive do not scan it a million times."""
    where = storage.where(archive)
    kept = _kept_file(where)
    index = _load(kept, version) if kept is not None else None
    if index is not None:
        return index
    started = time.monotonic()
    try:
        with storage.open(archive) as file:
            scan = _zip_members if archive.lower().endswith(".zip") else _tar_members
            members = _table(scan(file))
    except ImageError:
        raise
    except Exception as error:  # zipfile and tarfile raise a dozen classes for damaged files
        said = (str(error).splitlines() or [""])[0] or type(error).__name__
        damage = ImageError(expected="a whole archive", found=said, where=where, action="Copy the archive again.")
        if isinstance(error, OSError):  # of the disk or the network: it may work the next time
            raise damage from error
        return damage
    if kept is not None and time.monotonic() - started >= WORTH_KEEPING:
        _keep(kept, members, version)
    return ArchiveIndex(members)


def _zip_members(file: IO[bytes]) -> Iterator[tuple[bytes, Member]]:
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            if not info.is_dir():
                method = _ENCRYPTED if info.flag_bits & 1 else info.compress_type
                name = info.filename.replace("\\", "/")  # some packers for Windows write them
                yield _bytes(name), Member(info.header_offset, info.compress_size, info.file_size, info.CRC, method)


def _tar_members(file: IO[bytes]) -> Iterator[tuple[bytes, Member]]:
    with tarfile.open(fileobj=file, mode="r:") as archive:
        while (info := archive.next()) is not None:
            archive.__dict__["members"] = []  # it would hold an object for each member
            if info.isreg() and not info.issparse():
                yield _bytes(info.name), Member(info.offset_data, info.size, info.size, -1, _RAW)


def _table(members: Iterable[tuple[bytes, Member]]) -> pa.Table:
    chunks: list[pa.Table] = []
    rows: list[tuple[bytes, Member]] = []
    for name, member in members:
        rows.append((_stripped(name), member))
        if len(rows) == 100_000:
            chunks.append(_chunk(rows))
            rows = []
    table = pa.concat_tables([*chunks, _chunk(rows)])
    # Of members with one name the last counts, as for every other program.
    placed = table.append_column("place", pa.array(np.arange(len(table))))
    table = table.take(pc.sort_indices(placed, [("name", "ascending"), ("place", "ascending")])).combine_chunks()
    last = np.ones(len(table), bool)
    if len(table) > 1:
        last[:-1] = pc.not_equal(table["name"][:-1], table["name"][1:]).to_numpy()
    return table.filter(pa.array(last)).combine_chunks()


def _chunk(rows: list[tuple[bytes, Member]]) -> pa.Table:
    columns = {"name": [name for name, _ in rows]}
    columns |= {field: [getattr(member, field) for _, member in rows] for field in Member._fields}
    return pa.table(columns, schema=_SCHEMA)


def _stripped(name: bytes) -> bytes:
    # `tar -cf faces.tar .` writes ./ in front of every name.
    while name.startswith((b"./", b"/")):
        name = name[2:] if name.startswith(b"./") else name[1:]
    return name


def cache_folder() -> Path | None:
    """The user's folder for what norface may make again, None where there is no home; it need not exist yet."""
    folder = os.environ.get("NORFACE_CACHE")
    if folder is None and (home := os.environ.get("XDG_CACHE_HOME")):
        folder = str(Path(home) / "norface")
    try:
        return Path(folder) if folder else Path.home() / ".cache" / "norface"
    except RuntimeError:  # nobody's home
        return None


def _kept_file(where: str) -> Path | None:
    base = cache_folder()
    if base is None:
        return None
    name = where if "://" in where else str(Path(where).resolve())
    return base / "archives" / f"{hashlib.sha256(_bytes(name)).hexdigest()[:32]}.arrow"


def _load(kept: Path, version: str) -> ArchiveIndex | None:
    try:
        with pa.memory_map(str(kept)) as file:
            table = pa.ipc.open_file(file).read_all()
    except (OSError, pa.ArrowInvalid):
        return None
    meta = table.schema.metadata or {}
    fits = table.schema.equals(_SCHEMA) and meta.get(b"version") == version.encode()
    return ArchiveIndex(table) if fits else None


def _keep(kept: Path, members: pa.Table, version: str) -> None:
    sink = pa.BufferOutputStream()
    described = members.replace_schema_metadata({"version": version})
    with pa.ipc.new_file(sink, described.schema) as writer:
        writer.write_table(described)
    try:
        write_atomically(kept, sink.getvalue().to_pybytes())
    except OutputError as error:
        _log.info("The index of an archive stays in memory: %s", error)


def _bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def _fail(where: str, expected: str, found: str, action: str) -> NoReturn:
    raise ImageError(expected=expected, found=found, where=where, action=action)
