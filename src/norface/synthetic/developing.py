"""From linear light to the pixels of a file: lens, sensor, tone curve."""

from __future__ import annotations

import cv2
import numpy as np

from norface.imaging.pixels import Pixels
from norface.synthetic.factors import FaceFactors
from norface.synthetic.sphere import Floats


def shrunk(picture: Floats, size: int) -> Floats:
    """Reduce a picture to `size`, each pixel the mean of what it covers."""
    if picture.shape[0] == size:
        return picture
    return np.asarray(cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA), np.float32)


def developed(picture: Floats, factors: FaceFactors, size: int) -> Pixels:
    """Lens, sensor and tone curve."""
    if factors.blur > 0.0:
        spread = max(0.2, factors.blur * picture.shape[0])
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), spread), np.float32)
    values = np.sqrt(np.clip(shrunk(picture, size), 0.0, 1.0)) * np.float32(255.0)
    if factors.contrast != 1.0 or factors.brightness != 0.0:
        values = (values - 127.5) * np.float32(factors.contrast) + np.float32(127.5 + factors.brightness)
    if factors.noise > 0.0:
        rng = np.random.default_rng(factors.noise_seed)
        values = values + np.float32(factors.noise) * rng.standard_normal(values.shape, np.float32)
    return np.asarray(np.clip(values + 0.5, 0, 255), np.uint8)


def worn(pixels: Pixels, *, resolution: float, grey: float, jpeg: int) -> Pixels:
    """What pictures go through before they reach a data set.

    Args:
        pixels: uint8 RGB ``(S, S, 3)``.
        resolution: Share of the side that the picture had before it was enlarged; 1 is untouched.
        grey: Share of the colour that is lost; 1 is a grey picture.
        jpeg: Quality 1..100 of a compression on the way; 0 is none.
    """
    size = pixels.shape[0]
    if resolution < 1.0:
        small = max(round(size * resolution), 8)
        pixels = np.asarray(cv2.resize(pixels, (small, small), interpolation=cv2.INTER_AREA), np.uint8)
    if grey > 0.0:
        plain = cv2.cvtColor(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        pixels = np.asarray(cv2.addWeighted(plain, grey, pixels, 1.0 - grey, 0.0), np.uint8)
    if jpeg > 0:  # at the size it was stored at
        _, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, jpeg])
        pixels = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    if resolution < 1.0:
        pixels = np.asarray(cv2.resize(pixels, (size, size), interpolation=cv2.INTER_CUBIC), np.uint8)
    return pixels
