"""The prompt, driven by keys as a user would."""

import os
import pty
import re
import select
import signal
import stat
import subprocess
import sys
import time
from io import StringIO

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput
from rich.console import Console

from olist_assets.serving.sql import prompt
from olist_assets.serving.sql.results import rows
from olist_assets.serving.sql.session import connect

CTRL_C, CTRL_D, UP, TAB = "\x03", "\x04", "\x1b[A", "\t"


@pytest.fixture
def sellers(sail_lake):
    """A lake with one seller."""
    sail_lake.rows("trusted/sellers", {"seller_id": "s1", "seller_city": "campinas"})
    return sail_lake


@pytest.fixture
def type_keys(sellers, tmp_path):
    """Types keys at a prompt over that lake; returns the lines that it prints after the greeting."""

    def type_and_read(*keys: str, width: int = 200) -> list[str]:
        printed = StringIO()
        console = Console(file=printed, width=width, height=24)
        with create_pipe_input() as keyboard, create_app_session(input=keyboard, output=DummyOutput()):
            keyboard.send_text("".join(keys))
            prompt.run(str(sellers.root), None, console, tmp_path / "home" / "sql_history")
        lines = [re.sub(r"\d+\.\d\d s", "0.00 s", line).rstrip() for line in printed.getvalue().splitlines()]
        assert lines[:2] == [f"lake {sellers.root}: 1 tables, newest versions", "\\? for help, \\q to leave"]
        return lines[2:]

    return type_and_read


ONE_SELLER = ["seller_id", "s1", "(1 row, 0.00 s)"]


def test_a_statement_ends_with_a_semicolon(type_keys):
    assert type_keys("select seller_id\r", "from trusted.sellers;\r", CTRL_D) == ONE_SELLER


def test_a_mistake_is_one_line_and_the_session_goes_on(type_keys):
    assert type_keys("from seller;\r", "selec;\r", "\\x\r", "select seller_id from trusted.sellers;\r", "\\q\r") == [
        "error: no table seller; did you mean trusted.sellers or raw.sellers or quarantine.sellers?",
        'error: Parser Error: syntax error at or near "selec"',
        "error: \\x is not a command; see \\?",
        *ONE_SELLER,
    ]


def test_ctrl_c_cancels_the_current_statement(type_keys):
    assert type_keys("select nonsense", CTRL_C, "select seller_id from trusted.sellers;\r", CTRL_D) == ONE_SELLER


def test_history_is_available_in_the_next_session(type_keys):
    type_keys("select seller_id from trusted.sellers;\r", CTRL_D)
    assert type_keys(UP, "\r", CTRL_D) == ONE_SELLER


def test_only_the_owner_reads_the_history(type_keys, tmp_path):
    history = tmp_path / "home" / "sql_history"
    type_keys(CTRL_D)
    assert stat.S_IMODE(history.stat().st_mode) == 0o600
    history.chmod(0o644)  # as an earlier release left it
    history.parent.chmod(0o700)
    type_keys("select 1;\r", CTRL_D)
    assert stat.S_IMODE(history.stat().st_mode) == 0o600
    assert stat.S_IMODE(history.parent.stat().st_mode) == 0o700


def test_the_prompt_works_without_a_place_for_its_history(type_keys, tmp_path):
    (tmp_path / "home").write_text("a file")
    assert type_keys("select seller_id from trusted.sellers;\r", CTRL_D) == ONE_SELLER


def test_an_unexpected_error_does_not_end_the_session(type_keys, monkeypatch):
    query = prompt.Session.query

    def fail_once(session: prompt.Session, sql: str) -> object:
        if "fail" in sql:
            raise RuntimeError("no\nluck")
        return query(session, sql)

    monkeypatch.setattr(prompt.Session, "query", fail_once)
    lines = type_keys("fail;\r", "select seller_id from trusted.sellers;\r", CTRL_D)
    assert lines == ["error: RuntimeError: no", *ONE_SELLER]


def test_tables_and_columns_are_described(type_keys):
    lines = type_keys("\\d\r", "\\d trusted.sellers\r", "\\d fact_orders;\r", "\\d nothing\r", CTRL_D)
    cells = [re.split(r"\s{2,}", line.strip()) for line in lines]
    assert ["trusted.sellers", "1", "a seller, in its newest state"] in cells
    assert ["refined.fact_orders", "-", "an order"] in cells
    assert ["seller_zip_code_prefix", "string", "first five digits of the zip code"] in cells
    assert ["is_late", "boolean", "delivered after the promised date; null until delivered"] in cells
    assert lines[-1] == "error: no table nothing; see `olist status`"


