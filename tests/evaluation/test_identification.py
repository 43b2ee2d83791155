from __future__ import annotations

import torch

from norface.evaluation.identification import trained_accuracy


def people(trace: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Noise images of ten people with a faint pattern of each person's own."""
    torch.manual_seed(0)
    subject = torch.arange(10).repeat_interleave(8)
    return torch.randn(80, 3, 32, 32) + trace * torch.randn(10, 3, 32, 32)[subject], subject


def test_trained_attacker_finds_a_faint_trace_that_is_constant_within_a_person() -> None:
    assert trained_accuracy(*people(trace=0.3)) > 0.9


def test_trained_attacker_is_at_chance_without_any_trace() -> None:
    assert trained_accuracy(*people(trace=0.0)) < 0.25
