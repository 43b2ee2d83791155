"""The options for GPUs, run on the CPU: compiled networks and mixed precision."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning
import pytest
import torch
from torch import Tensor, nn

from norface.normalizer import ExpressionR2, NormalizerTask, TrainedNormalizer
from norface.normalizer.objective import GeneratorObjective
from toy_world import pairs

Make = Callable[..., NormalizerTask]
Fit = Callable[..., lightning.Trainer]


class Keep(lightning.Callback):
    """Saves a checkpoint after the first epoch."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if trainer.current_epoch == 0:
            trainer.save_checkpoint(self.path)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")  # torch hides it: not where warnings are errors
def test_compiled_training_resumes_exactly_and_leaves_names_alone(
    make_task: Make, fit: Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: list[str] = []
    compile_module = nn.Module.compile

    def noted(self: nn.Module, *args: Any, **kwargs: Any) -> None:
        compiled.append(type(self).__name__)
        compile_module(self, *args, backend="aot_eager", **kwargs)  # no C++ compiler needed

    torch._dynamo.reset()
    monkeypatch.setattr(nn.Module, "compile", noted)
    whole, path = make_task(compile=True), tmp_path / "half.ckpt"
    fit(whole, max_epochs=2, callbacks=[Keep(path)])
    assert compiled == ["ConvEncoder", "ExpressionMerging", "ConvDecoder", "PatchDiscriminator"]
    resumed = make_task(compile=True)
    fit(resumed, max_epochs=2, ckpt=str(path))
    assert all(torch.equal(value, resumed.state_dict()[name]) for name, value in whole.state_dict().items())

    eager = make_task()
    fit(eager, max_epochs=2, ckpt=str(path))
    assert eager.state_dict().keys() == whole.state_dict().keys()
    for name, value in eager.average.state_dict().items():
        torch.testing.assert_close(value, whole.average.state_dict()[name], atol=1e-2, rtol=1e-2)
    assert TrainedNormalizer(str(path)).load().normalize(pairs(2)["original"]).image.isfinite().all()


def test_mixed_precision_keeps_losses_and_figures_in_float32(
    make_task: Make, fit: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: set[tuple[str, torch.dtype]] = set()
    judge, measure = GeneratorObjective.forward, ExpressionR2.update

    def judged(self: GeneratorObjective, *args: Any) -> dict[str, Tensor]:
        parts = judge(self, *args)
        seen.update((name, value.dtype) for name, value in parts.items())
        return parts

    def measured(self: ExpressionR2, output: Tensor, truth: Tensor) -> None:
        measure(self, output, truth)
        seen.add(("r2", self.error.dtype))

    monkeypatch.setattr(GeneratorObjective, "forward", judged)
    monkeypatch.setattr(ExpressionR2, "update", measured)
    mixed = fit(make_task(), precision="bf16-mixed")
    assert ("r2", torch.float64) in seen
    terms = {"adversarial", "identity", "expression", "named_outputs", "head_pose"}
    terms |= {"reconstruction", "paired", "supervision"}
    assert {name for name, dtype in seen if dtype == torch.float32} == terms
    monkeypatch.undo()
    full = fit(make_task())
    for name in ("paired", "identity", "reconstruction"):
        wanted = float(full.callback_metrics[f"normalizer/{name}"])
        assert float(mixed.callback_metrics[f"normalizer/{name}"]) == pytest.approx(wanted, rel=0.1, abs=1e-3)
