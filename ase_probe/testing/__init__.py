"""For the tests of other projects: `assert_physical` for a potential, `contract` for an adapter."""

from ase_probe.testing.clauses import CONTRACT, contract
from ase_probe.testing.physical import assert_physical
from ase_probe.testing.subject import Subject

__all__ = ["CONTRACT", "Subject", "assert_physical", "contract"]
