"""Tables whose images lie in archives or in an object store, from the file to the batch."""

from __future__ import annotations

import json
import pickle
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from norface.cli.data import unreadable_images
from norface.data import FaceDataModule, FaceTable, PairPolicy, memory
from norface.data.mixing import mix
from norface.errors import ConfigError, ImageError, TableError

Write = Callable[[pd.DataFrame], Path]
IMAGES = ("image", "normalized")


def batches(path: Path, **options: Any) -> list[dict[str, Any]]:
    data = FaceDataModule(str(path), batch_size=4, source="truth", **options)
    data.setup(None)
    return [*data.val_dataloader(), *data.test_dataloader()]


def same(some: list[dict[str, Any]], others: list[dict[str, Any]]) -> bool:
    return len(some) == len(others) and all(
        a["face_id"] == b["face_id"] and torch.equal(a["original"], b["original"]) and torch.equal(a["au"], b["au"])
        for a, b in zip(some, others, strict=True)
    )


@pytest.fixture
def packed(frame: pd.DataFrame, table_path: Path) -> Path:
    """The same table with its originals in a zip file and its normalized faces in a tar file."""
    folder = table_path.parent / "packed"
    folder.mkdir()
    with zipfile.ZipFile(folder / "originals.zip", "w") as zipped, tarfile.open(folder / "truths.tar", "w") as tarred:
        for row in frame.to_dict("records"):
            zipped.write(table_path.parent / row["image"], row["image"])
            tarred.add(table_path.parent / row["normalized"], f"./{row['normalized']}")
    references = {"image": "originals.zip!" + frame["image"], "normalized": "truths.tar!" + frame["normalized"]}
    frame.assign(**references).to_csv(folder / "faces.csv", index=False)
    (folder / "faces.json").write_text(table_path.with_suffix(".json").read_text())
    return folder / "faces.csv"


