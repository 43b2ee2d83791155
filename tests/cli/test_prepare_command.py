from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

import toy_dataset as toy
from norface.cli.datasets import make_reader
from norface.cli.main import FAILED, USAGE, main
from norface.cli.usage import UsageError
from norface.data.readers import READERS, reader_class
from norface.data.table import FaceTable
from norface.imaging.files import read_image


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(READERS, "toy", "toy_dataset:ToyOnCommandLine")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    toy.write_pictures(tmp_path / "toy", 12)
    return tmp_path / "toy"


def prepare(root: Path, *options: str) -> int:
    folders = ["--root", str(root), "--out", str(root.parent / "out")]
    return main(["data", "prepare", "--dataset", "toy", *folders, "--size", "32", "--processes", "1", *options])


def test_prepare_then_stats(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "pictures/004.png").write_bytes(b"")
    assert prepare(root, "--reader.threshold", "3") == 0
    shown = capsys.readouterr()
    assert "Toy faces" in shown.out
    for line in (
        "faces in the table 12",
        "with a crop 11",
        "image cannot be read 1",
        "left out 1",
        "unknown code 11 1",
    ):
        assert line in " ".join(shown.out.replace("│", " ").split())
    out = root.parent / "out"
    table = FaceTable.load(out)
    assert table.meta.provenance["reader"] == {"frame": "toy-crops", "threshold": 3, "classes": None}
    assert "preparing faces" in shown.err

    assert main(["data", "stats", str(out), "--examples", "3"]) == 0
    text = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "Toy faces" in text
    assert "subjects 2 1 3" in text
    assert "faces 8 4 12" in text
    assert "AU12 lip corner puller 12 8 0.667 0.800" in text
    assert "AU12 2 2 2 2 2 2" in text
    assert "subjects: 3; faces of each: 4 to 4" in text
    assert "faces 12 12 yes" in text
    assert "fear 1 none no" in text
    assert "1 of 3 figures differ" in text
    assert read_image(out / "stats.png").shape[2] == 3


def test_a_second_call_says_so(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert prepare(root) == prepare(root) == 0
    assert capsys.readouterr().out.count("Nothing was left to do") == 1
    assert prepare(root, "--format", "jpeg") == USAGE
    assert "format" in capsys.readouterr().err


def test_without_any_face_the_command_fails(root: Path) -> None:
    for picture in (root / "pictures").iterdir():
        picture.write_bytes(b"")
    assert prepare(root) == FAILED


def test_given_boxes_by_file(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    boxes = {"image": ["pictures/000.png"], "box_left": [1], "box_top": [2], "box_width": [20], "box_height": [20]}
    pd.DataFrame(boxes).to_csv(root.parent / "boxes.csv", index=False)
    assert prepare(root, "--detector", "table", "--faces", str(root.parent / "boxes.csv")) == 0
    assert "no face found" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--reader.treshold", "3"], "Did you mean threshold?"),
        (["--reader.threshold", "many"], "option --reader.threshold"),
        (["--detector", "yunett"], "option --detector"),
        (["--detector", "yunet", "--weights", "nowhere"], "nowhere"),
        (["--detector", "none", "--weights", "nowhere"], "options of the detector none"),
        (["--choose", "biggest"], "option --choose"),
        (["--size", "4"], "--size"),
        (["--processes", "0"], "--processes"),
        (["--frame", "mine"], "--frame"),
        (["--dataset", "toyy"], "Did you mean toy?"),
        (["--dataset", "RAF-DB"], "Did you mean rafdb?"),
        (["--unknown", "1"], "--unknown"),
    ],
)
def test_mistakes_get_a_short_answer(
    root: Path, options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert prepare(root, *options) == USAGE
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) < 14
    assert not (root.parent / "out").exists()


