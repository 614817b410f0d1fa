"""An interactive SQL prompt over the lake: statements over several lines, with history and completion."""

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
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table

from olist_assets.aws.redaction import redact, summarize_error
from olist_assets.errors import QueryError, utc_text
from olist_assets.serving.sql import results
from olist_assets.serving.sql.interruption import run_interruptible
from olist_assets.serving.sql.session import CONTROL_STEPS, DEFAULT_LAYER, NAMES, Session, connect, full_name

if TYPE_CHECKING:
    from duckdb import DuckDBPyRelation
    from duckdb.sqltypes import DuckDBPyType

HELP = r"""statements end with ; and may have several lines; Tab completes, the up arrow recalls earlier statements
\d          the tables, with the version that this session reads
\d TABLE    its columns
\refresh    read the newest version of each table from now on
\q          leave, as Ctrl-D does; Ctrl-C cancels the current statement or query
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
_MAX_ROWS = 10_000
"""The number of rows that are fetched and counted at most; the screen shows fewer."""
_MAX_COLUMN_WIDTH = 60
_MIN_SHOWN_ROWS = 10
_OTHER_LINES = 6
"""The lines of the screen that a result leaves to its header, its notes and the prompt."""


def run(root: str, as_of: datetime | None, console: Console, history: Path) -> None:
    """Answer statements until the user leaves. An error is printed as one line, and the session goes on.

    Args:
        root: the lake, a folder or an s3:// URI.
        as_of: read the tables as of this time; None reads their newest versions.
        console: where answers are printed.
        history: the file that keeps the statements.

    Raises:
        OlistError: there is no lake, or it cannot be read.
    """
    session = connect(root, as_of=as_of)
    prompt_session = _create_prompt(history)
    console.print(f"{_greeting(session)}\n\\? for help, \\q to leave", markup=False, highlight=False)
    try:
        while True:
            try:
                text = prompt_session.prompt("olist> ").strip()
                if text in ("\\q", "quit", "exit"):
                    return
                if text == "\\refresh":
                    previous, session = session, connect(root, as_of=as_of)
                    previous.close()
                    console.print(_greeting(session), markup=False, highlight=False)
                elif text.startswith("\\"):
                    _run_command(session, text, console)
                elif text:
                    _run_statement(session, text, console)
            except KeyboardInterrupt:
                continue
            except EOFError:
                return
            except Exception as error:  # noqa: BLE001 - the session goes on
                console.print(f"[red]error:[/red] {escape(summarize_error(error, root))}", highlight=False)
    finally:
        session.close()


class Names(Completer):
    """Completes keywords, tables and columns; if the statement names tables, only their columns."""

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:
        """The words that complete the one at the cursor."""
        del complete_event
        word = document.get_word_before_cursor(pattern=_WORD)
        layer, dot, start = word.rpartition(".")
        mentioned = [name for name in NAMES if re.search(rf"\b{name.partition('.')[2]}\b", document.text)]
        columns = dict.fromkeys(column for name in mentioned or NAMES for column in NAMES[name].column_names)
        tables = (*NAMES, CONTROL_STEPS)
        tables_of_layer = [name.partition(".")[2] for name in tables if name.startswith(f"{layer.lower()}.")]
        if dot:
            words = tables_of_layer or columns
        else:
            unqualified = [name.partition(".")[2] for name in NAMES if name.startswith(f"{DEFAULT_LAYER}.")]
            words = (*_KEYWORDS, *(columns if mentioned else ()), *unqualified, *tables)
        for candidate in dict.fromkeys(words):
            if candidate.startswith(start.lower()) and candidate != start.lower():
                yield Completion(candidate, start_position=-len(start))


def _create_prompt(history: Path) -> PromptSession[str]:
    return PromptSession(
        history=_open_history(history),
        completer=Names(),
        complete_while_typing=False,
        multiline=True,
        key_bindings=_submit_on_enter(),
        prompt_continuation=lambda width, _line, _wrapped: "> ".rjust(width),
    )


def _open_history(path: Path) -> History:
    """The statements in a file that only its owner can read; without a file if it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.chmod(0o600)
    except OSError:
        return InMemoryHistory()
    return FileHistory(str(path))


