"""CSV files become raw rows: every value unchanged, every unparsable row with its text."""

import csv
import gzip
import io
from datetime import UTC, datetime
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spark_steps import csv_files
from spark_steps.declarations import Column, Text
from spark_steps.protocol import LandedFile, StepError

HEADER = "seller_id,seller_zip_code_prefix,seller_city,seller_state\n"
FILE = "raw/sellers: olist_sellers_dataset.csv of 2018-05-10"
REMEDY = "replace it in the delivery by a corrected file, or remove it there and from the landing zone"


def append(lake, content):
    """Load a file of sellers into raw; return the file and the step's result."""
    file = lake.file("olist_sellers_dataset.csv", content)
    return file, lake.run("raw/sellers", files=[file])


def parsed(lake, content):
    """The values of the file's rows, by their position in the file."""
    append(lake, content)
    columns = ("seller_id", "seller_zip_code_prefix", "seller_city", "seller_state")
    rows = sorted(lake.read("raw/sellers"), key=lambda row: row["_row"])
    assert [row["_row"] for row in rows] == list(range(len(rows)))
    assert {row["_reject"] for row in rows} <= {None}
    return [tuple(row[c] for c in columns) for row in rows]


def parsed_rows(lake, content):
    """Position, id, reason for rejection and text of the file's rows, by their position in the file."""
    append(lake, content)
    return sorted(tuple(row.values()) for row in lake.read("raw/sellers", "_row", "seller_id", "_reject", "_text"))


def refusal(lake, content):
    """The message that refuses the file; nothing was appended and the file was not removed."""
    file = lake.file("olist_sellers_dataset.csv", content)
    with pytest.raises(StepError) as refused:
        lake.run("raw/sellers", files=[file])
    assert lake.read("raw/sellers") == []
    lying = [path for path in lake.root.glob("landzone/**/*") if path.is_file()]
    assert [(str(path), path.read_bytes()) for path in lying] == [(file.uri, _bytes(content))]
    return str(refused.value)


def _bytes(content):
    return content.encode() if isinstance(content, str) else content


# --- Values --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("sao paulo", "sao paulo"),
        ('"sao paulo, centro"', "sao paulo, centro"),
        ('"the ""big"" one"', 'the "big" one'),
        ('""""', '"'),
        ('5" screen', '5" screen'),
        (" sao paulo ", " sao paulo "),
        ("são paulo \U0001f600", "são paulo \U0001f600"),
        ("back\\slash", "back\\slash"),
        ("NA", "NA"),
        ("N/A", "N/A"),
        ("null", "null"),
        ("NULL", "NULL"),
        ("NaN", "NaN"),
        ("007", "007"),
        ("1.50", "1.50"),
        ("true", "true"),
        ("2018-05-10", "2018-05-10"),
        ("", None),
        ('""', None),
    ],
)
@pytest.mark.spark
def test_a_value_is_kept_as_text_and_an_empty_one_is_null(lake, text, value):
    content = f"{HEADER}s1,{text},{text},{text}\n{text},1001,sao paulo,SP\n"
    assert parsed(lake, content) == [("s1", value, value, value), (value, "1001", "sao paulo", "SP")]


