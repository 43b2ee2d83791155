"""Backbones of the timm library (extra `backbones`): ViT, ConvNeXt, ResNet and others, with weights from a file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from norface.backbones.contract import Backbone
from norface.errors import CheckpointError, ConfigError


class TimmEncoder(Backbone):
    """A network of timm without its head.

    Takes images in [-1, 1] like every backbone and standardises them as the network's published weights expect.

    Args:
        name: Of the network in timm, such as ``vit_base_patch16_224``, ``convnext_tiny`` or ``resnet50``.
        weights: File with its weights (``.safetensors``, or what `torch.save` wrote); a classification head in it is
            left out. None: random weights. Nothing is downloaded.
        drop_path: Share of residual branches dropped in training, rising from 0 to this with depth (Huang et al. 2016,
            "Deep networks with stochastic depth").

    Raises:
        ConfigError: timm is not installed, knows no such network, or it gives no embeddings in a grid.
        CheckpointError: The file cannot be read, or does not fit the network.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, name: str, *, weights: str | None = None, drop_path: float = 0.0) -> None:
        super().__init__()
        self.network = _created(name, drop_path)
        self.dim = int(self.network.num_features)
        self.stride = int(self.network.feature_info[-1]["reduction"])
        about = self.network.pretrained_cfg
        head = str(about.get("classifier") or "head")
        # A norm that belongs to the head is never used; distributed training would wait for its gradients.
        for parameter in getattr(self.network, head.partition(".")[0]).parameters():
            parameter.requires_grad_(False)
        for statistic in ("mean", "std"):
            self.register_buffer(statistic, torch.tensor(about[statistic]).view(1, 3, 1, 1), persistent=False)
        if weights is not None:
            _load(self.network, Path(weights), head=head)

    def settle(self) -> None:
        """Forget the file."""
        self.init_args["weights"] = None

    def forward(self, image: Tensor) -> Tensor:
        """``(B, 3, H, W)`` in [-1, 1] to ``(B, dim, H / stride, W / stride)``."""
        standard = ((image + 1.0) / 2.0 - self.mean) / self.std
        found: list[Tensor] = self.network.forward_intermediates(
            standard, indices=1, norm=True, output_fmt="NCHW", intermediates_only=True
        )
        return found[0]

    def depths(self) -> dict[str, int]:
        """As timm groups the layers of this network."""
        from timm.models import group_parameters

        grouped: dict[str, int] = group_parameters(self.network, self.network.group_matcher(), reverse=True)
        return {f"network.{name}": depth for name, depth in grouped.items()}


def _created(name: str, drop_path: float) -> Any:
    try:
        import timm
    except ModuleNotFoundError as error:
        raise ConfigError(
            expected="the package timm, for norface.backbones.TimmEncoder",
            found="none",
            where="this Python environment",
            action="Install it with `pip install 'norface[backbones]'`.",
        ) from error
    # ViTs are told that the size of images may vary: 64 px faces are no 224 px photographs.
    sizes: dict[str, Any] = {"dynamic_img_size": True} if name.startswith(("vit_", "deit", "beit", "eva")) else {}
    try:
        network = timm.create_model(name, pretrained=False, num_classes=0, drop_path_rate=drop_path, **sizes)
    except (RuntimeError, TypeError) as error:
        family = re.match(r"[a-z]*", name)
        close = timm.list_models(f"{family[0]}*")[:6] if family and family[0] else []
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


def _load(network: Any, path: Path, *, head: str) -> None:
    own = network.state_dict()
    state = {name: value for name, value in _read(path).items() if not name.startswith(f"{head}.") or name in own}
    shapes = {name: tuple(value.shape) for name, value in own.items()}
    wrong = [name for name in shapes if name not in state]
    unknown = [name for name in state if name not in shapes]
    other = [name for name, shape in shapes.items() if name in state and tuple(state[name].shape) != shape]
    if not wrong and not unknown and not other:
        network.load_state_dict(state)
        return
    found = [f"{len(wrong)} of its weights are missing ({wrong[0]}, ...)"] if wrong else []
    found += [f"{len(unknown)} are of another network ({unknown[0]}, ...)"] if unknown else []
    found += [f"{name} is {tuple(state[name].shape)}, not {shapes[name]}" for name in other[:1]]
    raise CheckpointError(
        expected=f"the {len(own)} weights of this network",
        found="; ".join(found),
        where=str(path),
        action="Give the name of the network that the file belongs to, or the file of this network.",
    )


def _read(path: Path) -> dict[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return dict(load_file(path))
        state = torch.load(path, map_location="cpu", weights_only=True)
        for key in ("state_dict", "model"):  # how training scripts wrap them
            state = state[key] if isinstance(state, dict) and isinstance(state.get(key), dict) else state
        if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
            raise ValueError("no weights by name")
        return {str(name): value for name, value in state.items()}
    except Exception as error:  # torch and safetensors raise many types here: pickle, zip, header, runtime
        raise CheckpointError(
            expected="a file of weights",
            found=f"{type(error).__name__}: {str(error).splitlines()[0][:160]}" if path.is_file() else "no such file",
            where=str(path),
            action="Correct the path; .safetensors and files of torch.save are read, files that hold code are not.",
        ) from error
