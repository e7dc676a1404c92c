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
_PRECEDENCE = ("global", "install")  # the last wins; variables come before both


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
    found = _configured(environment)
    for option in _WORDS:
        value = environment.get("PIP_" + option.upper().replace("-", "_"))
        if value is not None:
            found[option] = value
    settings = {
        variable: separator.join(found[option].split())
        for option, (variable, separator) in _WORDS.items()
        if option in found
    }
    if "UV_INDEX" in settings:  # pip takes the best version of all indexes, uv the first index
        settings["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    return {name: value for name, value in settings.items() if name not in environment}


def _configured(environment: Mapping[str, str]) -> dict[str, str]:
    """What pip's configuration files say; nothing where there is no pip to read them."""
    done = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"],
        capture_output=True,
        text=True,
        env=dict(environment),
    )
    found = {}
    for section in _PRECEDENCE:
        for line in done.stdout.splitlines():
            key, _, value = line.partition("=")
            if key.startswith(f"{section}."):
                found[key.removeprefix(f"{section}.")] = str(ast.literal_eval(value))
    return found