def test_a_session_is_pinned_until_it_is_refreshed(sellers, type_keys, monkeypatch):
    query = prompt.Session.query

    def write_and_query(session: prompt.Session, sql: str) -> object:
        sellers.rows("trusted/sellers", {"seller_id": "s2"})
        return query(session, sql)

    monkeypatch.setattr(prompt.Session, "query", write_and_query)
    count = "select count(*) n from trusted.sellers;\r"
    lines = type_keys(count, count, "\\refresh\r", count, CTRL_D)
    assert [line.strip() for line in lines if line.strip().isdigit()] == ["1", "1", "3"]


def test_a_query_plan_is_printed_without_a_table(type_keys):
    assert "└───────────────────────────┘" in type_keys("explain select 1;\r", CTRL_D)


def fit(sql: str, root: str, width: int, height: int) -> tuple[list[str], list[str]]:
    """The lines of a result's table on a screen of this size, and the notes below it."""
    printed = StringIO()
    console = Console(file=printed, width=width, height=height)
    with connect(root) as session:
        result = session.query(sql)
        table, *notes = prompt.fit_to_screen(result.columns, result.types, rows(result), console)
    console.print(table)
    return [line.rstrip() for line in printed.getvalue().splitlines()], [str(note) for note in notes]


def test_a_result_too_wide_or_too_long_is_cut_with_a_note(sellers):
    root = str(sellers.root)
    table, notes = fit("select 'abcdefgh' a, 'abcdefgh' b, 'abcdefgh' c from range(30)", root, 20, 18)
    assert table == ["a         b", *["abcdefgh  abcdefgh"] * 12]
    [note] = notes
    assert note == (
        "[yellow]not shown:[/yellow] 1 columns: c and rows after these; "
        "query fewer, or print all with `olist sql --format csv`"
    )
    table, notes = fit("select 'abcdefgh' a, 'abcdefgh' b from range(12)", root, 18, 18)
    assert (table, notes) == (["a         b", *["abcdefgh  abcdefgh"] * 12], [])
    table, _ = fit("select repeat('x', 100) a, 'two' || chr(10) || 'lines' b", root, 200, 18)
    assert table[1].split() == ["x" * 59 + "…", "two⏎lines"]


@pytest.mark.parametrize(
    ("text", "included", "excluded"),
    [
        ("sel", {"select"}, {"selfies"}),
        ("select * from ref", {"refined.fact_orders"}, {"trusted.orders"}),
        ("select * from refined.fact_o", {"fact_orders", "fact_order_items"}, {"fact_payments"}),
        ("select * from fact_p", {"fact_payments"}, {"fact_orders"}),
        ("select * from control.", {"steps"}, {"orders"}),
        ("select freight_v", set(), {"freight_value"}),
        ("select o.order_s", {"order_status"}, {"seller_state"}),
        ("select * from refined.fact_orders o where o.is_", {"is_late"}, {"is_weekend"}),
        ("select * from refined.fact_orders where DELAY", {"delay_days"}, {"delivery_days"}),
    ],
)
def test_keywords_tables_and_columns_are_completed(text, included, excluded):
    completions = prompt.Names().get_completions(Document(text), CompleteEvent(completion_requested=True))
    words = {completion.text for completion in completions}
    assert included <= words
    assert not excluded & words


def test_olist_sql_on_a_terminal_opens_the_prompt(sellers, tmp_path):
    environment = {"OLIST_LAKE": str(sellers.root), "DAGSTER_HOME": f"{tmp_path}/home/dagster", "TERM": "xterm"}
    terminal, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "olist_assets", "sql"],
        env=os.environ | environment,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    )
    os.close(slave)

    def type_and_wait(keys: str, pattern: str) -> str:
        os.write(terminal, keys.encode())
        text, deadline = "", time.monotonic() + 60
        while not re.search(pattern, text, re.DOTALL) and time.monotonic() < deadline:
            if select.select([terminal], [], [], 1)[0]:
                text += os.read(terminal, 65536).decode(errors="replace")
        assert re.search(pattern, text, re.DOTALL), text
        return text

    try:
        type_and_wait("", "olist>")
        type_and_wait(f"select 40 + 2 as answer from trusted.sell{TAB}", "sellers")
        assert "42" in type_and_wait(";\r", r"\(1 row, .*olist>")  # the prompt is back
        shown = type_and_wait("select chr(27) || '[31mred' || chr(155) as x;\r", r"\(1 row, .*olist>")
        assert "\\x1b[31mred\\x9b" in shown
        for query in ("select count(*) from range(100_000_000_000)", "explain analyze from range(100_000_000_000)"):
            type_and_wait(f"{query};\r", "\n")
            time.sleep(0.5)
            process.send_signal(signal.SIGINT)
            type_and_wait("", "olist>")
            type_and_wait("select 1;\r", r"\(1 row, .*olist>")
        os.write(terminal, CTRL_D.encode())
        assert process.wait(timeout=60) == 0
    finally:
        process.kill()
        process.wait()
        os.close(terminal)
    assert "+select 40 + 2 as answer from trusted.sellers;" in (tmp_path / "home" / "sql_history").read_text()
