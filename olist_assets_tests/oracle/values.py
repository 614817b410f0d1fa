"""Types and values that the modules of the oracle share."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

Record = dict[str, Any]
CENT = Decimal("0.01")
MICROSECOND = timedelta(microseconds=1)
EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - all times are UTC, without a zone
LONG_AGO = datetime(1900, 1, 1)  # noqa: DTZ001


def month_text(time: datetime) -> str:
    return f"{time:%Y-%m}"
