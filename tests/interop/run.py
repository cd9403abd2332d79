"""Every comparison of Freshet with the reference libraries, one line a check; writes build/interop/report.json.

usage: run.py [--only PART...]        (in the environment that deploy/interop_env.sh makes, with build/release built)
"""

import argparse
import importlib
import importlib.metadata
import os
import sys
import time
import warnings

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
os.environ.setdefault("TQDM_DISABLE", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
warnings.filterwarnings("ignore")

from checks import OUT, Checks                                                          # noqa: E402

PARTS = ("models", "tokenizer_ids", "gguf_tensors", "real", "current_torch")
PACKAGES = ("torch", "transformers", "peft", "safetensors", "tokenizers", "gguf")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    args = parser.parse_args()
    versions = {name: importlib.metadata.version(name) for name in PACKAGES}
    print("interop with " + ", ".join(f"{name} {version}" for name, version in versions.items()))
    checks, begun = Checks(), time.monotonic()
    for name in args.only:
        print(f"== {name}")
        checks.guarded(name, lambda: importlib.import_module(name).run(checks))
    failed = checks.failed()
    skipped = sum(row["passed"] is None for row in checks.rows)
    checks.write(os.path.join(OUT, "report.json"), packages=versions, seconds=round(time.monotonic() - begun, 1))
    print(f"interop: {len(checks.rows) - len(failed) - skipped} agree, {len(failed)} do not, {skipped} skipped "
          f"({time.monotonic() - begun:.0f} s); build/interop/report.json")
    sys.exit(1 if failed else 0)


main()
