"""An encoder that lets nothing through but a reading of the expression: how a normalizer learns without any pair.

The true normalized face of a photograph is unknown, but pictures of the target's person in many expressions can be had,
and each of these is its own answer. What a generator learns from such pictures holds for others only if it cannot tell
that it is looking at the target's person. So it sees no image, but the named outputs of a frozen expression network
(action units), in which identity has no place:

    tokens = MLP(standardise(a(original)) + noise),    a = named outputs

The network reads strangers less exactly than the person it has seen thousands of times. The noise makes the generator
expect such errors (Bishop 1995, "Training with noise is equivalent to Tikhonov regularization").
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from norface.backbones import Backbone, Standardize
from norface.errors import ConfigError
from norface.teachers.crop import resize
from norface.teachers.networks import ExpressionNetwork
from norface.teachers.trained import TrainedExpression


class ExpressionReader(Backbone):
    """Named outputs of an expression network as patch embeddings, the same in every patch.

    All that is known of the target is its expression too, so a generator with this encoder draws one person: train it
    with pairs of the one fixed target, not mirrored.

    Args:
        checkpoint: Of an expression teacher that norface has trained; see `norface.teachers.TrainedExpression`.
        network: In place of `checkpoint`, the network itself, as checkpoints of normalizers describe it.
        read_size: Side of the faces that `network` reads; known from `checkpoint`.
        dim: Length of an embedding.
        stride: Pixels per side of a patch; that of the decoder.
        noise: Standard deviation of the noise while training, in units of each output's own spread.

    Raises:
        CheckpointError: Missing, damaged, or not an expression teacher.
        ConfigError: Neither or both of `checkpoint` and `network`, a network without action units, or negative noise.
    """

    def __init__(
        self,
        checkpoint: str | None = None,
        *,
        network: ExpressionNetwork | None = None,
        read_size: int | None = None,
        dim: int = 128,
        stride: int = 8,
        noise: float = 0.4,
    ) -> None:
        super().__init__()
        if (checkpoint is None) == (network is None) or noise < 0:
            raise ConfigError(
                expected="a checkpoint or a network, and noise from 0 on",
                found=f"checkpoint {checkpoint}, {'a' if network is not None else 'no'} network, noise {noise:g}",
                where="ExpressionReader",
                action="Name the checkpoint of an expression teacher (configs/teacher/expression.yaml trains one).",
            )
        self.subjects: tuple[str, ...] = ()
        if checkpoint is not None:
            teacher = TrainedExpression(checkpoint)
            network, read_size, self.subjects = teacher.network, teacher.image_size, teacher.subjects
        assert network is not None
        if not network.aus:
            raise ConfigError(
                expected="an expression network that reads action units",
                found="one that was trained on a table without any",
                where=str(Path(checkpoint or "ExpressionReader")),
                action="Train it on a table with action units or their intensities.",
            )
        self.network = network.requires_grad_(False).eval()
        self.read_size, self.dim, self.stride, self.noise = read_size, dim, stride, noise
        self.standardize = Standardize(len(network.aus))
        self.tokens = nn.Sequential(nn.Linear(len(network.aus), dim), nn.GELU(), nn.Linear(dim, dim))

    def settle(self) -> None:
        """Describe the network itself from now on, for its weights are in every checkpoint; forget the file."""
        self.init_args |= {"checkpoint": None, "network": self.network, "read_size": self.read_size}

    def train(self, mode: bool = True) -> ExpressionReader:
        """The network stays in evaluation mode: no dropout, no running statistics that move."""
        super().train(mode)
        self.network.eval()
        return self

    def forward(self, image: Tensor) -> Tensor:
        """Image ``(B, 3, H, W)`` in [-1, 1] to embeddings ``(B, dim, H / stride, W / stride)``."""
        seen = image if self.read_size is None else resize(image, self.read_size)
        with torch.no_grad():
            reading, _ = self.network(seen)
        read = self.standardize(reading.outputs.float())
        if self.training and self.noise > 0:
            read = read + self.noise * torch.randn_like(read)
        tokens: Tensor = self.tokens(read)[:, :, None, None]
        return tokens.expand(-1, -1, image.shape[2] // self.stride, image.shape[3] // self.stride)

    def depths(self) -> dict[str, int]:
        """All of it is one reading."""
        return {name: 0 for name, _ in self.named_parameters()}
