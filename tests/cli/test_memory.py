from __future__ import annotations

import pytest
import torch

from norface.cli.main import users_error
from norface.cli.memory import out_of_memory


def test_what_the_allocator_says_becomes_advice() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**55)
    lack = out_of_memory(caught.value)
    assert lack is not None
    assert lack.where == "main memory"
    assert "batch_size" in lack.action
    assert str(2**57) in lack.found  # bytes


@pytest.mark.parametrize(
    ("error", "where"),
    [
        (torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."), "memory of the GPU"),
        (RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"), "memory of the GPU"),
        (MemoryError(), "main memory"),
    ],
)
def test_every_kind_is_known_also_as_a_cause(error: Exception, where: str) -> None:
    outer = ValueError("a constructor failed")
    outer.__cause__ = error
    found = users_error(outer)
    assert found is not None
    assert found.where == where


def test_other_errors_stay_bugs() -> None:
    assert out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied")) is None
    assert out_of_memory(ValueError("out of memory")) is None