@pytest.mark.parametrize("text", ["line\nline", "line\r\nline", "\n\nline\n", 'a, b\n"c"'])
def test_a_text_of_several_lines_is_kept(lake, text):
    quoted = '"' + text.replace('"', '""') + '"'
    assert parsed(lake, f"{HEADER}s1,1001,{quoted},SP\ns2,1001,b,{quoted}\n") == [
        ("s1", "1001", text, "SP"),
        ("s2", "1001", "b", text),
    ]


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        pytest.param(
            "\ufeff" + HEADER + "s1,1001,sao paulo,SP\n", [("s1", "1001", "sao paulo", "SP")], id="byte order mark"
        ),
        pytest.param(
            HEADER.replace("\n", "\r\n") + "s1,1001,a,SP\r\ns2,1002,b,SP\r\n",
            [("s1", "1001", "a", "SP"), ("s2", "1002", "b", "SP")],
            id="CRLF",
        ),
        pytest.param(
            "\ufeff" + HEADER.replace("\n", "\r\n") + "s1,1001,a,SP\r\n",
            [("s1", "1001", "a", "SP")],
            id="byte order mark and CRLF, as in the translation",
        ),
        pytest.param(
            "\ufeff" + '"seller_id","seller_zip_code_prefix","seller_city","seller_state"\ns1,1001,a,SP\n',
            [("s1", "1001", "a", "SP")],
            id="quoted header",
        ),
        pytest.param(HEADER + "s1,1001,a,SP", [("s1", "1001", "a", "SP")], id="no line end after the last row"),
        pytest.param(
            HEADER + 's1,1001,a,"S\nP"\n', [("s1", "1001", "a", "S\nP")], id="a quoted text of two lines at the end"
        ),
        pytest.param(
            HEADER + 's1,1001,a,"S\nP"',
            [("s1", "1001", "a", "S\nP")],
            id="a quoted text of two lines and no line end at the end",
        ),
        pytest.param(
            HEADER + "s1,1001,a,SP\n\n\ns2,1002,b,SP\n\n",
            [("s1", "1001", "a", "SP"), ("s2", "1002", "b", "SP")],
            id="empty lines are no rows",
        ),
        pytest.param("\n" + HEADER + "s1,1001,a,SP\n", [("s1", "1001", "a", "SP")], id="empty line before the header"),
        pytest.param(HEADER + ",,,\n", [(None, None, None, None)], id="a row of empty values is a row"),
        pytest.param(
            "seller_state,seller_city,seller_zip_code_prefix,seller_id\nSP,a,1001,s1\n",
            [("s1", "1001", "a", "SP")],
            id="columns in another order",
        ),
        pytest.param(
            " seller_id,seller_zip_code_prefix\u00a0,\tseller_city,seller_state \ns1,1001,a,SP\n",
            [("s1", "1001", "a", "SP")],
            id="white space around the names",
        ),
        pytest.param(
            "sep=,\r\n" + HEADER + "s1,1001,a,SP\n", [("s1", "1001", "a", "SP")], id="a line that names the comma"
        ),
        pytest.param(
            "\ufeff\n" + '"SEP=,"\n\n' + HEADER + "s1,1001,a,SP\n",
            [("s1", "1001", "a", "SP")],
            id="a line that names the comma, among empty lines",
        ),
        pytest.param(HEADER, [], id="header only"),
        pytest.param(HEADER.rstrip("\n"), [], id="header only, without a line end"),
    ],
)
def test_a_file_is_read_with_any_line_ends_byte_order_mark_and_column_order(lake, content, rows):
    assert parsed(lake, content) == rows


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        pytest.param(
            "seller_id,rating,seller_zip_code_prefix,seller_city,seller_state,note\n"
            's1,5,1001,a,SP,"olá ""x"""\n'
            "s2,,1002,b,SP,\n"
            "s3,,1003,c,SP,null\n",
            [
                ("s1", "SP", '{"rating": "5", "note": "olá \\"x\\""}'),
                ("s2", "SP", None),
                ("s3", "SP", '{"note": "null"}'),
            ],
            id="between and after the known ones",
        ),
        pytest.param(
            HEADER.rstrip("\n") + ",, \ns1,1001,a,SP,7,\ns2,1002,b,SP,,\ns3,1002,b,SP,,8\n",
            [("s1", "SP", '{"column 5": "7"}'), ("s2", "SP", None), ("s3", "SP", '{"column 6": "8"}')],
            id="without a name",
        ),
        pytest.param(
            HEADER.rstrip("\n") + ",,\ns1,1001,a,SP,,\ns2,1002,b,SP,,\n",
            [("s1", "SP", None), ("s2", "SP", None)],
            id="without a name and values, as Excel writes them",
        ),
        pytest.param(
            "note," + HEADER.rstrip("\n") + ", note\n1,s1,1001,a,SP,2\n",
            [("s1", "SP", '{"note": "1", "column 6": "2"}')],
            id="of the same name",
        ),
        pytest.param(
            "_row,_landing_date,_extra," + HEADER + "9,2001-01-01,x,s1,1001,a,SP\n",
            [("s1", "SP", '{"_row": "9", "_landing_date": "2001-01-01", "_extra": "x"}')],
            id="under the names of lineage",
        ),
    ],
)
def test_undeclared_columns_are_kept_as_json(lake, content, rows):
    append(lake, content)
    found = sorted(lake.read("raw/sellers"), key=lambda row: row["_row"])
    assert [(r["seller_id"], r["seller_state"], r["_extra"]) for r in found] == rows
    assert [(r["_row"], str(r["_landing_date"])) for r in found] == [(n, "2018-05-10") for n in range(len(rows))]