def _submit_on_enter() -> KeyBindings:
    """Enter submits a complete statement or command; otherwise it starts a new line."""
    keys = KeyBindings()

    @Condition
    def is_complete() -> bool:
        text = get_app().current_buffer.text.strip()
        return not text or text.endswith(";") or text.startswith("\\") or text in ("quit", "exit")

    @keys.add("enter", filter=is_complete)
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.validate_and_handle()

    return keys


def _greeting(session: Session) -> str:
    time = f"as of {utc_text(session.as_of)}" if session.as_of else "newest versions"
    return f"lake {redact(session.root)}: {len(session.versions)} tables, {time}"


def _run_statement(session: Session, sql: str, console: Console) -> None:
    started = time.perf_counter()

    def query() -> "tuple[DuckDBPyRelation, list[tuple]]":
        result = session.query(sql)
        return result, results.first_rows(result, _MAX_ROWS + 1)

    result, rows = run_interruptible(session, query)
    seconds = time.perf_counter() - started
    if result.columns == ["explain_key", "explain_value"]:
        console.print(*(plan for _, plan in rows), f"({seconds:.2f} s)", sep="", markup=False, highlight=False)
        return
    for part in fit_to_screen(result.columns, result.types, rows, console):
        console.print(part, highlight=False)
    count = f"more than {_MAX_ROWS:,}" if len(rows) > _MAX_ROWS else f"{len(rows):,}"
    console.print(f"({count} {'row' if len(rows) == 1 else 'rows'}, {seconds:.2f} s)", style="dim", highlight=False)


def _run_command(session: Session, text: str, console: Console) -> None:
    command, _, name = text.rstrip(";").partition(" ")
    if command == "\\?":
        console.print(HELP, end="", markup=False, highlight=False)
    elif command == "\\d":
        console.print(_describe(session, name.strip()) if name else _tables(session))
    else:
        raise QueryError(f"{command} is not a command; see \\?")


def _tables(session: Session) -> Table:
    grid = Table("table", "version", "a row is", box=None, pad_edge=False)
    grid.columns[1].justify = "right"
    for name, table in NAMES.items():
        version = "unreadable" if table.id in session.unreadable else str(session.versions.get(table.id, "-"))
        grid.add_row(name, version, table.grain)
    grid.add_row(CONTROL_STEPS, "", "a step run")
    return grid


def _describe(session: Session, name: str) -> Table:
    name = full_name(name.lower())
    grid = Table("column", "type", "meaning", box=None, pad_edge=False)
    if name in NAMES:
        for column in NAMES[name].columns:
            grid.add_row(column.name, column.type, column.comment)
    else:
        described = run_interruptible(session, lambda: results.rows(session.query(f"DESCRIBE {name}")))
        for column, type_, *_ in described:
            grid.add_row(column, str(type_).lower(), "")
    return grid


def fit_to_screen(
    columns: Sequence[str], types: "Sequence[DuckDBPyType]", rows: Sequence[Sequence[object]], console: Console
) -> Iterator[Table | str]:
    """The part of a result that fits on the console, and a note if columns or rows are left out."""
    height = max(console.height - _OTHER_LINES, _MIN_SHOWN_ROWS)
    cells = [[_to_cell(value) for value in row] for row in rows[:height]]
    unlimited = console.options.update(width=len(columns) * (_MAX_COLUMN_WIDTH + 2))

    def table(count: int) -> Table:
        values = (row[:count] for row in cells)
        return results.to_table(columns[:count], types[:count], values, max_column_width=_MAX_COLUMN_WIDTH)

    count = 1
    while count < len(columns) and Measurement.get(console, unlimited, table(count + 1)).maximum <= console.width:
        count += 1
    yield table(count)
    left_out = [f"{len(columns) - count} columns: {', '.join(columns[count:])}"] if count < len(columns) else []
    left_out += ["rows after these"] if len(rows) > height else []
    if left_out:
        cure = "query fewer, or print all with `olist sql --format csv`"
        yield f"[yellow]not shown:[/yellow] {escape(' and '.join(left_out))}; {cure}"


def _to_cell(value: object) -> str:
    return results.text(value).replace("\r\n", "\n").replace("\n", "⏎")
