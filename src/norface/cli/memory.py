"""Out of memory: what to lower."""

from __future__ import annotations

from norface.errors import ConfigError

SIGNS = (
    "out of memory",  # CUDA, HIP, XPU and MPS; a class of its own in torch since 2.5 only
    "DefaultCPUAllocator: can't allocate memory",
    "DefaultCPUAllocator: not enough memory",  # Windows
)


def out_of_memory(error: BaseException) -> ConfigError | None:
    """What a user can do about an exception that says that memory ran out; None where it says something else."""
    text = " ".join(str(error).split())
    if not (
        isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and any(sign in text for sign in SIGNS))
    ):
        return None
    return ConfigError(
        expected="enough memory for this network, image size and batch size",
        found=text[:240] or type(error).__name__,
        where="memory of the GPU" if "CPUAllocator" not in text and isinstance(error, RuntimeError) else "main memory",
        action="Lower the batch size first (data.init_args.batch_size, or --batch_size): memory grows in proportion. "
        "Then the networks' widths, dim and blocks, or take a smaller preset; the image size counts squared. "
        "On a GPU, --trainer.precision bf16-mixed saves up to half. With data.init_args.num_workers, each worker needs "
        "memory of its own. A run that was training goes on from its last epoch with --ckpt_path last.",
    )
