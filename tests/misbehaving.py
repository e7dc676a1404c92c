"""Factories of calculators that do to their process what no calculator should."""

import os
import signal
import sys
import time

from ase.calculators.calculator import Calculator, all_changes

SQUEEZED = 1.0  # Å; below it they misbehave


class Spring(Calculator):
    """E = (r - 1.5)²/2 along z; tells nobody about charge."""

    implemented_properties = ["energy", "forces"]  # noqa: RUF012

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        r = self.atoms.positions[-1, 2] - self.atoms.positions[0, 2]
        if 0 < r < SQUEEZED:
            self.misbehave()
        force = 0 * self.atoms.positions
        if len(force) > 1:
            force[0, 2], force[-1, 2] = r - 1.5, 1.5 - r
        self.results = {"energy": 0.5 * (r - 1.5) ** 2 if r else 0.0, "forces": force}

    def misbehave(self):
        pass


class Killed(Spring):
    def misbehave(self):
        os.kill(os.getpid(), signal.SIGKILL)


class Segfaults(Spring):
    def misbehave(self):
        import ctypes

        ctypes.string_at(0)


class Exits(Spring):
    def misbehave(self):
        print("the vendor gives up", flush=True)
        os._exit(3)


class Hangs(Spring):
    def misbehave(self):
        time.sleep(1000)


class Raises(Spring):
    def misbehave(self):
        raise ZeroDivisionError("no such distance")


class Prints(Spring):
    def calculate(self, *arguments, **options):
        print("x" * 100_000)
        sys.stdout.flush()
        os.write(1, b"y" * 100_000)
        super().calculate(*arguments, **options)


class SaysNone(Spring):
    """Promises a stress and has none."""

    implemented_properties = ["energy", "forces", "stress"]  # noqa: RUF012

    def calculate(self, *arguments, **options):
        super().calculate(*arguments, **options)
        self.results["stress"] = None


class HoldsTheLine(Spring):
    """Dies, but a child of it lives on with every open descriptor."""

    def misbehave(self):
        if os.fork() == 0:
            time.sleep(20)
            os._exit(0)
        os._exit(7)


def never_opens():
    raise RuntimeError("no licence")
