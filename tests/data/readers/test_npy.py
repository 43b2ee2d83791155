from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.lib import format as npy_format

from norface.data.readers.npy import scalar_text


@pytest.mark.parametrize("value", ["7", "10", 3, 3.0, np.int8(3), np.uint64(3), np.float32(0.5), b"4"])
@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
def test_single_values(tmp_path: Path, value: object, version: tuple[int, int], shape: tuple[int, ...]) -> None:
    array = np.array(value).reshape(shape)
    with (tmp_path / "a.npy").open("wb") as file:
        npy_format.write_array(file, array, version=version)
    assert scalar_text(tmp_path / "a.npy") == (value.decode() if isinstance(value, bytes) else str(value))


def test_text_of_the_other_byte_order_and_code_points_that_do_not_exist(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array("10").astype(">U4"))
    assert scalar_text(tmp_path / "a.npy") == "10"
    content = bytearray(whole("7"))
    content[-2] = 0x17  # NumPy raises a SystemError
    (tmp_path / "b.npy").write_bytes(bytes(content))
    assert scalar_text(tmp_path / "b.npy") == "\ufffd"


@pytest.mark.parametrize("array", [np.array([1, 2]), np.zeros((0,)), np.array(1 + 2j), np.array(True)])
def test_other_arrays(tmp_path: Path, array: np.ndarray) -> None:
    np.save(tmp_path / "a.npy", array)
    assert scalar_text(tmp_path / "a.npy") is None


def test_missing_file_and_folder(tmp_path: Path) -> None:
    assert scalar_text(tmp_path / "none.npy") is None
    assert scalar_text(tmp_path) is None


def whole(value: object) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.array(value))
    return buffer.getvalue()


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_damaged_files_give_nothing_or_what_stands_there(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    value = data.draw(st.sampled_from(["7", 7, 0.5]))
    content = whole(value)
    edit = data.draw(st.sampled_from(["cut", "add", "flip", "random"]))
    place = data.draw(st.integers(0, len(content) - 1))
    if edit == "cut":
        content = content[:place]
    elif edit == "add":
        content += data.draw(st.binary(min_size=1, max_size=4))
    elif edit == "flip":
        content = content[:place] + bytes([data.draw(st.integers(0, 255))]) + content[place + 1 :]
    else:
        content = b"\x93NUMPY" + data.draw(st.binary(max_size=80))
    path = tmp_path_factory.getbasetemp() / "fuzz.npy"
    path.write_bytes(content)
    text = scalar_text(path)
    try:
        loaded = str(np.load(io.BytesIO(content), allow_pickle=False).reshape(-1)[0])
    except Exception:
        loaded = str(value)  # NumPy is stricter about the padding of the header
    assert text is None or text == loaded or not text.isascii()
