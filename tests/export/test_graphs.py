from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from norface.classifier import load_classifier
from norface.errors import CheckpointError
from norface.export import load_graph
from norface.imaging.alignment import Alignment
from norface.normalizer import TrainedNormalizer
from toy_world import SIZE, pairs


def test_a_normalizer_has_its_target_baked_in(normalizer_file: Path) -> None:
    graph = load_graph(normalizer_file)
    normalizer = TrainedNormalizer(str(normalizer_file)).load()
    original = pairs(3)["original"]
    assert (graph.inputs, graph.output, graph.size) == (("original",), "normalized", SIZE)
    assert torch.equal(graph.module(original), normalizer.normalize(original).image)
    assert graph.metadata["kind"] == "normalizer"
    assert graph.metadata["fingerprint"] == normalizer.fingerprint


@pytest.mark.parametrize("streams", ["both", "original", "normalized"])
def test_a_classifier_takes_what_its_streams_read(streams: str, classifier_file: Callable[..., Path]) -> None:
    path = classifier_file("fer", streams)
    graph = load_graph(path)
    assert graph.inputs == (("original", "normalized") if streams == "both" else (streams,))
    original, normalized = graph.example(4)[0], graph.example(4, seed=1)[0]
    images = {"original": original, "normalized": normalized}
    answer = graph.module(*(images[name] for name in graph.inputs))
    assert torch.equal(answer, load_classifier(path).predict(original, normalized))


@pytest.mark.parametrize(
    ("task", "labels"),
    [
        ("fer", ["neutral", "happy", "sad"]),
        ("au", ["AU01", "AU02", "AU12"]),
        ("au-intensity", ["AU01", "AU02", "AU12"]),
    ],
)
def test_what_a_program_must_know(task: str, labels: list[str], classifier_file: Callable[..., Path]) -> None:
    graph = load_graph(classifier_file(task))
    assert graph.output == ("intensities" if task == "au-intensity" else "probabilities")
    about = graph.metadata
    assert (about["kind"], about["task"], about["labels"]) == ("classifier", task, labels)
    wanted = Alignment(SIZE)
    preprocessing = about["preprocessing"]
    assert preprocessing["template"] == wanted.template().tolist()
    assert Alignment.parse(preprocessing["alignment"], where="x") == wanted
    fixed = ("size", "colour", "layout", "range")
    assert [preprocessing[key] for key in fixed] == [SIZE, "RGB", "NCHW", [-1.0, 1.0]]


def test_foreign_crops_have_no_template(classifier_file: Callable[..., Path]) -> None:
    graph = load_graph(classifier_file(alignment=Alignment(SIZE, 0.0, 0.0, "rafdb-aligned")))
    assert graph.metadata["preprocessing"]["template"] is None


def test_fingerprint_follows_the_weights(classifier_file: Callable[..., Path]) -> None:
    path = classifier_file()
    first = load_graph(path).metadata["fingerprint"]
    assert load_graph(path).metadata["fingerprint"] == first
    content = torch.load(path, weights_only=True)
    content["state_dict"]["network.head_bias"][0] += 1e-3
    torch.save(content, path)
    assert load_graph(path).metadata["fingerprint"] != first


def test_other_checkpoints_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "teacher.ckpt"
    torch.save({"state_dict": {}, "norface": {"kind": "teacher"}}, path)
    with pytest.raises(CheckpointError, match="normalizer or a classifier, found a teacher checkpoint"):
        load_graph(path)
    torch.save({"state_dict": {}}, path)
    with pytest.raises(CheckpointError, match="norface did not write"):
        load_graph(path)
