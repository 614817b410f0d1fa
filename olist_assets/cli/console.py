"""Output of the commands, and the parsers of options that several of them have."""

import os
import sys
from datetime import UTC, date, datetime
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape


class _Output(Console):
    """A console that drops its output after the reader closed the pipe; the command continues."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        discard_stdout()


def discard_stdout() -> None:
    """Send the rest of standard output to the null device, after its reader closed the pipe."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


out = _Output(soft_wrap=True, highlight=False, width=None if sys.stdout.isatty() else 10_000)
"""Standard output: results. Without a terminal, lines have any width."""
err = Console(stderr=True, soft_wrap=True, highlight=False)
"""Standard error: progress, notes and errors."""


def print_note(text: str, console: Console = err) -> None:
    """Print a remark that needs attention but is no error."""
    console.print(f"[yellow]note:[/yellow] {escape(text)}")


def parse_day(text: str) -> date:
    """A landing date, as in 2018-05-10.

    Raises:
        typer.BadParameter: the text is not a date.
    """
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a date; write it as 2018-05-10") from None


def parse_time(text: str) -> datetime:
    """A time, in UTC if it has no zone; for a date, its last microsecond.

    Raises:
        typer.BadParameter: the text is not a time.
    """
    try:
        if len(text) == len("2018-05-10"):
            return datetime.combine(date.fromisoformat(text), datetime.max.time(), UTC)
        time = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a time; write it as 2018-05-10 or 2018-05-10T12:00") from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def day_option(help_text: str, *names: str) -> Any:
    """An option that takes a landing date."""
    return typer.Option(*names, parser=parse_day, metavar="YYYY-MM-DD", help=help_text)
