"""Every comparison of Freshet with the reference libraries, one line a check; writes build/interop/report.json.

usage: run.py [--only PART...]        (in the environment that deploy/interop_env.sh makes, with build/release built)
"""

import argparse
import importlib
import importlib.metadata
import json
import os
import subprocess
import sys
import time
import warnings

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
os.environ.setdefault("TQDM_DISABLE", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
warnings.filterwarnings("ignore")

from checks import BIN, OUT, Checks                                                          # noqa: E402

PARTS = ("models", "chats", "tokenizer_ids", "gguf_tensors", "real", "current_torch", "accounting")
PACKAGES = ("torch", "transformers", "peft", "safetensors", "tokenizers", "gguf")


def tokenizer_ids(checks):
    """A program of its own, which also runs without the other packages."""
    out = os.path.join(OUT, "tokenizers.json")
    command = [sys.executable, os.path.join(os.path.dirname(os.path.abspath(__file__)), "tokenizer_ids.py"), "--freshet",
               os.path.join(BIN, "freshet"), "--out", out]
    if "FRESHET_PUBLISHED" in os.environ:              # a folder of published models and tokenizers
        command += ["--shared", os.environ["FRESHET_PUBLISHED"]]
    done = subprocess.run(command, check=False)
    if done.returncode not in (0, 1) or not os.path.exists(out):
        raise RuntimeError(f"tokenizer_ids.py ended with exit code {done.returncode}")
    with open(out, encoding="utf-8") as file:
        checks.rows += json.load(file)["checks"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    args = parser.parse_args()
    versions = {name: importlib.metadata.version(name) for name in PACKAGES}
    print("interop with " + ", ".join(f"{name} {version}" for name, version in versions.items()))
    checks, begun = Checks(), time.monotonic()
    for name in args.only:
        print(f"== {name}")
        part = tokenizer_ids if name == "tokenizer_ids" else lambda checks, name=name: importlib.import_module(name).run(checks)
        checks.guarded(name, part, checks)
    failed = checks.failed()
    skipped = sum(row["passed"] is None for row in checks.rows)
    checks.write(os.path.join(OUT, "report.json"), packages=versions, seconds=round(time.monotonic() - begun, 1))
    print(f"interop: {len(checks.rows) - len(failed) - skipped} agree, {len(failed)} do not, {skipped} skipped "
          f"({time.monotonic() - begun:.0f} s); build/interop/report.json")
    sys.exit(1 if failed else 0)


main()
