"""The quotes of a CSV file: a fast check of all of them, and a slow search for one that is never closed.

To a reader, all rows from an open quote to the next quote are one value: good rows would disappear.
"""

import io
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from spark_steps.declarations import Text

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_IS_NEXT_TO_QUOTE = np.isin(np.arange(256), np.frombuffer(b'",\r\n', np.uint8))
"""By byte: whether it may precede an opening quote or follow a closing one. A quote within a value is one of each."""
_WITHIN_QUOTES = re.compile(r'(?:[^"]+|"")*')
_OUTSIDE_QUOTES = re.compile(r'(?:[^"]+|(?<=[^,])")*')
_ENDS_WITH_QUOTE = re.compile(r'"(?:,|\s*$)')


class _Readable(Protocol):
    def read(self, nbytes: int, /) -> bytes: ...


class CheckedStream(io.RawIOBase):
    """A stream that checks the quotes in what is read from it, block by block, in less time than parsing takes."""

    def __init__(self, stream: _Readable) -> None:
        """Check what is read from `stream`, which the caller closes."""
        super().__init__()
        self._stream = stream
        self._tail: bytes | None = None
        self._within_quotes = self._is_misplaced = False

    def readable(self) -> bool:
        """It can be read."""
        return True

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes; none at the end."""
        data = self._stream.read(size)
        if not self._is_misplaced:
            self._check(data.removeprefix(_BYTE_ORDER_MARK) if self._tail is None else data)
        return data

    def has_regular_quotes(self) -> bool:
        """Whether all quotes to the end of the stream enclose whole values, so that each is closed."""
        while self.read(1 << 20):
            pass
        return not (self._is_misplaced or self._within_quotes)

    def _check(self, data: bytes) -> None:
        """Check the quotes up to the last byte, which is checked with the next data."""
        data = (b"\n" if self._tail is None else self._tail) + (data or b"\n")
        self._tail = data[-2:]
        if b'"' not in data:
            return
        codes = np.frombuffer(data, np.uint8)
        quotes = np.flatnonzero(codes[1:-1] == ord('"')) + 1
        opening, closing = (quotes[1::2], quotes[::2]) if self._within_quotes else (quotes[::2], quotes[1::2])
        neighbors = np.concatenate([codes[opening - 1], codes[closing + 1]])
        self._is_misplaced = not _IS_NEXT_TO_QUOTE[neighbors].all()
        self._within_quotes ^= len(quotes) % 2 == 1


@dataclass(slots=True)
class _QuotedValue:
    """A value in quotes: where it starts, how many of its lines have text, and its commas."""

    line: int
    column: int
    text_lines: int = 0
    commas: int = 0

    def add(self, text: str) -> None:
        self.text_lines += bool(text.strip())
        self.commas += text.count(",")


def find_open_quote(lines: Iterable[str], width: int, short: Mapping[int, Text]) -> int | None:
    """The number of the line, from 1, with a quote that is never closed; None if there is none.

    Such a quote has no closing quote, or one that belongs to another value: text follows it, the next quote is at the
    end of a value without quotes, or the value between them is an id of several lines or contains a row.

    Args:
        lines: the lines of the file, with line ends.
        width: the number of columns.
        short: the columns without free text, numbered from 0. Further columns are like free text.
    """
    value = suspect = None
    column, long_values = 0, list[_QuotedValue]()  # of the current row
    for number, line in enumerate(lines, 1):
        if value is None and '"' not in line:
            continue
        for is_quoted, text in _parts(line, within_quotes=value is not None):
            if is_quoted:
                value, suspect = value or _QuotedValue(number, column), None
                value.add(text)
                continue
            if value and number > value.line:
                if text and text[0] not in ",\r\n":
                    return value.line
                long_values.append(value)
                suspect = value if value.commas else None
            if suspect and _ENDS_WITH_QUOTE.search(text):
                return suspect.line
            column, value = column + text.count(","), None
        if value is None:
            is_row = column == width - 1
            if wrong := [v for v in long_values if _has_rows(v, width, short.get(v.column), is_row=is_row)]:
                return wrong[0].line
            column, long_values = 0, []
    return value.line if value else None


def _has_rows(value: _QuotedValue, width: int, text: Text | None, *, is_row: bool) -> bool:
    """Whether a value of several lines contains rows, as an id or a value with all separators of a row does."""
    if text is None or value.text_lines == 1:
        return False
    return value.commas >= width - 1 or (text is Text.ID and is_row)


def _parts(line: str, *, within_quotes: bool) -> Iterator[tuple[bool, str]]:
    """The parts of a line outside and within quotes, in turn; the last one is what the next line continues."""
    position = 0
    while part := (_WITHIN_QUOTES if within_quotes else _OUTSIDE_QUOTES).match(line, position):
        yield within_quotes, part[0]
        if part.end() == len(line):
            return
        position, within_quotes = part.end() + 1, not within_quotes
