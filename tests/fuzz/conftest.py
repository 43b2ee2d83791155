from __future__ import annotations

from collections import Counter

import pytest

executions: Counter[str] = Counter()


@pytest.fixture
def counted() -> Counter[str]:
    """Inputs tried so far, by target; the sum is printed when all tests are done."""
    return executions


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if executions:
        parts = ", ".join(f"{name} {count:,}" for name, count in sorted(executions.items()))
        terminalreporter.write_line(f"fuzzing: {executions.total():,} executions ({parts})")
