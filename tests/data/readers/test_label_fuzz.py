"""Label files that are damaged in every way: a reader never crashes, never hangs and never invents a label.

What a reader returns is looked up in the damaged file itself, by means that have nothing in common with the reader.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.readers import (
    miniature_affectnet,
    miniature_ckplus,
    miniature_expw,
    miniature_fer2013,
    miniature_ferplus,
    miniature_rafdb,
    miniature_table,
)
from data.readers.miniature import Expected
from norface.data.readers.affectnet import AffectNet
from norface.data.readers.ckplus import CkPlus
from norface.data.readers.contract import DatasetReader
from norface.data.readers.expw import Expw
from norface.data.readers.fer2013 import Fer2013
from norface.data.readers.ferplus import FerPlus
from norface.data.readers.parsing import code, number
from norface.data.readers.rafdb import RafDb
from norface.data.readers.table import TableFile
from norface.errors import NorfaceError
from norface.labels import EMOTIONS

NASTY = (
    *(b"", b",", b'"', b'"\n', b"\n", b"\r", b"\r\n", b"\0", b" ", b"\t", b"\xff", b"\xef\xbb\xbf", b";", b"#"),
    *(b"nan", b"inf", b"1e999", b"-1", b"1_0", b"3.5", b"0x1", b"9" * 5000, "٣".encode(), "é".encode(), b"=1+1"),
    *(b"../", b"C:\\", b"/", b"emotion", b"code", b"name", b"1", b"7"),
)
CODES: dict[str, tuple[str, ...]] = {
    "rafdb": ("", "surprise", "fear", "disgust", "happy", "sad", "anger", "neutral"),
    "affectnet": miniature_affectnet.EMOTIONS,
    "expw": ("anger", "disgust", "fear", "happy", "sad", "surprise", "neutral"),
    "fer2013": ("anger", "disgust", "fear", "happy", "sad", "surprise", "neutral"),
}


@dataclass(frozen=True)
class Case:
    name: str
    reader: DatasetReader
    make: Callable[[Path], Expected]
    file: str
    separator: str


CASES = (
    Case("rafdb", RafDb(), miniature_rafdb.make, "EmoLabel/list_patition_label.txt", r"\s"),
    Case("affectnet", AffectNet(), miniature_affectnet.make, "Manually_Annotated_file_lists/validation.csv", ","),
    Case("expw", Expw(), miniature_expw.make, "label/label.lst", r"\s"),
    Case("fer2013", Fer2013(), miniature_fer2013.make, "fer2013.csv", ","),
)


@st.composite
def damage(draw: st.DrawFn, content: bytes) -> bytes:
    """The file with some pieces replaced, repeated or cut, or another file altogether."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=200))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(content)))
        stop = min(len(content), start + draw(st.sampled_from([0, 0, 1, 2, 5, 30])))
        piece = draw(st.one_of(st.sampled_from(NASTY), st.binary(max_size=3), st.just(content[start : start + 40])))
        content = content[:start] + piece + content[stop:]
    return content[: draw(st.integers(0, len(content)))] if draw(st.integers(0, 9)) == 0 else content


def lines_of(content: bytes) -> list[str]:
    return re.split(r"\r\n|\r|\n", content.decode("utf-8", errors="replace"))


def says(line: str, separator: str, name: str, value: int) -> bool:
    """Whether a line has this name in it, and a field that is this number."""
    fields = [field.strip().strip('"').strip() for field in re.split(separator, line)]
    numbers = {
        float(field) for field in fields if re.fullmatch(r"[+-]?\d{1,9}\.?\d*([eE][+-]?\d{1,2})?", field, re.ASCII)
    }
    return name.lower() in line.lower() and float(value) in numbers


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_label_files(case: Case, tmp_path: Path, data: st.DataObject) -> None:
    kept = tmp_path / "kept"
    if not kept.exists():
        kept.mkdir()
        case.make(tmp_path)
        (kept / "labels").write_bytes((tmp_path / case.file).read_bytes())
    content = data.draw(damage((kept / "labels").read_bytes()))
    (tmp_path / case.file).write_bytes(content)
    try:
        rows = case.reader.read(tmp_path).rows
    except NorfaceError:
        return
    assert rows["face_id"].is_unique
    lines = lines_of(content)
    if case.name == "affectnet":
        rows = rows[rows["split"] == "val"]  # the other file is whole
    for face_id, image, emotion in zip(rows["face_id"], rows["image"], rows["emotion"], strict=True):
        value = CODES[case.name].index(emotion)
        name = {"rafdb": face_id, "fer2013": ""}.get(case.name, image.rpartition("/")[2])
        assert any(says(line, case.separator, name, value) for line in lines), (face_id, emotion)


