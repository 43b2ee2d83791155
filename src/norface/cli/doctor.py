"""``norface doctor``: what this machine has, and what is missing. Works where parts of it are broken."""

from __future__ import annotations

import importlib
import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

import norface
from norface.cli.versions import PACKAGES, package_version
from norface.faces.weights import NETWORK_FILES, files_of, origins
from norface.network_files import FOLDER_VARIABLE, file_sha256, weights_folder

OPTIONAL: tuple[str, ...] = ("facexlib", "insightface", "onnxruntime", "onnx2torch")
MIN_FREE_GB = 2.0


@dataclass(frozen=True)
class Finding:
    """One line of the doctor.

    Args:
        name: What was looked at.
        state: ``ok``, ``note`` (works without) or ``missing`` (something will not work).
        text: What was found, and what to do.
    """

    name: str
    state: str
    text: str


def doctor(*, folder: Path = Path()) -> bool:
    """Look at Python, packages, devices, network files and disk.

    Args:
        folder: Where runs are going to be written.

    Returns:
        Whether everything that is needed is there.
    """
    findings = examine(folder)
    marks = {"ok": "ok  ", "note": "note", "missing": "MISS"}
    for finding in findings:
        print(f"{marks[finding.state]}  {finding.name:<24} {finding.text}")
    missing = [finding.name for finding in findings if finding.state == "missing"]
    print(f"\nneeded but missing: {', '.join(missing)}" if missing else "\neverything that is needed is there")
    return not missing


def examine(folder: Path) -> list[Finding]:
    """All findings; a check that fails itself becomes a finding too."""
    checks: tuple[Callable[[], Iterator[Finding]], ...] = (
        _python,
        _packages,
        _devices,
        _weights,
        _detectors,
        lambda: _disk(folder),
    )
    findings: list[Finding] = []
    for check in checks:
        try:
            findings.extend(check())
        except Exception as error:  # a broken machine is what the doctor is for
            name = getattr(check, "__name__", "check").strip("_<>")
            findings.append(Finding(name, "missing", f"{type(error).__name__}: {error}"))
    return findings


def _python() -> Iterator[Finding]:
    good = sys.version_info >= (3, 11)
    text = f"{platform.python_version()} on {platform.system()} {platform.machine()}, {os.cpu_count()} CPU cores"
    yield Finding("Python", "ok" if good else "missing", text if good else f"{text}; 3.11 or newer is needed")
    yield Finding("norface", "ok", norface.__version__)


def _packages() -> Iterator[Finding]:
    for name in PACKAGES:
        found = package_version(name)
        yield Finding(name, "ok" if found else "missing", found or "not installed: `make install`")
    for name in OPTIONAL:
        found = package_version(name)
        yield Finding(name, "ok" if found else "note", found or "optional, not installed: `make install WEIGHTS=1`")


def _devices() -> Iterator[Finding]:
    torch = importlib.import_module("torch")
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            memory = torch.cuda.get_device_properties(index).total_memory / 2**30
            yield Finding(f"CUDA device {index}", "ok", f"{torch.cuda.get_device_name(index)}, {memory:.0f} GiB")
    else:
        built = torch.version.cuda
        why = f"PyTorch is built for CUDA {built} but finds no device" if built else "PyTorch is built without CUDA"
        yield Finding("CUDA", "note", f"{why}; the CPU is used")


def _weights() -> Iterator[Finding]:
    folder = weights_folder()
    asked = "" if FOLDER_VARIABLE in os.environ else f" (default; set {FOLDER_VARIABLE} to choose another)"
    if not folder.is_dir():
        yield Finding("network files", "note", f"no folder {folder}{asked}; the built-in faces need none")
        return
    files = sorted(path for path in folder.rglob("*") if path.suffix in {".onnx", ".pth", ".pt", ".ckpt"})
    yield Finding("network files", "ok" if files else "note", f"{len(files)} in {folder}{asked}")
    for path in files:
        yield Finding(f"  {path.name}", "ok", f"{path.stat().st_size / 2**20:.1f} MiB")


def _detectors() -> Iterator[Finding]:
    folder = weights_folder()
    for detector in dict.fromkeys(file.reader for file in NETWORK_FILES):
        for file in files_of(detector):
            path = folder / file.name
            if not path.is_file():
                continue
            same = file.sha256 is None or file_sha256(path) == file.sha256
            yield Finding(
                f"detector {detector}",
                "ok" if same else "note",
                f"{file.name} ({file.licence})" + ("" if same else " is another file than its owner's, or damaged"),
            )
            break
        else:
            yield Finding(f"detector {detector}", "note", f"optional, no file in {folder}; {origins(detector)}")


def _disk(folder: Path) -> Iterator[Finding]:
    parent = next(path for path in (folder.resolve(), *folder.resolve().parents) if path.is_dir())
    free = shutil.disk_usage(parent).free / 2**30
    enough = free >= MIN_FREE_GB
    text = f"{free:.1f} GiB free in {parent}"
    yield Finding("disk", "ok" if enough else "missing", text if enough else f"{text}; {MIN_FREE_GB:g} are needed")
    try:
        with TemporaryFile(dir=parent) as file:
            file.write(b"norface")
        yield Finding("writing", "ok", f"{parent} can be written to")
    except OSError as error:
        yield Finding("writing", "missing", f"{parent}: {error.strerror}; choose another folder")
