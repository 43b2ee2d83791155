"""What is exported of a checkpoint: a network with named inputs and outputs, and what a program must know to use it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import norface
from norface.checkpoints import hash_weights, open_checkpoint
from norface.classifier import TrainedClassifier, load_classifier
from norface.classifier.inference import ACTIVATIONS
from norface.classifier.network import ExpressionClassifier
from norface.errors import CheckpointError
from norface.imaging.alignment import FIVE_POINTS, Alignment
from norface.normalizer import TrainedNormalizer
from norface.normalizer.inference import Normalizer

OUTPUTS = {"fer": "probabilities", "au": "probabilities", "au-intensity": "intensities"}
"""Name of each task's output."""


@dataclass(frozen=True)
class Graph:
    """A network ready for export.

    Attributes:
        module: In evaluation mode; takes float32 images ``(B, 3, S, S)`` in [-1, 1], one for each input, by position.
        inputs: Names of its inputs.
        output: Name of its output.
        size: S.
        metadata: Plain data about it, see docs/export.md.
    """

    module: nn.Module
    inputs: tuple[str, ...]
    output: str
    size: int
    metadata: dict[str, Any]

    def example(self, faces: int, *, seed: int = 0) -> tuple[Tensor, ...]:
        """Smooth random images for each input; noise alone would look the same to every network."""
        generator = torch.Generator().manual_seed(seed)
        coarse = torch.rand(len(self.inputs), faces, 3, 8, 8, generator=generator) * 2 - 1
        return tuple(nn.functional.interpolate(part, size=(self.size, self.size), mode="bilinear") for part in coarse)


class ClassifierGraph(nn.Module):
    """A classifier as a function of the images that its streams read, in their order, to its task's answer.

    Args:
        network: The classifier.
        task: ``fer``, ``au`` or ``au-intensity``.
    """

    def __init__(self, network: ExpressionClassifier, task: str) -> None:
        super().__init__()
        self.network, self.activation = network, ACTIVATIONS[task]

    def forward(self, *images: Tensor) -> Tensor:
        """One image ``(B, 3, S, S)`` for each stream to probabilities or intensities ``(B, L)``."""
        # A single stream is handed over twice: the network does not look at the one that it does not use.
        return self.activation(self.network(images[0], images[-1]).logits)


def load_graph(path: Path) -> Graph:
    """What to export of a checkpoint.

    Raises:
        CheckpointError: Missing, damaged, or neither a normalizer nor a classifier.
    """
    about = open_checkpoint(path).get("norface")
    kind = about.get("kind") if isinstance(about, Mapping) else None
    if kind == "normalizer":
        normalizer = TrainedNormalizer(str(path)).load()
        assert isinstance(normalizer, Normalizer)
        return normalizer_graph(normalizer)
    if kind == "classifier":
        return classifier_graph(load_classifier(path), where=str(path))
    raise CheckpointError(
        expected="a checkpoint of a normalizer or a classifier",
        found=f"a {kind} checkpoint" if kind else "a checkpoint that norface did not write",
        where=str(path),
        action="Name the checkpoint of a normalizer's or a classifier's run.",
    )


def normalizer_graph(normalizer: Normalizer) -> Graph:
    """A normalizer, its target baked in."""
    facts = _metadata("normalizer", normalizer.alignment, normalizer.fingerprint)
    return Graph(normalizer, ("original",), "normalized", normalizer.alignment.size, facts)


def classifier_graph(classifier: TrainedClassifier, *, where: str) -> Graph:
    """A classifier with the inputs that its streams need."""
    network, alignment = classifier.network.eval(), Alignment.parse(classifier.alignment, where=where)
    described = {"task": classifier.task, "labels": list(classifier.labels)}
    digest = hashlib.sha256(json.dumps([described, classifier.alignment], sort_keys=True).encode())
    hash_weights(digest, network.state_dict())
    facts = _metadata("classifier", alignment, digest.hexdigest()) | described
    module = ClassifierGraph(network, classifier.task).eval().requires_grad_(False)
    return Graph(module, network.streams.names, OUTPUTS[classifier.task], alignment.size, facts)


def _metadata(kind: str, alignment: Alignment, fingerprint: str) -> dict[str, Any]:
    known = alignment.frame == FIVE_POINTS  # nobody knows where the points lie in somebody else's crops
    preprocessing = {
        "size": alignment.size,
        "colour": "RGB",
        "layout": "NCHW",
        "range": [-1.0, 1.0],
        "alignment": alignment.describe(),
        "template": alignment.template().tolist() if known else None,
    }
    return {
        "norface": norface.__version__,
        "kind": kind,
        "fingerprint": fingerprint,
        "preprocessing": preprocessing,
    }
