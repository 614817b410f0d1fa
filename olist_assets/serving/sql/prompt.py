"""An interactive prompt over the lake: statements over several lines, with history and completion."""

import re
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from prompt_toolkit import PromptSession
from prompt_toolkit.application import get_app
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.filters import Condition
from prompt_toolkit.history import FileHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from olist_assets.aws.redaction import redact
from olist_assets.errors import OlistError
from olist_assets.serving.sql import results
from olist_assets.serving.sql.session import CONTROL_STEPS, DEFAULT_LAYER, NAMES, Session, connect, full_name

if TYPE_CHECKING:
    from duckdb.sqltypes import DuckDBPyType

HELP = r"""statements end with ; and may have several lines; Tab completes, the up arrow brings back what was asked
\d          the tables, and the version of each that this session reads
\d TABLE    its columns
\refresh    go on with the newest version of each table
\q          leave, as Ctrl-D does; Ctrl-C abandons what is being written
"""
# fmt: off
_KEYWORDS = (
    "and", "as", "asc", "avg", "between", "by", "case", "cast", "count", "cross join", "date_trunc", "desc", "describe",
    "distinct", "else", "end", "except", "exists", "explain", "filter", "from", "full join", "group by", "having", "in",
    "inner join", "intersect", "interval", "is", "join", "left join", "like", "limit", "max", "min", "not", "null",
    "offset", "on", "or", "order by", "over", "partition by", "pivot", "qualify", "round", "select", "sum", "summarize",
    "then", "union all", "using", "when", "where", "window", "with",
)
# fmt: on
_WORD = re.compile(r"[\w.\\]+")
_MOST_ROWS = 10_000
"""Fetched at most, to be counted: a screen shows a few."""
_WIDEST_CELL = 60


def run(root: str, as_of: datetime | None, console: Console, history: Path) -> None:
    """Answer statements until the user leaves; an error is told in one line, and the session goes on.

    Args:
        root: where the lake lies.
        as_of: the time that it is shown at; None for now, until it is refreshed.
        console: where answers are printed.
        history: the file that keeps what was asked.
    """
    session = connect(root, as_of=as_of)
    history.parent.mkdir(parents=True, exist_ok=True)
    asking: PromptSession[str] = PromptSession(
        history=FileHistory(str(history)),
        completer=Names(),
        complete_while_typing=False,
        multiline=True,
        key_bindings=_enter_ends_a_statement(),
        prompt_continuation=lambda width, _line, _wrapped: "> ".rjust(width),
    )
    console.print(f"{_greeting(session)}\n\\? for help, \\q to leave", markup=False, highlight=False)
    try:
        while True:
            try:
                text = asking.prompt("olist> ").strip()
                if text in ("\\q", "quit", "exit"):
                    return
                if text == "\\refresh":
                    session.close()
                    session = connect(root, as_of=as_of)
                    console.print(_greeting(session), markup=False, highlight=False)
                elif text:
                    _answer(session, text, console)
            except OlistError as error:
                console.print(f"[red]error:[/red] {escape(redact(str(error)))}", highlight=False)
            except KeyboardInterrupt:
                continue
            except EOFError:
                return
    finally:
        session.close()


class Names(Completer):
    """Completes keywords, tables, and columns: those of the tables that the statement names, if it names any."""

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:
        """The words that may stand where the cursor is."""
        del complete_event
        word = document.get_word_before_cursor(pattern=_WORD)
        layer, dot, start = word.rpartition(".")
        mentioned = [name for name in NAMES if re.search(rf"\b{name.partition('.')[2]}\b", document.text)]
        columns = dict.fromkeys(column for name in mentioned or NAMES for column in NAMES[name].column_names)
        tables = (*NAMES, CONTROL_STEPS)
        of_layer = [name.partition(".")[2] for name in tables if name.startswith(f"{layer.lower()}.")]
        if dot:
            words = of_layer or columns
        else:
            of_default = [name.partition(".")[2] for name in NAMES if name.startswith(f"{DEFAULT_LAYER}.")]
            words = (*_KEYWORDS, *(columns if mentioned else ()), *of_default, *tables)
        for found in dict.fromkeys(words):
            if found.startswith(start.lower()) and found != start.lower():
                yield Completion(found, start_position=-len(start))


