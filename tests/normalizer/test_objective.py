from __future__ import annotations

import pytest
import torch

from norface.normalizer import LossWeights
from norface.normalizer.losses import hinge_generator_loss
from norface.normalizer.objective import GeneratorObjective
from toy_world import SIZE, BarTeacher, ColourTeacher, pairs

WEIGHTS = LossWeights(adversarial=0.3, identity=0.7, expression=1.1, reconstruction=1.3, paired=1.7, supervision=1.9)


def objective() -> GeneratorObjective:
    made = GeneratorObjective(WEIGHTS, image_size=SIZE, dim=4, aus=1, identity=ColourTeacher(), expression=BarTeacher())
    made.paired.measure(torch.rand(4, 3, SIZE, SIZE))
    return made


def test_each_term_has_its_weight_and_its_goal() -> None:
    batch, made = pairs(8), objective()
    batch["has_truth"] = torch.arange(8) % 2 == 1  # half of the pairs have only a target
    output, embeddings = torch.rand(8, 3, SIZE, SIZE), torch.rand(8, 4, 4, 4)
    logits = [torch.rand(8, 1, 2, 2)]
    made.eval()
    parts = made(batch, output, embeddings, logits)
    who = ColourTeacher()
    identity = 0.0
    for i in range(8):
        goal = batch["truth"] if batch["has_truth"][i] else batch["target"]
        identity += float(1 - (who(output[i : i + 1]) * who(goal[i : i + 1])).sum()) / 8
    read = BarTeacher()
    a, b = read(output), read(batch["original"])
    distances = (1 - (a.embedding * b.embedding).sum(1)) + (a.outputs - b.outputs).square().mean(1)
    expression = float(distances[~batch["has_truth"]].sum()) / 8  # the known answers say it better
    same = batch["same_image"]
    repeated = float((output - batch["target"]).abs().mean(dim=(1, 2, 3))[same].sum()) / 8
    assert float(parts["adversarial"]) == pytest.approx(0.3 * float(hinge_generator_loss(logits)))
    assert float(parts["identity"]) == pytest.approx(0.7 * identity, abs=1e-6)
    assert float(parts["expression"]) == pytest.approx(1.1 * expression, abs=1e-6)
    assert float(parts["reconstruction"]) == pytest.approx(1.3 * repeated, abs=1e-6)
    known = batch["has_truth"] & ~same
    assert float(parts["paired"]) == pytest.approx(1.7 * float(made.paired(output, batch["truth"], known)), rel=1e-6)
    assert made.supervision is not None
    wanted = 1.9 * float(made.supervision(embeddings, batch["au_intensity"]).detach())
    assert float(parts["supervision"].detach()) == pytest.approx(wanted, rel=1e-6)


def test_without_any_truth_the_expression_of_every_pair_counts() -> None:
    batch, made = pairs(8), objective()
    batch["has_truth"] = torch.zeros(8, dtype=torch.bool)
    output = torch.rand(8, 3, SIZE, SIZE)
    parts = made(batch, output, torch.rand(8, 4, 4, 4), None)
    assert made.expression is not None
    wanted = 1.1 * float(made.expression(output, batch["original"]))
    assert float(parts["expression"]) == pytest.approx(wanted, rel=1e-5)
    batch["has_truth"] = torch.ones(8, dtype=torch.bool)
    assert "expression" not in made(batch, output, torch.rand(8, 4, 4, 4), None)