@pytest.fixture
def remote(table_path: Path, packed: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The packed table with its archives in an object store, and another one beside it with plain files there."""
    store = pytest.importorskip("fsspec").filesystem("memory")
    monkeypatch.setenv("NORFACE_REMOTE", "s3://elsewhere, memory://faces/")
    for file in (*table_path.parent.glob("*/*.png"), *packed.parent.glob("*.[zt]*")):
        store.pipe_file(f"/faces/{file.relative_to(table_path.parent)}", file.read_bytes())
    described = json.loads(table_path.with_suffix(".json").read_text())
    for table, url in ((table_path, "memory://faces"), (packed, "memory://faces/packed")):
        table.with_suffix(".json").write_text(json.dumps(described | {"root": url}))
    yield packed
    store.rm("/faces", recursive=True)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("limit", ["MEMORY_LIMIT", "DECODING_LIMIT", None])
def test_batches_are_the_same_from_archives(
    table_path: Path, packed: Path, limit: str | None, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = batches(table_path)
    if limit is not None:
        monkeypatch.setattr(memory, limit, 1)  # images are read when needed, by whichever process needs them
    assert same(batches(packed, num_workers=workers), expected)


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_are_the_same_from_a_store(
    table_path: Path, packed: Path, request: pytest.FixtureRequest, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = batches(packed)
    request.getfixturevalue("remote")
    monkeypatch.setattr(memory, "MEMORY_LIMIT", 1)
    assert same(batches(packed, num_workers=workers), expected)
    assert same(batches(table_path, num_workers=workers), expected)


def test_tables_of_a_store_keep_its_address(remote: Path, tmp_path: Path) -> None:
    table = FaceTable.load(remote)
    assert table.url == "memory://faces/packed"
    for folder in (tmp_path / "copy", remote.parent):
        table.save(folder)
        again = FaceTable.load(folder)
        assert (again.url, again.fingerprint()) == (table.url, table.fingerprint())
    assert table.with_frame(table.frame[:5]).images == table.images
    assert unreadable_images(table) == {}
    with pytest.raises(TableError, match=r"images in an object store \(a, b\)"):
        mix({"a": table, "b": FaceTable.load(remote)})


def test_common_target_comes_from_wherever_the_images_are(remote: Path, table_path: Path) -> None:
    data = FaceDataModule(str(remote), pairs=PairPolicy(1, 0, 0), train_split="normalizer")
    data.setup("fit")
    calmest = data.target
    store = pytest.importorskip("fsspec").filesystem("memory")
    store.pipe_file("/faces/packed/target.png", (table_path.parent / "images/s7_2.png").read_bytes())
    assert not torch.equal(data.target, calmest)


@pytest.mark.parametrize("kind", ["packed", "remote"])
def test_missing_members_and_files(kind: str, request: pytest.FixtureRequest) -> None:
    path = request.getfixturevalue(kind)
    frame = pd.read_csv(path)
    frame.loc[3, "image"] = "originals.zip!images/nobody.png"
    frame.loc[5, "normalized"] = "nowhere/a.png"
    frame.to_csv(path, index=False)
    with pytest.raises(TableError, match=r"2 missing, the first: originals.zip!images/nobody.png, nowhere/a.png"):
        FaceTable.load(path)
    frame.assign(success=(~frame.index.isin([3, 5])).astype(int)).to_csv(path, index=False)
    assert len(FaceTable.load(path)) == 24


def test_damaged_and_compressed_archives_are_errors_at_once(packed: Path) -> None:
    zipped = packed.parent / "originals.zip"
    zipped.write_bytes(zipped.read_bytes()[:-30])
    with pytest.raises(ImageError, match=r"originals.zip: expected a whole archive"):
        FaceTable.load(packed)
    frame = pd.read_csv(packed)
    frame.assign(image=frame["normalized"].str.replace(".tar!", ".tar.gz!")).to_csv(packed, index=False)
    with pytest.raises(ImageError, match=r"truths.tar.gz: .* a compressed tar file"):
        FaceTable.load(packed)


def test_one_damaged_member_is_left_out(packed: Path) -> None:
    tarred = packed.parent / "truths.tar"
    with tarfile.open(tarred) as file:
        place = file.getmember("./normalized/s6_1.png").offset_data
    data = bytearray(tarred.read_bytes())
    data[place : place + 8] = bytes(8)
    tarred.write_bytes(data)
    data_module = FaceDataModule(str(packed), batch_size=4, source="truth")
    data_module.setup("test")
    assert "s6_1" not in [name for batch in data_module.test_dataloader() for name in batch["face_id"]]
    assert "truths.tar!normalized/s6_1.png" in data_module.bad_faces["s6_1"]


@pytest.mark.parametrize("allowed", [None, "", "s3://faces", "memory://face", "memory://faces/pack", "memory", "/"])
def test_a_table_cannot_reach_for_a_store_by_itself(
    allowed: str | None, remote: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NORFACE_REMOTE")
    if allowed is not None:
        monkeypatch.setenv("NORFACE_REMOTE", allowed)
    monkeypatch.setitem(sys.modules, "fsspec", None)  # would be asked first
    with pytest.raises(ConfigError, match=r"Nothing was opened.*export NORFACE_REMOTE=memory://faces/packed"):
        FaceTable.load(remote)


def test_the_way_out_of_an_allowed_store_is_closed(remote: Path) -> None:
    described = json.loads(remote.with_suffix(".json").read_text())
    for url in ("memory://faces/../other", "simplecache::memory://faces", "file:///faces"):
        remote.with_suffix(".json").write_text(json.dumps(described | {"root": url}))
        with pytest.raises(ConfigError, match="Nothing was opened"):
            FaceTable.load(remote)


def test_store_without_the_extra(remote: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(ConfigError, match=r"norface\[remote\]"):
        FaceTable.load(remote)


def test_spawned_workers_are_sent_no_table(packed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = pd.read_csv(packed)
    frame.assign(remark=[f"remark {k:01000d}" for k in range(24)]).to_csv(packed, index=False)
    monkeypatch.setattr(memory, "MEMORY_LIMIT", 1)
    pairs = {"pairs": PairPolicy(0.5, 0.1, 0.1), "train_split": "normalizer"}
    choices: list[dict[str, Any]] = [{"source": "truth"}, pairs]
    for options in choices:
        data = FaceDataModule(str(packed), **options)
        data.setup("fit")
        dataset = data.train_dataloader().dataset
        sent = pickle.dumps(dataset)
        assert b"remark" not in sent
        assert torch.equal(pickle.loads(sent)[(0, 3)]["original"], dataset[(0, 3)]["original"])
