"""The built-in faces: drawn from numbers, with everything about them known. See `ProceduralFaces`, `FaceKitFaces`
and `draw_faces`.
"""

from norface.synthetic.facekit.capture import FaceKitFactors, Photography
from norface.synthetic.facekit.person import COMMON_PERSON, Person
from norface.synthetic.facekit.source import FaceKitFaces
from norface.synthetic.factors import Background, FaceFactors, FaceSource, Light, RenderedFace
from norface.synthetic.identity import COMMON, Identity, draw_identity
from norface.synthetic.sheets import au_sheet, emotion_sheet
from norface.synthetic.source import ProceduralFaces
from norface.synthetic.writing import draw_faces

__all__ = [
    "COMMON",
    "COMMON_PERSON",
    "Background",
    "FaceFactors",
    "FaceKitFaces",
    "FaceKitFactors",
    "FaceSource",
    "Identity",
    "Light",
    "Person",
    "Photography",
    "ProceduralFaces",
    "RenderedFace",
    "au_sheet",
    "draw_faces",
    "draw_identity",
    "emotion_sheet",
]
