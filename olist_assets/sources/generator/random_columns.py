"""Random columns: vectorized functions from a seed, a stream's name and row numbers to numpy and Arrow arrays."""

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
    """Random values by hashing: the same seed, stream and row number always give the same value."""

    seed: int

    def bits(self, stream: str, index: Ints) -> NDArray[np.uint64]:
        """64 bits per row by splitmix64 (Steele, Lea, Flood 2014); within a stream no two rows are equal."""
        salt = int.from_bytes(hashlib.blake2b(f"{self.seed}/{stream}".encode(), digest_size=8).digest(), "big")
        mixed = index.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(salt)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return mixed ^ (mixed >> np.uint64(31))

    def uniform(self, stream: str, index: Ints) -> Floats:
        """Floats from 0 to below 1."""
        return (self.bits(stream, index) >> np.uint64(11)) * 2.0**-53

    def chance(self, stream: str, index: Ints, probability: float | Floats) -> Flags:
        """True with this probability."""
        return self.uniform(stream, index) < probability

    def below(self, stream: str, index: Ints, end: int | Ints, *, skew: int = 1) -> Ints:
        """Integers from 0 to below `end`; a skew above 1 favors small ones."""
        share = uniform = self.uniform(stream, index)
        for _ in range(skew - 1):  # products, not powers, round the same on every machine
            share = share * uniform
        return (share * end).astype(np.int64)

    def weighted(self, stream: str, index: Ints, weights: Sequence[float]) -> Ints:
        """Positions in `weights`, with frequencies proportional to the weights."""
        shares = np.cumsum(weights)
        return np.searchsorted(shares, self.uniform(stream, index) * shares[-1], side="right")

    def value(self, stream: str, index: Ints, quantiles: Quantiles) -> Floats:
        """Floats distributed by their quantiles."""
        return interpolate(self.uniform(stream, index), quantiles)

    def whole(self, stream: str, index: Ints, quantiles: Quantiles) -> Ints:
        """Integers distributed by their quantiles: `value` rounded down."""
        return self.value(stream, index, quantiles).astype(np.int64)

    def wait(self, stream: str, index: Ints, days: Quantiles) -> Durations:
        """Durations in whole seconds, distributed by their quantiles in days."""
        return seconds(self.value(stream, index, days) * SECONDS_OF_DAY)

    def ids(self, stream: str, index: Ints) -> pa.Array:
        """32 hexadecimal characters per row, unique within a stream because their first half is."""
        halves = np.stack((self.bits(stream, index), self.bits(f"{stream}, second half", index)), axis=1)
        text = halves.astype(">u8").tobytes().hex().encode()
        return pa.Array.from_buffers(pa.binary(32), len(index), [None, pa.py_buffer(text)]).cast(pa.string())


def interpolate(probabilities: Floats, quantiles: Quantiles) -> Floats:
    """The quantiles at these probabilities, with linear interpolation."""
    return np.interp(probabilities, list(quantiles.keys()), list(quantiles.values()))


def expand(counts: Ints) -> tuple[Ints, Ints]:
    """Child rows for a number of children per parent: the position of the parent, and a number from 0 within it."""
    parent = np.repeat(np.arange(len(counts)), counts)
    return parent, np.arange(len(parent)) - starts(counts)[parent]


def starts(counts: Ints) -> Ints:
    """The position of each parent's first child row."""
    return np.cumsum(counts) - counts


def choose(choices: ArrayLike, codes: Ints, missing: Flags | None = None) -> pa.Array:
    """The choice at each position in `codes`; null where `missing`."""
    return pa.array(choices).take(pa.array(codes, type=pa.int64(), mask=missing))


def money(cents: Ints) -> pa.Array:
    """Cents as decimals with two places."""
    return compute.call_function("multiply", [pa.array(cents).cast(pa.decimal128(19)), pa.scalar(Decimal("0.01"))])


def seconds(count: Ints | Floats) -> Durations:
    """Durations of `count` seconds, rounded toward zero."""
    return count.astype(np.int64).astype("timedelta64[s]")


def midnight(times: Times) -> Times:
    """Midnight at the start of each time's day."""
    return times.astype("datetime64[D]").astype("datetime64[s]")
