"""Output of the commands, and the parsers of options that several of them have.

All output passes through here. The consoles `out` and `err` escape control characters in texts. The standard streams
accept every character, and a failure of one ends no command, as long as `guard_streams` is active.
"""

import codecs
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from io import TextIOWrapper
from typing import Any, TextIO, cast

import typer
from rich.console import Console, RenderableType
from rich.markup import escape
from rich.text import Text

_CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters, except tab and line feed
    "\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"  # directions, no width
    "\ud800-\udfff]"  # bytes of file names that are not UTF-8
)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)?", re.ASCII)
_STAND_INS = {
    **str.maketrans("✓✗•⏎", "+x* "),
    **str.maketrans("─━═╌│┃║", "----|||"),
    **dict.fromkeys(map(ord, "┌┐└┘├┤┬┴┼╭╮╰╯╞╡╪┏┓┗┛"), "+"),
    ord("…"): "...",
}
"""Similar characters for those that the commands and DuckDB's query plans print, where the encoding lacks them."""

_STANDARD_ERROR = 2
_REPLACE = "olist-replace"
"""The name of the error handler of the streams."""


def escape_controls(text: str) -> str:
    r"""The text with escapes, such as \x1b, for characters that control a terminal, or that are not visible.

    Line feeds and tabs remain. A carriage return before a line feed is removed.
    """
    return _CONTROLS.sub(lambda match: _to_escapes(match[0]), text.replace("\r\n", "\n"))


def literal(text: str) -> str:
    """A text from elsewhere for one line of a console: its brackets are no markup, its line breaks are escapes."""
    return escape(escape_controls(text).replace("\n", "\\n"))


def _to_escapes(text: str) -> str:
    return text.encode("unicode_escape").decode()


def _replace_unencodable(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end].translate(_STAND_INS)
    return "".join(char if char.isascii() else _to_escapes(char) for char in text), error.end


codecs.register_error(_REPLACE, _replace_unencodable)


class _Stream:
    """A text stream that drops its output after a failure: a closed pipe, or a full disk.

    Attributes:
        failure: the first failure.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.failure: OSError | None = None

    def write(self, text: str) -> int:
        """Write the text, or drop it; returns its length."""
        try:
            self._stream.write(text)
        except OSError as error:
            self._discard(error)
        return len(text)

    def flush(self) -> None:
        """Write what is buffered, or drop it."""
        try:
            self._stream.flush()
        except OSError as error:
            self._discard(error)

    def _discard(self, error: OSError) -> None:
        self.failure = self.failure or error
        _redirect_to_null(self._stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def guard_streams() -> Iterator[None]:
    """Within the block, a failure to write to standard output or error raises no error.

    A character that the encoding lacks is written as a similar one, or as an escape. If output cannot be written, the
    rest of it is dropped; a note at the end says so, unless the reader has closed the pipe. Streams that are closed at
    the start become the null device. Standard input is read as UTF-8.
    """
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors=_REPLACE)
    if isinstance(sys.stdin, TextIOWrapper):
        sys.stdin.reconfigure(encoding="utf-8-sig")
    before = sys.stdout, sys.stderr
    guarded = _Stream(sys.stdout), _Stream(sys.stderr)
    sys.stdout, sys.stderr = cast("tuple[TextIO, TextIO]", guarded)
    try:
        yield
    finally:
        for stream in guarded:
            stream.flush()
        if (failure := guarded[0].failure) and not isinstance(failure, BrokenPipeError):
            print_note(f"output was lost: {failure.strerror}")
        sys.stdout, sys.stderr = before


def write_data(data: str | bytes) -> None:
    """Write the result of a command to standard output: unchanged and as UTF-8, except for a text on a terminal.

    Raises:
        OSError: it cannot be written completely. A reader that closes the pipe, as `head` does, is no error.
    """
    if isinstance(data, str):
        if sys.stdout.isatty():
            sys.stdout.write(escape_controls(data))
            return
        data = data.encode()
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except OSError as error:
        _redirect_to_null(sys.stdout)
        _raise_lost_result(error)


def _raise_lost_result(error: OSError) -> None:
    if not isinstance(error, BrokenPipeError):
        raise OSError(f"the result cannot be written: {error.strerror}") from error


def _redirect_to_null(stream: TextIO) -> None:
    """Send what is left in the stream's buffer, and all that follows, to the null device."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())
    os.close(null)


def _open_closed_streams() -> None:
    """Open the null device in place of standard streams that are closed; other files would get their numbers."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= _STANDARD_ERROR:
        os.set_inheritable(number, True)  # noqa: FBT003 - it has no name
    os.close(number)
    sys.stdin = sys.stdin or open(0, closefd=False)  # noqa: SIM115 - a number, open until the process ends
    sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(_STANDARD_ERROR, "w", closefd=False)  # noqa: SIM115


class _Console(Console):
    """A console that escapes control characters in texts; its own styles are not affected."""

    def render_str(self, text: str, **options: Any) -> Text:
        """The text with its markup as styles."""
        return super().render_str(escape_controls(text), **options)


_is_terminal = sys.stdout is not None and sys.stdout.isatty()
out = _Console(soft_wrap=True, highlight=False, emoji=False, width=None if _is_terminal else 10_000)
"""Standard output: results. Without a terminal, lines have any width."""
err = _Console(stderr=True, soft_wrap=True, highlight=False, emoji=False)
"""Standard error: progress, notes and errors."""


def print_result(*parts: RenderableType) -> None:
    """Print the result of a command.

    Raises:
        OSError: it cannot be written completely. A reader that closes the pipe, as `head` does, is no error.
    """
    for part in parts:
        out.print(part)
    if isinstance(sys.stdout, _Stream) and (failure := sys.stdout.failure):
        sys.stdout.failure = None
        _raise_lost_result(failure)


def print_error(text: str) -> None:
    """Print an error, which is one line."""
    err.print(f"[red]error:[/red] {literal(text)}")


def print_note(text: str, console: Console = err) -> None:
    """Print a remark that needs attention but is no error."""
    console.print(f"[yellow]note:[/yellow] {literal(text)}")


def parse_day(text: str) -> date:
    """A landing date, as in 2018-05-10.

    Raises:
        typer.BadParameter: the text is not a date in this form.
    """
    try:
        if _DAY.fullmatch(text):  # Python also accepts 20180510 and 2018-W19-4
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise typer.BadParameter(f"{text!r} is not a date; write it as 2018-05-10")


def parse_time(text: str) -> datetime:
    """A time, in UTC if it has no zone; for a date, its last microsecond.

    Raises:
        typer.BadParameter: the text is not a date or a time in these forms.
    """
    try:
        if _DAY.fullmatch(text):
            return datetime.combine(date.fromisoformat(text), datetime.max.time(), UTC)
        if _TIME.fullmatch(text):
            time = datetime.fromisoformat(text)
            return time if time.tzinfo else time.replace(tzinfo=UTC)
    except ValueError:
        pass
    raise typer.BadParameter(f"{text!r} is not a time; write it as 2018-05-10 or 2018-05-10T12:00")


def day_option(help_text: str, *names: str) -> Any:
    """An option that takes a landing date."""
    return typer.Option(*names, parser=parse_day, metavar="YYYY-MM-DD", help=help_text)
