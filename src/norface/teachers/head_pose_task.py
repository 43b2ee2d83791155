"""Train a head-pose teacher from the face table's yaw, pitch and roll."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from norface.backbones import Backbone
from norface.errors import TrainingError
from norface.labels import POSE_COLUMNS
from norface.samples import FaceSample
from norface.teachers.angles import UNIT, angle_between
from norface.teachers.networks import EmbeddingNetwork, HeadPoseNetwork
from norface.teachers.task import TeacherTask


def masked_angle_loss(found: Tensor, wanted: Tensor) -> Tensor:
    """Smooth L1 of angles, where these are known.

        L = mean of d^2 / 2 where |d| < 1, else |d| - 1/2,    d = (found - wanted) / 10 degrees, the short way round

    Smooth L1 (Girshick 2015, Fast R-CNN, eq. 3): up to ten degrees the squared error of Euler angles, which is the
    regression term of HopeNet (Ruiz et al. 2018); beyond, linear, since poses of real tables were estimated by another
    network and are now and then far off.

    Args:
        found, wanted: Degrees, of the same shape; NaN in `wanted` = unknown.

    Returns:
        Scalar, at least 0; 0 where nothing is known.
    """
    known = ~torch.isnan(wanted)
    difference = angle_between(found.float(), torch.nan_to_num(wanted)) / UNIT
    error = F.smooth_l1_loss(difference, torch.zeros_like(difference), reduction="none") * known
    return error.sum() / known.sum().clamp_min(1)


class HeadPoseTask(TeacherTask):
    """Network that reads yaw, pitch and roll; validated on unseen people.

    The table's angles are those of the head when the picture was taken. Aligning a face by its five points turns the
    picture, which changes the roll alone and takes nearly all of it away. So from aligned pictures yaw and pitch are
    learned; roll is learned where crops keep it (boxes, owners' crops) and where augmentation turns pictures
    (`geometric`), whose angles then follow.

    Args:
        encoder: Patch encoder.
        encoder_weights: Checkpoint whose encoder it starts from, such as a masked autoencoder's; None: it starts as its
            own arguments say.
        dim: Size of the embedding.
        dropout: Share of the pooled features dropped in training.
        lr: Peak learning rate.
        weight_decay: Decoupled weight decay.
        seed: Of dropout.
    """

    def __init__(
        self,
        encoder: Backbone,
        *,
        encoder_weights: str | None = None,
        dim: int = 64,
        dropout: float = 0.1,
        lr: float = 3e-3,
        weight_decay: float = 0.02,
        seed: int = 0,
    ) -> None:
        super().__init__(lr=lr, weight_decay=weight_decay, seed=seed)
        self.start(encoder, encoder_weights)
        network = HeadPoseNetwork(EmbeddingNetwork(encoder, dim=dim, dropout=dropout))
        self.network = network.to(memory_format=torch.channels_last)
        self.found: list[tuple[Tensor, Tensor]] = []

    def on_fit_start(self) -> None:
        """Refuse a table from which nothing can be learned.

        Raises:
            TrainingError: No head pose is known of any training face.
        """
        if not self.faces.knows_head_pose:
            raise TrainingError(
                expected=f"head poses in degrees in the columns {', '.join(POSE_COLUMNS)}",
                found="none of any training face",
                where="face table",
                action="Add the columns, or use a head-pose teacher from a file: HopeNet or LandmarkPose.",
            )

    def loss(self, batch: FaceSample) -> dict[str, Tensor]:
        """Error of the angles of a batch."""
        return {"angles": masked_angle_loss(self.network(batch["original"]), batch["head_pose"])}

    def validation_step(self, batch: FaceSample, batch_idx: int) -> None:
        """Collect readings of people that were not trained on."""
        self.found.append((self.network(batch["original"]).float(), batch["head_pose"]))

    def on_validation_epoch_end(self) -> None:
        """Log the mean absolute error of each axis in degrees, and that of the best constant; NaN where none is known.

        The constant that errs least is the median. It is taken of the validation faces themselves, so no other
        constant, such as the training faces' median, can do better.
        """
        found, wanted = (torch.cat(parts) for parts in zip(*self.found, strict=True))
        self.found.clear()
        for axis, read, right in zip(POSE_COLUMNS, found.T, wanted.T, strict=True):
            self.log(f"val/{axis}_error", angle_between(read, right).abs().nanmean(), prog_bar=True)
            self.log(f"val/{axis}_error_of_constant", (right - right.nanmedian()).abs().nanmean())
