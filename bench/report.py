"""Figures: a table for people, and one line each for programs."""

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

HEADINGS = ("figure", "ours", "pos_viva_com", "ratio", "goal")


@dataclass(frozen=True)
class Figure:
    """One measured value of both sides; ``goal`` says what was asked for, ``met`` whether it is so.

    ``peer`` is None where pos_viva_com has nothing of the kind.
    """

    name: str
    unit: str
    ours: float
    peer: float | None = None
    goal: str = ""
    met: bool = True

    @property
    def ratio(self) -> str:
        """Ours divided by the peer's."""
        return f"{self.ours / self.peer:.3g}" if self.peer else "-"

    def line(self) -> str:
        return (
            f"BENCH name={self.name} ours={number(self.ours)} peer={number(self.peer)} "
            f"ratio={self.ratio}"
        )

    def cells(self) -> tuple[str, ...]:
        goal = f"{self.goal}: {'met' if self.met else 'MISSED'}" if self.goal else ""
        name = f"{self.name} ({self.unit})" if self.unit else self.name
        return name, number(self.ours), number(self.peer), self.ratio, goal


def number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.1f}" if abs(value) < 100 and value % 1 else f"{value:.0f}"


def table(figures: Iterable[Figure]) -> str:
    rows = [HEADINGS, *(figure.cells() for figure in figures)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        first, *rest = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        lines.append("  ".join([first, *rest]).rstrip())
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that is not exceeded by ``share`` (0 to 1) of them."""
    ordered = sorted(values)
    return ordered[math.ceil(share * len(ordered)) - 1]


median = statistics.median
