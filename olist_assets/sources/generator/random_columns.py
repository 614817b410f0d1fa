"""Columns by chance: vectorised functions from a seed, a stream's name and row numbers to numpy and Arrow arrays."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray
from pyarrow import compute

from olist_assets.sources.generator.distributions import Quantiles

Ints = NDArray[np.int64]
Floats = NDArray[np.floating]
Flags = NDArray[np.bool_]
Times = NDArray[np.datetime64]
Durations = NDArray[np.timedelta64]

SECONDS_OF_DAY = 86_400


@dataclass(frozen=True)
class Draw:
    """Chance by hashing: the same seed, stream and row number always draw the same value."""

    seed: int

    def bits(self, stream: str, index: Ints) -> NDArray[np.uint64]:
        """64 bits a row by splitmix64 (Steele, Lea, Flood 2014): within a stream no two rows are equal."""
        salt = int.from_bytes(hashlib.blake2b(f"{self.seed}/{stream}".encode(), digest_size=8).digest(), "big")
        mixed = index.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(salt)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return mixed ^ (mixed >> np.uint64(31))

    def uniform(self, stream: str, index: Ints) -> Floats:
        """Floats from 0 to below 1."""
        return (self.bits(stream, index) >> np.uint64(11)) * 2.0**-53

    def chance(self, stream: str, index: Ints, probability: float | Floats) -> Flags:
        """True for so many rows of 1."""
        return self.uniform(stream, index) < probability

    def below(self, stream: str, index: Ints, end: int | Ints, *, skew: int = 1) -> Ints:
        """Integers from 0 to below `end`; a skew above 1 favours the small ones."""
        share = uniform = self.uniform(stream, index)
        for _ in range(skew - 1):  # products, not powers: they round alike on every machine
            share = share * uniform
        return (share * end).astype(np.int64)

    def weighted(self, stream: str, index: Ints, weights: Sequence[float]) -> Ints:
        """Positions in `weights`, each as often as its weight says."""
        shares = np.cumsum(weights)
        return np.searchsorted(shares, self.uniform(stream, index) * shares[-1], side="right")

    def value(self, stream: str, index: Ints, quantiles: Quantiles) -> Floats:
        """Floats distributed by their quantiles."""
        return interpolate(self.uniform(stream, index), quantiles)

    def whole(self, stream: str, index: Ints, quantiles: Quantiles) -> Ints:
        """The same, rounded down."""
        return self.value(stream, index, quantiles).astype(np.int64)

    def wait(self, stream: str, index: Ints, days: Quantiles) -> Durations:
        """The same of days, as durations in whole seconds."""
        return seconds(self.value(stream, index, days) * SECONDS_OF_DAY)

    def ids(self, stream: str, index: Ints) -> pa.Array:
        """32 hexadecimal characters a row, unique within a stream because their first half is."""
        halves = np.stack((self.bits(stream, index), self.bits(f"{stream}, second half", index)), axis=1)
        text = halves.astype(">u8").tobytes().hex().encode()
        return pa.Array.from_buffers(pa.binary(32), len(index), [None, pa.py_buffer(text)]).cast(pa.string())


def interpolate(probabilities: Floats, quantiles: Quantiles) -> Floats:
    """The values at these probabilities."""
    return np.interp(probabilities, list(quantiles.keys()), list(quantiles.values()))


def expand(counts: Ints) -> tuple[Ints, Ints]:
    """Of each child row the position of its parent, and its own number from 0, for so many children a parent."""
    parent = np.repeat(np.arange(len(counts)), counts)
    return parent, np.arange(len(parent)) - starts(counts)[parent]


def starts(counts: Ints) -> Ints:
    """The position of each parent's first child row."""
    return np.cumsum(counts) - counts


def words(choices: ArrayLike, codes: Ints, missing: Flags | None = None) -> pa.Array:
    """Of each row the choice at the position `codes`, null where `missing`."""
    return pa.array(choices).take(pa.array(codes, type=pa.int64(), mask=missing))


def money(cents: Ints) -> pa.Array:
    """Cents as decimals of two digits."""
    return compute.call_function("multiply", [pa.array(cents).cast(pa.decimal128(19)), pa.scalar(Decimal("0.01"))])


def seconds(count: Ints | Floats) -> Durations:
    """Durations of so many seconds, rounded towards zero."""
    return count.astype(np.int64).astype("timedelta64[s]")


def midnight(times: Times) -> Times:
    """The beginning of each time's day."""
    return times.astype("datetime64[D]").astype("datetime64[s]")
