"""One shard: an Arrow IPC file with a row per face, readable by any Arrow tool, memory-mapped here.

The schema's metadata hold a header under ``norface`` that says to which cache and rows the file belongs.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
import pandas as pd
import pyarrow as pa

from norface.cache.cells import BinaryCells
from norface.cache.key import CacheIdentity, canonical_json
from norface.cache.manifest import Encoding, Shard
from norface.errors import CacheError, ImageError
from norface.imaging.files import decode_image, encode_png
from norface.imaging.pixels import Pixels

SCHEMA = pa.schema(
    [
        pa.field("face_id", pa.string(), nullable=False),
        pa.field("success", pa.bool_(), nullable=False),
        pa.field("image", pa.large_binary()),
        pa.field("checksum", pa.uint32(), nullable=False),
        pa.field("identity_to_target", pa.float32(), nullable=False),
        pa.field("expression_distance", pa.float32(), nullable=False),
        pa.field("error", pa.string()),
    ]
)
"""`checksum` is `row_checksum`, `error` says why a face has no image."""


@dataclass(frozen=True, kw_only=True, eq=False)
class CachedFace:
    """One normalized face, or the reason why there is none.

    Args:
        face_id: As in the face table.
        image: uint8 RGB ``(H, W, 3)``, None = the face could not be read or normalized.
        identity_to_target: Cosine similarity to the target's identity, NaN = unknown.
        expression_distance: Distance between the expressions of original and normalized face, NaN = unknown.
        error: Why there is no image.
    """

    face_id: str
    image: Pixels | None
    identity_to_target: float = math.nan
    expression_distance: float = math.nan
    error: str = ""


Bytes = bytes | memoryview


def row_checksum(face_id: str, image: Bytes, figures: Sequence[float]) -> int:
    """CRC-32 of the face id, the encoded image and the two figures as little-endian float32.

    The id belongs to it: one flipped bit there, or in an offset, would give a whole image to another face.
    """
    return _checksum(face_id.encode(), image, np.array(figures, "<f4").tobytes())


def _checksum(face_id: Bytes, image: Bytes, figures: Bytes) -> int:
    return zlib.crc32(figures, zlib.crc32(image, zlib.crc32(face_id)))


@dataclass(frozen=True)
class ShardHeader:
    """To which cache and rows a shard belongs."""

    identity: CacheIdentity
    encoding: Encoding
    shard: Shard

    def to_bytes(self) -> bytes:
        """Canonical, so that equal headers are equal bytes."""
        parts = {"identity": self.identity.describe(), "encoding": self.encoding, "shard": vars(self.shard)}
        return canonical_json(parts)


def encode_shard(faces: Sequence[CachedFace], images: Sequence[bytes | None], header: ShardHeader) -> bytes:
    """The shard as a file's bytes; equal faces give equal bytes.

    Args:
        faces: Its rows.
        images: Their images as `encode_image` gives them.
        header: To which cache and rows it belongs.
    """
    checksums = [
        row_checksum(face.face_id, image or b"", (face.identity_to_target, face.expression_distance))
        for face, image in zip(faces, images, strict=True)
    ]
    columns = {
        "face_id": [face.face_id for face in faces],
        "success": [image is not None for image in images],
        "image": images,
        "checksum": checksums,
        "identity_to_target": [face.identity_to_target for face in faces],
        "expression_distance": [face.expression_distance for face in faces],
        "error": [None if face.image is not None else face.error for face in faces],
    }
    return _to_file(columns, header)


def _to_file(columns: Mapping[str, object], header: ShardHeader) -> bytes:
    batch = pa.record_batch(columns, schema=SCHEMA.with_metadata({"norface": header.to_bytes()}))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue())


def encode_image(face: CachedFace, header: ShardHeader) -> bytes | None:
    """A face's image as a shard stores it; None = it has none.

    Raises:
        CacheError: It is not of the size that the alignment says.
    """
    if face.image is None:
        return None
    pixels, size = face.image, header.identity.alignment.size
    if pixels.shape != (size, size, 3) or pixels.dtype != np.uint8:
        raise CacheError(
            expected=f"uint8 pixels ({size}, {size}, 3), as the alignment says",
            found=f"{pixels.dtype} {pixels.shape}",
            where=f"normalized face {face.face_id}",
            action="Use a normalizer that writes the size of its alignment.",
        )
    return encode_png(pixels) if header.encoding == "png" else pixels.tobytes()


class ShardFile:
    """A shard opened for reading; rows are read from the memory map when asked for.

    Raises:
        CacheError: The file is missing, damaged, or belongs to another cache.
    """

    def __init__(self, path: Path, header: ShardHeader) -> None:
        self.path, self.header = path, header
        try:
            self._batch = _read(path)
        except (pa.ArrowException, OSError, ValueError, LookupError, MemoryError, OverflowError) as error:
            self._damaged("a whole shard", "no file" if isinstance(error, FileNotFoundError) else str(error), error)
        if (self._batch.schema.metadata or {}).get(b"norface") != header.to_bytes():
            self._damaged("a shard of this cache", "one of another cache or of other rows")
        if self._batch.num_rows != header.shard.rows:
            self._damaged(f"{header.shard.rows} rows", str(self._batch.num_rows))
        columns = {name: self._batch.column(name) for name in SCHEMA.names}
        self._ids, self._images = BinaryCells(columns["face_id"]), BinaryCells(columns["image"])
        figures = [columns[name] for name in ("identity_to_target", "expression_distance")]
        self._figures = np.ascontiguousarray(np.stack(figures, axis=1), "<f4").data.cast("B")  # 8 bytes a row
        self._checksums = columns["checksum"].to_numpy().data
        self._success = columns["success"].to_numpy(zero_copy_only=False).tobytes()
        self._has_image = columns["image"].is_valid().to_numpy(zero_copy_only=False).tobytes()

    @property
    def face_ids(self) -> list[str]:
        """The faces in order of their rows."""
        return [str(face_id) for face_id in self._batch.column("face_id").to_pylist()]

    @property
    def names(self) -> pa.StringArray:
        """`face_ids` as the column that they are."""
        return self._batch.column("face_id")

    def frame(self) -> pd.DataFrame:
        """Everything but the images: face_id, success, checksum, figures and error."""
        frame: pd.DataFrame = self._batch.drop_columns(["image"]).to_pandas()
        return frame

    def face(self, row: int) -> CachedFace:
        """Read one row of this shard.

        Raises:
            CacheError: The image is damaged.
        """
        size = self.header.identity.alignment.size
        image = np.empty((size, size, 3), np.uint8)
        found = self.read_into(image.reshape(-1).data, row)
        return CachedFace(
            face_id=self.face_id(row),
            image=image if found else None,
            identity_to_target=self._batch.column("identity_to_target")[row].as_py(),
            expression_distance=self._batch.column("expression_distance")[row].as_py(),
            error=self._batch.column("error")[row].as_py() or "",
        )

    def is_as_written(self) -> bool:
        """Whether every byte is as `encode_shard` makes it, told without a digest; only errors' texts may be others."""
        sound = all(
            self._checksums[row] == _checksum(self._ids[row], self._images[row], self._row_figures(row))
            and self._success[row] == self._has_image[row]
            for row in range(self._batch.num_rows)
        )
        columns = {name: self._batch.column(name).to_pylist() for name in SCHEMA.names}
        return sound and _to_file(columns, self.header) == self.path.read_bytes()

    def face_id(self, row: int) -> str:
        """The face of a row; not compared with any checksum."""
        return bytes(self._ids[row]).decode()

    def read_into(self, pixels: memoryview, row: int) -> bool:
        """Read a row's image and compare it with its checksum.

        Args:
            pixels: Where to: the bytes of an array ``(size, size, 3)``; untouched where there is no image.
            row: Row of this shard.

        Returns:
            Whether there is one.

        Raises:
            CacheError: The row is damaged.
        """
        data = self._images[row]
        if self._checksums[row] != _checksum(self._ids[row], data, self._row_figures(row)):
            self._damaged("the face that was written", "another checksum", row=row)
        if self._success[row] != self._has_image[row]:
            self._damaged("an image exactly where there was success", "the opposite", row=row)
        if not self._success[row]:
            return False
        if self.header.encoding == "png":
            data = self._decode(data, row)
        if len(data) != len(pixels):
            self._damaged(f"{len(pixels)} bytes of pixels", str(len(data)), row=row)
        pixels[:] = data
        return True

    def _row_figures(self, row: int) -> memoryview:
        return self._figures[8 * row : 8 * row + 8]

    def _decode(self, data: memoryview, row: int) -> memoryview:
        size = self.header.identity.alignment.size
        try:
            image = decode_image(bytes(data), where=self.face_id(row))
        except ImageError as error:
            self._damaged("a readable image", str(error), error, row=row)
        if image.shape != (size, size, 3):
            self._damaged(f"an image of {size} pixels", str(image.shape), row=row)
        return image.reshape(-1).data

    def _damaged(
        self, expected: str, found: str, cause: Exception | None = None, *, row: int | None = None
    ) -> NoReturn:
        raise CacheError(
            expected=expected,
            found=found,
            where=str(self.path) if row is None else f"{self.path}, face {self.face_id(row)}",
            action="Delete this shard and run `norface cache build` again: only it is made anew.",
        ) from cause


def _read(path: Path) -> pa.RecordBatch:
    # The map outlives the closed file for as long as the batch does: no descriptor per shard stays open.
    with pa.memory_map(str(path)) as source:
        reader = pa.ipc.open_file(source)
        if reader.num_record_batches != 1:
            raise ValueError(f"{reader.num_record_batches} record batches instead of one")
        batch = reader.get_batch(0)
    if not batch.schema.equals(SCHEMA):
        raise ValueError("other columns")
    batch.validate(full=True)  # flipped bits in an offset would otherwise read outside the map
    if any(batch.column(field.name).null_count for field in SCHEMA if not field.nullable):
        raise ValueError("nulls in a column that has none")
    return batch
