"""pip's configuration in uv's words: uv reads neither ``PIP_*`` nor ``pip.conf``."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Mapping

__all__ = ["uv_settings"]

_WORDS = {  # pip's option: uv's environment variable, and what joins several values
    "index-url": ("UV_DEFAULT_INDEX", " "),
    "extra-index-url": ("UV_INDEX", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "constraint": ("UV_CONSTRAINT", " "),
    "cert": ("SSL_CERT_FILE", " "),
    "trusted-host": ("UV_INSECURE_HOST", " "),
}
_PRECEDENCE = ("global", "install", ":env:")  # the last wins, as in pip


def uv_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that make uv find what pip would find.

    Parameters
    ----------
    environment
        The environment to translate; a variable of uv's that is already set there stays.

    Returns
    -------
    dict
        Variables to add.
    """
    done = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"],
        capture_output=True,
        text=True,
        env=dict(environment),
    )
    values: dict[str, tuple[int, list[str]]] = {}
    for line in done.stdout.splitlines():  # without pip there is nothing to translate
        key, _, value = line.partition("=")
        section, _, option = key.rpartition(".")
        if section in _PRECEDENCE and option in _WORDS:
            rank = _PRECEDENCE.index(section)
            if rank >= values.get(option, (0, []))[0]:
                values[option] = rank, str(ast.literal_eval(value)).split()
    settings = {_WORDS[o][0]: _WORDS[o][1].join(words) for o, (_, words) in values.items()}
    if "UV_INDEX" in settings:  # pip takes the best version of all indexes, uv the first index
        settings["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    return {name: value for name, value in settings.items() if name not in environment}