# --- Rows that cannot be parsed ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "rows"),
    [
        pytest.param(
            "s0,1001,a,SP\ns1,1001\ns2,1001,a,SP\n",
            [(0, "s0", None, None), (1, None, "expected 4 columns, got 2", "s1,1001"), (2, "s2", None, None)],
            id="too few values, in the middle",
        ),
        pytest.param(
            "s0,1001,sao paulo, centro,SP\ns1,1001,a,SP\n",
            [(0, None, "expected 4 columns, got 5", "s0,1001,sao paulo, centro,SP"), (1, "s1", None, None)],
            id="too many values, first",
        ),
        pytest.param(
            "s0,1001,a,SP\ns1\n",
            [(0, "s0", None, None), (1, None, "expected 4 columns, got 1", "s1")],
            id="last",
        ),
        pytest.param(
            "s0,1001,a,SP\ns1",
            [(0, "s0", None, None), (1, None, "expected 4 columns, got 1", "s1")],
            id="last, cut off",
        ),
        pytest.param(
            "s0\ns1\ns2,1001,a,SP\ns3,1001,a,SP\ns4\ns5,1001,a,SP\ns6\n",
            [
                (0, None, "expected 4 columns, got 1", "s0"),
                (1, None, "expected 4 columns, got 1", "s1"),
                (2, "s2", None, None),
                (3, "s3", None, None),
                (4, None, "expected 4 columns, got 1", "s4"),
                (5, "s5", None, None),
                (6, None, "expected 4 columns, got 1", "s6"),
            ],
            id="several, at both ends too",
        ),
        pytest.param(
            "s0\ns1,2\ns2,1,2,3,4\n",
            [
                (0, None, "expected 4 columns, got 1", "s0"),
                (1, None, "expected 4 columns, got 2", "s1,2"),
                (2, None, "expected 4 columns, got 5", "s2,1,2,3,4"),
            ],
            id="all of them",
        ),
        pytest.param(
            's0,1001,"two\nlines",SP\ns1,"two\nlines"\n\n"s2",1001,a,SP\n',
            [(0, "s0", None, None), (1, None, "expected 4 columns, got 2", 's1,"two\nlines"'), (2, "s2", None, None)],
            id="among values of several lines, and empty lines",
        ),
        pytest.param(
            "s0,1001,a,SP\r\ns1\r\ns2,1001,a,SP\r\n",
            [(0, "s0", None, None), (1, None, "expected 4 columns, got 1", "s1"), (2, "s2", None, None)],
            id="CRLF",
        ),
        pytest.param(
            "s0,1001,a,SP\n  \ns2,1001,a,SP\n",
            [(0, "s0", None, None), (1, None, "expected 4 columns, got 1", "  "), (2, "s2", None, None)],
            id="a line of blanks",
        ),
    ],
)
def test_a_row_of_the_wrong_width_is_kept_with_its_reason_text_and_position(lake, body, rows):
    assert parsed_rows(lake, HEADER + body) == rows


def test_a_line_that_names_the_separator_changes_no_position(lake):
    assert parsed_rows(lake, "sep=,\n" + HEADER + "s0\ns1,1001,a,SP\ns2\n") == [
        (0, None, "expected 4 columns, got 1", "s0"),
        (1, "s1", None, None),
        (2, None, "expected 4 columns, got 1", "s2"),
    ]


