"""What client-level differential privacy costs in quality: one campaign of simulated nodes for each epsilon.

Every node has its own part of a real text. Noise, rounding, clip, ledger and accounting are those of a campaign; masks are left
out, since they cancel in the sum bit for bit. Writes build/bench/privacy.json and build/bench/privacy.svg.

usage: privacy.py [--epsilons 1 2 4 8 inf] [--nodes 1000] [--text FILE] [--seed N] [--threads N]
"""

import argparse
import gzip
import json
import math
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
OUT = os.path.join(ROOT, "build", "bench")
DICTIONARY = "usr/share/dictd/foldoc.dict.dz"     # the Free On-line Dictionary of Computing: the demo's text, in no model's training
PLAN = {"method": "fedsvd", "rounds": 8, "steps": 2, "batch": 4, "window": 64, "lr": 0.01, "rank": 2, "alpha": 16,
        "clip": 1.0, "bits": 12, "honest-min": 600, "delta": 1e-5}


def dictionary():
    for root in ("/", os.path.join(ROOT, "build", "demo-text", "dict-foldoc")):
        path = os.path.join(root, DICTIONARY)
        if os.path.exists(path):
            return path
    sys.exit("no text: run deploy/demo_text.sh build/demo-text, or give --text FILE")


def plain_text(path):
    if not path.endswith(".dz"):
        return path
    unpacked = os.path.join(OUT, "foldoc.txt")
    with gzip.open(path, "rb") as packed, open(unpacked, "wb") as file:
        file.write(packed.read())
    return unpacked


def campaign(binary, args, text, epsilon):
    words = [binary, "simulate", "learning", "--model", os.path.join(ROOT, "models", "edge-slm"), "--text", text, "--split", "parts",
             "--nodes", str(args.nodes), "--threads", str(args.threads), "--seed", str(args.seed), "--epsilon", str(epsilon), "--json"]
    for name, value in PLAN.items():
        words += [f"--{name}", str(getattr(args, name.replace("-", "_")))]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"privacy.py: exit code {done.returncode} at epsilon {epsilon}")
    return json.loads(done.stdout)


def with_shares(rows):
    """`share_of_gain`: what of the gain without noise is left."""
    free = next((row for row in rows if row["epsilon"] is None), None)
    for row in rows:
        row["gain"] = row["bpb_before"] - row["bpb_after"]
        row["share_of_gain"] = row["gain"] / (free["bpb_before"] - free["bpb_after"]) if free else None
    return rows


def plot(rows):
    """Share of the gain over epsilon, as SVG."""
    wide, high, left, low = 640, 360, 70, 50
    names = ["no noise" if row["epsilon"] is None else f"{row['epsilon_budget']:g}" for row in rows]
    at = [(left + (wide - left - 30) * i / max(1, len(rows) - 1),
           high - low - (high - low - 30) * max(-0.1, row["share_of_gain"])) for i, row in enumerate(rows)]
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" font-family="sans-serif" font-size="13">',
             f'<rect width="{wide}" height="{high}" fill="#fff"/>']
    for share in (0, 0.25, 0.5, 0.75, 1):
        y = high - low - (high - low - 30) * share
        lines.append(f'<line x1="{left}" x2="{wide - 30}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>'
                     f'<text x="{left - 8}" y="{y + 4:.1f}" text-anchor="end">{share:.0%}</text>')
    goal = high - low - (high - low - 30) * 0.5
    lines.append(f'<line x1="{left}" x2="{wide - 30}" y1="{goal:.1f}" y2="{goal:.1f}" stroke="#c62828" stroke-dasharray="5 4"/>'
                 f'<text x="{wide - 34}" y="{goal - 6:.1f}" text-anchor="end" fill="#c62828">goal at epsilon 8</text>')
    lines.append('<polyline fill="none" stroke="#1565c0" stroke-width="2" points="' + " ".join(f"{x:.1f},{y:.1f}" for x, y in at) + '"/>')
    for (x, y), name, row in zip(at, names, rows):
        lines.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="#1565c0"/><text x="{x:.1f}" y="{high - low + 18}" '
                     f'text-anchor="middle">{name}</text><text x="{x:.1f}" y="{y - 10:.1f}" text-anchor="middle">{row["share_of_gain"]:.0%}</text>')
    lines.append(f'<text x="{(wide + left) / 2:.0f}" y="{high - 10}" text-anchor="middle">epsilon at delta {rows[0]["delta"]:g}; '
                 f'{rows[0]["nodes"]} nodes, {rows[0]["rounds"]} rounds, rate {rows[0]["sampling_rate"]:g}</text>'
                 f'<text x="14" y="{high / 2:.0f}" transform="rotate(-90 14 {high / 2:.0f})" text-anchor="middle">share of the gain</text></svg>')
    return "\n".join(lines) + "\n"


def goal_rows(campaigns):
    """The one goal: half of the gain without noise, at epsilon 8."""
    return [{"name": "share of the gain without noise at epsilon 8", "unit": "share", "ours": row["share_of_gain"], "peer": None,
             "better": "higher", "ratio": None, "goal": 0.5, "met": row["share_of_gain"] >= 0.5}
            for row in campaigns if row["epsilon_budget"] == 8 and row.get("share_of_gain") is not None]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--epsilons", nargs="+", type=float, default=[1, 2, 4, 8, math.inf])
    parser.add_argument("--nodes", type=int, default=1000)
    parser.add_argument("--text")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", default="privacy")
    for name, value in PLAN.items():
        parser.add_argument(f"--{name}", type=type(value), default=value)
    args = parser.parse_args()
    os.makedirs(OUT, exist_ok=True)
    binary = os.path.join(os.environ.get("FRESHET_BIN", os.path.join(ROOT, "build", "release", "bin")), "freshet")
    text, rows = plain_text(args.text or dictionary()), []
    print("epsilon  epsilon q=1  multiplier   bpb before    after     gain  share  seconds")
    for epsilon in sorted(args.epsilons, reverse=True):  # without noise first: what the others are measured against
        rows.insert(0, campaign(binary, args, text, epsilon))
        row = with_shares(rows)[0]
        share = "" if row["share_of_gain"] is None else f"{row['share_of_gain']:6.1%}"
        spent = ("     inf          inf" if row["epsilon"] is None else
                 f"{row['epsilon']:8.3f}     {row['epsilon_without_amplification']:8.3f}")
        print(f"{spent}  {row['noise_multiplier']:10.3f}   {row['bpb_before']:10.4f} {row['bpb_after']:8.4f} {row['gain']:8.4f} "
              f"{share} {row['seconds']:8.0f}", flush=True)
        plan = {name: getattr(args, name.replace("-", "_")) for name in PLAN}
        with open(os.path.join(OUT, f"{args.out}.json"), "w", encoding="utf-8") as file:
            json.dump({"text": os.path.basename(text), "text_bytes": os.path.getsize(text), "seed": args.seed, "plan": plan,
                       "campaigns": rows, "rows": goal_rows(rows)}, file, indent=1)
    if any(row["epsilon"] is None for row in rows):
        with open(os.path.join(OUT, f"{args.out}.svg"), "w", encoding="utf-8") as file:
            file.write(plot(rows))


main()
