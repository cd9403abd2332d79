"""Builds the model and trainer folders against the LibTorch inside the environment's own torch package, and runs their tests."""

import os
import subprocess

import torch

from checks import ROOT

BUILD = os.path.join(ROOT, "build", "interop-torch")
FOLDERS = "base;crypto;aggregation;model;trainer;tests"
TESTS = ("torch", "trainer")


def run_quietly(command, log, **more):
    with open(log, "w", encoding="utf-8") as file:
        return subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, check=False, **more).returncode


def last_words(log, count=3):
    with open(log, encoding="utf-8", errors="replace") as file:
        return " | ".join(line.strip() for line in file.read().strip().splitlines()[-count:])


def run(checks):
    root, name = os.path.dirname(torch.__file__), f"LibTorch {torch.__version__}"
    os.makedirs(BUILD, exist_ok=True)
    log = os.path.join(BUILD, "log")
    jobs = os.environ.get("JOBS") or str(os.cpu_count())
    steps = [["cmake", "-S", ROOT, "-B", BUILD, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release", f"-DFRESHET_ONLY={FOLDERS}",
              f"-DFRESHET_TORCH_ROOT={root}"],
             ["cmake", "--build", BUILD, "-j", jobs, "--target", *(f"test_{test}" for test in TESTS)]]
    for step in steps:
        if run_quietly(step, log) != 0:
            checks.check(f"{name}: builds", False, last_words(log))
            return
    checks.check(f"{name}: builds", True, FOLDERS.replace(";", ", "))
    for test in TESTS:
        environment = {**os.environ, "OMP_WAIT_POLICY": "passive", "OMP_NUM_THREADS": "1"}
        environment.pop("LD_LIBRARY_PATH", None)
        failed = run_quietly([os.path.join(BUILD, "tests", f"test_{test}"), "--gtest_brief=1"], log, cwd=ROOT, env=environment)
        checks.check(f"{name}: tests of {test}/", failed == 0, last_words(log, 2))
    loaded = subprocess.run(["ldd", os.path.join(BUILD, "tests", "test_torch")], stdout=subprocess.PIPE, text=True, check=False).stdout
    at = next((line.split("=>")[-1].split("(")[0].strip() for line in loaded.splitlines() if "libtorch_cpu" in line), "none")
    checks.check(f"{name}: is the one that runs", os.path.realpath(at).startswith(os.path.realpath(root)), os.path.basename(at))