def test_a_rejected_row_has_its_lineage_and_no_values(lake):
    append(lake, HEADER + "s0,1001\n")
    assert lake.read("raw/sellers") == [
        {
            "seller_id": None,
            "seller_zip_code_prefix": None,
            "seller_city": None,
            "seller_state": None,
            "_landing_date": "2018-05-10",
            "_file_id": "6b466aee6b500816",
            "_file_name": "olist_sellers_dataset.csv",
            "_row": 0,
            "_extracted_at": "2018-05-10 03:00:00",
            "_run_id": "test",
            "_extra": None,
            "_reject": "expected 4 columns, got 2",
            "_text": "s0,1001",
            "_received_at": "2018-05-10 04:00:00",
        }
    ]


BLOCK_BYTES = 100
COLUMNS = (Column("a", text=Text.ID), Column("b"), Column("c", text=Text.FREE))


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({3}, id="in the first block"),
        pytest.param({59}, id="in the last block"),
        pytest.param(set(range(30)), id="all of the first blocks"),
        pytest.param(set(range(20, 40)), id="all of some blocks in the middle"),
        pytest.param(set(range(30, 60)), id="all of the last blocks"),
        pytest.param(set(range(60)), id="all"),
        pytest.param(set(range(0, 60, 2)), id="every other"),
    ],
)
def test_rows_keep_their_positions_across_blocks_of_the_file(lake, monkeypatch, wrong):
    monkeypatch.setattr(csv_files, "_BLOCK_BYTES", BLOCK_BYTES)
    body = "".join(f"s{n:02}\n" if n in wrong else f's{n:02},1001,"sao\npaulo",SP\n' for n in range(60))
    assert parsed_rows(lake, HEADER + body) == [
        (n, None, "expected 4 columns, got 1", f"s{n:02}") if n in wrong else (n, f"s{n:02}", None, None)
        for n in range(60)
    ]


def test_a_row_that_is_wider_than_a_block_is_refused(lake, monkeypatch):
    monkeypatch.setattr(csv_files, "_BLOCK_BYTES", BLOCK_BYTES)  # proves that the setting reaches the reader
    content = f"{HEADER}s0,1001,a,SP\ns1,1001,{'x' * 2 * BLOCK_BYTES},SP\n"
    assert refusal(lake, content) == f"{FILE} has a row of over 0 MiB; {REMEDY}"


@settings(derandomize=True, deadline=None, max_examples=100)
@given(widths=st.lists(st.integers(1, 5), max_size=40), block_bytes=st.integers(30, 200))
def test_every_row_of_a_file_is_kept_once_at_its_position(tmp_path_factory, widths, block_bytes):
    texts = [",".join(f"{n}.{i}" for i in range(width)) for n, width in enumerate(widths)]
    path = tmp_path_factory.mktemp("ragged") / "ragged.csv"
    path.write_text("a,b,c\n" + "".join(f"{text}\n" for text in texts))
    found = {row["_row"]: row for row in _rows(path, COLUMNS, block_bytes)}
    assert [
        row["_text"] or ",".join(row[column] for column in ("a", "b", "c")) for _, row in sorted(found.items())
    ] == texts
    assert sorted(found) == list(range(len(texts)))
    assert [n for n, row in sorted(found.items()) if row["_reject"]] == [n for n, w in enumerate(widths) if w != 3]


def _rows(path, columns, block_bytes):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_files, "_BLOCK_BYTES", block_bytes)
        read = csv_files.reader("raw/t", columns, "run")
        return [row for batch in read(iter(_landed(path).to_batches())) for row in batch.to_pylist()]


def _landed(path):
    extracted_at = datetime(2018, 5, 10, 3, tzinfo=UTC)
    file_id, size = "0123456789abcdef", path.stat().st_size
    file = LandedFile(str(path), path.name, file_id, extracted_at.date(), extracted_at, extracted_at, size)
    return csv_files.file_rows((file,))


