"""Runs one simulated campaign with Freshet and with plain PyTorch, in alternation, and says what each took and reached.

usage: campaign.py [--runs 3] [--methods fedit ffa rolora] [--model DIR] [--text FILE]

Prints a table and writes build/bench/campaign.json. Both programs get the same number of threads; seconds are those of
the whole process, from its start to its end.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
REFERENCE = {"fedit": 2.40, "ffa": 2.47, "rolora": 2.45}     # bits per byte of an independent implementation
TOLERANCE = 0.05
TIME_RATIO_GOAL = 0.5


def run(command):
    begun = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    seconds = time.monotonic() - begun
    lines = done.stdout.strip().splitlines()
    if done.returncode != 0 or not lines:
        sys.exit(f"campaign.py: '{' '.join(command)}' ended with exit code {done.returncode}")
    return {**json.loads(lines[-1]), "seconds": seconds}


def commands(args, method):
    peer = [sys.executable, "tests/bench/campaign_pytorch.py", "--model", args.model, "--text", args.text,
            "--method", method, "--threads", str(args.threads)]
    ours = ["build/release/bin/freshet", "simulate", "learning", "--model", args.model, "--text", args.text,
            "--split", "speakers", "--nodes", "8", "--method", method, "--rounds", "20", "--json"]
    return {"ours": ours, "peer": peer}


def row(name, unit, ours, peer, goal, met):
    ratio = None if peer is None else round(ours / peer, 3)
    return {"name": name, "unit": unit, "ours": round(ours, 3), "peer": None if peer is None else round(peer, 3),
            "better": "lower", "ratio": ratio, "goal": goal, "met": met}


def rows_of(method, results):
    """`peer` has no results where torch is not there: its columns stay empty and the goal about time is not met."""
    median = {side: {key: statistics.median(r[key] for r in runs) for key in ("seconds", "bpb_before", "bpb_after")}
              for side, runs in results.items() if runs}
    ours, peer = median["ours"], median.get("peer")
    reference = REFERENCE[method]
    return [
        row(f"{method}, 20 rounds, 8 nodes", "s", ours["seconds"], peer and peer["seconds"], f"<= {TIME_RATIO_GOAL} x",
            peer is not None and ours["seconds"] <= TIME_RATIO_GOAL * peer["seconds"]),
        row(f"{method}, held out, after", "bits/byte", ours["bpb_after"], peer and peer["bpb_after"],
            f"{reference:.2f} +- {TOLERANCE}", abs(ours["bpb_after"] - reference) <= TOLERANCE),
    ]


def print_table(rows):
    print(f"{'':34} {'unit':>10} {'ours':>8} {'peer':>8} {'ratio':>7}  goal")
    for r in rows:
        peer, ratio = ("-" if r[k] is None else f"{r[k]:.2f}" for k in ("peer", "ratio"))
        print(f"{r['name']:34} {r['unit']:>10} {r['ours']:8.2f} {peer:>8} {ratio:>7}  {r['goal']}"
              f"  {'met' if r['met'] else 'NOT MET'}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--methods", nargs="+", choices=sorted(REFERENCE), default=sorted(REFERENCE))
    parser.add_argument("--model", default=os.path.join(ROOT, "..", "shared", "models", "stories260K"))
    parser.add_argument("--text", default=os.path.join(ROOT, "..", "shared", "text", "tinyshakespeare.txt"))
    args = parser.parse_args()
    for path in (args.model, args.text):
        if not os.path.exists(path):
            sys.exit(f"campaign.py: {path} is not there: name the model and the text with --model DIR --text FILE")
    load = os.getloadavg()[0]
    if load > 0.5:
        print(f"campaign.py: the machine is busy (load {load:.1f}): the times below compare little")
    has_torch = subprocess.run([sys.executable, "-c", "import torch"], stderr=subprocess.DEVNULL).returncode == 0
    if not has_torch:
        print("campaign.py: no torch for this Python (Debian: python3-torch): our figures only")

    rows = []
    for method in args.methods:
        results = {"ours": [], "peer": []}
        for index in range(args.runs):
            order = ("ours", "peer") if index % 2 == 0 else ("peer", "ours")
            for side in order:
                if side == "peer" and not has_torch:
                    continue
                result = run(commands(args, method)[side])
                results[side].append(result)
                print(f"{method} {side} {index + 1}/{args.runs}: {result['seconds']:.1f} s, "
                      f"{result['bpb_before']:.3f} -> {result['bpb_after']:.3f} bits/byte", flush=True)
        rows += rows_of(method, results)
    print_table(rows)
    os.makedirs(os.path.join(ROOT, "build", "bench"), exist_ok=True)
    with open(os.path.join(ROOT, "build", "bench", "campaign.json"), "w", encoding="utf-8") as file:
        json.dump({"rows": rows, "runs": args.runs, "threads": args.threads, "load_at_start": load}, file, indent=1)


main()
