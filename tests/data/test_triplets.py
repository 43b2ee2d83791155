from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from norface.cli.main import USAGE, main
from norface.data import FaceDataModule
from norface.data.table import FaceTable
from norface.data.triplets import draw_triplets
from norface.errors import TableError

Write = Callable[[pd.DataFrame], Path]

GOOD = [
    ("s2_0", "s2_1", "s3_0", 1),
    ("s2_0", "s3_1", "s3_0", 2),
    ("s3_2", "s2_1", "s3_0", 3),
    ("s4_0", "s4_1", "s5_0", 3),
]
"""Of training people (s2, s3) and of validation people (s4, s5)."""


def written(folder: Path, rows: list[tuple[object, ...]], *columns: str) -> str:
    frame = pd.DataFrame(rows, columns=["a", "b", "c", "odd", *columns])
    frame.to_csv(folder / "triplets.csv", index=False)
    return str(folder / "triplets.csv")


def module(path: Path) -> FaceDataModule:
    data = FaceDataModule(str(path))
    data.setup("fit")
    return data


def test_the_odd_one_comes_last_and_splits_are_kept_apart(table_path: Path, tmp_path: Path) -> None:
    found = module(table_path).triplets(written(tmp_path, list(GOOD)))
    assert list(found["train"].faces) == [
        ("s2_1", "s3_0", "s2_0"),
        ("s2_0", "s3_0", "s3_1"),
        ("s3_2", "s2_1", "s3_0"),
    ]
    assert list(found["val"].faces) == [("s4_0", "s4_1", "s5_0")]
    assert found["train"].margins.tolist() == pytest.approx([0.2, 0.2, 0.2])


def test_margins_follow_the_types(table_path: Path, tmp_path: Path) -> None:
    kinds = ["ONE_CLASS_TRIPLET", "TWO_CLASS_TRIPLET", "THREE_CLASS_TRIPLET", "ONE_CLASS_TRIPLET"]
    path = written(tmp_path, [(*row, kind) for row, kind in zip(GOOD, kinds, strict=True)], "type")
    found = module(table_path).triplets(path)
    assert found["train"].margins.tolist() == pytest.approx([0.1, 0.2, 0.2])
    assert found["val"].margins.tolist() == pytest.approx([0.1])


def test_parquet_with_numbers_as_names(frame: pd.DataFrame, write_table: Write, tmp_path: Path) -> None:
    data = module(write_table(frame.assign(face_id=[str(k) for k in range(len(frame))])))
    pd.DataFrame({"a": [6], "b": [7], "c": [10], "odd": [1]}).to_parquet(tmp_path / "triplets.parquet")
    assert list(data.triplets(str(tmp_path / "triplets.parquet"))["train"].faces) == [("7", "10", "6")]


def test_unknown_faces_and_crossed_splits_are_left_out_and_counted(
    table_path: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bad = [("nobody", "s2_1", "s3_0", 1), ("s2_0", "s2_1", "s4_0", 1), ("s2_0", "s5_1", "s3_0", 1)]
    with caplog.at_level(logging.WARNING):
        found = module(table_path).triplets(written(tmp_path, [*bad, *GOOD, ("s6_0", "s6_1", "s7_0", 1)]))
    assert len(found["train"].faces) == 3 and len(found["val"].faces) == 1  # those of test people are nobody's business
    assert "of 8 triplets, 1 name faces that the table does not have and 2 people of different splits" in caplog.text


def test_faces_that_are_not_used_are_in_no_triplet(frame: pd.DataFrame, write_table: Write, tmp_path: Path) -> None:
    data = module(write_table(frame.assign(success=(frame["face_id"] != "s2_0").astype(float))))
    assert len(data.triplets(written(tmp_path, list(GOOD)))["train"].faces) == 1


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (("s2_0", "s2_0", "s3_0", 1), "three different faces in a triplet, found s2_0, s2_0, s3_0 in row 4"),
        (("s2_0", "s3_0", "s3_0", 1), "s2_0, s3_0, s3_0 in row 4"),
        (("s3_0", "s2_0", "s3_0", 1), "s3_0, s2_0, s3_0 in row 4"),
        (("s2_0", "s2_1", "s3_0", 0), "1, 2 or 3 in the column odd, found 0"),
        (("s2_0", "s2_1", "s3_0", 4), r"found 4.* in row 4 \(1 such rows\)"),
        (("s2_0", "s2_1", "s3_0", None), "found nan"),
    ],
)
def test_wrong_rows_are_refused(row: tuple[object, ...], told: str, table_path: Path, tmp_path: Path) -> None:
    with pytest.raises(TableError, match=told):
        module(table_path).triplets(written(tmp_path, [*GOOD, row]))


