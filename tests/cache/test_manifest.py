from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from norface.cache import Manifest, mark_gate
from norface.cache.key import canonical_json
from norface.cache.manifest import MANIFEST, plan
from norface.errors import CacheError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def places(data: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) of nested JSON."""
    pairs = list(data.items()) if isinstance(data, dict) else list(enumerate(data)) if isinstance(data, list) else []
    return [(data, key) for key, _ in pairs] + [place for _, value in pairs for place in places(value)]


def sign(data: dict[str, Any]) -> None:
    body = {key: value for key, value in data.items() if key != "digest"}
    data["digest"] = hashlib.sha256(canonical_json(body)).hexdigest()


def test_roundtrip(folder: Path) -> None:
    manifest = Manifest.load(folder)
    assert manifest.subjects == ("s1", "s2")
    assert (manifest.faces, manifest.failed, manifest.gate_passed) == (10, 1, None)
    before = (folder / MANIFEST).read_bytes()
    manifest.save(folder)
    assert (folder / MANIFEST).read_bytes() == before


@pytest.mark.parametrize("passed", [True, False])
def test_gate_status_is_recorded(folder: Path, passed: bool) -> None:
    mark_gate(folder, passed)
    assert Manifest.load(folder).gate_passed is passed


def test_shards_cover_every_row_once() -> None:
    for faces in range(1, 12):
        for shard_size in range(1, 13):
            rows = [row for shard in plan(faces, shard_size) for row in range(faces)[shard.span]]
            assert rows == list(range(faces))
            assert all(shard.rows <= shard_size for shard in plan(faces, shard_size))
    assert plan(10, 4)[2].file == "shard-00002-of-00003.arrow"
    assert plan(10, 4)[2].last_row == 9


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(CacheError, match=r"manifest\.json: expected a finished cache, found No such file"):
        Manifest.load(tmp_path)


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000])
def test_not_a_manifest(tmp_path: Path, text: bytes) -> None:
    (tmp_path / MANIFEST).write_bytes(text)
    with pytest.raises(CacheError, match="damaged"):
        Manifest.load(tmp_path)


@pytest.mark.parametrize(
    ("key", "value"),
    [("subjects", []), ("gate_passed", True), ("faces", 9), ("failed", 0), ("key", "x"), ("extra", None)],
)
def test_edits_are_noticed_and_named(folder: Path, key: str, value: object) -> None:
    data = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps({**data, key: value}))
    with pytest.raises(CacheError, match=r"was edited"):
        Manifest.load(folder)


def test_another_schema_is_named(folder: Path) -> None:
    data = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps({**data, "schema": 99}))
    with pytest.raises(CacheError, match="expected schema 1, found schema 99"):
        Manifest.load(folder)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), signed=st.booleans(), delete=st.booleans())
def test_any_edit_is_an_error_or_reads_as_written(
    folder: Path, data: st.DataObject, signed: bool, delete: bool
) -> None:
    path = folder / "edited" / MANIFEST
    path.parent.mkdir(exist_ok=True)
    manifest = json.loads((folder / MANIFEST).read_text())
    container, key = data.draw(st.sampled_from(places(manifest)))
    if delete:
        del container[key]
    else:
        container[key] = data.draw(JSON)
    if signed:
        sign(manifest)
    path.write_text(json.dumps(manifest))
    try:
        read = Manifest.load(path.parent)
    except CacheError:
        return
    assert canonical_json(read.describe()) == canonical_json(manifest)
