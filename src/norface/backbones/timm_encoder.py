"""Backbones of the timm library (extra `backbones`): ViT, ConvNeXt, ResNet and others, with weights from a file."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from norface.backbones.contract import Backbone
from norface.backbones.timm_weights import load_timm_weights, resampled
from norface.errors import ConfigError

TRANSFORMERS = ("vit_", "deit", "beit", "eva")
"""How names of networks begin whose positions depend on the size of images."""


class TimmEncoder(Backbone):
    """A network of timm without its head.

    Takes images in [-1, 1] like every backbone and standardises them as the network's published weights expect.

    Args:
        name: Of the network in timm, such as ``vit_base_patch16_224``, ``convnext_tiny`` or ``resnet50``; a tag such as
            ``vit_base_patch16_224.mae`` says whose statistics of pixels count.
        weights: File with its weights (``.safetensors``, or what `torch.save` wrote), in timm's layout or that of
            published masked autoencoders; their decoder and a classification head are left out. None: random weights.
            Nothing is downloaded.
        drop_path: Share of residual branches dropped in training, rising from 0 to this with depth (Huang et al. 2016,
            "Deep networks with stochastic depth").
        image_size: Side of the images of a vision transformer, the only ones that it then takes; its positions are
            learned on their grid, and resampled once from weights of another. None: any, for which the positions of
            the published size are resampled with every image.
        patch_size: Pixels per side of its patches; None: as the name says. Weights of another patch size do not fit.

    Raises:
        ConfigError: timm is not installed, knows no such network, or it gives no embeddings in a grid.
        CheckpointError: The file cannot be read, or does not fit the network.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        name: str,
        *,
        weights: str | None = None,
        drop_path: float = 0.0,
        image_size: int | None = None,
        patch_size: int | None = None,
    ) -> None:
        super().__init__()
        self.network = _created(name, drop_path, _sizes(name, image_size, patch_size))
        self.dim = int(self.network.num_features)
        self.stride = int(self.network.feature_info[-1]["reduction"])
        self.image_size = image_size
        if image_size is not None and image_size % self.stride:
            raise ConfigError(
                expected=f"a multiple of the patch size {self.stride}",
                found=str(image_size),
                where="image_size of norface.backbones.TimmEncoder",
                action="Choose another size of images, or another patch_size.",
            )
        about = self.network.pretrained_cfg
        head = str(about.get("classifier") or "head")
        # A norm that belongs to the head is never used; distributed training would wait for its gradients.
        for parameter in getattr(self.network, head.partition(".")[0]).parameters():
            parameter.requires_grad_(False)
        for statistic in ("mean", "std"):
            self.register_buffer(statistic, torch.tensor(about[statistic]).view(1, 3, 1, 1), persistent=False)
        if weights is not None:
            load_timm_weights(self.network, Path(weights), head=head)

    def settle(self) -> None:
        """Forget the file."""
        self.init_args["weights"] = None

    def standardised(self, image: Tensor) -> Tensor:
        """Images in [-1, 1] with the statistics that the network expects."""
        return ((image + 1.0) / 2.0 - self.mean) / self.std

    def forward(self, image: Tensor) -> Tensor:
        """``(B, 3, H, W)`` in [-1, 1] to ``(B, dim, H / stride, W / stride)``."""
        found: list[Tensor] = self.network.forward_intermediates(
            self.standardised(image), indices=1, norm=True, output_fmt="NCHW", intermediates_only=True
        )
        return found[0]

    def adapted(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Weights of this network with its positions resampled to its own grid, see `resampled`."""
        own = {name.removeprefix("network."): value for name, value in state.items()}
        return {f"network.{name}": value for name, value in resampled(self.network, own).items()}

    def depths(self) -> dict[str, int]:
        """As timm groups the layers of this network."""
        from timm.models import group_parameters

        grouped: dict[str, int] = group_parameters(self.network, self.network.group_matcher(), reverse=True)
        return {f"network.{name}": depth for name, depth in grouped.items()}


def _sizes(name: str, image_size: int | None, patch_size: int | None) -> dict[str, Any]:
    asked = {"image_size": image_size, "patch_size": patch_size}
    given = {key.replace("image", "img"): value for key, value in asked.items() if value is not None}
    if not name.startswith(TRANSFORMERS):
        if given:
            raise ConfigError(
                expected="no image_size and no patch_size: networks without positions take images of any size",
                found=f"{' and '.join(key for key, value in asked.items() if value is not None)} for {name}",
                where="norface.backbones.TimmEncoder",
                action="Leave them out, or choose a vision transformer.",
            )
        return {}
    # 64 px faces are no 224 px photographs: without a size of their own, positions are resampled for every image.
    return given if image_size is not None else {**given, "dynamic_img_size": True}


def _created(name: str, drop_path: float, sizes: Mapping[str, Any]) -> Any:
    try:
        import timm
    except ModuleNotFoundError as error:
        raise ConfigError(
            expected="the package timm, for norface.backbones.TimmEncoder",
            found="none",
            where="this Python environment",
            action="Install it with `pip install 'norface[backbones]'`.",
        ) from error
    try:
        network = timm.create_model(name, pretrained=False, num_classes=0, drop_path_rate=drop_path, **sizes)
    except (RuntimeError, TypeError) as error:
        close = get_close_matches(name, timm.list_models(), n=6, cutoff=0.4)
        raise ConfigError(
            expected=f"the name of a network of timm{', such as ' + ', '.join(close) if close else ''}",
            found=name,
            where="backbone.init_args.name",
            action=f"Correct it ({str(error).splitlines()[0]}).",
        ) from error
    if not hasattr(network, "forward_intermediates") or not network.feature_info:
        raise ConfigError(
            expected="a network that gives embeddings in a grid",
            found=name,
            where="backbone.init_args.name",
            action="Choose another, such as vit_small_patch16_224, convnext_tiny or resnet50.",
        )
    return network