def test_reader_options_have_their_types() -> None:
    reader, options = make_reader("toy", {"threshold": 4, "frame": 7, "classes": {"1": "happy"}}, prog="norface")
    assert isinstance(reader, toy.ToyOnCommandLine)
    assert options == {"threshold": 4, "frame": "7", "classes": {"1": "happy"}}
    assert (reader.facts, reader.frame, reader.classes) == ({"threshold": 4}, "7", {"1": "happy"})
    with pytest.raises(UsageError, match="threshold"):
        make_reader("toy", {"threshold": 1.5}, prog="norface")


@pytest.mark.parametrize("name", READERS)
def test_every_reader_can_be_made_and_described(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    reader, options = make_reader(name, {}, prog="norface")
    assert json.loads(json.dumps(options)) == options
    assert reader.info.name == reader_class(name).info.name == name
    assert main(["data", "list", "--dataset", name]) == 0
    shown = capsys.readouterr().out
    assert reader.info.title in shown
    assert reader.info.tree.splitlines()[0] in shown
    assert all(f"--reader.{option}" in shown for option in options)


def test_list_names_every_set_and_where_to_ask(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "list"]) == 0
    shown = capsys.readouterr().out
    for name in READERS:
        info = reader_class(name).info
        assert f"\n{name} " in f"\n{shown}"
        assert info.title in shown
        assert info.licence in shown
        assert info.source in shown
    assert max(map(len, shown.splitlines())) <= 120


def test_check_of_a_folder(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["data", "check", "--dataset", "toy", "--root", str(root)]
    assert main(options) == 0
    assert "is complete" in capsys.readouterr().out
    (root / "rows.csv").unlink()
    before = sorted(root.rglob("*"))
    assert main(options) == FAILED
    shown = capsys.readouterr().out
    assert "MISS  rows.csv" in shown
    assert "pictures/000.png ..." in shown
    assert sorted(root.rglob("*")) == before


def test_check_of_a_folder_with_remarks(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(25):
        (root / f"{number:02d}.txt").write_text("")
    assert main(["data", "check", "--dataset", "toy", "--root", str(root)]) == 0
    shown = capsys.readouterr().out
    assert shown.count("note  ") == 20
    assert "... and 5 more" in shown
    assert "can be read; what is listed above is left out" in shown


def test_check_of_a_folder_needs_both(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "check", "--dataset", "toy"]) == USAGE
    assert "root" in capsys.readouterr().err
    assert main(["data", "check", "--dataset=toy", f"--root={root}", "--reader.threshold=x"]) == USAGE
    assert "--reader.threshold" in capsys.readouterr().err
    assert main(["data", "check", "--dataset", "toy", "--help"]) == 0
    assert "--root" in capsys.readouterr().out


def test_stats_of_a_table_that_nobody_prepared(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frame = pd.read_csv(root / "rows.csv").drop(columns=["split", "AU12_r"])
    frame.assign(subject=frame["face_id"]).to_csv(root / "rows.csv", index=False)
    (root / "rows.json").write_text(json.dumps({"alignment": {"template": "x", "size": 60, "margin": 0, "drop": 0}}))
    assert main(["data", "stats", str(root / "rows.csv"), "--sheet", str(root.parent / "sheet.png")]) == 0
    shown = capsys.readouterr().out
    assert "no split" in shown
    assert "every face is a subject of its own" in shown
    assert "literature" not in shown
    assert (root.parent / "sheet.png").is_file()


def test_documentation_shows_every_set() -> None:
    text = (Path(__file__).parents[2] / "docs/data-sets.md").read_text(encoding="utf-8")
    for name in set(READERS) - {"toy"}:
        info = reader_class(name).info
        assert f"### {info.title}: `{name}`" in text
        assert f"| `{name}` |" in text
        assert info.tree in text
        assert f"]({info.source})" in text or not info.source


def test_stats_of_no_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "stats", str(tmp_path)]) == USAGE
    assert "faces.parquet" in capsys.readouterr().err
