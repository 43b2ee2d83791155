from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from norface.data.table import FaceTable
from norface.errors import OutputError, TableError
from norface.imaging.alignment import Alignment
from norface.labels import LANDMARK_COLUMNS

Write = Callable[[pd.DataFrame], Path]


def with_value(frame: pd.DataFrame, column: str, value: object, row: int = 4) -> pd.DataFrame:
    values: list[object] = list(frame[column])
    values[row] = value
    return frame.assign(**{column: pd.Series(values, index=frame.index)})


def test_load_reads_vocabularies_and_labels(table_path: Path) -> None:
    table = FaceTable.load(table_path)
    assert len(table) == 24
    assert table.meta.emotions == ("neutral", "happy", "anger")  # canonical order, only those present
    assert table.meta.aus == (1, 12)
    assert table.meta.alignment == Alignment(32)
    assert table.emotion_codes()[:3].tolist() == [1, 0, 2]
    np.testing.assert_array_equal(table.intensity()[:3], np.array([[0.5, 4], [0, 0], [3, 1]], np.float32))
    assert table.in_split("val").tolist() == list(range(12, 18))
    assert table.knows_normalized.all()


def test_occurrence_is_derived_only_where_missing_and_said(table_path: Path) -> None:
    table = FaceTable.load(table_path)
    np.testing.assert_array_equal(table.occurrence()[:3], np.array([[0, 1], [0, 0], [1, 0]], np.float32))
    assert table.meta.provenance["occurrence"] == "AU occurrence derived from intensity >= 2 for AUs [1]"


def test_unknown_labels_stay_unknown(frame: pd.DataFrame, write_table: Write) -> None:
    frame = with_value(with_value(with_value(frame, "emotion", np.nan), "AU01_r", np.nan), "AU12_c", np.nan)
    table = FaceTable.load(write_table(frame))
    assert table.emotion_codes()[4] == -1
    assert np.isnan(table.intensity()[4, 0])
    assert np.isnan(table.occurrence()[4]).all()
    without = table.with_frame(table.frame.drop(columns=["emotion", "AU12_r"]))
    assert (without.emotion_codes() == -1).all()
    assert np.isnan(without.intensity()[:, 1]).all()


def test_save_and_load_keep_everything(table_path: Path) -> None:
    table = FaceTable.load(table_path)
    table.save(table_path.parent)
    again = FaceTable.load(table_path.parent)
    pd.testing.assert_frame_equal(again.frame, table.frame)
    assert again.meta == table.meta
    assert again.fingerprint() == table.fingerprint()


def test_save_elsewhere_points_back_to_the_images(table_path: Path) -> None:
    table = FaceTable.load(table_path)
    elsewhere = table_path.parent / "runs" / "one"
    table.save(elsewhere)
    again = FaceTable.load(elsewhere)
    assert (again.root / str(again.frame["image"].iloc[0])).is_file()
    assert again.fingerprint() == table.fingerprint()


@pytest.mark.parametrize("column", ["emotion", "AU01_r", "subject", "split"])
def test_fingerprint_follows_documented_columns_only(table_path: Path, column: str) -> None:
    table = FaceTable.load(table_path)
    changed = with_value(table.frame, column, list(table.frame[column])[23], row=0)
    assert table.with_frame(changed).fingerprint() != table.fingerprint()
    assert table.with_frame(table.frame.assign(remark="x")).fingerprint() == table.fingerprint()
    assert table.with_frame(table.frame[::-1]).fingerprint() != table.fingerprint()


def test_face_id_comes_from_the_path_and_extra_columns_stay(frame: pd.DataFrame, write_table: Write) -> None:
    frame = frame.drop(columns=["face_id", "split"]).assign(camera="left", subject_id=3)
    table = FaceTable.load(write_table(frame))
    assert table.frame.loc[0, "face_id"] == "images/s0_0"
    assert "split" not in table.frame.columns
    assert table.frame.loc[0, "camera"] == "left"


