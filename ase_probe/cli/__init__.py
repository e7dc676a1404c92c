"""The command line: arguments in, exit codes out, no science. One file per command.

Exit code 0: nothing found at or above ``--fail-on``. 1: findings. 2: could not run. An error is one
paragraph on stderr; ``--debug`` shows the traceback.
"""

from __future__ import annotations

import click

import ase_probe
from ase_probe.cli.audit import audit
from ase_probe.cli.baseline import baseline
from ase_probe.cli.cache import cache
from ase_probe.cli.compare import compare
from ase_probe.cli.env import env
from ase_probe.cli.export import export
from ase_probe.cli.models import list_models
from ase_probe.cli.plot import plot
from ase_probe.cli.scaling import scaling
from ase_probe.cli.schema import schema

__all__ = ["main"]


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(ase_probe.__version__, prog_name="ase-probe")
def main() -> None:
    """Find out where a machine-learned interatomic potential stops being physics.

    \b
    ase-probe audit 7net-0                        the standard suite of about 40 dimers
    ase-probe audit 7net-0 --suite quick          six dimers, a few seconds
    ase-probe audit my_package.my_module:make     your own ASE calculator
    ase-probe compare before.json after.json      what changed, exit code 1 on regressions
    ase-probe models                              every model known by name
    """  # noqa: D301  click wants the backspace


for _command in (
    audit, compare, plot, export, list_models, baseline, scaling, env, cache, schema
):  # fmt: skip
    main.add_command(_command)
