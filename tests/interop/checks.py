"""What every comparison of `make interop` shares: Freshet's own command, one line a check, a report."""

import json
import os
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.environ.get("FRESHET_BIN", os.path.join(ROOT, "build", "release", "bin"))
OUT = os.environ.get("FRESHET_INTEROP_OUT", os.path.join(ROOT, "build", "interop"))


class Failed(Exception):
    """Freshet ended with an error: its own words."""


def freshet(*words, seconds=600):
    """Runs `freshet model ...` and returns the JSON of its last line."""
    command = [os.path.join(BIN, "freshet"), "model", *map(str, words)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=seconds, check=False)
    if done.returncode != 0:
        raise Failed(f"{' '.join(command[1:4])}: exit code {done.returncode}: {done.stderr.strip()[-400:]}")
    lines = done.stdout.strip().splitlines()
    if "--json" not in words:
        return lines
    if not lines:
        raise Failed(f"{' '.join(command[1:4])}: printed nothing")
    return json.loads(lines[-1])


class Checks:
    def __init__(self):
        self.rows = []

    def check(self, name, passed, detail=""):
        self.rows.append({"name": name, "passed": bool(passed), "detail": detail})
        print(f"{'ok  ' if passed else 'FAIL'}  {name}{': ' if detail else ''}{detail}", flush=True)
        return passed

    def close(self, name, difference, bound, what="of the largest"):
        return self.check(name, difference <= bound, f"{difference:.2e} {what} (<= {bound:.0e})")

    def equal(self, name, ours, theirs):
        ours, theirs = list(ours), list(theirs)
        if ours == theirs:
            return self.check(name, True, f"{len(ours)} equal")
        at = next((i for i, pair in enumerate(zip(ours, theirs)) if pair[0] != pair[1]), min(len(ours), len(theirs)))
        return self.check(name, False, f"differ at {at}: {ours[at:at + 5]}, expected {theirs[at:at + 5]}")

    def skip(self, name, reason):
        self.rows.append({"name": name, "passed": None, "detail": f"skipped: {reason}"})
        print(f"skip  {name}: {reason}", flush=True)

    def guarded(self, name, function, *arguments):
        """A comparison that breaks off is a check that failed; the others still run."""
        try:
            return function(*arguments)
        except Exception as error:  # noqa: BLE001
            self.check(name, False, f"{type(error).__name__}: {str(error)[:500]}")
            return None

    def failed(self):
        return [row for row in self.rows if row["passed"] is False]

    def write(self, path, **more):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            json.dump({**more, "checks": self.rows}, file, indent=1)


def largest_difference(ours, theirs):
    """The largest |difference|, as a share of the largest |value| of theirs."""
    import numpy
    ours, theirs = numpy.asarray(ours, dtype=numpy.float64), numpy.asarray(theirs, dtype=numpy.float64)
    if ours.shape != theirs.shape:
        raise Failed(f"{ours.shape} values, expected {theirs.shape}")
    return float(numpy.abs(ours - theirs).max() / numpy.abs(theirs).max())
