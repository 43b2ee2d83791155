"""What keeps a table of a million rows fast and small gives the same as row by row."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from norface.data import memory
from norface.data import table as table_module
from norface.data.splits import assign_splits
from norface.data.table import FaceTable
from norface.data.validation import clean_rows, known_columns
from norface.imaging.sources import OUTSIDE

Write = Callable[[pd.DataFrame], Path]
SCRIPT = Path(__file__).parents[2] / "benchmarks" / "scale.py"


@pytest.mark.parametrize("part", [1, 5, 24, 100])
def test_fingerprint_is_that_of_all_values_in_a_row(
    frame: pd.DataFrame, write_table: Write, part: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_module, "_PART", part)
    gaps = frame.assign(emotion=frame["emotion"].where(frame.index % 5 != 0), subject="größe " + frame["subject"])
    table = FaceTable.load(write_table(gaps))
    digest = hashlib.sha256(json.dumps(table.meta.describe(), sort_keys=True).encode())
    for name in (column for column in known_columns() if column in table.frame.columns):
        values = table.frame[name].tolist()
        digest.update(name.encode())
        texts = [value if isinstance(value, str) else "" for value in values]
        numeric = pd.api.types.is_numeric_dtype(table.frame[name].dtype)
        digest.update(np.array(values, np.float64).tobytes() if numeric else "\0".join(texts).encode())
    assert table.fingerprint() == digest.hexdigest()


def test_text_stays_out_of_python_objects(table_path: Path) -> None:
    frame = FaceTable.load(table_path).frame
    texts = frame[["face_id", "image", "normalized", "subject", "split", "emotion"]]
    assert {str(kind) for kind in texts.dtypes} == {"str"}
    assert {str(kind) for kind in frame.drop(columns=texts.columns).dtypes} == {"float64"}


def test_codes_of_emotions(table_path: Path) -> None:
    table = FaceTable.load(table_path)
    values = pd.Series(["anger", None, "contempt", "neutral", "happy"] * 4 + [None] * 4, dtype="str")
    assert table.with_frame(table.frame.assign(emotion=values)).emotion_codes()[:5].tolist() == [2, -1, -1, 0, 1]


def test_whole_subjects_are_assigned(table_path: Path) -> None:
    table = FaceTable.load(table_path)
    assigned = assign_splits(table, {"train": 3, "test": 0.2}, seed=4).frame
    order = np.random.default_rng(4).permutation(8)
    expected = {f"s{k}": split for k, split in zip(order, ["train"] * 3 + ["test"] + [""] * 4, strict=True)}
    assert assigned["split"].tolist() == [expected[name] for name in table.frame["subject"]]


parts = st.sampled_from([*"ab.", "/", "..", ".png", ".tar.gz", "zip!", "ü", " "])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(parts, min_size=1, max_size=7).map("".join), min_size=1, max_size=20))
def test_face_ids_are_paths_without_their_suffix(paths: list[str]) -> None:
    def plain(path: str) -> bool:
        name = PurePosixPath(path).name
        inside = not re.search(OUTSIDE, path)
        # Of a name of dots alone, Python's versions see different suffixes.
        return inside and bool(name.replace(".", "")) and not name.startswith("..")

    paths = list(dict.fromkeys(path for path in paths if plain(path)))
    names = [str(PurePosixPath(path).with_suffix("")) for path in paths]
    once = [k for k, name in enumerate(names) if names.count(name) == 1]
    if once:
        frame = pd.DataFrame({"image": pd.Series([paths[k] for k in once], dtype="str"), "subject": "s"})
        assert clean_rows(frame, "here")["face_id"].tolist() == [names[k] for k in once]


def test_face_ids_of_frames_keep_their_number() -> None:
    images = ["S1/left.avi#0", "S1/left.avi#17", "S2.zip!T1/0001.jpg", "take.#3.avi#2", "no suffix"]
    frame = clean_rows(pd.DataFrame({"image": images, "subject": "s"}), "here")
    assert frame["face_id"].tolist() == ["S1/left#0", "S1/left#17", "S2.zip!T1/0001", "take.#3#2", "no suffix"]


@pytest.mark.parametrize(
    ("faces", "size", "kinds", "fits"),
    [
        (50_000, 64, 1, True),
        (50_001, 64, 1, False),
        (25_001, 64, 2, False),
        (700, 1024, 1, False),
        (600, 1024, 1, True),
    ],
)
def test_what_is_decoded_before_the_first_batch(faces: int, size: int, kinds: int, fits: bool) -> None:
    assert memory.fits_in_memory(faces, size, kinds) == fits


@pytest.fixture
def scale() -> ModuleType:
    if not Path("/proc/self/smaps_rollup").exists():
        pytest.skip("memory of processes is measured on Linux only")
    spec = importlib.util.spec_from_file_location("scale", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_benchmark_measures_a_small_table(scale: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scale, "BATCHES", 5)
    scale.write_table(tmp_path, 2000, 20)
    assert scale.loading(tmp_path)["load, s"] > 0
    figures = scale.first_batch(tmp_path, 2)
    assert (figures["workers"], figures["batches in an epoch"]) == (2, 50)
    assert 0 < figures["USS per worker, MiB"] <= figures["largest, MiB"] < 500
