from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from norface.data.datamodule import FaceDataModule
from norface.data.mixing import mix, named
from norface.data.pairs import PairPolicy
from norface.data.table import FaceTable
from norface.errors import AlignmentError, SplitError, TableError
from norface.imaging.alignment import Alignment
from norface.imaging.convert import to_tensor
from norface.imaging.files import write_png
from norface.synthetic import draw_faces
from small_tables import small_table

BP4D = {"dataset": "bp4d"}
DISFA = {"dataset": "disfa"}


def test_unknown_labels_stay_unknown() -> None:
    one = small_table(["F001"], aus=(1, 12), provenance=BP4D, root=Path("/d/bp4d"))
    two = small_table(["SN001"], emotions=(), aus=(1, 4), provenance=DISFA, root=Path("/d/disfa"))
    mixed = mix({"bp4d": one, "disfa": two})
    assert mixed.meta.emotions == one.meta.emotions and mixed.meta.aus == (1, 4, 12)
    occurrence = mixed.occurrence()
    assert np.isnan(occurrence[:4, 1]).all() and np.isnan(occurrence[4:, 2]).all()
    assert occurrence[:4, [0, 2]].tolist() == one.occurrence().tolist()
    assert occurrence[4:, [0, 1]].tolist() == two.occurrence().tolist()
    assert (mixed.emotion_codes()[4:] == -1).all()
    assert mixed.emotion_codes()[:4].tolist() == one.emotion_codes().tolist()
    assert mixed.intensity().shape == (8, 3) and np.isnan(mixed.intensity()).all()


def test_people_and_faces_carry_their_data_set() -> None:
    one = small_table(["F001"], provenance=BP4D, root=Path("/d/bp4d"))
    two = small_table(["F001"], provenance={"dataset": "bp4d_plus"}, root=Path("/d/plus"))
    mixed = mix({"bp4d": one, "bp4d_plus": two})
    assert set(mixed.frame["subject"]) == {"bp4d:F001", "bp4d_plus:F001"}
    assert mixed.frame["face_id"].is_unique and mixed.frame["face_id"].iloc[0] == "bp4d:F001_0"
    assert mixed.frame["image"].iloc[[0, 4]].tolist() == ["bp4d/images/F001/0.png", "plus/images/F001/0.png"]
    assert mixed.root == Path("/d").resolve()
    assert mixed.meta.provenance == {"mixed": {"bp4d": BP4D, "bp4d_plus": {"dataset": "bp4d_plus"}}}
    again = mix({"more": mixed, "disfa": small_table(["SN001"], provenance=DISFA, root=Path("/d/disfa"))})
    assert set(again.frame["subject"]) == {"bp4d:F001", "bp4d_plus:F001", "disfa:SN001"}  # never qualified twice
    assert again.frame["face_id"].iloc[0] == "bp4d:F001_0"


def test_people_of_two_data_sets_that_are_the_same_stay_one() -> None:
    train = small_table(["SN001", "SN002"], provenance=DISFA, split={"SN001": "train", "SN002": "train"})
    test = small_table(["SN001"], provenance={"dataset": "disfa_plus"}, split={"SN001": "test"})
    with pytest.raises(SplitError, match="'disfa:SN001' in test and train"):
        mix({"disfa": train, "disfa_plus": test})
    other = small_table(["SN001"], provenance=BP4D, split={"SN001": "test"})
    mixed = mix({"disfa": train, "bp4d": other})
    assert mixed.frame["split"].tolist() == ["train"] * 8 + ["test"] * 4


def test_a_table_without_splits_has_none_in_the_mix() -> None:
    mixed = mix({"a": small_table(["x"], split={"x": "val"}), "b": small_table(["x"])})
    assert mixed.frame["split"].tolist() == ["val"] * 4 + [""] * 4
    assert "split" not in mix({"a": small_table(["x"]), "b": small_table(["x"])}).frame.columns


