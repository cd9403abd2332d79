"""What masking costs in quality: one simulated campaign with updates added as they are (f32), and once more rounded to 16 bits and masked.

Eight Shakespeare speakers, stories260K, `fedit`; both runs train the same steps from the same seeds. Adds its row to
build/bench/secagg.json.

usage: secagg_quality.py [--rounds 20] [--method fedit] [--threads 2]
"""

import argparse
import json
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SHARED = os.environ.get("FRESHET_SHARED", os.path.join(ROOT, "..", "shared"))
OUT = os.path.join(ROOT, "build", "bench", "secagg.json")
GOAL = 0.005   # bits per byte of held-out text


def campaign(args, how):
    binary = os.path.join(os.environ.get("FRESHET_BIN", os.path.join(ROOT, "build", "release", "bin")), "freshet")
    words = [binary, "simulate", "learning", "--model", os.path.join(SHARED, "models", "stories260K"), "--text",
             os.path.join(SHARED, "text", "tinyshakespeare.txt"), "--split", "speakers", "--nodes", "8", "--method", args.method,
             "--rounds", str(args.rounds), "--threads", str(args.threads), "--bits", "16", "--sum", how, "--json"]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"secagg_quality.py: exit code {done.returncode} with --sum {how}")
    return json.loads(done.stdout)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--method", default="fedit")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    if not os.path.isdir(os.path.join(SHARED, "models", "stories260K")):
        print(f"quality of masked campaigns: not measured, {SHARED} has no models/stories260K (FRESHET_SHARED names its place)")
        return
    plain, masked = campaign(args, "f32"), campaign(args, "masked")
    off = abs(masked["bpb_after"] - plain["bpb_after"])
    name = f"quality: {args.rounds} rounds of {args.method}, 8 speakers, masked at 16 bits against f32"
    print(f"{name}: {plain['bpb_before']:.4f} -> {plain['bpb_after']:.4f} in f32, {masked['bpb_after']:.4f} masked: {off:.5f} apart, "
          f"goal <= {GOAL} {'met' if off <= GOAL else 'MISSED'}")
    report = {"rows": []}
    if os.path.exists(OUT):
        with open(OUT, encoding="utf-8") as file:
            report = json.load(file)
    report["rows"] = [row for row in report["rows"] if row["name"] != name]
    report["rows"].append({"name": name, "unit": "bits per byte", "ours": off, "better": "lower", "goal": GOAL, "met": off <= GOAL,
                           "peer": None, "ratio": None, "before": plain["bpb_before"], "f32": plain["bpb_after"],
                           "masked": masked["bpb_after"]})
    os.makedirs(os.path.dirname(OUT), exist_ok=True)
    with open(OUT, "w", encoding="utf-8") as file:
        json.dump(report, file, indent=1)


main()
