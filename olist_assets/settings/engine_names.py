"""The names of the engines, for settings and options. Imports nothing: `olist --help` must start quickly."""

from typing import Literal, get_args

EngineName = Literal["sail", "spark", "emr", "emr-serverless"]
ENGINES: tuple[str, ...] = get_args(EngineName)
"""All engines; the first is the default."""
LOCAL_ENGINES = ENGINES[:2]
"""The engines that run steps on this machine."""