# --- Files that cannot be read -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(
            "seller_id,seller_city,seller_state\ns1,a,SP\n",
            f"{FILE} lacks the column seller_zip_code_prefix; {REMEDY}",
            id="a column is missing",
        ),
        pytest.param(
            "seller_state\nSP\n",
            f"{FILE} lacks the column seller_id, seller_zip_code_prefix, seller_city; {REMEDY}",
            id="several columns are missing",
        ),
        pytest.param(
            "s1,1001,a,SP\ns2,1002,b,SP\n",
            f"{FILE} lacks the column seller_id, seller_zip_code_prefix, seller_city, seller_state; {REMEDY}",
            id="no header",
        ),
        pytest.param(
            HEADER.replace(",", ";") + "s1;1001;a;SP\n",
            f"{FILE} is separated by ';'; deliver it with commas; {REMEDY}",
            id="semicolons",
        ),
        pytest.param(
            "\ufeff" + HEADER.replace(",", '"|"').replace("seller_id", '"seller_id').replace("state", 'state"'),
            f"{FILE} is separated by '|'; deliver it with commas; {REMEDY}",
            id="vertical bars and quotes",
        ),
        pytest.param(
            HEADER.replace(",", "\t") + "s1\t1001\ta\tSP\n",
            f"{FILE} is separated by tabs; deliver it with commas; {REMEDY}",
            id="tabs",
        ),
        pytest.param(
            "sep=;\n" + HEADER.replace(",", ";") + "s1;1001;a;SP\n",
            f"{FILE} is separated by ';'; deliver it with commas; {REMEDY}",
            id="semicolons, and a line that names them",
        ),
        pytest.param(
            "sep=,\nseller_id,seller_city,seller_state\ns1,a,SP\n",
            f"{FILE} lacks the column seller_zip_code_prefix; {REMEDY}",
            id="a line that names the comma, and a column is missing",
        ),
        pytest.param("sep=,\n", f"{FILE} is empty: it has no header; {REMEDY}", id="only a line that names the comma"),
        pytest.param(
            HEADER.replace("seller_city", "Seller_City") + "s1,1001,a,SP\n",
            f"{FILE} lacks the column seller_city; {REMEDY}",
            id="a column in other letters",
        ),
        pytest.param(
            "",
            f"{FILE} is empty: it has no header; {REMEDY}",
            id="an empty file",
        ),
        pytest.param(
            "\ufeff",
            f"{FILE} is empty: it has no header; {REMEDY}",
            id="only a mark",
        ),
        pytest.param(
            "\n\r\n\n",
            f"{FILE} is empty: it has no header; {REMEDY}",
            id="only empty lines",
        ),
        pytest.param(
            "seller_id," + HEADER + "s1,s1,1001,a,SP\n",
            f"{FILE} has the column seller_id twice; {REMEDY}",
            id="a column stands there twice",
        ),
        pytest.param(
            " seller_id ," + HEADER + "s1,s1,1001,a,SP\n",
            f"{FILE} has the column seller_id twice; {REMEDY}",
            id="a column is there twice, once with white space",
        ),
        pytest.param(
            (HEADER.replace("city", "cité") + "s1,1001,a,SP\n").encode("latin-1"),
            f"{FILE} is not UTF-8; {REMEDY}",
            id="not UTF-8, in the header",
        ),
        pytest.param(
            (HEADER + "s1,1001,são paulo,SP\n").encode("latin-1"),
            f"{FILE} is not UTF-8; {REMEDY}",
            id="not UTF-8, beside the header",
        ),
        pytest.param(
            (HEADER + "s1,1001,sao paulo,SP\n" * 1000 + "s2,1001,são paulo,SP\n").encode("latin-1"),
            f"{FILE} is not UTF-8; {REMEDY}",
            id="not UTF-8, far from the header",
        ),
        pytest.param(
            (HEADER + "s1,1001,sao paulo,SP\n").encode("utf-16"),
            f"{FILE} is not UTF-8; {REMEDY}",
            id="UTF-16",
        ),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_and_stays(lake, content, message):
    assert refusal(lake, content) == message


