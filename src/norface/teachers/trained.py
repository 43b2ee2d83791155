"""Teachers trained by norface itself (stage 0), frozen."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from norface.backbones import Backbone
from norface.checkpoints import fitting, read_checkpoint
from norface.errors import CheckpointError
from norface.imaging.alignment import Alignment
from norface.specs import build
from norface.teachers.base import ExpressionReading, ExpressionTeacher, HeadPoseTeacher, IdentityTeacher
from norface.teachers.crop import resize
from norface.teachers.networks import EmbeddingNetwork, ExpressionNetwork, HeadPoseNetwork


def _load_network(
    checkpoint: str, kind: type[EmbeddingNetwork] | type[ExpressionNetwork] | type[HeadPoseNetwork]
) -> tuple[object, int, tuple[str, ...]]:
    path = Path(checkpoint)
    state, about = read_checkpoint(path, kind="teacher")
    with fitting(path):
        network = build(about["network"], where=str(path))
    if not isinstance(network, kind):
        raise CheckpointError(
            expected=f"a teacher of class {kind.__name__}",
            found=type(network).__name__,
            where=str(path),
            action="Identity, expression and head-pose teachers are different checkpoints: name another one.",
        )
    prefix = "network."
    with fitting(path):
        network.load_state_dict({k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)})
        size = Alignment.parse(about["alignment"], where=str(path)).size
        return network, size, tuple(str(name) for name in about.get("subjects", ()))


class TrainedIdentity(IdentityTeacher):
    """Identity teacher from a stage-0 checkpoint (`norface fit --config configs/teacher/identity.yaml`).

    Args:
        checkpoint: Path of the checkpoint.

    Raises:
        CheckpointError: Missing, damaged, or not an identity teacher.
    """

    def __init__(self, checkpoint: str) -> None:
        super().__init__()
        network, self.image_size, self.subjects = _load_network(checkpoint, EmbeddingNetwork)
        assert isinstance(network, EmbeddingNetwork)
        self.network = network
        self.freeze()

    @property
    def encoder(self) -> Backbone:
        """The network's encoder."""
        return self.network.encoder

    def forward(self, image: Tensor) -> Tensor:
        """Images ``(B, 3, H, W)`` in [-1, 1] to unit-norm embeddings ``(B, D)``."""
        embedding: Tensor = self.network(resize(image, self.image_size))
        return embedding


class TrainedExpression(ExpressionTeacher):
    """Expression teacher from a stage-0 checkpoint (`norface fit --config configs/teacher/expression.yaml`).

    Args:
        checkpoint: Path of the checkpoint.

    Raises:
        CheckpointError: Missing, damaged, or not an expression teacher.
    """

    def __init__(self, checkpoint: str) -> None:
        super().__init__()
        network, self.image_size, self.subjects = _load_network(checkpoint, ExpressionNetwork)
        assert isinstance(network, ExpressionNetwork)
        self.network = network
        self.names = tuple(f"AU{au:02d}" for au in network.aus)
        self.freeze()

    def forward(self, image: Tensor) -> ExpressionReading:
        """Images ``(B, 3, H, W)`` in [-1, 1] to an `ExpressionReading`."""
        reading, _ = self.network(resize(image, self.image_size))
        return ExpressionReading(*reading)


class TrainedHeadPose(HeadPoseTeacher):
    """Head-pose teacher from a stage-0 checkpoint (`norface fit --config configs/teacher/head_pose.yaml`).

    It counts as the face table does: yaw 0 and pitch 0 look ahead, see `norface.labels.POSE_COLUMNS`.

    Args:
        checkpoint: Path of the checkpoint.

    Raises:
        CheckpointError: Missing, damaged, or not a head-pose teacher.
    """

    def __init__(self, checkpoint: str) -> None:
        super().__init__()
        network, self.image_size, self.subjects = _load_network(checkpoint, HeadPoseNetwork)
        assert isinstance(network, HeadPoseNetwork)
        self.network = network
        self.freeze()

    def forward(self, image: Tensor) -> Tensor:
        """Images ``(B, 3, H, W)`` in [-1, 1] to yaw, pitch and roll in degrees ``(B, 3)``."""
        angles: Tensor = self.network(resize(image, self.image_size))
        return angles
