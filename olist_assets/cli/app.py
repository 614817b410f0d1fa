"""The application of the command line, `olist`: its commands, and how errors are printed."""

import os
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated

import typer

from olist_assets.aws.redaction import redact, summarize_error
from olist_assets.cli import deliveries, operate, publish, query, run
from olist_assets.cli.console import err, guard_streams, print_error
from olist_assets.errors import OlistError

_INTERRUPTED = 130
"""Typer's exit code after Ctrl-C, as in shells."""

app = typer.Typer(
    name="olist",
    help="Load Olist deliveries from CSV files into a lakehouse of Delta tables, and query it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
for module in (deliveries, run, operate, query, publish):
    app.add_typer(module.commands)


@app.callback()
def _declare_debug(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Show `--debug` in the help. `main` removes it from the arguments, so that it may follow the command too."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command that the arguments name, and exit.

    A user's mistake is one line on standard error. The exit code is 2 for a mistake in the arguments, 130 after Ctrl-C,
    and 1 for other errors. Failures to write to standard output or error do not change it, except that of a result.

    Args:
        arguments: the arguments after the name of the program; those of this process by default.

    Raises:
        SystemExit: always.
    """
    with guard_streams():
        sys.exit(_run(sys.argv[1:] if arguments is None else arguments))


def _run(arguments: Sequence[str]) -> int:
    """Run the command, print its error, and return the exit code."""
    debug = "--debug" in arguments
    try:
        code = app([argument for argument in arguments if argument != "--debug"], standalone_mode=False)
    except Exception as error:  # noqa: BLE001 - every error is printed
        if debug:
            err.print(redact(traceback.format_exc(), *_roots()), end="", markup=False)
            return 1
        return _print_error(error)
    if code == _INTERRUPTED:
        err.print("interrupted: committed data is kept; run the same command again to continue")
    return code or 0


def _print_error(error: Exception) -> int:
    """Print an error as one line, and return the exit code."""
    if isinstance(error, typer.TyperException):
        if message := error.format_message():  # empty if no command was named: then the help was shown
            print_error(f"{redact(message, *_roots())}; see --help")
        return 2
    hint = "" if isinstance(error, OlistError | OSError) else "; see more with --debug"
    print_error(summarize_error(error, *_roots()) + hint)
    return 1


def _roots() -> list[str]:
    """Lake and source as configured; they may be on S3."""
    return [os.environ.get(name, "") for name in ("OLIST_LAKE", "OLIST_SOURCE")]
