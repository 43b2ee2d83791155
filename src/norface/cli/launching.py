"""Processes on devices and nodes, started and joined by Lightning.

Fabric and not the Trainer: what is wanted of Lightning are its strategies, which start processes or find those that
torchrun or SLURM has started, and connect them. There is nothing to train, and the same loop serves one process alone.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

from lightning.fabric import Fabric
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning.fabric.strategies.ddp import DDPStrategy

from norface.errors import ConfigError, ProcessError

T = TypeVar("T")

PATIENCE = timedelta(days=1)
"""How long processes that are done wait for the others; Lightning's half hour is too short for shares of hours."""


def quiet() -> None:
    """Lightning's device inventory, tips and seeds are not shown; its warnings are."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)


class Together(Fabric):
    """Fabric whose processes end with a message when one of the others is gone."""

    def broadcast(self, obj: T, src: int = 0) -> T:
        """What process `src` passes as `obj`.

        Raises:
            ProcessError: Another process has ended.
        """
        with self._all_there():
            return super().broadcast(obj, src)

    def barrier(self, name: str | None = None) -> None:
        """Wait for all.

        Raises:
            ProcessError: Another process has ended.
        """
        with self._all_there():
            super().barrier(name)

    @contextmanager
    def _all_there(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:  # gloo: connection closed by peer
            raise ProcessError(
                expected=f"{self.world_size} processes",
                found=f"one that has ended ({(str(error).splitlines() or ['no message'])[0][:120]})",
                where=f"process {self.global_rank}",
                action="See what the others say, then run the same command again: finished shards are kept.",
            ) from error


@contextmanager
def processes(accelerator: str, *, devices: int, num_nodes: int) -> Iterator[Together]:
    """Start or join the processes; this one's view of them. When this one fails, those that it started end too.

    Args:
        accelerator: Kind of device, as Lightning names it; ``auto``: the best there is.
        devices: Processes on each node, -1 = one for each device.
        num_nodes: Nodes.

    Raises:
        ConfigError: There are no such devices, or torchrun or SLURM has started another number of processes.
    """
    quiet()
    where = f"--trainer.accelerator {accelerator} --trainer.devices {devices} --trainer.num_nodes {num_nodes}"
    # gloo also where they compute on GPUs: they exchange one list and wait for each other, and no tensors.
    several: Any = DDPStrategy(process_group_backend="gloo", timeout=PATIENCE)
    alone = devices == 1 and num_nodes == 1
    try:
        fabric = Together(
            accelerator=accelerator,
            devices=devices,
            num_nodes=num_nodes,
            strategy="auto" if alone else several,
        )
    except Exception as error:  # Lightning raises several types for devices that are not there
        raise ConfigError(
            expected="devices that this machine has",
            found=str(error).splitlines()[0],
            where=where,
            action="Correct these options, or leave them out.",
        ) from error
    _check_started(fabric, where)
    launcher: Any = fabric.strategy.launcher
    try:
        fabric.launch()
        yield fabric
    except BaseException:
        for process in getattr(launcher, "procs", ()):
            process.terminate()
        raise


def _check_started(fabric: Fabric, where: str) -> None:
    for environment in (TorchElasticEnvironment, SLURMEnvironment):
        if environment.detect() and (started := environment().world_size()) != fabric.world_size:
            raise ConfigError(
                expected=f"devices x num_nodes = {started}, the processes that were started",
                found=str(fabric.world_size),
                where=where,
                action="Give --trainer.devices the processes of a node and --trainer.num_nodes the nodes.",
            )
