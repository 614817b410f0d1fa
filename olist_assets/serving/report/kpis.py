"""The key performance indicators of the KPI month, each compared with the month before."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from olist_assets.serving.report.formatting import count, money, number, percent, round_half_up
from olist_assets.serving.report.queries import ReportData

_SPARKLINE_MONTHS = 13
_SPARKLINE_WIDTH, _SPARKLINE_HEIGHT = 120, 28


@dataclass(frozen=True)
class Kpi:
    """A KPI as the page shows it.

    Attributes:
        label: its name.
        value: its value in the KPI month.
        exact: the same value, not rounded.
        note: what it is measured in or from.
        change: its change since the month before; empty if there is no month to compare with.
        verdict: whether the change is `good` or `bad`; empty if nothing changed.
        previous: its value in the month before.
        sparkline: its values over the full months, as the points of an SVG line.
    """

    label: str
    value: str
    exact: str
    note: str
    change: str
    verdict: str
    previous: str
    sparkline: str


def build_kpis(data: ReportData) -> list[Kpi]:
    """The KPIs in the order of the page; none without sales."""
    now = data.kpi_month
    if now is None:
        return []
    deliveries = f"of {count(now.delivered, 'delivery', 'deliveries')}"
    reviews = f"out of 5; {count(now.reviews or 0, 'review')}"
    cents, stars = partial(money, places=2), partial(number, places=2)
    return [
        _kpi(data, "orders", "Orders", "sales by purchase", number, _relative_change),
        _kpi(data, "revenue", "Revenue", "items, without freight", money, _relative_change),
        _kpi(data, "average_ticket", "Average ticket", "revenue per order", cents, _relative_change),
        _kpi(data, "late_share", "Late share", deliveries, percent, _change_in_points, lower_is_better=True),
        _kpi(data, "review_score", "Review score", reviews, stars, _difference),
    ]


def _kpi(
    data: ReportData,
    column: str,
    label: str,
    note: str,
    to_text: Callable[[Any], str],
    compare: Callable[[Any, Any], str],
    *,
    lower_is_better: bool = False,
) -> Kpi:
    value, previous = getattr(data.kpi_month, column), getattr(data.previous_month, column, None)
    change, verdict = "", ""
    if value is not None and previous is not None:
        change = compare(value, previous)
        if value != previous:
            verdict = "bad" if (value > previous) == lower_is_better else "good"
    return Kpi(
        label=label,
        value=to_text(value),
        exact="" if value is None else str(value),
        note=note,
        change=change,
        verdict=verdict,
        previous="" if previous is None else to_text(previous),
        sparkline=_sparkline(data, column),
    )


def _relative_change(value: Any, previous: Any) -> str:
    return _signed(float(value) / float(previous) * 100 - 100, 1, "%") if previous else ""


def _change_in_points(value: float, previous: float) -> str:
    return _signed((value - previous) * 100, 1, " pts")


def _difference(value: float, previous: float) -> str:
    return _signed(value - previous, 2, "")


def _signed(change: float, places: int, unit: str) -> str:
    rounded = round_half_up(change, places)
    sign = "▲" if rounded > 0 else "▼" if rounded < 0 else "="
    return f"{sign} {number(abs(rounded), places)}{unit}"


def _sparkline(data: ReportData, column: str) -> str:
    """The values over the full months up to the KPI month, as the points of an SVG line; empty if there is no line."""
    months = data.full_months[-_SPARKLINE_MONTHS:]
    values = [(i, float(getattr(m, column))) for i, m in enumerate(months) if getattr(m, column) is not None]
    if len(values) < 2:  # noqa: PLR2004 - a line has two points
        return ""
    low, high = min(v for _, v in values), max(v for _, v in values)
    step, scale = _SPARKLINE_WIDTH / (len(months) - 1), (high - low) or 1
    height = _SPARKLINE_HEIGHT
    return " ".join(f"{i * step:.1f},{(height - (v - low) / scale * height):.1f}" for i, v in values)
