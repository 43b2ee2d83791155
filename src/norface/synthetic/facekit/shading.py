"""From a head before the camera to a picture in linear light: what each pixel sees, its colour, its shadow."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from norface.synthetic.camera import Matrix, rotation
from norface.synthetic.eyes import IRIS, PUPIL, SCLERA
from norface.synthetic.facekit.atlas import SKIN_PARTS
from norface.synthetic.facekit.head import CLOTH, CURTAIN, RIM, Head, Posed, posed
from norface.synthetic.facekit.mesh import PARTS
from norface.synthetic.facekit.occlusion import crevices, shadowed
from norface.synthetic.facekit.props import rim_outline
from norface.synthetic.facekit.raster import Floats, Fragments, Index, rasterise
from norface.synthetic.facekit.rig import unit
from norface.synthetic.factors import FaceFactors
from norface.synthetic.hair import hair_colour
from norface.synthetic.light import illuminated, toward_light
from norface.synthetic.skin import linear, ramp, smooth

_CLOTHES = np.stack([linear(30, 32, 40), linear(50, 76, 116), linear(126, 44, 46), linear(202, 198, 190),
                     linear(78, 100, 80), linear(156, 132, 100)])  # fmt: skip
_TEETH, _GUMS, _CAVITY = linear(232, 222, 204), linear(168, 84, 84), linear(96, 40, 40)
_IS_SKIN = np.isin(np.arange(CLOTH + 1), SKIN_PARTS)
_EYE_RADIUS = 1.5
_PUPIL_RADIUS = 0.26
_STRANDS = cv2.GaussianBlur(np.random.default_rng(7).standard_normal((16, 256)).astype(np.float32), (0, 0), 1.0) * 3.0


@dataclass(frozen=True)
class Surface:
    """What P pixels show, before light: colour ``(P, 3)``, camera normals ``(3, P)``, the others ``(P,)``."""

    albedo: Floats
    normal: Floats
    gloss: Floats
    shade: Floats
    glow: Floats
    bare: Floats


def shade(head: Head, factors: FaceFactors, frame: Matrix, side: int, picture: Floats) -> Floats:
    """Draw a head over a background, in place.

    Args:
        head: Whose.
        factors: Expression, pose, light.
        frame: ``(2, 3)`` similarity from the camera's units (y down) to pixels of `picture`.
        side: Of the picture.
        picture: ``(side, side, 3)`` linear light.

    Returns:
        ``(side, side)`` 0..1: pixels that show bare face.
    """
    stand = posed(head, factors)
    points = np.concatenate([_placed(stand.points, frame), stand.points[2:]])
    drawn = stand.drawn
    seen = rasterise(points, head.triangles[:, drawn], side, one_sided=drawn.size - stand.two_sided)
    seen = Fragments(seen.pixel, drawn[seen.triangle], seen.weights, seen.depth)
    surface = _surface(head, stand, factors, seen, side)
    pitch = 1.0 / np.sqrt(abs(np.linalg.det(frame[:, :2])))
    depth = np.full(side * side, -np.inf, np.float32)
    depth[seen.pixel] = seen.depth
    field = depth.reshape(side, side)
    ambient = crevices(field, pitch).ravel()[seen.pixel]
    shadow = shadowed(field, toward_light(factors.light), pitch).ravel()[seen.pixel]
    shone = illuminated(
        surface.albedo,
        surface.normal,
        surface.shade * ambient,
        surface.gloss,
        factors.light,
        shadow=shadow * np.float32(0.9 - 0.45 * factors.light.softness),
    )
    flat = picture.reshape(-1, 3)
    flat[seen.pixel] = shone + surface.glow[:, None]
    _lenses(head, factors, stand, frame, picture)
    bare = np.zeros(side * side, np.float32)
    bare[seen.pixel] = surface.bare
    return bare.reshape(side, side)


def _placed(points: Floats, frame: Matrix) -> Floats:
    """Camera points ``(3, V)`` -> columns and rows ``(2, V)``."""
    turn = (frame[:, :2] * (1.0, -1.0)).astype(np.float32)
    return np.asarray(turn @ points[:2] + frame[:, 2:].astype(np.float32), np.float32)


def _surface(head: Head, stand: Posed, factors: FaceFactors, seen: Fragments, side: int) -> Surface:
    part = head.part[seen.triangle]
    count = part.size
    normal = unit(seen.interpolate(head.triangles, stand.normals))
    normal *= np.where((normal[2] < 0.0) & (part >= CURTAIN), np.float32(-1.0), np.float32(1.0))
    surface = Surface(
        albedo=np.zeros((count, 3), np.float32),
        normal=normal,
        gloss=np.full(count, 0.05, np.float32),
        shade=np.ones(count, np.float32),
        glow=np.zeros(count, np.float32),
        bare=np.zeros(count, np.float32),
    )
    kinds = [np.flatnonzero(part == number) for number in range(CLOTH + 1)]
    _skin(surface, head, factors, seen, np.flatnonzero(_IS_SKIN[part]), side)
    eyes = np.concatenate([kinds[PARTS.index("eyeL")], kinds[PARTS.index("eyeR")]])
    _eyeballs(surface, head, factors, seen.only(eyes), eyes)
    for name, colour in (("mouth", _CAVITY), ("gums", _GUMS), ("teethU", _TEETH), ("teethD", _TEETH)):
        index = kinds[PARTS.index(name)]
        surface.albedo[index] = colour
        surface.gloss[index] = 0.3
        behind = seen.depth[index] - np.float32(stand.lips_depth)
        surface.shade[index] = np.clip(np.float32(0.75) + np.float32(0.26) * behind, 0.03, 0.85)
        surface.bare[index] = 1.0
    _long_hair(surface, head, seen.only(kinds[CURTAIN]), kinds[CURTAIN])
    surface.albedo[kinds[RIM]] = np.float32(0.012 + 0.25 * head.person.glasses_tone)
    surface.gloss[kinds[RIM]] = 0.5
    surface.albedo[kinds[CLOTH]] = ramp(_CLOTHES, head.person.clothes)
    return surface


def _skin(surface: Surface, head: Head, factors: FaceFactors, seen: Fragments, index: Index, side: int) -> None:
    texture, rows = head.texture, head.rig.side
    u, v = seen.only(index).interpolate_corners(head.corner_uv)
    at = np.full((2, side * side), -9.0, np.float32)
    pixels = seen.pixel[index]
    at[0, pixels] = u * np.float32(rows) - np.float32(0.5)
    at[1, pixels] = (np.float32(1.0) - v) * np.float32(rows) - np.float32(0.5)
    column, row = at.reshape(2, side, side)
    folds = head.rig.folds.light(factors, head.person.age)
    found = cv2.remap(texture.colour, column, row, cv2.INTER_LINEAR).reshape(-1, 4)[pixels]
    left = cv2.remap(folds, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=1.0)
    surface.albedo[index] = found[:, :3] * left.ravel()[pixels, None]
    surface.gloss[index] = found[:, 3]
    surface.bare[index] = cv2.remap(texture.bare, column, row, cv2.INTER_LINEAR).ravel()[pixels]


def _eyeballs(surface: Surface, head: Head, factors: FaceFactors, seen: Fragments, index: Index) -> None:
    """White, iris and pupil by the angle from the line of sight; a catchlight."""
    if index.size == 0:
        return
    person = head.person
    place = seen.interpolate(head.triangles, head.rig.gaze_place)
    off = np.arctan2(np.hypot(place[0], place[1]), place[2]) * np.float32(_EYE_RADIUS)
    around = np.arctan2(place[1], place[0])
    iris = ramp(IRIS, person.iris_tone)
    within = off / np.float32(person.iris_size)
    fibre = 1.0 + 0.16 * np.sin(17.0 * around + 5.0 * within) * smooth(0.2, 0.5, within)
    ring = fibre * (1.15 - 0.75 * smooth(0.72, 1.0, within))
    colour = iris * ring[:, None]
    redness = np.float32(0.25) * smooth(1.1, 1.9, off)
    white = SCLERA * (1.0 - redness[:, None] * np.array([0.25, 0.75, 0.7], np.float32))
    colour = colour + smooth(0.93, 1.06, within)[:, None] * (white - colour)
    colour = colour + smooth(_PUPIL_RADIUS + 0.05, _PUPIL_RADIUS - 0.05, off)[:, None] * (PUPIL - colour)
    surface.albedo[index] = colour
    surface.gloss[index] = 0.25
    surface.bare[index] = 1.0
    normal = surface.normal[:, index]
    # The upper lid and its lashes keep the sky off.
    surface.shade[index] = np.float32(1.0) - np.float32(0.55) * smooth(0.05, 0.5, normal[1])
    half = toward_light(factors.light) + np.array([0.0, 0.15, 1.3], np.float32)
    half /= np.float32(np.linalg.norm(half))
    shine = half @ normal
    surface.glow[index] = smooth(0.965, 0.985, shine) * np.float32(0.75 * min(factors.light.key, 1.0))


def _long_hair(surface: Surface, head: Head, seen: Fragments, index: Index) -> None:
    if index.size == 0:
        return
    uv = seen.interpolate_corners(head.corner_uv)
    column = (uv[0] * 255.0).astype(np.int32).clip(0, 255)
    row = (uv[1] * 15.0).astype(np.int32).clip(0, 15)
    strand = _STRANDS[row, column]
    surface.albedo[index] = hair_colour(head.person) * np.exp(np.float32(0.22) * strand)[:, None]
    surface.gloss[index] = 0.10 + 0.05 * strand.clip(-1.0, 1.5)
    inside = seen.interpolate(head.triangles, head.points[:, 2][None])[0]
    surface.shade[index] = np.float32(0.5) + np.float32(0.5) * smooth(-7.0, 2.0, inside)


def _lenses(head: Head, factors: FaceFactors, stand: Posed, frame: Matrix, picture: Floats) -> None:
    """Tint the picture behind the glasses, and let them reflect."""
    if head.person.glasses == 0.0:
        return
    turned = rotation(factors.yaw, factors.pitch, factors.roll).astype(np.float32)
    tint = np.zeros(picture.shape[:2], np.uint8)
    for eye, sign in zip(head.rig.eyes, (-1, 1), strict=True):
        outline = turned @ rim_outline(head.points[eye].mean(0), sign).T
        pixels = np.round(_placed(outline, frame).T * 16.0).astype(np.int32)
        cv2.fillPoly(tint, [pixels], 255, cv2.LINE_AA, shift=4)
    alpha = tint.astype(np.float32)[..., None] / np.float32(255.0)
    seed = np.random.default_rng([head.person.skin_seed, factors.noise_seed])
    slant, offset = seed.uniform(-1.0, 1.0), seed.uniform(-0.5, 1.5)
    row, column = np.mgrid[0 : picture.shape[0], 0 : picture.shape[0]].astype(np.float32) / picture.shape[0]
    streak = np.exp(-0.5 * np.square((row + slant * column - offset) / 0.06)) * np.float32(0.16 * seed.random())
    picture *= 1.0 - alpha * np.float32(head.person.lens_tint)
    picture += alpha * streak[..., None].astype(np.float32)
