"""Options of the data module that contradict each other."""

from __future__ import annotations

from norface.errors import ConfigError


def check_options(*, cached: bool, cache_dir: str | None, folds: object | None, splits: object | None) -> None:
    """Refuse what cannot work, before anything is read.

    Args:
        cached: Whether normalized faces shall come from a cache.
        cache_dir: Its folder.
        folds, splits: Who trains and who is tested, said in either of two ways.

    Raises:
        ConfigError: A cache without a folder, or both ways at once.
    """
    if cached and cache_dir is None:
        raise ConfigError(
            expected="a folder of caches for source: cache",
            found="none",
            where="data.init_args.cache_dir",
            action="Set cache_dir, and normalizer unless cache_dir is a finished cache itself.",
        )
    if folds is not None and splits is not None:
        raise ConfigError(
            expected="splits or folds",
            found="both",
            where="data.init_args",
            action="Leave one of them out: either says who trains and who is tested.",
        )
