"""Vega: its JavaScript, for a page without a network, and pictures of charts."""

import sys
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any
from uuid import uuid4

import vl_convert


def library() -> str:
    """The JavaScript of Vega, Vega-Lite and Vega-Embed, about 0.9 MB.

    To bundle it takes seconds of CPU, and it depends on nothing but the installed packages: so it is kept beside them,
    in the environment, if that can be written to.
    """
    kept = Path(sys.prefix) / "share" / "olist" / f"vega-{version('vl-convert-python')}.js"
    with suppress(OSError):
        return kept.read_text(encoding="utf-8")
    bundle = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    with suppress(OSError):
        kept.parent.mkdir(parents=True, exist_ok=True)
        new = kept.with_name(f"{kept.name}.{uuid4().hex}")
        new.write_text(bundle, encoding="utf-8")
        new.replace(kept)
    return bundle


def picture(spec: dict[str, Any], width: int) -> bytes:
    """A chart as PNG, `width` pixels wide, on white."""
    return vl_convert.vegalite_to_png(spec | {"width": width, "background": "white", "padding": 8})
