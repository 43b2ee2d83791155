from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import norface
from norface.errors import OutputError, ResultsError
from norface.results import (
    INPUTS,
    RESULTS_SCHEMA,
    Results,
    classifier_section,
    read_results,
    update_results,
    validate,
)


def with_schema(**parts: object) -> Results:
    return {"schema": RESULTS_SCHEMA, **parts}


def test_parts_of_several_stages_merge(tmp_path: Path) -> None:
    path = tmp_path / "run" / "results.json"
    update_results(path, {"seed": 1, "probe": {"raw": {"accuracy": 0.5}}, "timing": {"faces_s": 3.0}})
    update_results(path, {"probe": {"normalized": {"accuracy": 0.8}}, "timing": {"cache_s": 4}})
    merged = update_results(path, {"probe": {"raw": {"accuracy": 0.6}}})
    assert merged == read_results(path)
    assert merged == with_schema(
        seed=1,
        probe={"raw": {"accuracy": 0.6}, "normalized": {"accuracy": 0.8}},
        timing={"faces_s": 3.0, "cache_s": 4},
    )


def test_lists_are_replaced_not_joined(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    update_results(path, {"probe": {"classes": ["a", "b", "c"]}})
    update_results(path, {"probe": {"classes": ["a", "b"]}})
    assert read_results(path)["probe"] == {"classes": ["a", "b"]}


def test_what_is_not_finite_becomes_null_and_arrays_become_lists(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    part: dict[str, object] = {
        "gate": {"expression_r2": math.nan, "subject_accuracy": np.float32(0.25), "passed": np.bool_(True)},
        "probe": {"raw": {"confusion": torch.tensor([[3, 1], [0, 2]]), "accuracy": torch.tensor(math.inf)}},
        "protocol": {"folder": Path("a/b"), "counts": (np.int64(1), None)},
    }
    update_results(path, part)
    assert "NaN" not in path.read_text() and "Infinity" not in path.read_text()
    found = read_results(path)
    assert found["gate"] == {"expression_r2": None, "subject_accuracy": 0.25, "passed": True}
    assert found["probe"] == {"raw": {"confusion": [[3, 1], [0, 2]], "accuracy": None}}
    assert found["protocol"] == {"folder": str(Path("a/b")), "counts": [1, None]}


def test_missing_file_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match=r"results\.json.*no such file.*make demo"):
        read_results(tmp_path / "results.json")


@pytest.mark.parametrize("keep", [0, 1, 20, 60])
def test_truncated_file_is_refused_and_left_alone(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "results.json"
    update_results(path, {"probe": {"raw": {"accuracy": 0.5, "confusion": [[1, 2], [3, 4]]}}})
    path.write_bytes(path.read_bytes()[:keep])
    before = path.read_bytes()
    with pytest.raises(ResultsError, match="truncated"):
        update_results(path, {"seed": 1})
    assert path.read_bytes() == before


def test_binary_garbage_and_other_json_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_bytes(b"\xff\xfe\x00garbage")
    with pytest.raises(ResultsError, match="unreadable"):
        read_results(path)
    path.write_text("[1, 2]")
    with pytest.raises(ResultsError, match="expected an object, found list"):
        read_results(path)
    path.write_text('{"schema": 1, "gate": {"expression_r2": NaN}}')
    with pytest.raises(ResultsError, match=r"gate\.expression_r2.*a number or null"):
        read_results(path)


def test_other_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_text(json.dumps({"schema": RESULTS_SCHEMA + 1}))
    with pytest.raises(ResultsError, match="schema"):
        read_results(path)


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"seed": 0.5}, "seed: expected an integer"),
        ({"gate": [1]}, "gate: expected an object"),
        ({"gate": {"expression_r2": 1.2}}, r"gate\.expression_r2: expected a number from -inf to 1"),
        ({"gate": {"identity_to_target": -1.5}}, "identity_to_target: expected a number from -1 to 1"),
        ({"gate": {"passed": "yes"}}, r"gate\.passed: expected true or false"),
        ({"gate": {"checks": [{"value": 1.0}]}}, r"checks\[0\]: expected a check with a name"),
        ({"gate": {"checks": [{"name": "a", "value": "x"}]}}, r"checks\[0\]\.value"),
        ({"gate": {"checks": [{"name": "a", "value": 1, "limit": 1, "direction": "up"}]}}, "expected min or max"),
        ({"probe": {"raw": {"accuracy": 87.0}}}, r"probe\.raw\.accuracy: expected a number from 0 to 1, found 87"),
        ({"probe": {"raw": {"accuracy": True}}}, r"probe\.raw\.accuracy: expected a number or null"),
        ({"probe": {"raw": {"confusion": [[1, 2, 3], [4, 5, 6]]}}}, "expected a square matrix"),
        ({"probe": {"raw": {"confusion": [[1, 2], [3]]}}}, "rows of equal length"),
        ({"probe": {"raw": {"confusion": [[1, -2], [3, 4]]}}}, "found -2"),
        ({"probe": {"classes": ["a"], "raw": {"confusion": [[1, 2], [3, 4]]}}}, "expected 1 x 1 counts, found 2 rows"),
        ({"probe": {"classes": [1]}}, "classes: expected a list of names"),
        ({"classifier": {"both": {"task": "age"}}}, r"classifier\.both\.task: expected one of fer, au, au-intensity"),
        ({"classifier": {"both": {"constant": {"f1": 2}}}}, r"both\.constant\.f1"),
        ({"classifier_au": {"both": {"f1_per_au": {"AU01": 1.5}}}}, r"f1_per_au\.AU01"),
        ({"classifier": {"both": {"expert_use": {"input": [[0.5, 1.5]]}}}}, r"expert_use\.input"),
        ({"timing": {"faces_s": -1}}, r"timing\.faces_s"),
    ],
)
def test_impossible_figures_are_refused_by_name(part: Results, message: str, tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match=message):
        validate(with_schema(**part))
    path = tmp_path / "results.json"
    with pytest.raises(ResultsError, match=message):
        update_results(path, part)
    assert not path.exists()


