"""docs/athena.md, run: its statements and commands on moto's Athena, and its questions on a lake."""

import json
import re
import shlex
from pathlib import Path

import boto3
import deltalake
import pytest

from olist_assets.catalog.glue import DATABASES, published, table_input
from olist_assets.serving.sql.session import connect
from olist_assets_tests.deploy.stacks import create
from spark_steps import delta
from spark_steps.protocol import TableHandle

TEXT = (Path(__file__).parents[2] / "docs" / "athena.md").read_text()
STATEMENTS = [block.strip() for block in re.findall(r"```sql\n(.*?)```", TEXT, re.DOTALL)]
QUESTIONS = [statement for statement in STATEMENTS if statement.startswith("SELECT")]
COMMANDS = re.findall(r"aws athena ([a-z-]+) (.*)", TEXT.replace("\\\n", " "))
LAKE = "s3://olist-lake-123456789012-us-east-1/lake"


class Athena:
    """A client of Athena with the stack's workgroup, and the bodies of its requests."""

    def __init__(self, workgroup):
        self.bodies = []
        self.client = boto3.Session().client("athena")
        self.client.create_work_group(
            Name=workgroup["Name"],
            Description=workgroup["Description"],
            Configuration=workgroup["WorkGroupConfiguration"],
            Tags=workgroup["Tags"],
        )
        self.client.meta.events.register("before-send.athena", self._keep)

    def _keep(self, request, **_):
        self.bodies.append(json.loads(request.body))


@pytest.fixture(scope="module")
def workgroup():
    """The workgroup of the stack, from the template."""
    return create().properties("Workgroup")


@pytest.fixture
def athena(s3, workgroup):  # noqa: ARG001 - s3 sets the variables
    """Athena with the stack's workgroup."""
    athena = Athena(workgroup)
    yield athena
    athena.client.delete_work_group(WorkGroup=workgroup["Name"])


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    """A lake with all tables that are registered, without rows."""
    root = str(tmp_path_factory.mktemp("lake"))
    for table in published():
        delta.create_if_missing(TableHandle(table.id, f"{root}/{table.id}"))
    return root


def test_the_document_has_statements_and_commands():
    assert [statement.split()[0] for statement in STATEMENTS] == [
        *("SELECT", "SELECT", "CREATE", "CREATE", "CREATE", "DROP", "SELECT")
    ]
    assert [operation for operation, _ in COMMANDS] == [
        *("start-query-execution", "get-query-execution", "get-query-results")
    ]


def test_athena_takes_the_workgroup_of_the_stack(athena):
    configuration = athena.client.get_work_group(WorkGroup="olist")["WorkGroup"]["Configuration"]
    assert configuration["BytesScannedCutoffPerQuery"] == 10737418240
    assert configuration["EnforceWorkGroupConfiguration"] is True
    assert configuration["ResultConfiguration"]["OutputLocation"] == "s3://olist-logs-123456789012-us-east-1/athena/"


@pytest.mark.parametrize("statement", STATEMENTS)
def test_a_statement_is_one_request(athena, statement):
    started = athena.client.start_query_execution(QueryString=statement, WorkGroup="olist")
    [body] = athena.bodies
    del body["ClientRequestToken"]
    assert body == {"QueryString": statement, "WorkGroup": "olist"}
    execution = athena.client.get_query_execution(QueryExecutionId=started["QueryExecutionId"])["QueryExecution"]
    assert (execution["Query"], execution["WorkGroup"]) == (statement, "olist")


def test_the_ddl_names_databases_and_places_as_register_does(athena):
    databases, tables = {}, {}
    for statement in STATEMENTS:
        if match := re.fullmatch(r"CREATE DATABASE IF NOT EXISTS (\w+) LOCATION '(.*)'", statement):
            databases[match[1]] = match[2]
            athena.client.start_query_execution(QueryString=statement, WorkGroup="olist")
        elif statement.startswith("CREATE"):
            native = r"CREATE EXTERNAL TABLE (\w+)\.(\w+)\nLOCATION '(.*)'\nTBLPROPERTIES \('table_type' = 'DELTA'\)"
            match = re.fullmatch(native, statement)
            assert match, statement
            tables[match[1], match[2]] = match[3]
    assert databases == {"olist_refined": f"{LAKE}/refined/"}
    assert "olist_refined" in {
        d["Name"] for d in athena.client.list_databases(CatalogName="AwsDataCatalog")["DatabaseList"]
    }
    registered = {
        (f"olist_{table.layer}", table.name): table_input(table, LAKE, "olist")["StorageDescriptor"]["Location"]
        for table in published()
    }
    assert tables.keys() == {("olist_refined", "fact_orders"), ("olist_refined", "dim_customers")}
    assert tables.items() <= registered.items()


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_names_tables_and_columns_that_there_are(lake, question):
    here = question
    for layer in DATABASES:
        here = here.replace(f"olist_{layer}.", f"{layer}.")
    connect(lake).query(here).fetchall()


def test_the_commands_are_calls_that_athena_takes(athena):
    """Each command's options become the parameters that they are named after."""
    query_id = ""
    for operation, options in COMMANDS:
        words = shlex.split(options.rstrip(")").replace("$query", query_id))
        arguments = dict(zip(words[::2], words[1::2], strict=True))
        parameters = {
            "".join(part.capitalize() for part in name.removeprefix("--").split("-")): value
            for name, value in arguments.items()
            if name not in ("--output", "--query")  # what the command prints
        }
        answer = getattr(athena.client, operation.replace("-", "_"))(**parameters)
        query_id = query_id or answer["QueryExecutionId"]
    first, *others = athena.bodies
    del first["ClientRequestToken"]
    assert first == {
        "QueryString": "SELECT count(*) AS orders FROM olist_refined.fact_orders WHERE order_month = '2018-05'",
        "WorkGroup": "olist",
    }
    assert others == [{"QueryExecutionId": query_id}, {"QueryExecutionId": query_id}]


def test_the_query_in_the_command_can_be_run(lake):
    [(_, options), *_] = COMMANDS
    words = shlex.split(options.rstrip(")"))
    question = words[words.index("--query-string") + 1]
    assert connect(lake).query(question.replace("olist_refined.", "refined.")).fetchall() == [(0,)]


def test_tables_have_the_reader_version_of_the_document(lake):
    versions = {deltalake.DeltaTable(f"{lake}/{table.id}").protocol().min_reader_version for table in published()}
    assert versions == {1}
    assert "| reader version of the tables | 1, " in TEXT
