from __future__ import annotations

import json
from pathlib import Path

import pytest

from norface.cli.main import USAGE, main
from norface.data.published import PROTOCOLS, protocol
from norface.data.table import FaceTable
from norface.imaging.files import write_png
from small_tables import sides, small_table


def saved(folder: Path, table: FaceTable) -> Path:
    """Write a table with its images."""
    from dataclasses import replace

    import numpy as np

    for image in table.frame["image"]:
        write_png(folder / image, np.zeros((32, 32, 3), np.uint8))
    replace(table, root=folder).save(folder)
    return folder


@pytest.fixture
def disfa(tmp_path: Path) -> Path:
    table = small_table(protocol("disfa").subjects, faces=2, emotions=(), provenance={"dataset": "disfa"})
    return saved(tmp_path / "disfa", table)


def test_published_folds_are_printed_with_both_numberings(capsys: pytest.CaptureFixture[str]) -> None:
    for dataset, protocols in PROTOCOLS.items():
        assert main(["data", "folds", "--dataset", dataset]) == 0
        shown = capsys.readouterr().out
        for lists in protocols:
            assert f"{dataset}, {lists.name}: {len(lists.subjects)} subjects" in shown
            for fold in lists.folds:
                assert all(subject in shown for subject in lists.parts[fold])
    assert main(["data", "folds", "--dataset", "disfa"]) == 0
    assert "part3 = me-graphau-1: tests 9, trains on the other 18" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--dataset", "rafdb"], "rafdb: 1 fold (OfficialSplit: test test"),
        (["--dataset", "affectnet"], "OfficialSplit: test val"),
        (["--dataset", "ckplus"], "ckplus: 10 folds (OrderedFold: groups 10"),
        (["--dataset", "ckplus", "--groups", "8"], "8 folds (OrderedFold"),
        (["--dataset", "expw", "--groups", "3"], "3 folds (SeededFold: folds 3"),
        (["--dataset", "disfa", "--groups", "9"], "9 folds (SeededFold"),
    ],
)
def test_other_protocols_are_named(options: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "folds", *options]) == 0
    assert words in capsys.readouterr().out


def test_a_table_is_counted(disfa: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "folds", "--table", str(disfa), "--val", "4", "--normalizer_share", "0.5"]) == 0
    shown = capsys.readouterr().out
    assert "disfa, three-fold: 27 subjects" in shown
    rows = [line.replace("│", " ").split() for line in shown.splitlines() if line.startswith("│ part")]
    assert [row[0] for row in rows] == ["part1", "part2", "part3"]
    for row in rows:
        assert " ".join(row[1:]) == "9 / 18 5 / 10 4 / 8 9 / 18 -"


def test_a_fold_is_written(disfa: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "fold"
    options = ["--table", str(disfa), "--fold", "me-graphau-1", "--out", str(out)]
    assert main(["data", "folds", *options]) == 0
    table = FaceTable.load(out)
    assert sides(table)["test"] == set(protocol("disfa").parts["part3"])
    described = json.loads((out / "faces.json").read_text())["provenance"]["fold"]
    assert described["kind"] == "PublishedFold" and described["fold"] == "part3"
    assert main(["data", "folds", "--table", str(out), "--groups", "3", "--fold", "2", "--out", str(out)]) == 0
    assert len(sides(FaceTable.load(out))["test"]) == 9


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "--dataset or --table"),
        (["--dataset", "dizfa"], "Did you mean disfa?"),
        (["--dataset", "bp4d", "--protocol", "two-fold"], "three-fold, fera-2015"),
        (["--dataset", "disfa", "--fold", "part1"], "--fold, --out and --table together"),
        (["--table", "TABLE", "--fold", "part1"], "--fold, --out and --table together"),
        (["--table", "TABLE", "--fold", "1", "--out", "x"], "a bare number is none"),
        (["--table", "TABLE", "--groups", "3", "--fold", "4", "--out", "x"], "one of 1, 2, 3"),
        (["--table", "TABLE", "--dataset", "bp4d"], "a table of bp4d"),
        (["--table", "TABLE", "--val", "0"], "val above 0"),
        (["--table", "TABLE", "--val", "18"], "18 training subjects, of whom 18 val"),
    ],
)
def test_mistakes_get_a_short_answer(
    options: list[str], words: str, disfa: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", "folds", *(str(disfa) if word == "TABLE" else word for word in options)]) == USAGE
    error = " ".join(capsys.readouterr().err.split())
    assert words in error and "Traceback" not in error


def test_tables_are_mixed_and_crossed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    aus = (1, 2, 4, 6, 12)
    bp4d = small_table(["F001", "F002"], faces=2, emotions=(), aus=(*aus, 17), provenance={"dataset": "bp4d"})
    disfa = small_table(["SN001"], faces=2, emotions=(), aus=(*aus, 25), provenance={"dataset": "disfa"})
    one, two = saved(tmp_path / "one", bp4d), saved(tmp_path / "two", disfa)
    out = tmp_path / "out"
    assert main(["data", "mix", "--tables", f"[{one}, {two}]", "--out", str(out)]) == 0
    assert "6 faces of 3 people" in capsys.readouterr().out
    assert FaceTable.load(out).meta.aus == (*aus, 17, 25)
    assert main(["data", "mix", "--tables", f"[{one}, {two}]", "--out", str(out), "--aus", "[1, 12]"]) == 0
    assert FaceTable.load(out).meta.aus == (1, 12)
    assert main(["data", "cross", "--source", str(one), "--target", str(two), "--out", str(out)]) == 0
    crossed = FaceTable.load(out)
    assert crossed.meta.aus == aus and sides(crossed)["test"] == {"disfa:SN001"}
    assert "action units: 1 2 4 6 12" in capsys.readouterr().out
    assert main(["data", "cross", "--source", str(one), "--target", str(one), "--out", str(out)]) == USAGE
    assert "two called 'bp4d'" in capsys.readouterr().err


def test_folds_come_from_configurations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from norface.cli.allowed_code import only_code_of
    from norface.cli.training import make_cli
    from norface.data import EveryNth, FaceDataModule, PublishedFold, SeededFold

    monkeypatch.syspath_prepend(Path(__file__).parent)
    monkeypatch.chdir(tmp_path)
    text = """
model: {class_path: tiny_parts.TinyTask}
data:
  class_path: norface.data.FaceDataModule
  init_args:
    table: nowhere
    folds:
      class_path: norface.data.PublishedFold
      init_args: {dataset: disfa, fold: part3, normalizer_share: 0.5, val: 2}
    stride: {every: 5, where: all}
    sampling: balanced
"""
    (tmp_path / "run.yaml").write_text(text)
    with only_code_of(["tiny_parts"]):
        data = make_cli(["--config", "run.yaml"], run=False).datamodule
    assert isinstance(data, FaceDataModule) and isinstance(data.folds, PublishedFold)
    assert data.folds.fold == "part3" and data.folds.normalizer_share == 0.5 and data.folds.val == 2
    assert data.stride == EveryNth(5, "all") and data.sampling == "balanced"
    short = ["--data.folds", "SeededFold", "--data.folds.fold", "2", "--data.folds.folds", "3"]
    with only_code_of(["tiny_parts"]):
        data = make_cli(["--config", "run.yaml", *short], run=False).datamodule
    assert isinstance(data, FaceDataModule) and isinstance(data.folds, SeededFold) and data.folds.folds == 3
