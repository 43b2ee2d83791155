"""Where the image of a row is: a file below a root, a member of an archive in it, or a frame of a video in it.

References are POSIX paths relative to the root:

* ``folder/a.jpg``: a file;
* ``archive.zip!F001/T1/0001.jpg``: a member of a .zip or .tar file, read in place. Compressed tar files (.tar.gz, .tgz)
  are refused, because every read would start to unpack from the beginning;
* ``video.avi#123``: a frame of a video (.avi .mp4 .mov .mkv .mpg .mpeg .wmv), counted from 0.

``!`` and ``#`` mean something only behind such a suffix. The root is a folder, or the URL of an object store
(``s3://bucket/faces``; needs the extra ``remote``), where videos cannot be read. Reading keeps nothing open, so an
`ImageRoot` may be shared by threads, inherited by forked processes and sent to spawned ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from norface.errors import ConfigError, ImageError
from norface.imaging.archives import archive_index, read_member
from norface.imaging.files import decode_image, read_image
from norface.imaging.pixels import Pixels
from norface.imaging.storage import LocalStorage, Storage, storage_of

VIDEO_SUFFIXES = (".avi", ".mp4", ".mov", ".mkv", ".mpg", ".mpeg", ".wmv")

OUTSIDE = r"^[A-Za-z]:|^[/\\]|(?:^|[/\\!])\.\.(?:[/\\]|$)"
"""Regular expression (of Python and of RE2) found in paths that are absolute, on any system, or have ``..`` in them."""

_OUTSIDE = re.compile(OUTSIDE.replace("$", r"\Z"))  # Python's $ also stands before a last line break
_ARCHIVED = r"^(?is:(?P<file>.+?\.(?:zip|tar|tar\.gz|tgz)))!(?P<member>(?s:.+))$"
_FRAME = r"^(?is:(?P<file>.+\.(?:avi|mp4|mov|mkv|mpg|mpeg|wmv)))#(?P<frame>[0-9]+)$"


@dataclass(frozen=True)
class Reference:
    """What a reference names.

    Args:
        path: A file below the root.
        member: A member of that file, which is an archive then; empty = the file itself.
        frame: A frame of the video, counted from 0; None = an image.
    """

    path: str
    member: str = ""
    frame: int | None = None


def split_reference(reference: str) -> Reference:
    """Take a reference apart.

    Raises:
        ImageError: It is empty, absolute or leaves the root, or names a frame of a video in an archive.
    """
    if not reference or _OUTSIDE.search(reference):
        raise ImageError(
            expected="a path inside the root, like folder/a.jpg, faces.zip!a.jpg or video.avi#0",
            found=repr(reference),
            where="image reference",
            action="Correct the path; `..` and absolute paths are refused.",
        )
    archived = re.fullmatch(_ARCHIVED, reference) if "!" in reference else None
    file, member = (archived["file"], archived["member"]) if archived else (reference, "")
    framed = re.fullmatch(_FRAME, member or file) if "#" in reference else None
    if framed is None:
        return Reference(file, member)
    if member:
        raise ImageError(
            expected="a video that is a file",
            found=f"a frame of one in the archive {file}",
            where=reference,
            action="Copy the video out of the archive.",
        )
    return Reference(framed["file"], frame=int(framed["frame"]))


@dataclass(frozen=True)
class ImageRoot:
    """Images below one root, by reference.

    Args:
        root: A folder, or the URL of an object store.

    Raises:
        ConfigError: It is a URL, and what reads such stores is not installed.
    """

    root: Path | str
    _storage: Storage = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_storage", storage_of(self.root))

    def where(self, reference: str) -> str:
        """A reference with its root in front, for messages."""
        return self._storage.where(reference)

    def read(self, reference: str) -> Pixels:
        """Decode one image.

        A frame of a video is looked for anew with each call; `norface.imaging.video` reads frames one after the other.

        Returns:
            uint8 RGB ``(H, W, 3)``.

        Raises:
            ImageError: It is missing, damaged, too large or not an image, or the reference leaves the root.
            ConfigError: It is a frame of a video in an object store.
        """
        place = split_reference(reference)
        if place.frame is not None:
            return self._frame(place.path, place.frame)
        if isinstance(self._storage, LocalStorage) and not place.member:
            return read_image(self._storage.path(place.path))
        return decode_image(self._bytes(place), where=self.where(reference))

    def read_bytes(self, reference: str) -> bytes:
        """The undecoded bytes of an image that is a file or a member of an archive; errors as by `read`."""
        place = split_reference(reference)
        if place.frame is not None:
            raise ImageError(
                expected="a file or a member of an archive",
                found="a frame of a video, which has no bytes of its own",
                where=self.where(reference),
                action="Name an image.",
            )
        return self._bytes(place)

    def members(self, archive: str) -> list[str]:
        """Names of the files in an archive, sorted, as they stand behind ``!``.

        Raises:
            ImageError: It is missing or damaged, or a compressed tar file.
        """
        return archive_index(self._storage, archive).names()

    def look(self, reference: str) -> None:
        """Say why a file cannot be read, without reading it.

        Raises:
            LinkError: A link leads out of the root.
            ImageError: It is not there.
        """
        self._storage.version(split_reference(reference).path)

    def exist(self, references: Iterable[str]) -> NDArray[np.bool_]:
        """Which of many references name something: every folder is listed once, every archive scanned once.

        Of a video only the file is looked for, not the frame.

        Args:
            references: Strings, or a pandas or Arrow column of them.

        Returns:
            ``(N,)``, False where the reference is None, leaves the root or names nothing.

        Raises:
            ImageError: An archive is damaged or lies behind a link that leads out of the root, or a store does not
                answer.
        """
        encoded = string_column(references).dictionary_encode()
        found = self._exist(encoded.dictionary)
        places = encoded.indices.fill_null(len(found)).to_numpy(zero_copy_only=False)
        return np.asarray(np.append(found, False)[places], bool)

    def _exist(self, names: pa.Array) -> NDArray[np.bool_]:
        found = np.zeros(len(names), bool)
        inside = pc.invert(pc.match_substring_regex(names, OUTSIDE))
        archived = pc.extract_regex(names, _ARCHIVED)
        framed = pc.extract_regex(names, _FRAME)
        in_archive = pc.and_(inside, archived.is_valid()).to_numpy(zero_copy_only=False)
        files = pc.if_else(framed.is_valid(), pc.struct_field(framed, "file"), names)
        as_file = pc.and_(inside, archived.is_null()).to_numpy(zero_copy_only=False)
        found[as_file] = self._files_exist(files.filter(pa.array(as_file)))
        found[in_archive] = self._members_exist(archived.filter(pa.array(in_archive)))
        return found

    def _files_exist(self, files: pa.Array) -> NDArray[np.bool_]:
        folders = pc.replace_substring_regex(files, "[^/]*$", "").unique().to_pylist()
        there = [pa.array([folder + name for name in self._storage.names(folder)], files.type) for folder in folders]
        listed = pa.concat_arrays(there) if there else pa.array([], files.type)
        return np.asarray(pc.is_in(files, listed).to_numpy(zero_copy_only=False), bool)

    def _members_exist(self, archived: pa.StructArray) -> NDArray[np.bool_]:
        archives, members = (pc.struct_field(archived, name) for name in ("file", "member"))
        found = np.zeros(len(archived), bool)
        for archive in archives.unique().to_pylist():
            rows = pc.equal(archives, archive)
            names = archive_index(self._storage, archive).members["name"]
            here = pc.is_in(members.filter(rows).cast(pa.large_binary()), names.combine_chunks())
            found[rows.to_numpy(zero_copy_only=False)] = here.to_numpy(zero_copy_only=False)
        return found

    def _bytes(self, place: Reference) -> bytes:
        if place.member:
            return read_member(self._storage, place.path, place.member)
        return self._storage.read(place.path)

    def _frame(self, path: str, frame: int) -> Pixels:
        if not isinstance(self._storage, LocalStorage):
            raise ConfigError(
                expected="a video in a folder of this machine",
                found="one in an object store",
                where=self.where(path),
                action="Copy the video here, or prepare the table where the video is.",
            )
        from norface.imaging.video import read_frame  # late: few tables name frames of videos

        return read_frame(self._storage.path(path), frame)


def read_reference(root: Path | str, reference: str) -> Pixels:
    """`ImageRoot.read` for a single image; errors as there."""
    return ImageRoot(root).read(reference)


def string_column(values: Iterable[str]) -> pa.Array:
    """Strings, or a pandas or Arrow column of them, as one Arrow array; missing ones are null."""
    kind = pa.large_string()
    if isinstance(values, pa.Array | pa.ChunkedArray):
        column = values.cast(kind)
    else:
        column = pa.array(values, kind, from_pandas=True)
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
