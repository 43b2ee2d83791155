"""Who was tested and which experts were used for what: what a report says beside the scores."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat


class ExpertUse(Metric):
    """Mean gates: input experts per label and per stream, output experts per label.

    Args:
        labels: L.
        streams: S.
        input_experts, output_experts: m of either mixture, 0 where there is none.
    """

    by_label: Tensor
    label_weight: Tensor
    by_stream: Tensor
    by_output: Tensor
    faces: Tensor
    full_state_update = False

    def __init__(self, *, labels: int, streams: int, input_experts: int, output_experts: int) -> None:
        super().__init__()
        by_label = torch.zeros(labels, streams, input_experts, dtype=torch.float64)
        self.add_state("by_label", by_label, dist_reduce_fx="sum")
        self.add_state("label_weight", torch.zeros(labels, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("by_stream", torch.zeros(streams, input_experts, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("by_output", torch.zeros(labels, output_experts, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("faces", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, input_gates: Tensor, output_gates: Tensor, presence: Tensor) -> None:
        """Gates ``(B, S, m)`` and ``(B, L, m)``; presence ``(B, L)`` says how much a face shows a label, 0 = not."""
        gates, presence = input_gates.detach().double(), presence.double()
        self.by_label += torch.einsum("bl,bsm->lsm", presence, gates)
        self.label_weight += presence.sum(0)
        self.by_stream += gates.sum(0)
        self.by_output += output_gates.detach().double().sum(0)
        self.faces += len(gates)

    def compute(self) -> dict[str, Tensor]:
        """``input`` (L, m), ``input_by_stream`` (S, m), ``output`` (L, m): rows sum to 1, or are NaN if never seen."""
        return {
            "input": self.by_label.mean(1) / self.label_weight.unsqueeze(-1),
            "input_by_stream": self.by_stream / self.faces,
            "output": self.by_output / self.faces,
        }


class TestedFaces(Metric):
    """How many faces of how many people were tested."""

    __test__ = False  # not a test class, whatever its name suggests to pytest
    faces: Tensor
    subjects: list[Tensor]
    full_state_update = False

    def __init__(self) -> None:
        super().__init__()
        self.add_state("faces", torch.zeros((), dtype=torch.long), dist_reduce_fx="sum")
        self.add_state("subjects", [], dist_reduce_fx="cat")

    def update(self, subject: Tensor) -> None:
        """Subject indices ``(B,)``."""
        self.faces += len(subject)
        self.subjects.append(torch.unique(subject))

    def compute(self) -> dict[str, Tensor]:
        """``n_faces`` and ``n_subjects``, scalars."""
        # A list before the processes' states are joined, one tensor afterwards.
        subjects = dim_zero_cat(self.subjects) if len(self.subjects) else self.faces.new_zeros(0)
        return {"n_faces": self.faces, "n_subjects": torch.tensor(len(torch.unique(subjects)))}