def test_other_emotions_are_refused_unless_they_are_named() -> None:
    one = small_table(["x"], emotions=("happy", "sad", "contempt"))
    two = small_table(["x"], emotions=("sad", "happy"))
    with pytest.raises(TableError, match=r"one: happy, sad, contempt; two: sad, happy.*Name the classes.*: happy, sad"):
        mix({"one": one, "two": two})
    mixed = mix({"one": one, "two": two}, emotions=("happy", "sad"))
    assert mixed.meta.emotions == ("happy", "sad")
    sad = mixed.frame["emotion"] == "sad"
    assert (mixed.emotion_codes()[sad] == 1).all()
    same = mix({"one": restrict_order(one), "two": one})  # same names in another order: by name
    assert same.meta.emotions == ("contempt", "sad", "happy")


def restrict_order(table: FaceTable) -> FaceTable:
    from norface.data.vocabulary import restrict

    return restrict(table, emotions=tuple(reversed(table.meta.emotions)))


def test_action_units_that_are_asked_for_must_be_everywhere() -> None:
    tables = {"a": small_table(["x"], aus=(1, 2)), "b": small_table(["x"], aus=(1, 4))}
    assert mix(tables, aus=(1,)).meta.aus == (1,)
    with pytest.raises(TableError, match="action units 2, found one with 1, 4"):
        mix(tables, aus=(1, 2))


def test_other_crops_are_refused() -> None:
    one, two = small_table(["x"]), small_table(["x"], alignment=Alignment(64))
    with pytest.raises(AlignmentError, match=r"aligned like those of a: .*32.*found b: .*64"):
        mix({"a": one, "b": two})


def test_tables_are_named_by_data_set_or_folder() -> None:
    found = named([(Path("/d/x"), small_table(["x"], provenance=BP4D)), (Path("/d/mine"), small_table(["x"]))])
    assert list(found) == ["bp4d", "mine"]
    with pytest.raises(TableError, match="two called 'mine'"):
        named([(Path("/d/mine"), small_table(["x"])), (Path("/e/mine"), small_table(["x"]))])


def test_a_mixed_table_is_saved_and_loaded(tmp_path: Path) -> None:
    tables = {}
    for name in ("one", "two"):
        table = small_table(["s1"], faces=2, root=tmp_path / name, emotions=("happy", "sad") if name == "one" else ())
        for image in table.frame["image"]:
            write_png(tmp_path / name / image, np.zeros((32, 32, 3), np.uint8))
        tables[name] = table
    mixed = mix(tables)
    mixed.save(tmp_path / "mixed")
    loaded = FaceTable.load(tmp_path / "mixed")
    assert loaded.frame["subject"].tolist() == ["one:s1"] * 2 + ["two:s1"] * 2
    assert loaded.root.resolve() == tmp_path.resolve()
    assert loaded.emotion_codes().tolist() == mixed.emotion_codes().tolist()


def test_photographs_and_pictures_of_the_targets_person(tmp_path: Path) -> None:
    draw_faces(tmp_path / "target", subjects=0, target_faces=9, size=32, processes=1, progress=False)
    splits = {"normalizer": 1, "val": 1}
    draw_faces(tmp_path / "photographs", splits=splits, faces_per_subject=2, size=32, processes=1, progress=False)
    photographs, target = FaceTable.load(tmp_path / "photographs"), FaceTable.load(tmp_path / "target")
    photographs = photographs.with_frame(photographs.frame.drop(columns="normalized"))
    mixed = mix({"photographs": photographs, "target": target})
    assert mixed.knows_normalized.tolist() == [False] * 4 + [True] * 9
    mixed.save(tmp_path / "both")
    data = FaceDataModule(
        str(tmp_path / "both"), batch_size=11, train_split="normalizer", pairs=PairPolicy(1.0, 0.0, 0.0)
    )
    data.setup("fit")
    batch = next(iter(data.train_dataloader()))
    assert sorted(batch["has_truth"].tolist()) == [False] * 2 + [True] * 9
    known = batch["has_truth"]
    assert torch.equal(batch["truth"][known], batch["original"][known])
    neutral = mixed.frame.index[(mixed.frame["emotion"] == "neutral") & mixed.knows_normalized]
    pictures = [to_tensor(mixed.images.read(mixed.frame["normalized"][row])) for row in neutral]
    assert any(torch.equal(data.target, picture) for picture in pictures)
