"""From factors to pixels: surface, painting, light and lens, in that order."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from norface.imaging.alignment import Points
from norface.imaging.pixels import Pixels
from norface.synthetic.body import draw_background, draw_body
from norface.synthetic.camera import Matrix, pixel_pitch, pixel_plane, rotation, screen
from norface.synthetic.developing import developed, shrunk
from norface.synthetic.eyes import paint_brow, paint_eye
from norface.synthetic.factors import FaceFactors
from norface.synthetic.hair import TEXTURES, brow_colour, hair, hair_colour
from norface.synthetic.identity import Identity
from norface.synthetic.light import illuminated
from norface.synthetic.mouth import paint_mouth, paint_nostrils
from norface.synthetic.rig import SIDES, FaceRig, rig
from norface.synthetic.skin import Skin, skin_colour, smooth
from norface.synthetic.skull import skull
from norface.synthetic.sphere import Floats, sample
from norface.synthetic.surface import Hits, Surface, march
from norface.synthetic.wrinkles import paint_wrinkles


@dataclass(frozen=True)
class Head:
    """What is fixed for one identity: resting surface, hair, colours."""

    skull: Floats
    hair: tuple[Floats, Floats]
    skin: Floats

    @classmethod
    def of(cls, identity: Identity) -> Head:
        """Shape one person's head (a few milliseconds; keep it for all faces of that person)."""
        shape = skull(identity)
        return cls(shape, hair(identity, shape), skin_colour(identity))


@dataclass(frozen=True)
class Scene:
    """One head with one expression, ready to be looked at."""

    head: Head
    factors: FaceFactors
    face: FaceRig
    surface: Surface
    pose: Matrix

    @classmethod
    def build(cls, head: Head, factors: FaceFactors) -> Scene:
        """Displace the head and turn it."""
        face = rig(factors)
        surface = Surface.build(head.skull, head.hair, face)
        return cls(head, factors, face, surface, rotation(factors.yaw, factors.pitch, factors.roll))

    def landmarks(self) -> Points:
        """The five landmarks ``(5, 2)`` on screen, centimetres, y down."""
        person, face = self.factors.identity, self.face
        eye, tip = person.eye_distance / 2.0, -person.nose_length + 0.25 * face.au[9]
        right, left = face.right.corner, face.left.corner
        x = np.array([-eye, eye, 0.0, -right[0], left[0]])
        y = np.array([0.0, 0.0, tip, face.mouth_y + right[1], face.mouth_y + left[1]])
        return screen(np.column_stack([x, y, self.surface.depth(x, y)]), self.pose)


def render(scene: Scene, frame: Matrix, size: int) -> tuple[Pixels, NDArray[np.bool_]]:
    """Picture and face mask.

    Args:
        scene: What to draw.
        frame: ``(2, 3)`` similarity from screen centimetres to pixels.
        size: Side of the picture.

    Returns:
        uint8 RGB ``(size, size, 3)`` and bool ``(size, size)``.
    """
    inner = inner_size(size)
    frame = _scaled(frame, inner / size)
    pitch = pixel_pitch(frame)
    x, y = pixel_plane(frame, inner)
    camera = np.stack([x, y, np.zeros_like(x)])
    hits = march(scene.surface, (scene.pose.T @ camera).astype(np.float32), scene.pose.T[:, 2], pitch)
    skin, bare = _painted(scene, hits, pitch)
    picture = draw_background(scene.factors.background, camera)
    body = draw_body(scene.factors, camera, scene.pose, pitch, scene.head.skin)
    lit = illuminated(
        body.albedo, body.normal, body.shade, np.full(body.index.size, 0.05, np.float32), scene.factors.light
    )
    picture[body.index] += body.coverage[:, None] * (lit - picture[body.index])
    front = np.full(x.size, -1e3, np.float32)
    front[body.index] = np.where(body.coverage > 0.5, body.depth, np.float32(-1e3))
    normal = _relief(scene, hits, skin, inner, pitch)
    lit = illuminated(skin.albedo, normal, skin.shade, skin.gloss, scene.factors.light) + skin.glow[:, None]
    cover = np.where(front[hits.index] > hits.depth, np.float32(0.0), hits.coverage)
    picture[hits.index] += cover[:, None] * (lit - picture[hits.index])
    mask = np.zeros(x.size, np.float32)
    mask[hits.index] = cover * bare
    return developed(picture.reshape(inner, inner, 3), scene.factors, size), shrunk(
        mask.reshape(inner, inner), size
    ) > 0.5


def inner_size(size: int) -> int:
    """Side at which a picture is computed before it is reduced: edges are smooth already, fine detail is not."""
    return size * 4 // 3 if size <= 144 else size


def _scaled(frame: Matrix, fine: float) -> Matrix:
    # Pixel centres: finer pixel i lies at (i + 0.5) / fine - 0.5 of the coarse grid.
    scaled = frame * fine
    scaled[:, 2] += 0.5 * fine - 0.5
    return scaled