def test_wrong_files_are_refused(table_path: Path, tmp_path: Path) -> None:
    data = module(table_path)
    with pytest.raises(TableError, match="FOUR_CLASS"):
        data.triplets(written(tmp_path, [(*GOOD[0], "FOUR_CLASS")], "type"))
    pd.DataFrame({"a": ["s2_0"], "odd": [1]}).to_csv(tmp_path / "short.csv")
    with pytest.raises(TableError, match="no column b, c"):
        data.triplets(str(tmp_path / "short.csv"))
    with pytest.raises(TableError, match="none among 2; 1 name unknown faces, 1 cross splits"):
        data.triplets(written(tmp_path, [("x", "s2_1", "s3_0", 1), ("s2_0", "s4_1", "s3_0", 1)]))
    with pytest.raises(TableError, match=r"nothing\.csv"):
        data.triplets(str(tmp_path / "nothing.csv"))


def known_table(frame: pd.DataFrame, write_table: Write) -> FaceTable:
    units = np.random.default_rng(0).uniform(0, 5, (2, len(frame)))
    return FaceTable.load(write_table(frame.assign(AU01_r=units[0], AU12_r=units[1])))


def test_drawn_triplets_agree_with_the_action_units(frame: pd.DataFrame, write_table: Write, tmp_path: Path) -> None:
    table = known_table(frame, write_table)
    drawn = draw_triplets(table, per_face=10, seed=0)
    rows = table.frame.set_index("face_id")
    assert 50 < len(drawn) < 240
    assert set(drawn["odd"]) == {1, 2, 3}
    for a, b, c, number, kind in drawn.to_numpy().tolist():
        names = [str(a), str(b), str(c)]
        odd = names.pop(number - 1)
        assert len({*names, odd}) == 3 and rows.loc[[*names, odd], "split"].nunique() == 1
        kinds = ("ONE", "TWO", "THREE")[rows.loc[[*names, odd], "emotion"].nunique() - 1]
        assert kind == f"{kinds}_CLASS_TRIPLET"
        units = {name: rows.loc[[name], ["AU01_r", "AU12_r"]].to_numpy(float)[0] for name in (*names, odd)}
        alike = np.linalg.norm(units[names[0]] - units[names[1]])
        assert all(alike <= 0.8 * np.linalg.norm(units[name] - units[odd]) + 1e-6 for name in names)
    drawn.to_csv(tmp_path / "drawn.csv", index=False)
    found = module(tmp_path / "faces.csv").triplets(str(tmp_path / "drawn.csv"))
    in_train = rows.loc[drawn["a"], "split"] == "train"
    assert len(found["train"].faces) == in_train.sum() > 0
    assert drawn.equals(draw_triplets(table, per_face=10, seed=0))
    assert not drawn.equals(draw_triplets(table, per_face=10, seed=1))


def test_triplets_need_splits_and_action_units(frame: pd.DataFrame, write_table: Write) -> None:
    table = known_table(frame, write_table)
    with pytest.raises(TableError, match="no such column"):
        draw_triplets(table.with_frame(table.frame.drop(columns="split")))
    with pytest.raises(TableError, match="0 such faces"):
        draw_triplets(table.with_frame(table.frame.assign(AU01_r=np.nan)))


def test_the_command_writes_them(
    frame: pd.DataFrame, write_table: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _ = known_table(frame, write_table)
    options = ["faces", "triplets", "--out", str(tmp_path / "t.csv"), "--per_face", "5", "--table"]
    assert main([*options, str(tmp_path / "faces.csv")]) == 0
    rows = pd.read_csv(tmp_path / "t.csv")
    assert f"{len(rows)} triplets" in capsys.readouterr().out
    assert len(module(tmp_path / "faces.csv").triplets(str(tmp_path / "t.csv"))["val"].faces) > 0
    assert main([*options, str(tmp_path / "missing.csv")]) == USAGE
