"""How surfaces look in the light."""

from __future__ import annotations

import numpy as np

from norface.synthetic.factors import Light
from norface.synthetic.sphere import Floats


def toward_light(light: Light) -> Floats:
    """Unit vector ``(3,)`` in camera axes (x right, y up, z to the viewer) from the face to the key light."""
    a, e = np.radians([light.azimuth, light.elevation])
    return np.array([np.sin(a) * np.cos(e), np.sin(e), np.cos(a) * np.cos(e)], np.float32)


def illuminated(
    albedo: Floats, normal: Floats, shade: Floats, gloss: Floats, light: Light, *, shadow: Floats | None = None
) -> Floats:
    """Wrapped Lambert with red light seeping into the shadow's border, sky light, and a soft highlight.

    Args:
        albedo: ``(N, 3)`` linear.
        normal: ``(3, N)`` in camera axes.
        shade: ``(N,)`` share of the surroundings that is not hidden by the face itself.
        gloss: ``(N,)`` strength of the highlight.
        light: Light.
        shadow: ``(N,)`` how much of the key light something keeps off, 0..1.

    Returns:
        ``(N, 3)`` linear.
    """
    toward = toward_light(light)
    facing = toward @ normal
    wrap = np.array([0.20, 0.10, 0.07], np.float32) + np.float32(0.35 * light.softness)
    power = np.float32(light.key) * np.array(light.colour, np.float32)
    open_share = 0.45 + 0.55 * shade
    ambient = np.float32(light.ambient) * (np.float32(0.75) + np.float32(0.25) * normal[1]) * shade
    half = toward + np.array([0.0, 0.0, 1.0], np.float32)
    half /= np.sqrt((half * half).sum())
    square = np.square(np.square(np.maximum(half @ normal, 0.0)))
    highlight = gloss * np.square(np.square(square)) * shade * np.float32(light.key)
    if shadow is not None:
        open_share = open_share * (1.0 - shadow)
        highlight = highlight * (1.0 - shadow)
    highlight = highlight * np.float32(0.6)
    shone = np.empty_like(albedo)
    for channel in range(3):  # one after the other: numpy is slow where the innermost axis has three elements
        diffuse = np.maximum((facing + wrap[channel]) / (np.float32(1.0) + wrap[channel]), 0.0)
        shone[:, channel] = albedo[:, channel] * (diffuse * power[channel] * open_share + ambient) + highlight
    return shone
