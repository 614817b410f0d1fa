"""The headline figures: those of the headline month, each against the month before."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from olist_assets.serving.report import captions
from olist_assets.serving.report.queries import Figures

_SPARK_MONTHS = 13
_SPARK_WIDTH, _SPARK_HEIGHT = 120, 28


@dataclass(frozen=True)
class Kpi:
    """A headline figure: what it is, its value, and how it compares with the month before."""

    label: str
    value: str
    exact: str
    note: str
    change: str
    verdict: str
    before: str
    spark: str


def build_kpis(figures: Figures) -> list[Kpi]:
    """The headline figures, in the order of the page; none without sales."""
    now, before = figures.headline, figures.before
    if now is None:
        return []
    reviews = f"out of 5; {captions.count(now.reviews or 0, 'review')}"
    delivered = f"of {captions.count(now.delivered, 'delivery', 'deliveries')}"

    def figure(name: str, label: str, note: str, text: Callable, change: Callable, *, good: int) -> Kpi:
        value, past = getattr(now, name), getattr(before, name, None)
        told, verdict = "", ""
        if value is not None and past is not None:
            told = change(value, past)
            verdict = "" if value == past or not good else "good" if (value > past) == (good > 0) else "bad"
        return Kpi(
            label=label,
            value=text(value),
            exact="" if value is None else str(value),
            note=note,
            change=told,
            verdict=verdict,
            before=text(past) if past is not None else "",
            spark=_spark(figures, name),
        )

    return [
        figure("orders", "Orders", "sales by purchase", captions.number, _relative, good=1),
        figure("revenue", "Revenue", "items, without freight", captions.money, _relative, good=1),
        figure("average_ticket", "Average ticket", "revenue per order", _cents, _relative, good=1),
        figure("late_share", "Late share", delivered, captions.percent, _points, good=-1),
        figure("review_score", "Review score", reviews, _stars, _difference, good=1),
    ]


def _cents(value: Any) -> str:
    return captions.money(value, 2)


def _stars(value: Any) -> str:
    return captions.number(value, 2)


def _relative(value: Any, past: Any) -> str:
    return _signed(float(value) / float(past) * 100 - 100, 1, "%") if past else ""


def _points(value: float, past: float) -> str:
    return _signed((value - past) * 100, 1, " pts")


def _difference(value: float, past: float) -> str:
    return _signed(value - past, 2, "")


def _signed(change: float, places: int, unit: str) -> str:
    rounded = captions.rounded(change, places)
    sign = "▲" if rounded > 0 else "▼" if rounded < 0 else "="
    return f"{sign} {captions.number(abs(rounded), places)}{unit}"


def _spark(figures: Figures, name: str) -> str:
    """The figure over the full months up to the headline month, as the points of an SVG line."""
    months = figures.full_months[-_SPARK_MONTHS:]
    values = [(i, float(getattr(m, name))) for i, m in enumerate(months) if getattr(m, name) is not None]
    if len(values) < 2:  # noqa: PLR2004 - a line has two points
        return ""
    low, high = min(v for _, v in values), max(v for _, v in values)
    step, span = _SPARK_WIDTH / (len(months) - 1), (high - low) or 1
    return " ".join(f"{i * step:.1f},{(_SPARK_HEIGHT - (v - low) / span * _SPARK_HEIGHT):.1f}" for i, v in values)
