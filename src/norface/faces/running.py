"""Running jobs, in this process or in several; what is finished stays finished, however it ends."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event

from norface.errors import ConfigError
from norface.faces.cutting import Cutter, Recipe
from norface.faces.parts import Workspace
from norface.faces.plan import Item, Job, Part
from norface.imaging.workers import one_thread_each, start_worker

_WAITING = 2  # jobs that wait for each process: none is idle, and few are held in memory
_LOOK_AGAIN_S = 0.1

Work = tuple[str | None, list[tuple[Part, list[Item]]]]
"""A job as it is sent to a process: the video, and its unfinished parts with their rows."""


class Stopped(Exception):
    """The parent process does not want the rest of a job any more."""


def run(recipe: Recipe, jobs: Sequence[Job], items: Callable[[Part], list[Item]], *, processes: int) -> Iterator[int]:
    """Do jobs.

    Args:
        recipe: How.
        jobs: What; without the parts that are finished already.
        items: The rows of a part.
        processes: How many; 1 = this one.

    Yields:
        How many more rows are done, now and then.

    Raises:
        DetectionError: The detector cannot run, or cannot work with these rows.
        OutputError: Something cannot be written.
        ConfigError: A process was ended from outside.
    """
    works = ((job.video, [(part, items(part)) for part in job.parts]) for job in jobs)
    if min(processes, len(jobs)) > 1:
        yield from _run_in_processes(recipe, works, min(processes, len(jobs)))
    elif jobs:
        cutter = Cutter(recipe)
        for work in works:
            yield from do(cutter, work)


def do(cutter: Cutter, work: Work) -> Iterator[int]:
    """Do one job, part by part.

    Yields:
        1 for every row.
    """
    workspace = Workspace(cutter.recipe.out)
    video, parts = work
    outcomes = cutter.cut(video, [item for _, items in parts for item in items])
    for part, items in parts:
        done = []
        for outcome in islice(outcomes, len(items)):
            done.append(outcome)
            yield 1
        workspace.write(part, done)


def _run_in_processes(recipe: Recipe, works: Iterator[Work], processes: int) -> Iterator[int]:
    # Spawn: torch and OpenCV keep threads, and a process forked from one with threads (a fork server's too) can hang.
    context = multiprocessing.get_context("spawn")
    counter, stop = context.Value("q", 0), context.Event()
    pool = ProcessPoolExecutor(processes, context, initializer=_start, initargs=(recipe, counter, stop))
    with one_thread_each():
        try:
            pending = {pool.submit(_do, work) for work in islice(works, processes * (1 + _WAITING))}
            seen = 0
            while pending:
                done, pending = wait(pending, timeout=_LOOK_AGAIN_S, return_when=FIRST_COMPLETED)
                for future in done:
                    future.result()
                pending |= {pool.submit(_do, work) for work in islice(works, len(done))}
                now = counter.value
                yield now - seen
                seen = now
        except BrokenProcessPool as error:
            raise ConfigError(
                expected="worker processes that run to the end",
                found="one that the operating system or somebody else ended, often for lack of memory",
                where="--processes",
                action="Run the same command again, with fewer --processes if memory is short; it goes on from there.",
            ) from error
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)


class _Worker:
    """What a worker process keeps between jobs."""

    recipe: Recipe
    counter: Synchronized[int]
    stop: Event
    cutter: Cutter | None = None


def _start(recipe: Recipe, counter: Synchronized[int], stop: Event) -> None:
    start_worker()
    _Worker.recipe, _Worker.counter, _Worker.stop = recipe, counter, stop


def _do(work: Work) -> None:
    if _Worker.cutter is None:  # not when the process starts: there an error could not be told
        _Worker.cutter = Cutter(_Worker.recipe)
    for count in do(_Worker.cutter, work):
        with _Worker.counter.get_lock():
            _Worker.counter.value += count
        if _Worker.stop.is_set():
            raise Stopped
