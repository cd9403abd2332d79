"""What poisoned nodes reach against each rule: the toy federation, then a few campaigns on a real small model.

usage: poison.py [--model DIR] [--text FILE] [--toy build/release/bin/bench_poison] [--rounds 8] [--nodes 10]

Prints both tables and writes build/bench/poison.json. The first is of bench_poison (tests/bench/poison.cpp); the second runs
`freshet simulate learning --poison ...`, whose text is a play: a node for each of its speakers. Without the text the second
table is left out.
"""

import argparse
import json
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SHARED = os.path.join(ROOT, "..", "shared")
RULES = ["mean", "median", "trimmed-mean", "multi-krum", "geometric-median"]
# attack, share of the nodes, further flags, rules
REAL = [("none", 0.0, [], ["mean", "median"]), ("sign-flip", 0.2, ["--unclipped"], ["mean"]), ("sign-flip", 0.2, [], RULES),
        ("label-flip", 0.2, [], RULES), ("backdoor", 0.2, [], RULES), ("small-bias", 0.2, [], RULES)]
TRAINING = ["--steps", "5", "--batch", "4", "--window", "64"]


def run(command):
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"poison.py: '{' '.join(command)}' ended with exit code {done.returncode}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def print_toy(rows):
    rules = list(dict.fromkeys(row["rule"] for row in rows))
    print("A linear model, 20 nodes, 25 rounds: accuracy, and how often the backdoor opens")
    print(f"{'attack':12} {'poisoned':>8} " + " ".join(f"{rule[:17]:>17}" for rule in rules))
    for key in dict.fromkeys((row["attack"], row["poisoned"]) for row in rows):
        cells = {row["rule"]: row for row in rows if (row["attack"], row["poisoned"]) == key}
        text = [f"{c['accuracy']:.3f} / {c['backdoor']:.2f}" if "accuracy" in (c := cells.get(rule, {})) else "-" for rule in rules]
        print(f"{key[0]:12} {key[1]:8} " + " ".join(f"{cell:>17}" for cell in text))


def real_rows(args):
    rows = []
    for attack, share, flags, rules in REAL:
        for rule in rules:
            result = run([args.freshet, "simulate-learning", "--model", args.model, "--text", args.text, "--nodes", str(args.nodes),
                          "--rounds", str(args.rounds), "--poison", attack, "--poisoned", str(share), "--robust", rule,
                          "--clip", str(args.clip), "--json", *TRAINING, *flags])
            rows.append({"attack": attack, "unclipped": "--unclipped" in flags, "share": share, "rule": rule,
                         **{key: result[key] for key in ("bpb_before", "bpb_after", "answer_before", "answer_after", "refused")}})
            row = rows[-1]
            name = attack + (", unclipped" if flags else "")
            print(f"{name:22} {share:5.2f} {rule:18} {row['bpb_before']:8.3f} {row['bpb_after']:8.3f} {row['answer_after']:9.4f}"
                  f" {row['refused']:8}", flush=True)
    return rows


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--toy", default="build/release/bin/bench_poison")
    parser.add_argument("--freshet", default="build/release/bin/freshet-trainer")
    parser.add_argument("--model", default="models/edge-slm")
    parser.add_argument("--text", default=os.path.join(SHARED, "text", "tinyshakespeare.txt"))
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--nodes", type=int, default=10)
    parser.add_argument("--clip", type=float, default=2)
    args = parser.parse_args()
    result = {"toy": run([args.toy])}
    print_toy(result["toy"])
    if os.path.exists(args.text):
        print(f"\n{args.model}, {args.nodes} nodes, {args.rounds} rounds: bits per byte of honest nodes, the answer's chance")
        print(f"{'attack':22} {'share':>5} {'rule':18} {'before':>8} {'after':>8} {'answer':>9} {'refused':>8}")
        result["real"] = real_rows(args)
    else:
        print(f"no real rows: {args.text} is not there; name a play with --text FILE")
    path = os.path.join(ROOT, "build", "bench", "poison.json")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        json.dump(result, file, indent=1)
    print("written to build/bench/poison.json")


if __name__ == "__main__":
    main()