def test_subjects_written_as_numbers_are_text(frame: pd.DataFrame, write_table: Write) -> None:
    frame = frame.assign(subject=[7 + k // 3 for k in range(24)])
    path = write_table(frame)
    assert FaceTable.load(path).frame["subject"].iloc[0] == "7"
    pd.read_csv(path).astype({"subject": float}).to_parquet(path.with_suffix(".parquet"))
    assert FaceTable.load(path.with_suffix(".parquet")).frame["subject"].iloc[0] == "7"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("AU99_x", "unknown column 'AU99_x'"),
        ("AU1_r", "Did you mean 'AU01_r'"),
        ("au12_c", "Did you mean 'AU12_c'"),
        ("Landmark", None),
        ("succes", "Did you mean 'success'"),
        ("left_eye_X", "Did you mean 'left_eye_x'"),
    ],
)
def test_unknown_columns(frame: pd.DataFrame, write_table: Write, name: str, hint: str | None) -> None:
    path = write_table(frame.assign(**{name: 1}))
    if hint is None:
        FaceTable.load(path)
        return
    with pytest.raises(TableError, match=hint):
        FaceTable.load(path)


@pytest.mark.parametrize("column", ["image", "subject"])
def test_missing_required_column(frame: pd.DataFrame, write_table: Write, column: str) -> None:
    path = write_table(frame)
    pd.read_csv(path).drop(columns=column).to_csv(path, index=False)
    with pytest.raises(TableError, match=f"no column {column}"):
        FaceTable.load(path)


def test_misspelt_required_column_names_the_right_one(frame: pd.DataFrame, write_table: Write) -> None:
    path = write_table(frame)
    pd.read_csv(path).rename(columns={"subject": "subjct"}).to_csv(path, index=False)
    with pytest.raises(TableError, match="Did you mean 'subject'"):
        FaceTable.load(path)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("emotion", "Happy", "found 'Happy' in row 4 .*Did you mean 'happy'"),
        ("AU01_r", 5.5, "column AU01_r: expected intensities from 0 to 5, found 5.5"),
        ("AU01_r", -1, "intensities from 0 to 5"),
        ("AU01_r", "much", "column AU01_r: expected numbers, found 'much'"),
        ("AU12_c", 0.5, "column AU12_c: expected 0 or 1"),
        ("subject", np.nan, "column subject: expected a value in every row, found nothing in row 4"),
        ("face_id", "s0_1", "the first 's0_1' in rows 1 and 4"),
        ("subject", "\x1b]0;title\x07", "column subject: expected names without control characters"),
        ("image", "a\nb.png", "column image: expected names without control characters"),
        ("image", "../outside.png", "paths inside the table's folder"),
        ("image", "/etc/passwd", "paths inside the table's folder"),
        ("normalized", "a/../../b.png", "paths inside the table's folder"),
        ("normalized", "C:\\faces\\a.png", "paths inside the table's folder"),
    ],
)
def test_bad_values(frame: pd.DataFrame, write_table: Write, column: str, value: object, message: str) -> None:
    path = write_table(frame)
    with_value(frame, column, value).to_csv(path, index=False)
    with pytest.raises(TableError, match=message):
        FaceTable.load(path)


def test_missing_files_are_counted_unless_marked(frame: pd.DataFrame, write_table: Write) -> None:
    path = write_table(frame)
    for name in ("s0_0", "s1_1"):
        (path.parent / f"images/{name}.png").unlink()
    with pytest.raises(TableError, match=r"2 missing, the first: images/s0_0.png, images/s1_1.png"):
        FaceTable.load(path)
    frame.assign(success=[0 if name in ("s0_0", "s1_1") else 1 for name in frame["face_id"]]).to_csv(path, index=False)
    assert (FaceTable.load(path).frame["success"] == 0).sum() == 2


def test_empty_table(frame: pd.DataFrame, write_table: Write) -> None:
    with pytest.raises(TableError, match="found no rows"):
        FaceTable.load(write_table(frame[:0]))


def test_no_table_and_damaged_tables(tmp_path: Path, table_path: Path) -> None:
    with pytest.raises(TableError, match=r"expected a folder with faces.parquet"):
        FaceTable.load(tmp_path / "nowhere")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(TableError, match=r"broken.parquet: expected a readable table"):
        FaceTable.load(tmp_path / "broken.parquet")
    (tmp_path / "faces.xlsx").write_bytes(b"")
    with pytest.raises(TableError, match=r"expected a .csv or .parquet file, found a .xlsx"):
        FaceTable.load(tmp_path / "faces.xlsx")
    for text, message in (
        ("{", "a JSON object"),
        ('{"schema": 9}', "schema 9"),
        ('{"alignment": {"template": 68, "size": 32, "margin": 0, "drop": 0}}', "arcface-5"),
        ('{"alignment": {"size": "big"}}', "an alignment"),
        ('{"aus": [1], "alignment": {"size": 32, "margin": 0, "drop": 0}}', "12 outside"),
        ('{"emotions": ["happy"], "alignment": {"size": 32, "margin": 0, "drop": 0}}', "'anger' outside"),
    ):
        table_path.with_suffix(".json").write_text(text)
        with pytest.raises(TableError, match=message):
            FaceTable.load(table_path)