@pytest.mark.parametrize(
    ("body", "line"),
    [
        pytest.param('"s1,1001,a,SP\n' + "s2,1001,a,SP\n" * 50, 2, id="in the first column"),
        pytest.param("s1,1001,a,SP\n" + 's2,1001,"a,SP\n' + "s3,1001,a,SP\n" * 50, 3, id="in the middle"),
        pytest.param('s1,1001,a,"SP\ns2,1001,a,SP\n', 2, id="in the last column"),
        pytest.param('s1,1001,a,SP\ns2,1001,a,"SP\n', 3, id="in the last column of the last row"),
        pytest.param('s1,1001,a,SP\ns2,1001,"a,SP', 3, id="in the last row, without a line end"),
        pytest.param('s1,1001,"a,SP\ns2,1001,b,SP\ns3,1001,"c",SP\n', 2, id="before a quoted text"),
        pytest.param('s1,1001,"a,SP\ns2,1001,b,SP\ns3,1001,"c, d",SP\n', 2, id="before a quoted text with a comma"),
        pytest.param('s1,1001,"a,SP\ns2,1001,"",SP\ns3,1001,c,SP\n', 2, id="before an empty quoted text"),
        pytest.param('s1,1001,"a,SP\ns2,1001,"""b""",SP\n', 2, id="before a text that begins with a quote"),
        pytest.param('s1,1001,"a,SP\ns2,1001,",b",SP\n', 2, id="before a text that begins with a comma"),
        pytest.param('s1,1001,"a,SP\ns2,1001,"\nb",SP\n', 2, id="before a text that begins with a line end"),
        pytest.param('s1,1001,"a,SP\ns2,1001,b",SP\n', 2, id="before a quote at the end of a text"),
        pytest.param('"s1,1001,a,SP\ns2",1001,b,SP\n', 2, id="before a quote at the end of an id"),
        pytest.param('"s1\ns2",1001,b,SP\n', 2, id="an id of two lines"),
        pytest.param('"s1","1001","a","SP\n"s2","1001","b","SP"\n', 2, id="between quoted values"),
        pytest.param('s0\ns1,"1001,a,SP\ns2,5",b,SP,x\ns3,1,2,3,4\n', 3, id="among rows of the wrong width"),
        pytest.param('s1,1001,5" a,"b\nc"\ns2,1001,"a,SP\n', 4, id="after other quotes"),
        pytest.param('s1,1001,a,SP\r\ns2,1001,"a,SP\r\ns3,1001,"b",SP\r\n', 3, id="with CRLF"),
        pytest.param('s1,1001,a,SP\rs2,1001,"a,SP\rs3,1001,"b",SP\r', 3, id="with CR"),
        pytest.param('\ns1,1001,a,SP\n\n"s2,1001,a,SP\n', 5, id="after empty lines"),
        pytest.param('s2,1001,a,"' + "s3,1001,a,SP\n" * 3_000_000, 2, id="in a large file"),  # more than two blocks
    ],
)
def test_a_quote_that_is_never_closed_fails_the_file_and_names_the_line(lake, body, line):
    assert refusal(lake, HEADER + body) == f"{FILE}: the quote in line {line} is never closed; {REMEDY}"


@pytest.mark.parametrize(
    ("content", "line"),
    [
        pytest.param(HEADER.replace("seller_city", '"seller_city') + "s1,1001,a,SP\n" * 20_000, 1, id="large"),
        pytest.param(HEADER.replace("seller_city", '"seller_city') + "s1,1001,a,SP\n", 1, id="small"),
        pytest.param("\nsep=,\n" + HEADER.replace("seller_id", '"seller_id') + "s1,1001,a,SP\n", 3, id="other lines"),
        pytest.param(HEADER.rstrip("\n") + ',"note\ns1,1001,a,SP,b\n', 1, id="undeclared column"),
    ],
)
def test_a_quote_in_the_header_that_is_never_closed_fails_the_file(lake, content, line):
    assert refusal(lake, content) == f"{FILE}: the quote in line {line} is never closed; {REMEDY}"


@pytest.mark.parametrize("body", ['s1,1001,5" screen,SP\n', 's1,1001,"5" screen,SP\n', 's1,1001,a"b",SP\n'])
def test_a_quote_that_swallows_no_row_is_accepted(lake, body):
    assert len(parsed(lake, f"{HEADER}s0,1001,a,SP\n{body}s2,1001,a,SP\n")) == 3


