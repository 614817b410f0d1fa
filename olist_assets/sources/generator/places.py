"""The places of generated people and sellers: zip prefixes with their digits, state, cities and points."""

import unicodedata

import numpy as np
import pyarrow as pa

from olist_assets.sources.generator import distributions
from olist_assets.sources.generator.random_columns import Draw, Flags, Ints, choose, expand, starts

_UNMAPPED_EVERY = 64  # one zip prefix in 64 is missing from geolocation
_MAX_POINTS = 128  # a prefix has fewer: prefix * _MAX_POINTS + number is unique per point
_DEGREES_AROUND = 1.6  # the side of the square, west of the capital, that has the towns of a state


class Places:
    """Zip prefixes numbered from 0 to below `count`, ordered by state."""

    def __init__(self, draw: Draw, count: int) -> None:
        self.draw, self.count = draw, count
        states = distributions.STATES
        self._codes = [state.code for state in states]
        people = np.array([state.percent for state in states])
        self._sizes = 1 + (people / people.sum() * (count - len(states))).astype(np.int64)  # every state has a prefix
        self._sizes[0] += count - self._sizes.sum()
        self._starts = starts(self._sizes)
        self._state, number = expand(self._sizes)
        prefix = np.arange(count)

        lowest = np.array([state.lowest_prefix for state in states])
        highest = np.array([state.highest_prefix for state in states])
        step = ((highest - lowest + 1) // self._sizes)[self._state]
        digits = lowest[self._state] + number * step + draw.below("zip", prefix, step)
        self._digits = np.strings.zfill(digits.astype(str), 5)

        towns = [f"{head} {tail}" for tail in distributions.TOWN_TAILS for head in distributions.TOWN_HEADS]
        cities_of_states = [[*state.cities, *towns] for state in states]
        accented = [city for cities in cities_of_states for city in cities]
        self._cities = [_unaccented(city) for city in accented] + accented
        counts = np.array([len(cities) for cities in cities_of_states])
        first, length = starts(counts)[self._state], counts[self._state]
        rank = draw.below("city", prefix, length, skew=4)
        main = first + rank
        others = [
            main,
            main + len(accented),
            first + (rank + 1) % length,
        ]  # none, with accents, the next city
        self._main_city = main
        self._other_city = np.choose(draw.weighted("spelling", prefix, (5, 4, 1)), others)

        around = np.where(rank > 0, _DEGREES_AROUND, 0)  # rank 0 is the capital; most capitals are on the coast
        latitude = np.array([state.latitude for state in states])[self._state]
        longitude = np.array([state.longitude for state in states])[self._state]
        self._latitude = latitude + around * (draw.uniform("north", main) - 0.5)
        self._longitude = longitude - around * draw.uniform("west", main)

    def pick(self, stream: str, index: Ints) -> Ints:
        """A prefix per row: states by population, and within a state a few prefixes with many people."""
        spot = self.draw.uniform(stream, index) * self.count
        state = self._state[spot.astype(np.int64)]
        share = (spot - self._starts[state]) / self._sizes[state]
        return self._starts[state] + (share * share * self._sizes[state]).astype(np.int64)

    def columns(self, prefix: Ints, other: Flags) -> tuple[pa.Array, pa.Array, pa.Array]:
        """Digits, city and state of prefixes; `other` selects the second spelling or city of prefixes that have one."""
        city = np.where(other, self._other_city[prefix], self._main_city[prefix])
        return choose(self._digits, prefix), choose(self._cities, city), choose(self._codes, self._state[prefix])

    def points_table(self, prefixes: Ints) -> pa.Table:
        """The geolocation of prefixes: several points each, some of them repeated; a few prefixes have none."""
        mapped = prefixes % _UNMAPPED_EVERY != _UNMAPPED_EVERY // 4
        counts = self.draw.whole("points", prefixes, distributions.POINTS_OF_PREFIX)
        parent, number = expand(np.where(mapped, counts, 0))
        prefix = prefixes[parent]
        point = prefix * _MAX_POINTS + number
        point -= (number > 0) & self.draw.chance("point sent again", point, 0.25)
        zips, cities, states = self.columns(prefix, self.draw.chance("point town", point, 0.3))
        return pa.table(
            {
                "geolocation_zip_code_prefix": zips,
                "geolocation_lat": self._latitude[prefix] + 0.02 * (self.draw.uniform("point north", point) - 0.5),
                "geolocation_lng": self._longitude[prefix] - 0.02 * self.draw.uniform("point west", point),
                "geolocation_city": cities,
                "geolocation_state": states,
            }
        )


def _unaccented(name: str) -> str:
    return unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
