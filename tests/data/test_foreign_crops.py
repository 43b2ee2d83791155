"""Crops that somebody else made, such as RAF-DB's aligned images: named, carried through, never mixed with others."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from norface.cache import CacheIdentity, Manifest
from norface.data import FaceDataModule, FaceTable
from norface.data.images import FaceReader
from norface.errors import AlignmentError, TableError
from norface.imaging.alignment import Alignment

FOREIGN = Alignment(32, 0.0, 0.0, "rafdb-aligned")


@pytest.fixture
def foreign_table(frame: pd.DataFrame, write_table: Callable[[pd.DataFrame], Path]) -> Path:
    path = write_table(frame)
    path.with_suffix(".json").write_text(json.dumps({"schema": 1, "alignment": FOREIGN.describe()}))
    return path


def test_the_table_keeps_the_frame(foreign_table: Path, tmp_path: Path) -> None:
    table = FaceTable.load(foreign_table)
    assert table.meta.alignment == FOREIGN
    table.save(tmp_path / "again")
    again = FaceTable.load(tmp_path / "again")
    assert again.meta.alignment == FOREIGN
    own = replace(table, meta=replace(table.meta, alignment=Alignment(32, 0.0, 0.0)))
    assert own.fingerprint() != table.fingerprint()


def test_the_data_module_keeps_the_frame(foreign_table: Path) -> None:
    data = FaceDataModule(str(foreign_table), batch_size=4)
    data.setup("fit")
    assert data.alignment == FOREIGN
    assert next(iter(data.val_dataloader()))["original"].shape == (4, 3, 32, 32)
    with pytest.raises(AlignmentError, match="rafdb-aligned"):
        FaceDataModule(str(foreign_table), image_size=64).setup("fit")


@pytest.mark.parametrize("other", [Alignment(32, 0.0, 0.0), replace(FOREIGN, frame="affectnet-crops")])
def test_frames_never_mix(foreign_table: Path, other: Alignment) -> None:
    with pytest.raises(AlignmentError, match=f"expected .*{other.frame}.*found .*rafdb-aligned"):
        FaceReader(FaceTable.load(foreign_table), other)


def test_the_cache_keeps_the_frame(tmp_path: Path) -> None:
    identity = CacheIdentity(normalizer="a" * 64, table="b" * 64, alignment=FOREIGN)
    own = replace(identity, alignment=Alignment(32, 0.0, 0.0))
    assert identity.key != own.key
    written = Manifest(
        identity=identity,
        subjects=(),
        faces=3,
        failed=0,
        shard_size=8,
        encoding="png",
        sha256=("c" * 64,),
        gate_passed=None,
    )
    written.save(tmp_path)
    assert Manifest.load(tmp_path).identity == identity


@pytest.mark.parametrize("template", [68, None, ""])
def test_a_frame_is_a_name(foreign_table: Path, template: object) -> None:
    described = {**FOREIGN.describe(), "template": template}
    foreign_table.with_suffix(".json").write_text(json.dumps({"schema": 1, "alignment": described}))
    with pytest.raises(TableError, match="or null"):
        FaceTable.load(foreign_table)
