"""The options for GPUs, run on the CPU: compiled networks and mixed precision."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor, nn

from bright_corners import BrightCorners, make, make_trainer
from norface.classifier import ActionUnitTask, EmotionTask, IntensityTask, load_classifier
from norface.classifier.module import ClassifierTask
from norface.classifier.network import Classified
from norface.classifier.routing import NoisyTopKRouter


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Compilation without a C++ compiler: the same graphs, run operation by operation. Lists what is compiled."""
    compiled: list[str] = []
    compile_module = nn.Module.compile

    def noted(self: nn.Module, *args: Any, **kwargs: Any) -> None:
        compiled.append(type(self).__name__)
        compile_module(self, *args, backend="aot_eager", **kwargs)

    torch._dynamo.reset()
    monkeypatch.setattr(nn.Module, "compile", noted)
    return compiled


def fitted(folder: Path, *, epochs: int = 2, ckpt: str | None = None, **options: Any) -> ClassifierTask:
    task = make(**options)
    keep = ModelCheckpoint(dirpath=folder, filename="{epoch}", save_top_k=-1)
    make_trainer(folder, epochs=epochs, callbacks=[keep]).fit(task, datamodule=BrightCorners(), ckpt_path=ckpt)
    return task


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")  # torch hides it: not where warnings are errors
def test_compiled_training_resumes_exactly_and_leaves_names_alone(tmp_path: Path, traced: list[str]) -> None:
    whole = fitted(tmp_path / "whole", compile=True)
    assert traced == ["ExpressionClassifier"]
    first = str(tmp_path / "whole" / "epoch=0.ckpt")
    resumed = fitted(tmp_path / "resumed", ckpt=first, compile=True)
    assert all(torch.equal(value, resumed.state_dict()[name]) for name, value in whole.state_dict().items())
    eager = fitted(tmp_path / "eager", ckpt=first)  # a compiled run may go on without, and the other way round
    assert eager.state_dict().keys() == whole.state_dict().keys()
    assert load_classifier(tmp_path / "whole" / "epoch=1.ckpt").labels == ("neutral", "happy", "sad")


@pytest.mark.slow
def test_a_compiled_network_gives_the_same_answers(tmp_path: Path, traced: list[str]) -> None:
    network = fitted(tmp_path, epochs=1).network
    assert network is not None and traced == []
    network.eval()
    images = torch.rand(2, 5, 3, 16, 16) * 2 - 1
    wanted: Classified = network(*images)
    network.compile()
    for faces in (5, 3, 2):
        found: Classified = network(*images[:, :faces])
        torch.testing.assert_close(found.logits, wanted.logits[:faces], atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(found.output_gates, wanted.output_gates[:faces], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("task", [EmotionTask, ActionUnitTask, IntensityTask])
def test_mixed_precision_keeps_gates_losses_and_scores_in_float32(
    task: type[ClassifierTask], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, torch.dtype]] = []
    route, shared = NoisyTopKRouter.forward, ClassifierTask.shared_step

    def routed(self: NoisyTopKRouter, x: Tensor) -> Any:
        assert torch.is_autocast_enabled("cpu")
        routing = route(self, x)
        seen.extend(("gates", tensor.dtype) for tensor in routing)
        return routing

    def stepped(self: ClassifierTask, *args: Any) -> Any:
        answer, loss = shared(self, *args)
        seen.append(("loss", loss.dtype))
        return answer, loss

    monkeypatch.setattr(NoisyTopKRouter, "forward", routed)
    monkeypatch.setattr(ClassifierTask, "shared_step", stepped)
    module, trainer = make(task), make_trainer(tmp_path, precision="bf16-mixed")
    trainer.fit(module, datamodule=BrightCorners())
    assert {name for name, _ in seen} == {"gates", "loss"}
    assert {dtype for _, dtype in seen} == {torch.float32}
    assert all(value.isfinite() for value in trainer.callback_metrics.values())
    assert all(value.dtype != torch.bfloat16 for value in module.state_dict().values())

    monkeypatch.undo()
    plain = make_trainer(tmp_path)
    plain.fit(make(task), datamodule=BrightCorners())
    mixed, full = (float(t.callback_metrics["train/loss"]) for t in (trainer, plain))
    assert mixed == pytest.approx(full, rel=0.05)