@pytest.mark.parametrize("lines", [0, 1], ids=["empty", "header"])
@pytest.mark.parametrize(
    "case",
    [*CASES, Case("ferplus", FerPlus(), miniature_ferplus.make, "fer2013new.csv", ",")],
    ids=lambda case: case.name,
)
def test_label_files_without_a_label(case: Case, tmp_path: Path, lines: int) -> None:
    case.make(tmp_path)
    path = tmp_path / case.file
    header = b"".join(path.read_bytes().splitlines(keepends=True)[:lines])
    path.write_bytes(header if case.separator == "," else b"\n" * lines)
    try:
        rows = case.reader.read(tmp_path).rows
    except NorfaceError:
        return
    assert rows.empty or (case.name == "affectnet" and "val" not in set(rows["split"]))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), rule=st.sampled_from(["argmax", "majority"]))
def test_damaged_votes(tmp_path: Path, data: st.DataObject, rule: str) -> None:
    path, kept = tmp_path / "fer2013new.csv", tmp_path / "kept"
    if not kept.exists():
        miniature_ferplus.make(tmp_path)
        path.rename(kept)
    content = data.draw(damage(kept.read_bytes()))
    path.write_bytes(content)
    try:
        rows = FerPlus(rule=rule).read(tmp_path).rows  # type: ignore[arg-type]
    except NorfaceError:
        return
    shares = rows[[f"emotion_share_{name}" for name in EMOTIONS]].to_numpy()
    assert ((shares >= 0) & (shares.sum(1, keepdims=True) <= 1 + 1e-9)).all()
    for face_id, emotion, share in zip(rows["face_id"], rows["emotion"], shares, strict=True):
        assert share[EMOTIONS.index(emotion)] == share.max()
        votes = [number for line in lines_of(content) if face_id in line.lower() for number in re.findall(r"\d+", line)]
        assert votes


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_files_of_a_sequence(tmp_path: Path, data: st.DataObject) -> None:
    emotion = tmp_path / "Emotion/S005/001/S005_001_00000011_emotion.txt"
    facs = tmp_path / "FACS/S005/001/S005_001_00000011_facs.txt"
    if not emotion.exists():
        miniature_ckplus.make(tmp_path)
    text = data.draw(damage(b"   3.0000000e+00\n"))
    pairs = data.draw(damage(b"   9.0000000e+00   4.0000000e+00\n   1.7000000e+01   2.0000000e+00\n"))
    emotion.write_bytes(text)
    facs.write_bytes(pairs)
    rows = CkPlus().read(tmp_path).rows.set_index("face_id")
    if "S005_001_00000011" not in rows.index:
        return
    row = rows.loc["S005_001_00000011"]
    if isinstance(row["emotion"], str):
        assert miniature_ckplus.EMOTIONS[int(float(text.decode("utf-8-sig")))] == row["emotion"]
    if not np.isnan(row["AU09_c"]):
        listed = [line.split() for line in pairs.decode("utf-8-sig").splitlines() if line.strip()]
        present = {int(float(au)): float(r) for au, r in listed}
        assert {au for au in miniature_ckplus.AUS if row[f"AU{au:02d}_c"] == 1} == present.keys() & set(
            miniature_ckplus.AUS
        )
        for au in miniature_ckplus.AUS:
            assert np.isnan(row[f"AU{au:02d}_r"]) or row[f"AU{au:02d}_r"] == present.get(au, 0)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_tables(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "faces.csv"
    if not path.exists():
        miniature_table.make(tmp_path)
        path.rename(tmp_path / "kept")
    content = data.draw(damage((tmp_path / "kept").read_bytes()))
    path.write_bytes(content)
    try:
        rows = TableFile().read(tmp_path).rows
    except NorfaceError:
        return
    assert set(rows.get("emotion", rows["image"]).dropna()) <= set(EMOTIONS) or "emotion" not in rows.columns
    text = content.decode("utf-8", errors="replace").lower()
    assert all(image.rpartition("/")[2].lower() in text.replace('""', '"') for image in rows["image"])


@given(text=st.one_of(st.text(max_size=30), st.from_regex(r"\s*[+-]?[0-9._eE+-]{0,12}\s*", fullmatch=True)))
@settings(max_examples=200, deadline=None)
def test_numbers_agree_with_python_or_are_none(text: str) -> None:
    value = number(text)
    if value is not None:
        assert value == float(text.strip())
        assert np.isfinite(value)
        assert text.strip().isascii()
    whole = code(text)
    assert whole is None or whole == value
