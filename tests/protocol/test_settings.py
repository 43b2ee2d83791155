from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from norface.errors import ConfigError
from norface.protocol.divisions import Division
from norface.protocol.plan import Protocol
from norface.protocol.settings import plan_runs
from norface.runs.planned import changed, merged
from norface.runs.variants import Nested, Variant
from small_tables import small_table


@pytest.fixture
def files(tmp_path: Path) -> Path:
    for name in ("common", "raw"):
        (tmp_path / f"{name}.yaml").write_text(f"model: {{init_args: {{name: {name}, lr: 0.1}}}}\n")
    (tmp_path / "n-a.ckpt").write_bytes(b"weights")
    return tmp_path


def plan(files: Path, out: str = "out", **options: Any) -> list[Any]:
    variants = {
        "raw": Variant([str(files / "raw.yaml")]),
        "full": Variant([], Nested({"model": {"init_args": {"encoder_weights": "{normalizer}"}}})),
    }
    given: dict[str, Any] = {"seeds": [4], "people": [2], "cache": "c-{fold}"}
    given |= {"normalizer": str(files / "n-{fold}.ckpt"), "configs": [str(files / "common.yaml")], **options}
    protocol = Protocol(name="p", task="fer", table="faces", variants=variants, **given)
    fold = {"class_path": "norface.data.SeededFold", "init_args": {"fold": 1}}
    division = Division("a", "faces", fold, small_table(["x", "y"], split={"x": "train", "y": "test"}))
    return plan_runs(protocol, [division], files / out)


def test_configurations_in_the_order_in_which_they_count(files: Path) -> None:
    raw, full = plan(files)
    words = raw.words()
    assert words[::2] == ["--config"] * 4
    names = [Path(word).name for word in words[1::2]]
    assert names == ["common.yaml", "base.yaml", "raw.yaml", "own.yaml"]
    base, own = (yaml.safe_load((raw.folder / name).read_text()) for name in ("base.yaml", "own.yaml"))
    assert base["data"]["init_args"] == {
        "table": "faces",
        "folds": {"class_path": "norface.data.SeededFold", "init_args": {"fold": 1}},
        "source": "cache",
        "cache_dir": "c-a",
        "normalizer": {
            "class_path": "norface.normalizer.TrainedNormalizer",
            "init_args": {"checkpoint": str(files / "n-a.ckpt")},
        },
    }
    assert own == {
        "seed_everything": 4,
        "data": {"init_args": {"seed": 4, "few_subjects": {"count": 2, "seed": 4}}},
        "model": {"init_args": {"seed": 4}},
    }
    assert full.own["model"]["init_args"] == {"encoder_weights": str(files / "n-a.ckpt"), "seed": 4}


def test_without_numbers_of_people_everybody_trains(files: Path) -> None:
    (raw, _) = plan(files, people=None)
    assert "few_subjects" not in raw.own["data"]["init_args"]


def test_a_fingerprint_is_of_contents_not_of_paths(files: Path) -> None:
    before = plan(files)[0]
    assert plan(files, out="elsewhere")[0].fingerprint() == before.fingerprint()
    (files / "raw.yaml").write_text("model: {init_args: {name: raw, lr: 0.2}}\n")
    after = plan(files)[0]
    assert after.fingerprint() != before.fingerprint()
    assert changed(before.settings(), after.settings()) == ["variant.1.model.init_args.lr"]
    (files / "n-a.ckpt").write_bytes(b"others")
    assert changed(after.settings(), plan(files)[0].settings()) == ["parents.normalizer"]


def test_a_missing_file_is_named(files: Path) -> None:
    (files / "n-a.ckpt").unlink()
    with pytest.raises(ConfigError, match=r"n-a\.ckpt"):
        plan(files)
    (files / "n-a.ckpt").touch()
    (files / "raw.yaml").write_text("{")
    with pytest.raises(ConfigError, match=r"raw\.yaml"):
        plan(files)


def test_the_second_settings_count() -> None:
    assert merged({"a": {"b": 1, "c": 2}, "d": {"e": 3}}, {"a": {"b": 4}, "d": None}) == {
        "a": {"b": 4, "c": 2},
        "d": None,
    }
