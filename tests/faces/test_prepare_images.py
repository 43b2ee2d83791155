"""Preparation of every kind of image that turns up in a data set."""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image

import norface.faces.cutting as cutting_module
import norface.faces.plan as plan_module
import toy_dataset as toy
from norface.data.table import FaceTable
from norface.errors import ImageError
from norface.faces.contract import Detection, Detector
from norface.faces.merging import Prepared
from norface.faces.prepare import prepare
from norface.imaging.files import read_image
from norface.imaging.pixels import Pixels
from norface.imaging.video import read_frames

PICTURE = toy.picture(20, 10, 30)


def run(root: Path, out: Path, detector: Callable[[], Detector] = toy.square) -> Prepared:
    return prepare(toy.ToyReader(), root, out, detector=detector, size=48, processes=1, progress=False)


def write_rows(root: Path, images: list[str], **columns: object) -> None:
    rows = pd.DataFrame({"face_id": [f"f{k}" for k in range(len(images))], "image": images, "subject": "s"})
    rows.assign(**columns).to_csv(root / "rows.csv", index=False)  # type: ignore[arg-type]


def write_grey(path: Path) -> None:
    Image.fromarray(PICTURE).convert("L").save(path)


def write_cmyk(path: Path) -> None:
    Image.fromarray(PICTURE).convert("CMYK").save(path, quality=95)


def write_sixteen_bit(path: Path) -> None:
    cv2.imwrite(str(path), PICTURE[..., ::-1].astype(np.uint16) * 257)


def write_rgba(path: Path) -> None:
    Image.fromarray(np.dstack([PICTURE, np.full(PICTURE.shape[:2], 128, np.uint8)])).save(path)


def write_palette(path: Path) -> None:
    Image.fromarray(PICTURE).quantize(64).save(path)


def write_rotated(path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn it by 90 degrees clockwise to see it upright
    Image.fromarray(np.ascontiguousarray(np.rot90(PICTURE))).save(path, quality=95, exif=exif.tobytes())


@pytest.mark.parametrize(
    ("write", "name"),
    [
        (write_grey, "grey.jpg"),
        (write_cmyk, "cmyk.jpg"),
        (write_sixteen_bit, "sixteen.png"),
        (write_rgba, "rgba.png"),
        (write_palette, "palette.png"),
        (write_rotated, "rotated.jpg"),
        (write_grey, "gesicht ü 表情.jpg"),
        (write_grey, "Ordner ä/a.b#1!.jpg"),
        (write_grey, "lower.JPEG"),
    ],
)
def test_the_face_is_found_whatever_the_file(tmp_path: Path, write: Callable[[Path], None], name: str) -> None:
    root = tmp_path / "Daten é"
    (root / name).parent.mkdir(parents=True)
    write(root / name)
    write_rows(root, [name])
    prepared = run(root, tmp_path / "Ausgabe é")
    assert prepared.usable == 1, prepared.not_usable
    table = FaceTable.load(tmp_path / "Ausgabe é")
    box = table.frame[["box_left", "box_top", "box_width", "box_height"]].to_numpy()[0]
    np.testing.assert_allclose(box, [20, 10, 30, 30], atol=2)
    crop = read_image(table.root / table.frame["image"][0])
    assert crop.shape == (48, 48, 3)
    assert crop[24, 24].min() > 230


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "0 bytes"),
        (b"not an image", "do not decode"),
        (cv2.imencode(".jpg", PICTURE)[1].tobytes()[:-400], "truncated"),
        (cv2.imencode(".png", PICTURE)[1].tobytes()[:200], "truncated"),
        (None, "No such file"),
        ("folder", "directory"),
    ],
    ids=["empty", "text", "jpeg", "png", "missing", "folder"],
)
def test_bad_images_keep_their_rows(tmp_path: Path, content: bytes | str | None, found: str) -> None:
    root = tmp_path / "toy"
    root.mkdir()
    write_grey(root / "good.png")
    if isinstance(content, bytes):
        (root / "bad.jpg").write_bytes(content)
    elif content:
        (root / "bad.jpg").mkdir()
    write_rows(root, ["bad.jpg", "good.png"])
    prepared = run(root, tmp_path / "out")
    assert prepared.not_usable == {"image cannot be read": 1}
    assert FaceTable.load(tmp_path / "out").frame["success"].tolist() == [0.0, 1.0]
    with (tmp_path / "out/skipped.csv").open(newline="") as file:
        (line,) = csv.DictReader(file)
    assert found in line["detail"]


