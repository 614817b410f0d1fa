"""A dump for tests of replays."""

import pytest

from olist_assets_tests.sources.replay_dumps import ESTIMATED, write_dump


@pytest.fixture
def daily_dump(tmp_path):
    """One order per day, from the 1st to the 9th of May, each approved two days later."""
    return write_dump(
        tmp_path / "dump",
        orders=[
            f"o{n},c{n},approved,2018-05-0{n} 10:00:00,2018-05-{n + 2:02} 10:00:00,,,{ESTIMATED}" for n in range(1, 10)
        ],
        customers=[f"c{n},p{n},1,x,SP" for n in range(1, 10)],
    )