def test_unaligned_table_needs_all_landmarks(frame: pd.DataFrame, write_table: Write) -> None:
    path = write_table(frame)
    path.with_suffix(".json").unlink()
    with pytest.raises(TableError, match="all ten landmark columns"):
        FaceTable.load(path)
    nine = frame.assign(**{name: 1.0 for name in LANDMARK_COLUMNS[:9]})
    nine.to_csv(path, index=False)
    with pytest.raises(TableError, match="no column mouth_left_y"):
        FaceTable.load(path)
    nine.assign(**{name: float(k) for k, name in enumerate(LANDMARK_COLUMNS)}).to_csv(path, index=False)
    assert FaceTable.load(path).landmarks()[0].tolist() == [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9]]


def test_save_where_a_file_stands(table_path: Path) -> None:
    (table_path.parent / "taken").write_text("")
    with pytest.raises(OutputError):
        FaceTable.load(table_path).save(table_path.parent / "taken")


def test_facekit(facekit: Path) -> None:
    table = FaceTable.load(facekit)
    assert len(table) == 2880
    assert len(table.meta.emotions) == 8
    assert table.meta.aus[:3] == (1, 2, 4)
    assert table.meta.alignment is None
    assert table.frame.loc[0, "face_id"] == "images/id000_000"


@pytest.mark.parametrize(
    "meta",
    [
        {"aus": [1e400]},
        {"aus": [None]},
        {"aus": ["1"]},
        {"aus": [1, 1]},
        {"aus": [99]},
        {"aus": 3},
        {"aus": [True]},
        {"emotions": ["happy", "happy"]},
        {"emotions": ["<script>"]},
        {"normalized_landmarks": [1]},
        {"normalized_landmarks": [["a", "b"]] * 5},
        {"normalized_landmarks": [[0, float("nan")]] * 5},
        {"alignment": {"size": 10**12, "margin": 0, "drop": 0}},
        {"alignment": {"size": 64, "margin": float("nan"), "drop": 0}},
        {"alignment": {"size": 64, "margin": 10**400, "drop": 0}},
        {"alignment": {"size": 64, "margin": 0, "drop": 0, "template": ""}},
    ],
    ids=lambda meta: str(meta)[:40],
)
def test_impossible_descriptions(meta: dict[str, object], tmp_path: Path) -> None:
    pd.DataFrame({"image": ["a.png"], "subject": ["s"], "success": [0]}).to_csv(tmp_path / "faces.csv", index=False)
    described = {"alignment": Alignment(64).describe()}
    (tmp_path / "faces.json").write_text(json.dumps(described))
    assert len(FaceTable.load(tmp_path / "faces.csv")) == 1
    (tmp_path / "faces.json").write_text(json.dumps(described | meta))
    with pytest.raises(TableError):
        FaceTable.load(tmp_path / "faces.csv")


def test_descriptions_without_end(tmp_path: Path) -> None:
    pd.DataFrame({"image": ["a.png"], "subject": ["s"]}).to_csv(tmp_path / "faces.csv", index=False)
    (tmp_path / "faces.json").write_text("[" * 100_000)
    with pytest.raises(TableError, match="a JSON object"):
        FaceTable.load(tmp_path / "faces.csv")


def test_names_with_a_zero_byte(tmp_path: Path) -> None:
    pd.DataFrame({"image": ["a\0.png"], "subject": ["s"]}).to_parquet(tmp_path / "faces.parquet")
    (tmp_path / "faces.json").write_text(json.dumps({"alignment": Alignment(64).describe()}))
    with pytest.raises(TableError, match="without control characters"):
        FaceTable.load(tmp_path)


def test_parquet_whose_description_for_pandas_is_damaged(tmp_path: Path) -> None:
    table = pa.table({"image": ["a.png"]}).replace_schema_metadata({"pandas": '{"columns": [{}], "index_columns": []}'})
    pq.write_table(table, tmp_path / "faces.parquet")
    with pytest.raises(TableError, match="a readable table"):
        FaceTable.load(tmp_path)
