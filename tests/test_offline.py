"""Nothing reaches for a network: not on import, not in a command, not when nobody looks."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

import offline

ROOT = Path(__file__).parents[1]
SITE = "import offline\noffline.guard()\n"
IMPORT_ALL = """
import importlib, pkgutil, norface
from norface.cli.main import main
main(["--version"])
for module in pkgutil.walk_packages(norface.__path__, "norface."):
    if not module.name.endswith("__main__"):
        try:
            importlib.import_module(module.name)
        except ModuleNotFoundError as error:
            if error.name.split(".")[0] not in {"facexlib", "fsspec", "insightface", "onnx2torch"}:  # extras
                raise
import albumentations, lightning, torchmetrics
"""
UNSHARE = ["unshare", "--map-root-user", "--net"]


def _can_unshare() -> bool:
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*UNSHARE, "true"], capture_output=True, check=False).returncode == 0


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Of a fresh process that notes every attempt, with nothing set that would keep a library quiet."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site/sitecustomize.py").write_text(SITE)
    kept = {name: value for name, value in os.environ.items() if name != "NO_ALBUMENTATIONS_UPDATE"}
    path = os.pathsep.join([str(tmp_path / "site"), str(ROOT / "src"), str(ROOT / "tests")])
    return {**kept, "PYTHONPATH": path, "OFFLINE_LOG": str(tmp_path / "attempts")}


def attempts_of(command: list[str], environment: dict[str, str], cwd: Path) -> str:
    subprocess.run(command, env=environment, cwd=cwd, check=True, capture_output=True)
    log = Path(environment["OFFLINE_LOG"])
    return log.read_text() if log.exists() else ""


def ask() -> None:
    urllib.request.urlopen("https://example.org", timeout=1)


ATTEMPTS: dict[str, Callable[[], object]] = {
    "connect": lambda: socket.create_connection(("192.0.2.1", 80), timeout=1),
    "connect_ex": lambda: socket.socket().connect_ex(("192.0.2.1", 80)),
    "datagram": lambda: socket.socket(type=socket.SOCK_DGRAM).sendto(b"", ("192.0.2.1", 53)),
    "name": lambda: socket.getaddrinfo("example.org", 80),
    "old name": lambda: socket.gethostbyname("example.org"),
    "request": ask,
}


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.parametrize("kind", ATTEMPTS)
def test_attempts_are_refused_and_noted(kind: str) -> None:
    with pytest.raises(OSError, match="offline"):
        ATTEMPTS[kind]()
    assert len(offline.attempts) == 1
    offline.attempts.clear()


def test_this_machine_may_be_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        assert socket.getaddrinfo("localhost", 80)
    assert offline.attempts == []


def test_a_fresh_process_notes_attempts_that_are_swallowed(environment: dict[str, str], tmp_path: Path) -> None:
    code = "import socket\ntry: socket.getaddrinfo('example.org', 80)\nexcept OSError: pass"
    assert attempts_of([sys.executable, "-c", code], environment, tmp_path) == "socket.getaddrinfo example.org\n"


def test_albumentations_would_ask_if_it_were_not_told(environment: dict[str, str], tmp_path: Path) -> None:
    code = "import warnings; warnings.simplefilter('ignore'); import albumentations"
    assert "getaddrinfo" in attempts_of([sys.executable, "-c", code], environment, tmp_path)


def test_importing_everything_reaches_for_nothing(environment: dict[str, str], tmp_path: Path) -> None:
    assert attempts_of([sys.executable, "-c", IMPORT_ALL], environment, tmp_path) == ""


def test_importing_augmentation_from_python_reaches_for_nothing(environment: dict[str, str], tmp_path: Path) -> None:
    code = "from norface.imaging import Augmentation\nAugmentation()"
    assert attempts_of([sys.executable, "-c", code], environment, tmp_path) == ""


def norface(*words: str) -> list[str]:
    return [sys.executable, "-m", "norface", *words]


def draw(out: Path, subjects: int) -> list[str]:
    splits = [word for name in ("normalizer", "train", "val", "test") for word in (f"--splits.{name}", str(subjects))]
    drawn = ["--size", "32", "--faces_per_subject", "2", "--processes", "2"]
    return norface("faces", "draw", "--out", str(out), *drawn, *splits)


def test_drawing_and_checking_faces_without_a_network(environment: dict[str, str], tmp_path: Path) -> None:
    isolated = UNSHARE if _can_unshare() else []
    faces = tmp_path / "faces"
    for command in (draw(faces, 1), norface("data", "check", str(faces))):
        assert attempts_of([*isolated, *command], environment, tmp_path) == ""


@pytest.mark.slow
def test_the_whole_demo_without_a_network(environment: dict[str, str], tmp_path: Path) -> None:
    """`make demo FAST=1` in a network namespace of its own: not even this machine can be reached."""
    if not _can_unshare():
        pytest.skip("network namespaces are not permitted here")
    as_installed = ["--old-file", ".venv/.installed-core"]  # installing would need a network
    command = [*UNSHARE, "make", *as_installed, "demo", "FAST=1", f"RUN={tmp_path / 'run'}"]
    assert attempts_of(command, environment, ROOT) == ""
    assert (tmp_path / "run/report/index.html").is_file()