def _enter_ends_a_statement() -> KeyBindings:
    keys = KeyBindings()

    @Condition
    def ended() -> bool:
        text = get_app().current_buffer.text.strip()
        return not text or text.endswith(";") or text.startswith("\\") or text in ("quit", "exit")

    @keys.add("enter", filter=ended)
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.validate_and_handle()

    return keys


def _greeting(session: Session) -> str:
    when = f"as of {session.as_of:%Y-%m-%d %H:%M:%S %Z}" if session.as_of else "as they stand now"
    return f"lake {redact(session.root)}: {len(session.versions)} tables, {when}"


def _answer(session: Session, text: str, console: Console) -> None:
    if not text.startswith("\\"):
        started = time.perf_counter()
        result = session.query(text)
        rows = results.first_rows(result, _MOST_ROWS + 1)
        seconds = time.perf_counter() - started
        if result.columns == ["explain_key", "explain_value"]:
            console.print(*(plan for _, plan in rows), f"({seconds:.2f} s)", sep="", markup=False, highlight=False)
            return
        for part in fitted(result.columns, result.types, rows, console.width, console.height):
            console.print(part, highlight=False)
        count = f"more than {_MOST_ROWS:,}" if len(rows) > _MOST_ROWS else f"{len(rows):,}"
        console.print(f"({count} {'row' if len(rows) == 1 else 'rows'}, {seconds:.2f} s)", style="dim", highlight=False)
        return
    command, _, name = text.rstrip(";").partition(" ")
    if command == "\\?":
        console.print(HELP, end="", markup=False, highlight=False)
    elif command == "\\d":
        console.print(_described(session, name.strip()) if name else _tables(session))
    else:
        raise OlistError(f"{command} is not a command; see \\?")


def _tables(session: Session) -> Table:
    grid = Table("table", "version", "a row is", box=None, pad_edge=False)
    grid.columns[1].justify = "right"
    for name, table in NAMES.items():
        grid.add_row(name, str(session.versions.get(table.id, "-")), table.grain)
    grid.add_row(CONTROL_STEPS, "", "a run of a step")
    return grid


def _described(session: Session, name: str) -> Table:
    name = full_name(name.lower())
    grid = Table("column", "type", "meaning", box=None, pad_edge=False)
    if name in NAMES:
        for column in NAMES[name].columns:
            grid.add_row(column.name, column.type, column.comment)
    else:
        for column, kind, *_ in results.rows(session.query(f"DESCRIBE {name}")):
            grid.add_row(column, str(kind).lower(), "")
    return grid


def fitted(
    columns: Sequence[str],
    kinds: "Sequence[DuckDBPyType]",
    rows: Sequence[Sequence[object]],
    width: int,
    height: int,
) -> Iterator[Table | str]:
    """As much of a result as a screen of this size holds, and a note of what is left out."""
    shown = max(height - 6, 10)
    cells = [[_cell(value) for value in row] for row in rows[:shown]]
    taken = 0
    for count, name in enumerate(columns):
        taken += 2 + max(map(cell_len, [name, *(row[count] for row in cells)]))
        if count and taken > width + 2:
            break
    else:
        count = len(columns)
    yield results.to_table(columns[:count], kinds[:count], (row[:count] for row in cells))
    left_out = [f"{len(columns) - count} columns: {', '.join(columns[count:])}"] if count < len(columns) else []
    left_out += ["rows after these"] if len(rows) > shown else []
    if left_out:
        cure = "ask for fewer, or for all by `olist sql --format csv`"
        yield f"[yellow]not shown:[/yellow] {escape(' and '.join(left_out))}; {cure}"


def _cell(value: object) -> str:
    text = results.text(value).replace("\r", "").replace("\n", "⏎")
    return text if cell_len(text) <= _WIDEST_CELL else set_cell_size(text, _WIDEST_CELL - 1) + "…"
