"""Vega: its JavaScript, embedded so that the page needs no network."""

import sys
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from uuid import uuid4

import vl_convert


def load_library() -> str:
    """The JavaScript of Vega, Vega-Lite and Vega-Embed, about 0.9 MB.

    Bundling takes seconds of CPU and depends only on the installed packages. The bundle is therefore cached beside
    them, in the environment, if that is writable.
    """
    cache = Path(sys.prefix) / "share" / "olist" / f"vega-{version('vl-convert-python')}.js"
    with suppress(OSError):
        return cache.read_text(encoding="utf-8")
    bundle = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    with suppress(OSError):
        cache.parent.mkdir(parents=True, exist_ok=True)
        new = cache.with_name(f"{cache.name}.{uuid4().hex}")
        new.write_text(bundle, encoding="utf-8")
        new.replace(cache)
    return bundle
