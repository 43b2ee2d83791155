"""Multi-scale patch discriminator."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from norface.specs import Described


def _patch_network(widths: tuple[int, ...]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs, outputs in zip((3, *widths), widths, strict=False):
        layers += [spectral_norm(nn.Conv2d(inputs, outputs, 4, stride=2, padding=1)), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, spectral_norm(nn.Conv2d(widths[-1], 1, 3, padding=1)))


class PatchDiscriminator(nn.Module, Described):
    """Judges overlapping patches at several resolutions (pix2pixHD, Wang et al. 2018, section 3.2).

    Every convolution is spectrally normalised (Miyato et al. 2018), which keeps the hinge loss stable without a
    gradient penalty.

    Args:
        widths: Channels of the strided convolutions; their number sets the patch size.
        scales: How many resolutions, each half of the one before.
    """

    def __init__(self, *, widths: tuple[int, ...] = (32, 64, 96), scales: int = 2) -> None:
        super().__init__()
        self.networks = nn.ModuleList(_patch_network(tuple(widths)) for _ in range(scales))

    def forward(self, image: Tensor) -> list[Tensor]:
        """Image ``(B, 3, H, W)`` to one map of logits ``(B, 1, h, w)`` per scale; above 0 means real."""
        return [activations[-1] for activations in self.layers(image)]

    def layers(self, image: Tensor) -> list[list[Tensor]]:
        """As `forward`, with the activations of each scale's layers before its logits."""
        judged = []
        for network in self.networks:
            activations, x = list[Tensor](), image
            for layer in network.children():
                x = layer(x)
                if not isinstance(layer, nn.Conv2d):  # what comes out of an activation
                    activations.append(x)
            judged.append([*activations, x])
            image = F.avg_pool2d(image, 2)
        return judged
