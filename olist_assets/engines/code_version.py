"""The version of the code that runs."""

from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

import spark_steps


@cache
def steps_digest() -> str:
    """The first 12 hex digits of the step code's SHA-256."""
    digest = sha256()
    package = Path(spark_steps.__path__[0])
    for path in sorted(package.rglob("*.py")):
        digest.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


@cache
def code_version() -> str:
    """The release and the digest of the step code, `<release>+<digest>`."""
    return f"{version('olist-lakehouse')}+{steps_digest()}"
