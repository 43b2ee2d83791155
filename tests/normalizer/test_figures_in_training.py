from __future__ import annotations

import pytest
import torch

from norface.evaluation.figures import Faces, background_error, expression_r2
from norface.normalizer import LossWeights
from norface.normalizer.figures import CheapFigures
from norface.normalizer.objective import GeneratorObjective
from norface.samples import PairSample
from toy_world import SIZE, BarTeacher, ColourTeacher, ToyFaces, pairs


def objective(*, teachers: bool) -> GeneratorObjective:
    weights = LossWeights() if teachers else LossWeights(identity=0.0, expression=0.0)
    identity, expression = ColourTeacher(), BarTeacher()
    return GeneratorObjective(weights, image_size=SIZE, dim=8, aus=0, identity=identity, expression=expression)


def without_truth(batch: PairSample) -> PairSample:
    batch["has_truth"] = torch.zeros_like(batch["has_truth"])
    return batch


def test_figures_are_the_gates_however_faces_come_in_batches() -> None:
    target = ToyFaces.target[None]
    both = [pairs(8, seed=1), pairs(4, seed=2)]
    generator = torch.Generator().manual_seed(0)
    outputs = [batch["truth"] + 0.1 * torch.randn(batch["truth"].shape, generator=generator) for batch in both]
    figures = CheapFigures(size=SIZE)
    for output, batch in zip(outputs, both, strict=True):
        figures.update(output, target, batch, objective(teachers=True))
    found = figures.take()
    assert found.keys() == {"expression_r2", "background_error", "identity_to_target", "expression_distance"}

    original, output = torch.cat([batch["original"] for batch in both]), torch.cat(outputs)
    nobody = torch.zeros(len(output))
    every = Faces(original, output, None, target, nobody)
    assert float(found["background_error"]) == pytest.approx(background_error(every), rel=1e-5)
    known = torch.cat([batch["has_truth"] & ~batch["same_image"] for batch in both])
    truth = torch.cat([batch["truth"] for batch in both])
    answered = Faces(original[known], output[known], truth[known], target, nobody[known])
    assert float(found["expression_r2"]) == pytest.approx(expression_r2(answered), rel=1e-5)
    embed = ColourTeacher()
    similar = (embed(output) * embed(target)).sum(1).mean()
    assert float(found["identity_to_target"]) == pytest.approx(float(similar), abs=1e-4)
    assert figures.take() == {}  # taken: nothing is left


def test_what_nothing_can_measure_is_left_out() -> None:
    batch = without_truth(pairs(4))
    figures = CheapFigures(size=SIZE)
    figures.update(batch["original"], ToyFaces.target[None], batch, objective(teachers=False))
    assert figures.take().keys() == {"background_error"}
    assert figures.state_dict() == {}
