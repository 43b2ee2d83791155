"""Checkpoints of expression teachers without their training."""

from __future__ import annotations

from pathlib import Path

import torch

from norface.backbones import ConvEncoder
from norface.imaging.alignment import Alignment
from norface.specs import describe
from norface.teachers.networks import EmbeddingNetwork, ExpressionNetwork


def tiny_expression_network(*, aus: tuple[int, ...] = (12,)) -> ExpressionNetwork:
    """An untrained network that reads two emotions and the action units given."""
    embed = EmbeddingNetwork(ConvEncoder(widths=(8, 16, 16)), dim=8, dropout=0.5)
    return ExpressionNetwork(embed, emotions=("neutral", "happy"), aus=aus)


def save_expression_teacher(network: ExpressionNetwork, path: Path, *, size: int) -> str:
    """As `norface fit` on an expression teacher leaves it; trained on somebody called cy."""
    about = {
        "kind": "teacher",
        "network": describe(network),
        "alignment": Alignment(size).describe(),
        "subjects": ["cy"],
    }
    state = {f"network.{name}": value for name, value in network.state_dict().items()}
    torch.save({"state_dict": state, "norface": about}, path)
    return str(path)