_CELLS = st.sampled_from(["x", "", "1", "a, b", 'say "x"', '"', "two\nlines", "\nx", ", x", "ç"])


@settings(derandomize=True, deadline=None, max_examples=200)
@given(
    cells=st.lists(st.tuples(_CELLS, _CELLS), min_size=1, max_size=8),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    line_end=st.sampled_from(["\n", "\r\n"]),
    block_bytes=st.integers(50, 200),
    data=st.data(),
)
def test_a_lost_quote_fails_the_file_or_changes_only_its_row(
    tmp_path_factory, cells, quoting, line_end, block_bytes, data
):
    rows = [(f"i{n}", b.replace("\n", ";"), c) for n, (b, c) in enumerate(cells)]
    text = io.StringIO()
    csv.writer(text, quoting=quoting, lineterminator=line_end).writerows([("a", "b", "c"), *rows])
    content = text.getvalue()
    path = tmp_path_factory.mktemp("quotes") / "quotes.csv"
    path.write_text(content, newline="")
    assert [_cells(row) for row in _rows(path, COLUMNS, block_bytes)] == [tuple(v or None for v in r) for r in rows]
    quotes = [n for n, character in enumerate(content) if character == '"']
    if not quotes:
        return
    lost = data.draw(st.sampled_from(quotes))
    path.write_text(content[:lost] + content[lost + 1 :], newline="")
    try:
        found = {_cells(row) for row in _rows(path, COLUMNS, block_bytes)}
    except StepError:
        return
    assert sum(tuple(value or None for value in row) not in found for row in rows) <= 1


def _cells(row):
    return (row["a"], row["b"], row["c"])


@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)  # Arrow prints the row's text as it fails
def test_a_file_whose_row_of_the_wrong_width_is_not_utf8_is_refused_and_stays(lake):
    content = (HEADER + "s1,1001,sao paulo,SP\n" * 1000 + "s2,são paulo\n").encode("latin-1")
    assert refusal(lake, content) == f"{FILE} is not UTF-8; {REMEDY}"


def test_a_header_is_checked_on_any_stream_which_stays_open():
    content = gzip.compress(b"sep=,\n b,note,a,,note\n1,2,3,,\n")
    with gzip.open(io.BytesIO(content)) as stream:
        header = csv_files.check_header("x.csv.gz", stream, ("a", "b"))
        assert not stream.closed
    assert header == csv_files.Header(["b", "note", "a", "column 4", "column 5"], lines_before=1)
    with pytest.raises(StepError, match=r"^x.csv lacks the column a; "):
        csv_files.check_header("x.csv", io.BytesIO(b"b,c\n"), ("a", "b"))


def test_a_message_is_one_line_that_names_table_file_and_day(lake):
    file = lake.file("olist_orders_dataset_20180511T030000Z.csv", "order_id\no1\n")
    with pytest.raises(StepError) as refused:
        lake.run("raw/orders", files=[file])
    assert str(refused.value) == (
        "raw/orders: olist_orders_dataset_20180511T030000Z.csv of 2018-05-10 lacks the column customer_id, "
        "order_status, order_purchase_timestamp, order_approved_at, order_delivered_carrier_date, "
        "order_delivered_customer_date, order_estimated_delivery_date; "
        "replace it in the delivery by a corrected file, or remove it there and from the landing zone"
    )


def test_a_file_is_read_lazily_in_blocks(tmp_path):
    path = tmp_path / "broken at the end.csv"
    path.write_text("a,b\n" + "1,2\n" * 100 + '3,"' + "x\n" * 200)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_files, "_BLOCK_BYTES", BLOCK_BYTES)
        batches = csv_files.reader("raw/t", COLUMNS[:2], "run")(iter(_landed(path).to_batches()))
        [first] = islice(batches, 1)
        assert first.column("a").to_pylist() == ["1"] * 24
        with pytest.raises(StepError):
            list(batches)
