"""How the report writes numbers, months and names, and what it says of each chart in a sentence."""

from collections.abc import Iterable
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal

from olist_assets.serving.report.brazil import STATES
from olist_assets.serving.report.queries import Figures, Row, first_day

Number = int | float | Decimal

NOT_KNOWN = "\N{EN DASH}"
PAYMENT_TYPES = {
    "credit_card": "Credit card",
    "boleto": "Boleto",
    "voucher": "Voucher",
    "debit_card": "Debit card",
    "not_defined": "Not defined",
}
"""Means of payment as the report names them, the most usual first."""

MOVES = {
    "same city": "Within the city",
    "another city": "To another city",
    "another state": "To another state",
}
"""Where a new address lies, from near to far."""

_LOWER_CASE = {"da", "das", "de", "do", "dos", "e"}
_PUNCTUAL, _LATE = False, True


# --- Numbers and names ---------------------------------------------------------------------------------------------


def rounded(value: Number, places: int = 0) -> Decimal:
    """The value with so many decimal places, half up."""
    return Decimal(str(value)).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)


def number(value: Number | None, places: int = 0) -> str:
    """A number with thousands separators, as 1,234.5."""
    return NOT_KNOWN if value is None else f"{rounded(value, places):,}".replace("-", "\N{MINUS SIGN}")


def money(value: Number | None, places: int = 0) -> str:
    """An amount, as R$ 1,234."""
    return NOT_KNOWN if value is None else f"R$\N{NO-BREAK SPACE}{number(value, places)}"


def percent(share: Number | None, places: int = 1) -> str:
    """A share of one, as 12.3%."""
    return NOT_KNOWN if share is None else f"{number(Decimal(str(share)) * 100, places)}%"


def month(of: Row | date) -> str:
    """A month, as Aug 2018: of a date, or of a row of a month or day."""
    if not isinstance(of, date):
        of = first_day(of) if hasattr(of, "order_month") else of.purchase_date
    return f"{of:%b %Y}"


def day(of: date | None) -> str:
    """A day, as 24 Nov 2017."""
    return NOT_KNOWN if of is None else f"{of.day} {of:%b %Y}"


def instant(of: datetime | None) -> str:
    """A time, as 23 Oct 2018, 04:10 UTC."""
    return NOT_KNOWN if of is None else f"{day(of)}, {of:%H:%M} UTC"


def count(value: int, one: str, many: str | None = None) -> str:
    """A number of things, as 1 order or 2 orders."""
    return f"{number(value)} {one if value == 1 else many or f'{one}s'}"


def city(name: str) -> str:
    """A city's name with capitals, which deliveries hold in small letters."""
    words = enumerate(name.split())
    return " ".join(word if word in _LOWER_CASE and position else word.capitalize() for position, word in words)


def place(row: Row) -> str:
    """A city and its state."""
    return f"{city(row.city)}, {row.state}" if row.state else city(row.city)


def share(part: Number, whole: Number) -> str:
    """A part of a whole, as 12.3%."""
    return percent(Decimal(part) / Decimal(whole)) if whole else NOT_KNOWN


# --- What each chart shows -----------------------------------------------------------------------------------------


def caption_by_day(figures: Figures) -> str:
    """The best day, and an average day of the headline month."""
    best = max(figures["days"], key=lambda row: row.revenue)
    text = f"The best day was {day(best.purchase_date)}: {count(best.orders, 'order')} and {money(best.revenue)}"
    days = _days_of_headline(figures)
    return f"{text}. In {month(days[0])} an average day with sales brought {money(_mean(r.revenue for r in days))}."


def of_orders(figures: Figures) -> str:
    """The orders of an average day of the headline month."""
    days = _days_of_headline(figures)
    average = int(rounded(_mean(row.orders for row in days)))
    return f"In {month(days[0])} an average day with sales brought {count(average, 'order')}."


def _days_of_headline(figures: Figures) -> list[Row]:
    """The days with sales of the headline month, which has some."""
    name = figures.headline.order_month if figures.headline else ""
    days = [row for row in figures["days"] if row.orders]
    return [row for row in days if f"{row.purchase_date:%Y-%m}" == name] or days


def _mean(values: Iterable[Number]) -> Decimal:
    exact = [Decimal(value) for value in values]
    return sum(exact, Decimal(0)) / len(exact)


def of_states(figures: Figures) -> str:
    """What the first states bring."""
    known = [row for row in figures["states"] if row.state in STATES]
    total = sum(row.revenue for row in figures["states"])
    first, *more = known[:3]
    text = f"{STATES[first.state].name} brings {share(first.revenue, total)} of all revenue"
    if len(known) > len(more) + 1:
        others = " and ".join(STATES[row.state].name for row in more)
        text += f"; with {others} it is {share(sum(row.revenue for row in known[:3]), total)}"
    return f"{text}."


