"""The results of bench/peers.py as text: a Markdown table, and why contenders are missing. python peer_table.py FILE"""

import json
import pathlib
import sys

TITLES = {
    "torchweld": "Torchweld",
    "torchscript": "TorchScript",
    "onednn_graph": "oneDNN Graph",
    "frozen": "frozen",
    "compile_freezing": "compile",
    "compile_max_autotune": "compile max",
    "aotinductor": "AOTInductor",
    "onnxruntime": "ONNX Runtime",
    "openvino": "OpenVINO",
}


def number(value):
    return f"{value:.{max(0, 2 - len(str(int(value))) + 1)}f}" if value < 100 else f"{value:.0f}"


def best_peer(row):
    peers = {peer: ratio for peer, ratio in row["ratios"].items() if peer != "torchweld"}
    return max(peers, key=peers.get) if peers else None


def against_best(row):
    """How much faster Torchweld is than the best peer; None where one of them is missing."""
    best = best_peer(row)
    return row["ratios"]["torchweld"] / row["ratios"][best] if best and "torchweld" in row["ratios"] else None


def name(row):
    return row["title"] + (", tuned malloc" if row["malloc"] == "tuned" else "")


def line(row):
    """One row while the run goes on."""
    if not row["ratios"]:
        return f"  failed: {row['failures']['all']}"
    ratios = ", ".join(f"{TITLES[p]} {number(row['ratios'][p])}" for p in TITLES if p in row["ratios"])
    missing = "".join(f"\n  no {peer}: {reason}" for peer, reason in row["failures"].items())
    return f"  eager {number(row['eager_us'])} us; times faster: {ratios} ({row['seconds']} s){missing}"


def cells(row):
    if not row["ratios"]:
        return [name(row), str(row["threads"]), "failed", *["-"] * (len(TITLES) + 1)]
    ratios = [number(row["ratios"][peer]) if peer in row["ratios"] else "-" for peer in TITLES]
    against = against_best(row)
    return [name(row), str(row["threads"]), number(row["eager_us"]), *ratios, number(against) if against else "-"]


def table(rows):
    head = ["model", "threads", "eager us", *TITLES.values(), "Torchweld to best peer"]
    lines = [head, ["---"] * len(head), *map(cells, rows)]
    text = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    missing = [f"{name(r)}, {r['threads']}: no {p}: {reason}" for r in rows for p, reason in r["failures"].items()]
    return "\n".join([text, "", *missing])


if __name__ == "__main__":
    print(table(json.loads(pathlib.Path(sys.argv[1]).read_text())["rows"]))
