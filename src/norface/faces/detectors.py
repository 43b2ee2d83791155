"""The detectors by name."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path

from norface.errors import ConfigError
from norface.faces.contract import Detector

DETECTORS: dict[str, str] = {
    "retinaface": "norface.faces.retinaface:RetinaFace",
    "scrfd": "norface.faces.scrfd:Scrfd",
    "yunet": "norface.faces.yunet:YuNet",
    "table": "norface.faces.given:GivenFaces",
    "none": "norface.faces.given:WholePicture",
}


def make_detector(
    name: str,
    *,
    weights: Path | None = None,
    score: float | None = None,
    device: str | None = None,
    file: Path | None = None,
) -> Detector:
    """Make a detector; only here is its library imported.

    Args:
        name: retinaface, scrfd, yunet, table or none.
        weights: Network file, or folder with it; see the class.
        score: Least confidence of a face, 0..1; None = the detector's own.
        device: ``cpu``, ``cuda`` ...; None = cpu.
        file: For `table`: CSV or Parquet file with boxes or landmarks.

    Raises:
        ConfigError: There is no such detector, or an option does not apply to it.
        DetectionError: It cannot run here, see its class.
    """
    if name not in DETECTORS:
        raise ConfigError(
            expected=f"one of {', '.join(DETECTORS)}", found=repr(name), where="--detector", action="Correct the name."
        )
    if score is not None and not 0.0 < score < 1.0:
        raise ConfigError(
            expected="a confidence between 0 and 1",
            found=str(score),
            where="score of the detector",
            action="Correct it.",
        )
    given = {"weights": weights, "score": score, "device": device, "file": file}
    options = {option: value for option, value in given.items() if value is not None}
    module, _, attribute = DETECTORS[name].partition(":")
    cls = getattr(importlib.import_module(module), attribute)
    taken = [option for option in inspect.signature(cls).parameters if option in given]
    superfluous = [option for option in options if option not in taken]
    if superfluous:
        raise ConfigError(
            expected=f"options of the detector {name}: {', '.join(taken) or 'none'}",
            found=", ".join(superfluous),
            where="--detector",
            action="Leave them out, or choose another detector.",
        )
    detector = cls(**options)
    assert isinstance(detector, Detector)
    return detector
