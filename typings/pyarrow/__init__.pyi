# pyarrow has no types: every name is Any, so that the code around it can be checked strictly.
from typing import Any

def __getattr__(name: str) -> Any: ...
