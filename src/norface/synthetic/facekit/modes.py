"""Which expression modes an action unit moves."""

from __future__ import annotations

from norface.synthetic.factors import FaceFactors

# Action unit -> (mode, weight at intensity 5). A mode that ends in "_" exists for the left and the right half. After
# the owner's table of closest units; 10, 16, 23, 25 and 26 are ours: ARKit's "upper lip up" is the upper lip raiser,
# and lips that part, are tightened or follow a dropping jaw have no mode of their own.
AU_MODES: dict[int, tuple[tuple[str, float], ...]] = {
    1: (("browInnerUp_", 1.0),),
    2: (("browOuterUp_", 1.0),),
    4: (("browDown_", 1.0),),
    5: (("eyeWide_", 1.0),),
    6: (("cheekSquint_", 1.0), ("eyeSquint_", 0.3)),
    7: (("eyeSquint_", 1.0),),
    9: (("noseSneer_", 1.0), ("browDown_", 0.15)),
    10: (("mouthUpperUp_", 0.9),),
    12: (("mouthSmile_", 1.0),),
    14: (("mouthDimple_", 1.0),),
    15: (("mouthFrown_", 1.0),),
    16: (("mouthLowerDown_", 0.9),),
    17: (("mouthShrugLower", 0.9), ("mouthShrugUpper", 0.25)),
    18: (("mouthPucker", 0.9),),
    20: (("mouthStretch_", 1.0),),
    22: (("mouthFunnel", 0.8),),
    23: (("mouthRollUpper", 0.5), ("mouthRollLower", 0.5), ("mouthPress_", 0.3)),
    24: (("mouthPress_", 1.0), ("mouthRollLower", 0.15)),
    25: (("mouthLowerDown_", 0.4), ("mouthUpperUp_", 0.15), ("jawOpen", 0.08)),
    26: (("jawOpen", 0.65),),
    43: (("eyeBlink_", 1.0),),
}
"""The table of docs/facekit.md."""

FACEKIT_AUS: tuple[int, ...] = tuple(AU_MODES)
"""Action units that FaceKit faces show."""

_LOOK = 30.0  # degrees of gaze at which the lids have followed it fully
_GAZE_MODES = ("eyeLookUp_", "eyeLookDown_", "eyeLookIn_", "eyeLookOut_")

NEEDED: frozenset[str] = frozenset(
    name
    for stem in [*(mode for modes in AU_MODES.values() for mode, _ in modes), *_GAZE_MODES]
    for name in ((stem + "L", stem + "R") if stem.endswith("_") else (stem,))
)
"""Names of all modes that a model must have."""


def muscle_weights(factors: FaceFactors) -> dict[str, float]:
    """Mode -> weight 0..1 of what the action units move; modes at rest are left out."""
    weights: dict[str, float] = {}
    for au in factors.aus:
        right, left = factors.side(au, -1), factors.side(au, 1)
        if right == left == 0.0:
            continue
        for mode, full in AU_MODES.get(au, ()):
            if not mode.endswith("_"):
                weights[mode] = weights.get(mode, 0.0) + full * 0.5 * (left + right)
                continue
            for name, activation in ((mode + "L", left), (mode + "R", right)):
                weights[name] = weights.get(name, 0.0) + full * activation
    for side in "LR":
        for mode in ("eyeSquint_", "eyeWide_"):
            if mode + side in weights:
                weights[mode + side] *= _freedom(weights, side)
    return {name: min(weight, 1.0) for name, weight in weights.items() if weight > 0.0}


def gaze_weights(factors: FaceFactors, muscles: dict[str, float]) -> dict[str, float]:
    """Mode -> weight 0..1 of the lids that follow the gaze; the eyeballs are turned elsewhere.

    Args:
        factors: Whose gaze.
        muscles: As `muscle_weights` returns.
    """
    weights: dict[str, float] = {}
    left, up = factors.gaze
    for side, outwards in (("L", left), ("R", -left)):
        vertical = up * _freedom(muscles, side)
        weights["eyeLookOut_" + side], weights["eyeLookIn_" + side] = outwards / _LOOK, -outwards / _LOOK
        weights["eyeLookUp_" + side], weights["eyeLookDown_" + side] = vertical / _LOOK, -vertical / _LOOK
    return {name: min(weight, 1.0) for name, weight in weights.items() if weight > 0.0}


def _freedom(weights: dict[str, float], side: str) -> float:
    """How far lids still move: those that are closed already do not move through each other."""
    return 1.0 - 0.85 * min(weights.get("eyeBlink_" + side, 0.0), 1.0)
