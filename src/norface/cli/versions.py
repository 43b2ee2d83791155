"""Versions of what a run was made with."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

import norface

PACKAGES: tuple[str, ...] = (
    "torch",
    "lightning",
    "torchmetrics",
    "jsonargparse",
    "numpy",
    "pandas",
    "pyarrow",
    "albumentations",
    "opencv-python-headless",
    "matplotlib",
    "safetensors",
)
"""What norface needs; `norface doctor` lists all, results files name the first four."""


def package_version(name: str) -> str | None:
    """Installed version of a package, None where it is missing. Does not import it."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def run_versions() -> dict[str, str]:
    """The versions that a results file records."""
    found = {name: package_version(name) or "missing" for name in PACKAGES[:4]}
    return {"norface": norface.__version__, "python": platform.python_version(), **found}