def test_images_in_an_archive(tmp_path: Path) -> None:
    root = tmp_path / "toy"
    root.mkdir()
    write_grey(root / "a.png")
    with zipfile.ZipFile(root / "faces.zip", "w") as archive:
        archive.write(root / "a.png", "F001/a.png")
    write_rows(root, ["faces.zip!F001/a.png", "faces.zip!F001/b.png"])
    assert run(root, tmp_path / "out").not_usable == {"image cannot be read": 1}


def write_video(path: Path, frames: int) -> None:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (80, 60))
    for number in range(frames):
        writer.write(np.ascontiguousarray(toy.picture(4 + 2 * number, 10, 30)[..., ::-1]))
    writer.release()


def test_frames_of_videos_are_read_in_order_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan_module, "PART_ROWS", 4)
    root = tmp_path / "toy"
    root.mkdir()
    for name in ("a", "b"):
        write_video(root / f"{name}.avi", 10)
    (root / "c.avi").write_bytes(b"no video")
    write_grey(root / "single.png")
    numbers = [7, 0, 3, 3, 9, 5, 99]
    images = [f"{name}.avi#{number}" for number in numbers for name in "ab"]
    write_rows(root, [*images, "single.png", "c.avi#0", "c.avi#1"])
    read: list[tuple[str, list[int]]] = []

    def noted(path: Path, frames: set[int]) -> Iterator[tuple[int, Pixels | ImageError]]:
        read.append((path.name, sorted(frames)))
        return read_frames(path, frames)

    monkeypatch.setattr(cutting_module, "read_frames", noted)
    prepared = run(root, tmp_path / "out")
    assert prepared.faces == 17
    assert prepared.not_usable == {"image cannot be read": 4}
    frame = FaceTable.load(tmp_path / "out").frame
    assert frame["source"].tolist()[:14] == images
    lefts = frame["box_left"].tolist()[:12]
    np.testing.assert_allclose(lefts, [4 + 2 * number for number in numbers[:6] for _ in "ab"], atol=1)
    wanted = [0, 3, 5, 7, 9, 99]
    assert read == [("a.avi", wanted), ("b.avi", wanted), ("c.avi", [0, 1])]


def test_a_video_goes_on_where_it_was_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan_module, "PART_ROWS", 4)
    root = tmp_path / "toy"
    root.mkdir()
    write_video(root / "a.avi", 12)
    write_rows(root, [f"a.avi#{number}" for number in range(12)])
    run(root, tmp_path / "whole")

    class Interrupting(toy.SquareDetector):
        def detect(self, pixels: Pixels) -> list[Detection]:
            if self.seen == 9:
                raise KeyboardInterrupt
            return super().detect(pixels)

    with pytest.raises(KeyboardInterrupt):
        run(root, tmp_path / "out", Interrupting)
    detector = toy.SquareDetector()
    run(root, tmp_path / "out", lambda: detector)
    assert detector.seen == 4
    for path in (tmp_path / "whole").rglob("*"):
        if path.is_file():
            assert (tmp_path / "out" / path.relative_to(tmp_path / "whole")).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("image", ["../a.png", "/etc/passwd", "C:\\a.png"])
def test_images_outside_the_root_are_refused(tmp_path: Path, image: str) -> None:
    (tmp_path / "toy").mkdir()
    write_rows(tmp_path / "toy", [image])
    with pytest.raises(ImageError, match="inside the root"):
        run(tmp_path / "toy", tmp_path / "out")