def _painted(scene: Scene, hits: Hits, pitch: float) -> tuple[Skin, Floats]:
    """Colour everything on the head; also where it is bare face, ``(N,)`` 0..1."""
    factors, face, person = scene.factors, scene.face, scene.factors.identity
    skin = Skin.over(hits, scene.head.skin, pitch)
    texture = sample(TEXTURES, hits.nodes[0], hits.nodes[1])
    _complexion(skin, texture, factors)
    _beard(skin, texture, face, factors)
    paint_wrinkles(skin, face, factors)
    paint_nostrils(skin, face, factors)
    for sign in SIDES:
        paint_eye(skin, face.side(sign), factors)
        paint_brow(skin, face.side(sign), factors, brow_colour(person), texture[:, 3])
    paint_mouth(skin, face, factors, scene.head.skin)
    covered = smooth(0.35, 0.65, hits.hair)
    strand = np.exp(np.float32(0.22) * texture[:, 0] + np.float32(0.16 * person.curls) * texture[:, 1])
    everywhere = np.arange(hits.index.size)
    skin.paint(everywhere, covered, hair_colour(person) * strand[:, None])
    skin.gloss += covered * (0.10 + 0.10 * texture[:, 0].clip(-1.0, 1.5) - skin.gloss)
    skin.relief *= 1.0 - covered
    skin.glow *= 1.0 - covered
    return skin, np.asarray((1.0 - covered) * (skin.z > 0.5) * (skin.y < 9.0), np.float32)


def _complexion(skin: Skin, texture: Floats, factors: FaceFactors) -> None:
    person = factors.identity
    skin.albedo *= (1.0 + np.float32(0.03) * texture[:, 2] + np.float32(0.015) * texture[:, 3])[:, None]
    x, y = np.abs(skin.x), skin.y
    front = skin.z > 0.0
    blush = np.exp(-0.5 * (np.square((x - 4.3) / 1.7) + np.square((y + 3.6) / 1.5)))
    blush += np.exp(-0.5 * (np.square(x / 1.3) + np.square((y + person.nose_length) / 0.9)))
    ear = (np.abs(skin.x) > 6.3) & (skin.z < 1.5) & (skin.z > -3.5)
    warm = np.minimum(blush * front + 0.6 * ear, 1.0) * np.float32(0.55 + 0.25 * person.skin_red)
    skin.albedo *= 1.0 + warm[:, None] * np.array([0.02, -0.22, -0.18], np.float32)


def _beard(skin: Skin, texture: Floats, face: FaceRig, factors: FaceFactors) -> None:
    amount = factors.identity.beard
    if amount == 0.0:
        return
    x, y, z = np.abs(skin.x), skin.y, skin.z
    line = face.mouth_y + 1.9 - 0.10 * np.square(x) + 0.22 * np.maximum(x - 3.4, 0.0) ** 2
    area = smooth(0.5, -0.6, y - np.minimum(line, -1.0)) * smooth(-0.5, 1.2, z)
    cheek = smooth(1.0, -1.0, y - (face.mouth_y + 0.4 + 0.75 * np.maximum(x - 3.6, 0.0)))
    lip = smooth(3.3, 2.4, x) * smooth(-3.9, -4.9, y)
    cover = area * np.maximum(cheek, lip) * np.float32(0.25 + 0.65 * amount) * (0.9 + 0.18 * texture[:, 3])
    skin.paint(np.arange(x.size), np.clip(cover, 0.0, 0.95).astype(np.float32), hair_colour(factors.identity) * 0.8)
    skin.gloss *= 1.0 - np.clip(cover, 0.0, 1.0) * np.float32(0.7)


def _relief(scene: Scene, hits: Hits, skin: Skin, inner: int, pitch: float) -> Floats:
    """Unit normals ``(3, N)`` in camera axes with the fine relief added (Blinn, SIGGRAPH 1978, on the screen)."""
    height = np.zeros(inner * inner, np.float32)
    height[hits.index] = skin.relief
    grid = height.reshape(inner, inner)
    along_x = cv2.Sobel(grid, cv2.CV_32F, 1, 0, scale=0.125 / pitch).ravel()[hits.index]
    along_y = cv2.Sobel(grid, cv2.CV_32F, 0, 1, scale=0.125 / pitch).ravel()[hits.index]
    normal = scene.pose.astype(np.float32) @ skin.normal
    # Crops are turned upright; the small difference between pixel and camera axes does not matter for wrinkles.
    normal[0] -= np.clip(along_x, -0.6, 0.6)
    normal[1] += np.clip(along_y, -0.6, 0.6)
    normal /= np.sqrt((normal * normal).sum(0)) + np.float32(1e-6)
    return np.asarray(normal, np.float32)
