"""Every reader of files, with damaged inputs for it and what a correct read of them is."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import torch
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from mutations import anything_in_json, damaged, damaged_json
from norface.backbones import ConvEncoder
from norface.cache import CacheIdentity
from norface.cache.manifest import MANIFEST, Manifest, plan
from norface.cache.shard import CachedFace, ShardFile, ShardHeader, encode_image, encode_shard
from norface.checkpoints import open_checkpoint
from norface.classifier.inference import load_classifier
from norface.data.table import FaceTable
from norface.imaging.alignment import Alignment
from norface.imaging.files import decode_image, encode_png, write_png
from norface.imaging.sources import ImageRoot
from norface.labels import EMOTIONS
from norface.normalizer import TrainedNormalizer
from norface.report.build import build_report
from norface.report.summary import header, terminal_table
from norface.results import read_results
from norface.specs import build, describe
from norface.teachers import TrainedIdentity
from norface.teachers.networks import EmbeddingNetwork

RANDOM = np.random.default_rng(0)
PICTURE = RANDOM.integers(0, 256, (9, 12, 3), np.uint8)
PIXELS = 250_000  # an image may claim so many here: 64 million would be decoded, slowly
IMAGES = {suffix: bytes(cv2.imencode(suffix, PICTURE)[1]) for suffix in (".png", ".jpg", ".bmp", ".tiff", ".webp")}
ALIGNMENT = Alignment(size=8, margin=0.25)


@dataclass(frozen=True)
class Target:
    """Something that reads, and what it is given; `check` gets a folder of its own."""

    inputs: SearchStrategy[Any]
    check: Callable[[Any, Path], None]


# ------------------------------------------------------------------------------------------------------------ images
def check_image(data: bytes, _: Path) -> None:
    pixels = decode_image(data, where="fuzz")
    assert pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 3 and 0 < pixels.size <= 3 * PIXELS


def check_png(data: bytes, _: Path) -> None:
    np.testing.assert_array_equal(decode_image(data, where="fuzz"), PICTURE[..., ::-1])  # it has checksums


# ------------------------------------------------------------------------------------------------------------- cache
IDENTITY = CacheIdentity(normalizer="a" * 64, table="b" * 64, alignment=ALIGNMENT)
FACES = [
    CachedFace(face_id="x", image=None, error="truncated"),
    *(
        CachedFace(face_id=f"f{k}", image=RANDOM.integers(0, 256, (8, 8, 3), np.uint8), identity_to_target=k / 4)
        for k in range(3)
    ),
]


def shard(encoding: Any) -> tuple[ShardHeader, bytes]:
    made = ShardHeader(IDENTITY, encoding, plan(len(FACES), len(FACES))[0])
    return made, encode_shard(FACES, [encode_image(face, made) for face in FACES], made)


def shard_target(encoding: str) -> Target:
    made, whole = shard(encoding)

    def check(data: bytes, folder: Path) -> None:
        (folder / "a.arrow").write_bytes(data)
        file = ShardFile(folder / "a.arrow", made)
        file.frame()
        for row, expected in enumerate(FACES):
            face = file.face(row)
            assert face.face_id == expected.face_id
            assert (face.image is None) == (expected.image is None)
            assert face.image is None or np.array_equal(face.image, expected.image)  # type: ignore[arg-type]
            assert np.array_equal(face.identity_to_target, expected.identity_to_target, equal_nan=True)

    return Target(damaged(whole), check)


WHOLE_MANIFEST = Manifest(
    identity=IDENTITY,
    subjects=("p1", "p2"),
    faces=9,
    failed=1,
    shard_size=4,
    encoding="png",
    sha256=("c" * 64,) * 3,
)


def check_manifest(content: Any, folder: Path) -> None:
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    (folder / MANIFEST).write_bytes(data)
    manifest = Manifest.load(folder)
    assert manifest.describe() == json.loads(data)
    assert manifest == WHOLE_MANIFEST


# ------------------------------------------------------------------------------------------------------------ tables
FRAME = pd.DataFrame(
    {
        "face_id": ["a", "b", "c"],
        "image": ["a.png", "z.zip!b.png", "a.png"],
        "subject": ["007", "8", "9"],
        "split": ["train", "val", None],
        "emotion": ["happy", None, "sad"],
        "AU01_c": [0.0, 1.0, np.nan],
        "AU12_r": [0.0, 5.0, np.nan],
        "yaw": [0.5, -3.0, np.nan],
    }
)
TABLE_META = {"schema": 1, "emotions": list(EMOTIONS), "aus": [1, 12], "alignment": ALIGNMENT.describe()}


def table_bytes(kind: str) -> bytes:
    buffer = io.BytesIO()
    if kind == "csv":
        FRAME.to_csv(buffer, index=False)
    else:
        FRAME.to_parquet(buffer, index=False)
    return buffer.getvalue()


def write_images(folder: Path) -> None:
    write_png(folder / "a.png", PICTURE)
    with zipfile.ZipFile(folder / "z.zip", "w") as file:
        file.writestr("b.png", encode_png(PICTURE))


def check_table(given: tuple[str, bytes, Any], folder: Path) -> None:
    kind, rows, meta = given
    write_images(folder)
    path = folder / f"faces.{kind}"
    path.write_bytes(rows)
    path.with_suffix(".json").write_bytes(meta if isinstance(meta, bytes) else json.dumps(meta).encode())
    table = FaceTable.load(path)
    frame = table.frame
    assert len(frame) > 0 and frame["face_id"].is_unique and frame["subject"].notna().all()
    if "emotion" in frame:
        assert set(frame["emotion"].dropna()) <= set(table.meta.emotions) <= set(EMOTIONS)
    assert np.isin(table.occurrence(), [0, 1, np.nan]).all() or np.isnan(table.occurrence()).any()
    intensity = table.intensity()
    assert ((intensity >= 0) & (intensity <= 5) | np.isnan(intensity)).all()
    used = frame.loc[frame["success"] != 0, "image"]
    assert not used.str.contains(r"\.\.").any() or used.str.contains(r"[^/]\.\.|\.\.[^/]").any()
    assert len(table.fingerprint()) == 64
    table.emotion_codes()
    table.save(folder / "again")
    assert FaceTable.load(folder / "again").fingerprint() == table.fingerprint()


# ---------------------------------------------------------------------------------------------------------- archives
def archive_bytes(kind: str) -> bytes:
    buffer = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(buffer, "w") as file:
            file.writestr("one.bin", b"first" * 9, zipfile.ZIP_DEFLATED)
            file.writestr("two.bin", b"second" * 9, zipfile.ZIP_STORED)
    else:
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            for name, content in (("./one.bin", b"first" * 9), ("two.bin", b"second" * 9)):
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def archive_target(kind: str) -> Target:
    def check(data: bytes, folder: Path) -> None:
        (folder / f"a.{kind}").write_bytes(data)
        root = ImageRoot(folder)
        names = root.members(f"a.{kind}")
        root.exist([f"a.{kind}!{name}" for name in [*names, "one.bin"] if name.isprintable()])
        for name in (*names, "one.bin", "two.bin"):
            content = root.read_bytes(f"a.{kind}!{name}")
            assert kind == "tar" or content in {b"first" * 9, b"second" * 9, b""}  # zip has checksums

    return Target(damaged(archive_bytes(kind)), check)


# ----------------------------------------------------------------------------------------------------------- results
BLOCK = {"task": "fer", "accuracy": 0.5, "confusion": [[5, 5], [5, 5]], "classes": ["happy", "sad"], "n_faces": 20}
RESULTS = {
    "schema": 1,
    "seed": 0,
    "gate": {
        "expression_r2": 0.7,
        "passed": True,
        "checks": [{"name": "expression_r2", "value": 0.7, "limit": 0.6, "direction": "min", "passed": True}],
    },
    "probe": {"raw": BLOCK, "oracle": BLOCK, "gap_closed": 0.5},
    "classifier": {
        "both": {**BLOCK, "expert_use": {"output": [[0.5, 0.5], [1.0, 0.0]]}, "constant": {"accuracy": 0.1}}
    },
    "classifier_au": {"both": {"task": "au", "labels": ["AU01"], "f1": 0.5, "f1_per_au": {"AU01": 0.5}}},
    "timing": {"faces_s": 3.0},
    "protocol": {"dataset": "x", "subjects": {"train": 3}, "leaked_subjects": []},
    "versions": {"torch": "2"},
}


def check_results(content: Any, folder: Path) -> None:
    (folder / "results.json").write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    results = read_results(folder / "results.json")
    terminal_table(results)
    header(results, "run")


def check_report(content: Any, folder: Path) -> None:
    check_results(content, folder)
    page = build_report(folder, folder / "report").read_text()
    assert "<script" not in page


# ------------------------------------------------------------------------------------------------------- checkpoints
TEACHER = EmbeddingNetwork(ConvEncoder(widths=(8, 8)), dim=4)
SPEC = describe(TEACHER)
ABOUT = {
    "kind": "teacher",
    "network": SPEC,
    "alignment": ALIGNMENT.describe(),
    "subjects": ["a"],
    "task": "fer",
    "emotions": ["happy"],
    "aus": [],
}
WEIGHTS = {f"network.{name}": value for name, value in TEACHER.state_dict().items()}
SMALL = anything_in_json.filter(lambda value: "000" not in repr(value) and len(repr(value)) < 200)
PATHS = st.sampled_from(["os.system", "norface.nowhere.A", "norface.backbones.ConvEncoder", "norface", "", "..."])


def checkpoint_bytes() -> bytes:
    buffer = io.BytesIO()
    torch.save({"state_dict": WEIGHTS, "norface": ABOUT}, buffer)
    return buffer.getvalue()


def check_checkpoint(data: bytes, folder: Path) -> None:
    (folder / "a.ckpt").write_bytes(data)
    open_checkpoint(folder / "a.ckpt")
    teacher = TrainedIdentity(str(folder / "a.ckpt"))
    for name, value in teacher.network.state_dict().items():
        assert torch.equal(value, WEIGHTS[f"network.{name}"])  # the zip in it has checksums


def small_numbers(value: Any) -> bool:
    """Whether a network of this description fits into memory."""
    if isinstance(value, dict):
        return all(map(small_numbers, value.values()))
    if isinstance(value, list):
        return all(map(small_numbers, value))
    return not isinstance(value, int | float) or abs(value) <= 64


READERS: dict[str, Callable[[str], object]] = {
    "teacher": TrainedIdentity,
    "normalizer": lambda path: TrainedNormalizer(path).load(),
    "classifier": load_classifier,
}


def check_description(given: tuple[str, Any], folder: Path) -> None:
    kind, about = given
    if not small_numbers(about):
        return
    path = folder / "a.ckpt"
    torch.save({"state_dict": WEIGHTS, "norface": {**about, "kind": kind} if isinstance(about, dict) else about}, path)
    READERS[kind](str(path))


def check_spec(given: tuple[Any, str], _: Path) -> None:
    spec, path = given
    if isinstance(spec, dict) and small_numbers(spec):
        build({**spec, "class_path": path}, where="fuzz")
    elif small_numbers(spec):
        build(spec, where="fuzz")


META = damaged_json(TABLE_META)
ROWS = {kind: table_bytes(kind) for kind in ("csv", "parquet")}
TARGETS: dict[str, Target] = {
    "png": Target(damaged(IMAGES[".png"]), check_png),
    "jpeg": Target(damaged(IMAGES[".jpg"]), check_image),
    "bmp, tiff, webp": Target(damaged(IMAGES[".bmp"], IMAGES[".tiff"], IMAGES[".webp"]), check_image),
    "shard, png": shard_target("png"),
    "shard, raw": shard_target("raw"),
    "manifest": Target(
        damaged_json(WHOLE_MANIFEST.describe()) | damaged(json.dumps(WHOLE_MANIFEST.describe()).encode()),
        check_manifest,
    ),
    "table, csv": Target(st.tuples(st.just("csv"), damaged(ROWS["csv"]), st.just(TABLE_META)), check_table),
    "table, parquet": Target(
        st.tuples(st.just("parquet"), damaged(ROWS["parquet"], largest=3), st.just(TABLE_META)), check_table
    ),
    "table, json": Target(
        st.tuples(st.just("csv"), st.just(ROWS["csv"]), META | damaged(json.dumps(TABLE_META).encode())), check_table
    ),
    "zip": archive_target("zip"),
    "tar": archive_target("tar"),
    "results": Target(damaged_json(RESULTS) | damaged(json.dumps(RESULTS).encode()), check_results),
    "checkpoint": Target(damaged(checkpoint_bytes()), check_checkpoint),
    "description": Target(st.tuples(st.sampled_from(sorted(READERS)), damaged_json(ABOUT)), check_description),
    "network": Target(st.tuples(damaged_json(SPEC) | SMALL, PATHS), check_spec),
}