def test_what_stages_write_is_valid() -> None:
    block: dict[str, object] = {
        "task": "au",
        "f1": 0.5,
        "f1_per_au": {"AU01": None, "AU02": 0.5},
        "constant": {"f1": 0.4},
        "expert_use": {"input": [[0.5, 0.5], [None, None]], "input_by_stream": {"original": [0.1, 0.9]}},
    }
    validate(with_schema(classifier_au=dict.fromkeys(INPUTS, block), gate={"expression_r2": -3.0}, anything=[1, "two"]))


def test_plain_data_only(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="protocol: x: expected plain data, found object"):
        update_results(tmp_path / "results.json", {"protocol": {"x": object()}})


def test_no_place_to_write(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        update_results(tmp_path / "file" / "results.json", {"seed": 1})


def test_every_task_has_its_own_section() -> None:
    sections = [classifier_section(task) for task in ("fer", "au", "au-intensity")]
    assert sections == ["classifier", "classifier_au", "classifier_au_intensity"]


def test_import_is_light() -> None:
    code = (
        "import sys, norface.results; assert not {'torch', 'numpy', 'cv2', 'pandas', 'matplotlib'} & set(sys.modules)"
    )
    source = Path(norface.__file__).parents[1]
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": str(source)})


FUZZED = [
    "schema",
    "gate",
    "probe",
    "raw",
    "confusion",
    "classes",
    "accuracy",
    "checks",
    "expert_use",
    "input",
    "timing",
]

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FUZZED), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(FUZZED), json_values, max_size=5))
def test_any_content_is_either_valid_or_a_results_error(content: dict[str, object]) -> None:
    try:
        validate({**content, "schema": RESULTS_SCHEMA})
    except ResultsError as error:
        assert str(error).startswith("results: ")


def _add(path: str, number: int) -> None:
    update_results(Path(path), {"timing": {f"stage{number}_s": number}})


def test_stages_that_end_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: _add(str(path), number), range(40)))
    timing = read_results(path)["timing"]
    assert isinstance(timing, dict)
    assert len(timing) == 40
