"""The landing dates that deliveries may have."""

from dataclasses import dataclass
from datetime import UTC, date, datetime

from olist_assets.settings.general import FIRST_LANDING_DATE, Settings


@dataclass(frozen=True, slots=True)
class LandingDates:
    """A range of landing dates, which never reaches into the future.

    Attributes:
        first: the first landing date.
        last: the last landing date; None for today (UTC).
    """

    first: date = FIRST_LANDING_DATE
    last: date | None = None

    @classmethod
    def from_settings(cls, settings: Settings) -> "LandingDates":
        """The landing dates of the settings."""
        return cls(settings.first_landing_date, settings.last_landing_date)

    @property
    def newest(self) -> date:
        """The last landing date that has come."""
        today = datetime.now(UTC).date()
        return min(self.last, today) if self.last else today

    def __contains__(self, day: date) -> bool:
        return self.first <= day <= self.newest

    def __str__(self) -> str:
        return f"{self.first} to {self.newest}"

    def reject(self, day: date) -> str | None:
        """Why a day is outside the range, in a few words; None for a day within it or in the future."""
        if day < self.first:
            return f"before the first landing date, {self.first}"
        if self.last and day > self.last:
            return f"after the last landing date, {self.last}"
        return None


DEFAULT = LandingDates()
"""The landing dates of the default settings."""