def of_cities(figures: Figures) -> str:
    """What the first city and the first ten bring."""
    cities = figures["cities"]
    total = sum(row.revenue for row in figures["states"])
    text = f"{place(cities[0])}, leads with {money(cities[0].revenue)}"
    if len(cities) == 1:
        return f"{text}."
    return (
        f"{text}; the first {len(cities)} cities bring {share(sum(r.revenue for r in cities), total)} of all revenue."
    )


def of_payments(figures: Figures) -> str:
    """How the headline month was paid."""
    headline = figures.headline
    of_month = [row for row in figures["payments"] if headline and row.order_month == headline.order_month]
    rows = of_month or figures["payments"]
    when = f"In {month(headline)}" if of_month and headline else "Over all months"
    totals = {kind: sum(r.payment_value for r in rows if r.payment_type == kind) for kind in PAYMENT_TYPES}
    first, second = sorted(totals, key=lambda kind: -totals[kind])[:2]
    whole = sum(totals.values())
    text = f"{when} {share(totals[first], whole)} was paid by {PAYMENT_TYPES[first].lower()}"
    return f"{text}, {share(totals[second], whole)} by {PAYMENT_TYPES[second].lower()}."


def of_delivery(months: list[Row]) -> str:
    """How long delivery takes in the newest of these months, and since when."""
    newest, oldest = months[-1], months[0]
    text = f"Half of the orders of {month(newest)} came within {number(newest.delivery_days, 1)} days"
    text += f" of the purchase; promised were {number(newest.promised_days, 1)}"
    return (
        f"{text}." if newest is oldest else f"{text}. In {month(oldest)} it was {number(oldest.delivery_days, 1)} days."
    )


def of_late_share(months: list[Row]) -> str:
    """The share of late deliveries in the newest of these months, and where it was greatest."""
    newest, worst = months[-1], max(months, key=lambda row: row.late_share)
    text = f"{percent(newest.late_share)} of the deliveries of {month(newest)} came late"
    return (
        f"{text}, the most yet."
        if newest is worst
        else f"{text}; the worst month was {month(worst)}, {percent(worst.late_share)}."
    )


def of_delays(figures: Figures) -> str:
    """How deliveries lie about the promised date."""
    [row] = figures["delay"]
    side = "before" if row.median_days < 0 else "after"
    middle = f"Half of all deliveries come {number(abs(row.median_days))} days or more {side} the promised date"
    return f"{middle}; {percent(row.late_share)} come after it."


def of_scores(figures: Figures) -> str:
    """How many are content, and what being late costs."""
    total = sum(row.orders for row in figures["scores"])
    content = sum(row.orders for row in figures["scores"] if row.score >= 4)  # noqa: PLR2004 - of five stars
    text = f"{share(content, total)} of {count(total, 'reviewed order')} got four or five stars"
    average = {row.is_late: row.review_score for row in figures["scores_by_punctuality"]}
    if average.keys() != {_PUNCTUAL, _LATE}:
        return f"{text}."
    on_time, late = number(average[_PUNCTUAL], 2), number(average[_LATE], 2)
    return f"{text}. Orders delivered on time average {on_time} stars, late ones {late}."


def of_scores_by_month(months: list[Row]) -> str:
    """The mean score of the newest of these months, and the best and worst."""
    newest = months[-1]
    text = f"Orders of {month(newest)} average {number(newest.review_score, 2)} stars"
    if len(months) == 1:
        return f"{text}."
    worst, best = (pick(months, key=lambda row: row.review_score) for pick in (min, max))
    lowest = f"the lowest was {number(worst.review_score, 2)} in {month(worst)}"
    highest = f"the highest {number(best.review_score, 2)} in {month(best)}"
    if newest is worst:
        return f"{text}, the lowest yet; {highest.replace('highest', 'highest was')}."
    return f"{text}, the highest yet; {lowest}." if newest is best else f"{text}; {lowest}, {highest}."


def of_moves(figures: Figures) -> str:
    """How many people have had another address."""
    [row] = figures["people"]
    text = f"{count(row.changes, 'change')} of address among {count(row.people, 'person', 'people')}"
    far = sum(r.changes for r in figures["moves"] if r.goes_to == "another state")
    return f"{text}, seen when they bought again; {number(far)} of them to another state."


def month_in_full(row: Row) -> str:
    """A month, as August 2018."""
    return f"{first_day(row):%B %Y}"


def of_headline(figures: Figures) -> str:
    """The headline month in two sentences."""
    now, before = figures.headline, figures.before
    if now is None:
        return ""
    text = f"{count(now.orders, 'order')} brought {money(now.revenue)}"
    if before is not None and before.revenue:
        change = float(now.revenue) / float(before.revenue) - 1
        size = percent(abs(change))
        moved = "as much as" if size == percent(0) else f"{size} {'more' if change > 0 else 'less'} than"
        text += f", {moved} in {first_day(before):%B}"
    if now.late_share is not None:
        text += f". Of what was delivered, {percent(now.late_share)} came late"
        if before is not None and before.late_share not in (None, now.late_share):
            text += f", {'up' if now.late_share > before.late_share else 'down'} from {percent(before.late_share)}"
    return f"{text}."
