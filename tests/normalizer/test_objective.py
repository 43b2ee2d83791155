from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from norface.errors import ConfigError
from norface.normalizer import LossWeights
from norface.normalizer.losses import hinge_generator_loss
from norface.normalizer.objective import GeneratorObjective
from toy_world import SIZE, BarTeacher, ColourTeacher, TiltTeacher, pairs

WEIGHTS = LossWeights(
    adversarial=0.3,
    identity=0.7,
    expression=1.1,
    named_outputs=0.9,
    head_pose=0.4,
    reconstruction=1.3,
    paired=1.7,
    supervision=1.9,
)


def objective(weights: LossWeights = WEIGHTS) -> GeneratorObjective:
    teachers = {"identity": ColourTeacher(), "expression": BarTeacher(), "head_pose": TiltTeacher()}
    made = GeneratorObjective(weights, image_size=SIZE, dim=4, aus=1, **teachers)  # type: ignore[arg-type]
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
    unknown = ~batch["has_truth"]  # the known answers say it better
    expression = float((1 - (a.embedding * b.embedding).sum(1))[unknown].sum()) / 8
    named = float((a.outputs - b.outputs).square().mean(1)[unknown].sum()) / 8
    tilt = TiltTeacher()
    goals = torch.where(batch["has_truth"][:, None, None, None], batch["truth"], batch["target"])
    pose = float(((tilt(output) - tilt(goals)) / 10).square().mean())
    same = batch["same_image"]
    repeated = float((output - batch["target"]).abs().mean(dim=(1, 2, 3))[same].sum()) / 8
    assert float(parts["adversarial"]) == pytest.approx(0.3 * float(hinge_generator_loss(logits)))
    assert float(parts["identity"]) == pytest.approx(0.7 * identity, abs=1e-6)
    assert float(parts["expression"]) == pytest.approx(1.1 * expression, abs=1e-6)
    assert float(parts["named_outputs"]) == pytest.approx(0.9 * named, abs=1e-6)
    assert float(parts["head_pose"]) == pytest.approx(0.4 * pose, rel=1e-5)
    assert float(parts["reconstruction"]) == pytest.approx(1.3 * repeated, abs=1e-6)
    known = batch["has_truth"] & ~same
    assert float(parts["paired"]) == pytest.approx(1.7 * float(made.paired(output, batch["truth"], known)), rel=1e-6)
    assert made.supervision is not None
    wanted = 1.9 * float(made.supervision(embeddings, batch["au_intensity"]).detach())
    assert float(parts["supervision"].detach()) == pytest.approx(wanted, rel=1e-6)


def test_answers_that_are_not_asked_leave_the_word_to_the_teacher() -> None:
    batch, made = pairs(8), objective(replace(WEIGHTS, paired=0.0))
    batch["has_truth"] = torch.arange(8) % 2 == 1
    output, read = torch.rand(8, 3, SIZE, SIZE), BarTeacher()
    parts = made(batch, output, torch.rand(8, 4, 4, 4), None)
    distance = 1 - (read(output).embedding * read(batch["original"]).embedding).sum(1)
    assert float(parts["expression"]) == pytest.approx(1.1 * float(distance.mean()), abs=1e-6)
    assert "paired" not in parts


def test_without_any_truth_the_expression_of_every_pair_counts() -> None:
    batch, made = pairs(8), objective()
    batch["has_truth"] = torch.zeros(8, dtype=torch.bool)
    output = torch.rand(8, 3, SIZE, SIZE)
    parts = made(batch, output, torch.rand(8, 4, 4, 4), None)
    assert made.expression is not None
    embedding, outputs = made.expression.terms(output, batch["original"])
    assert float(parts["expression"]) == pytest.approx(1.1 * float(embedding), rel=1e-5)
    assert float(parts["named_outputs"]) == pytest.approx(0.9 * float(outputs), rel=1e-5)
    batch["has_truth"] = torch.ones(8, dtype=torch.bool)
    assert not {"expression", "named_outputs"} & set(made(batch, output, torch.rand(8, 4, 4, 4), None))


def test_named_outputs_weigh_as_the_embedding_unless_told_otherwise() -> None:
    assert LossWeights(expression=0.7).outputs == 0.7
    assert LossWeights(expression=0.7, named_outputs=0.0).outputs == 0.0
    batch = pairs(8)
    batch["has_truth"] = torch.zeros(8, dtype=torch.bool)
    for weights, wanted in (
        (LossWeights(named_outputs=0.0), {"expression"}),
        (LossWeights(expression=0.0, named_outputs=1.0), {"named_outputs"}),
    ):
        parts = objective(weights)(batch, torch.rand(8, 3, SIZE, SIZE), torch.rand(8, 4, 4, 4), None)
        assert {"expression", "named_outputs"} & set(parts) == wanted


@pytest.mark.parametrize("weights", [LossWeights(head_pose=1.0), LossWeights(expression=0.0, named_outputs=1.0)])
def test_a_weight_without_its_teacher_is_refused(weights: LossWeights) -> None:
    with pytest.raises(ConfigError, match="_teacher: expected the"):
        GeneratorObjective(weights, image_size=SIZE, dim=4, aus=1, identity=ColourTeacher(), expression=None)
