"""A lake of three tables for tests of Glue, and the requests that go to Glue over the wire."""

import io
import json

from botocore.awsrequest import AWSResponse
from urllib3 import HTTPResponse

from olist_assets.catalog.glue import register
from spark_steps import delta
from spark_steps.protocol import TableHandle
from spark_steps.tables import TABLES

SELLERS, DIM_SELLERS, MONTHS = (
    TABLES[name] for name in ("trusted/sellers", "refined/dim_sellers", "refined/aggregate_payments_per_month")
)
LAKE_TABLES = (SELLERS, DIM_SELLERS, MONTHS)
WRITES = ("Create", "Update", "Delete", "BatchDelete")


class Wire:
    """The requests to Glue, and responses that replace Glue's.

    Attributes:
        requests: operation and body of each request, in order.
        responders: called with operation and body; the first response that is not None replaces Glue's.
    """

    def __init__(self):
        self.requests, self.responders = [], []

    def __call__(self, request, **_):
        """Botocore's hook: called before each attempt of a request."""
        target = request.headers["X-Amz-Target"]
        operation = (target.decode() if isinstance(target, bytes) else target).removeprefix("AWSGlue.")
        body = json.loads(request.body)
        self.requests.append((operation, body))
        for respond in self.responders:
            if (response := respond(operation, body)) is not None:
                return response
        return None

    @property
    def writes(self):
        """The requests that change Glue."""
        return [(operation, body) for operation, body in self.requests if operation.startswith(WRITES)]


def to_response(body, status=200):
    """An HTTP response of Glue."""
    raw = HTTPResponse(io.BytesIO(json.dumps(body).encode()), preload_content=False)
    return AWSResponse("https://glue", status, {"Content-Type": "application/x-amz-json-1.1"}, raw)


def to_error_response(code, message="no"):
    """An error response of Glue."""
    return to_response({"__type": code, "Message": message}, status=400)


def write_lake(bucket):
    """Create three tables in a bucket; returns the lake's root."""
    root = f"{bucket}/lake"
    for table in LAKE_TABLES:
        delta.create_if_missing(TableHandle(table.id, f"{root}/{table.id}"))
    return root


def register_tables(lake, name, **options):
    """Register the three tables, or those of the option `tables`."""
    return register(lake, name, tables=options.pop("tables", LAKE_TABLES), **options)


def expected_outcomes(name, *, database, sellers, dim_sellers, months):
    """The outcomes of the databases and the three tables."""
    return {
        f"{name}_trusted": database,
        f"{name}_trusted.sellers": sellers,
        f"{name}_refined": database,
        f"{name}_refined.dim_sellers": dim_sellers,
        f"{name}_refined.aggregate_payments_per_month": months,
    }


def all_outcomes(name, outcome):
    """The same outcome for the databases and the three tables."""
    return expected_outcomes(name, database=outcome, sellers=outcome, dim_sellers=outcome, months=outcome)


def once(operation, act):
    """A responder that acts on the first request of an operation only."""
    actions = [act]

    def respond(requested, body):
        return actions.pop()(body) if requested == operation and actions else None

    return respond
