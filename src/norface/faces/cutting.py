"""From one row to one crop: read its image, find its face, place it, write it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from norface.data.readers.contract import DatasetReader
from norface.errors import AlignmentError, ImageError
from norface.faces.choose import Rule, choose
from norface.faces.contract import Box, Detection, Detector
from norface.faces.parts import Outcome
from norface.faces.plan import Item
from norface.imaging.alignment import Alignment, Points, transform, warp
from norface.imaging.files import encode_jpeg, encode_png, write_atomically
from norface.imaging.links import inside
from norface.imaging.pixels import Pixels
from norface.imaging.sources import ImageRoot
from norface.imaging.video import read_frames
from norface.labels import BOX_COLUMNS, LANDMARK_COLUMNS

ImageFormat = Literal["png", "jpeg"]
SUFFIXES: dict[ImageFormat, str] = {"png": ".png", "jpeg": ".jpg"}

UNREADABLE = "image cannot be read"
NO_FACE = "no face found"
NOT_AT_BOX = "no face at the labelled box"
NO_LANDMARKS = "face without landmarks"
DEGENERATE = "landmarks are no face's"
OUTSIDE = "face outside the image"
DETECTOR_FAILED = "detector failed"
NOT_USABLE = "marked as not usable by the owner"


@dataclass(frozen=True)
class Recipe:
    """Everything that a process must know to cut faces out. Sent to spawned processes.

    Args:
        reader: Reads single images.
        root: The owner's folder.
        out: The output folder.
        detector: Makes the detector; called once in each process.
        rule: Which of several faces is meant.
        alignment: How faces are placed in their crops.
        image_format: Of the crops.
    """

    reader: DatasetReader
    root: Path
    out: Path
    detector: Callable[[], Detector]
    rule: Rule
    alignment: Alignment
    image_format: ImageFormat


class Cutter:
    """Cuts faces out by one recipe.

    Args:
        recipe: The recipe.

    Raises:
        DetectionError: The detector cannot run.
    """

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.detector = recipe.detector()
        # Faces that do not depend on the row are found once for all rows of one image.
        self._looks_at_pixels = type(self.detector).find is Detector.find
        # Most readers leave the reading to `sources`; then its root is looked up once only.
        plain = type(recipe.reader).pixels is DatasetReader.pixels
        self._read = ImageRoot(recipe.root).read if plain else partial(recipe.reader.pixels, recipe.root)
        self._last: tuple[str, Pixels, list[Detection] | None] | None = None

    def cut(self, video: str | None, items: Sequence[Item]) -> Iterator[Outcome]:
        """The outcome of each row, in their order; a bad image is an outcome too.

        Args:
            video: The video whose frames the rows are, in ascending order; path relative to the root. It is read once.
                None: the rows are single images.
            items: The rows.

        Raises:
            DetectionError: The detector cannot work with these rows at all.
            OutputError: A crop cannot be written.
        """
        for item, pixels in self._images(items) if video is None else self._frames(video, items):
            if isinstance(pixels, ImageError):
                yield Outcome(item.row, UNREADABLE, pixels.found)
            elif pixels is None:
                yield Outcome(item.row, NOT_USABLE)
            else:
                yield self._cut(item, pixels)

    def _images(self, items: Sequence[Item]) -> Iterator[tuple[Item, Pixels | ImageError | None]]:
        for item in items:
            if item.given.get("success") == 0:
                yield item, None
                continue
            try:
                yield item, self._pixels(item.image)
            except ImageError as error:
                yield item, error

    def _frames(self, video: str, items: Sequence[Item]) -> Iterator[tuple[Item, Pixels | ImageError | None]]:
        done = 0
        try:
            for number, frame in read_frames(inside(self.recipe.root, video), {item.frame or 0 for item in items}):
                while done < len(items) and items[done].frame == number:
                    item = items[done]
                    yield item, None if item.given.get("success") == 0 else frame
                    done += 1
        except ImageError as error:  # of the video itself
            yield from ((item, error) for item in items[done:])

    def _pixels(self, image: str) -> Pixels:
        if self._last is None or self._last[0] != image:
            self._last = (image, self._read(image), None)
        return self._last[1]

    def _cut(self, item: Item, pixels: Pixels) -> Outcome:
        try:
            face = self._face(item, pixels)
        except (cv2.error, RuntimeError, ValueError, IndexError) as error:  # of the detectors' libraries
            return Outcome(item.row, DETECTOR_FAILED, f"{type(error).__name__}: {error}"[:300])
        if isinstance(face, str):
            return Outcome(item.row, face)
        points = face.points if face.points is not None else _given_points(item)
        known = Outcome(item.row, "", "", tuple(face.box), face.score, _flat(points))
        try:
            matrix = face.placement(self.recipe.alignment)
        except AlignmentError as error:
            return replace(known, why=DEGENERATE if points is not None else NO_LANDMARKS, detail=error.found)
        try:
            crop = warp(pixels, matrix, self.recipe.alignment.size)
        except AlignmentError as error:
            return replace(known, why=OUTSIDE, detail=error.found)
        data = encode(crop, self.recipe.image_format)
        write_atomically(self.recipe.out / item.crop, data)
        placed = None if points is None else _flat(transform(matrix, points))
        return replace(known, placed=placed, size=len(data))

    def _face(self, item: Item, pixels: Pixels) -> Detection | str:
        """The face that is meant, or why there is none."""
        faces = self._faces(item, pixels)
        box = _given_box(item)
        height, width = pixels.shape[:2]
        chosen = choose(faces, rule=self.recipe.rule, width=width, height=height, label_box=box)
        if chosen is not None:
            return chosen
        return NOT_AT_BOX if faces else NO_FACE

    def _faces(self, item: Item, pixels: Pixels) -> list[Detection]:
        if not self._looks_at_pixels or self._last is None or self._last[1] is not pixels:
            return self.detector.find(pixels, item.given)
        image, _, found = self._last
        if found is None:
            found = self.detector.detect(pixels)
            self._last = (image, pixels, found)
        return found


def encode(crop: Pixels, image_format: ImageFormat) -> bytes:
    """A crop as the bytes of its file."""
    return encode_png(crop) if image_format == "png" else encode_jpeg(crop)


def _given_box(item: Item) -> Box | None:
    values = _given(item, BOX_COLUMNS)
    return None if values is None else Box(*values)


def _given_points(item: Item) -> Points | None:
    values = _given(item, LANDMARK_COLUMNS)
    return None if values is None else np.array(values).reshape(5, 2)


def _given(item: Item, columns: Sequence[str]) -> list[float] | None:
    """The values of columns that are all there and all finite."""
    values = [item.given.get(name) for name in columns]
    numbers = [float(value) for value in values if isinstance(value, int | float) and np.isfinite(value)]
    return numbers if len(numbers) == len(columns) else None


def _flat(points: Points | None) -> tuple[float, ...] | None:
    return None if points is None else tuple(points.ravel().tolist())
