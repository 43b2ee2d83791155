from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from norface.errors import SplitError
from norface.evaluation.gate import run_gate
from norface.evaluation.seen import SeenPeople, measure_seen
from norface.imaging.alignment import Alignment
from norface.imaging.convert import to_tensor
from norface.imaging.files import decode_image
from norface.normalizer import TrainedNormalizer
from norface.normalizer.inference import Normalizer
from norface.normalizer.metrics import ExpressionR2
from norface.specs import describe
from toy_table import SPLITS, toy_table
from toy_world import SIZE, ColourTeacher, draw, make_generator

EVERYBODY = tuple(f"normalizer{k}" for k in range(SPLITS["normalizer"]))


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy_table(tmp_path_factory.mktemp("faces"))


def normalizer(subjects: tuple[str, ...] = EVERYBODY) -> Normalizer:
    torch.manual_seed(0)
    target = draw(torch.zeros(1), torch.zeros(1, 3))
    return Normalizer(make_generator(), target, alignment=Alignment(SIZE), subjects=subjects)


def checkpoint(path: Path) -> Path:
    made = normalizer()
    state = {f"average.network.{name}": value for name, value in made.generator.state_dict().items()}
    about = {"kind": "normalizer", "network": describe(made.generator), "alignment": made.alignment.describe()}
    torch.save({"state_dict": {**state, "target": made.target}, "norface": {**about, "subjects": EVERYBODY}}, path)
    return path


@pytest.mark.parametrize(("count", "people"), [(None, 3), (2, 2), (6, 6)])
def test_people_of_the_training_are_measured(table: Path, count: int | None, people: int) -> None:
    found = measure_seen(normalizer(), str(table), SeenPeople(count=count), tested=3, embed=ColourTeacher())
    assert (found["split"], found["subjects"], found["faces"]) == ("normalizer", people, 4 * people)
    assert found["subject_chance"] == pytest.approx(1 / people)


def test_r2_is_that_of_these_people(table: Path) -> None:
    found = measure_seen(normalizer(), str(table), SeenPeople(count=6), tested=3, embed=None)
    metric, names = ExpressionR2(size=SIZE), [f"{person}_{k}.png" for person in EVERYBODY for k in range(4)]

    def read(kind: str) -> torch.Tensor:
        paths = [table / kind / name for name in names]
        return torch.stack([to_tensor(decode_image(path.read_bytes(), where=str(path))) for path in paths])

    metric.update(normalizer()(read("images")), read("normalized"))
    assert found["expression_r2"] == pytest.approx(float(metric.compute()), abs=1e-4)
    assert "identity_to_target" not in found


def test_without_true_faces_there_is_no_r2(tmp_path: Path) -> None:
    found = measure_seen(normalizer(), str(toy_table(tmp_path, truth=False)), SeenPeople(), tested=3, embed=None)
    assert found["expression_r2"] is None and found["background_error"] >= 0 and found["faces"] == 12


def test_strangers_are_refused(table: Path) -> None:
    some = normalizer(subjects=EVERYBODY[:5])
    with pytest.raises(SplitError, match="1 whom it was not: normalizer5"):
        measure_seen(some, str(table), SeenPeople(count=6), tested=3, embed=None)
    with pytest.raises(SplitError, match="7 training subjects"):
        measure_seen(normalizer(), str(table), SeenPeople(count=7), tested=3, embed=None)


@pytest.mark.parametrize("epochs", [0, 1])
@pytest.mark.parametrize("seen", [None, SeenPeople()])
def test_the_gate_measures_what_it_is_asked_for(
    table: Path, tmp_path: Path, epochs: int, seen: SeenPeople | None
) -> None:
    source = TrainedNormalizer(str(checkpoint(tmp_path / "n.ckpt")))
    given: dict[str, Any] = {"table": str(table), "cache": tmp_path / "cache", "out": tmp_path / "gate"}
    found = run_gate(source, **given, embed=None, epochs=epochs, seen=seen, say=lambda _: None)
    assert (found["probe"] == {}) == (epochs == 0)
    assert {check["name"] for check in found["gate"]["checks"]} <= {"expression_r2", "background_error", "gap_closed"}
    assert ("seen" in found["gate"]) == (seen is not None)
    picture = decode_image((tmp_path / "gate" / "faces.png").read_bytes(), where="picture")
    assert picture.shape == (3 * SIZE, 2 * SIZE, 3)  # original, normalized, truth of one face of each emotion
    shown = to_tensor(picture[:SIZE, :SIZE][None])
    originals = [decode_image(p.read_bytes(), where="f") for p in sorted((table / "images").glob("test*.png"))]
    assert any(torch.equal(shown[0], to_tensor(image)) for image in originals)
