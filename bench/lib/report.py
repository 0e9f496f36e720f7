# SPDX-License-Identifier: MIT
"""Owns what is made of the times: medians, ratios, verdicts, tables."""

import json
from statistics import median

MIB = 1 << 20
# Where only moving the bytes takes more than this part of the best peer's time,
# no program can be much faster: the target is then this close to the limit.
LIMIT_RULES, LIMIT_TARGET = 2 / 3, 1.2


def without(name, state, reason):
    """The result of a case that has no times."""
    return {"name": name, "state": state, "reason": str(reason)}


def time_of(command):
    return median(run["seconds"] for run in command["runs"])


def middle(command, what):
    return median(run[what] for run in command["runs"])


def best(result, side):
    """The fastest command of a side, or None."""
    return min((command for command in result["commands"]
                if command["side"] == side), key=time_of, default=None)


def ours(result):
    return best(result, "ours")


def spread(result):
    """Ours over the peer: from our best over its worst to the reverse."""
    mine = [run["seconds"] for run in ours(result)["runs"]]
    theirs = [run["seconds"] for run in best(result, "peer")["runs"]]
    return min(mine) / max(theirs), max(mine) / min(theirs)


def size_ratio(result):
    """Our output's blocks over those of the first peer that has an output."""
    mine = middle(ours(result), "blocks")
    for command in result["commands"]:
        if command["side"] == "peer" and middle(command, "blocks") > 0:
            return mine / middle(command, "blocks") if mine else None
    return None


def targets(result):
    """(what it says, whether it is met) of all that ours is to reach."""
    mine, peer = time_of(ours(result)), time_of(best(result, "peer"))
    limit = best(result, "limit")
    limit_target, target = result["limit_target"], result["target"]
    if limit and not limit_target and time_of(limit) > LIMIT_RULES * peer:
        limit_target, target = LIMIT_TARGET, None
    found = []
    if target:
        found.append((f"{target:.3g} x peer", mine <= target * peer))
    if limit and limit_target:
        found.append((f"{limit_target:.3g} x limit",
                      mine <= limit_target * time_of(limit)))
    if result["size_target"]:
        size = size_ratio(result)
        found.append((f"{result['size_target']:.4g} x size",
                      size is not None and size <= result["size_target"]))
    return found


def judged(result):
    """The result with what the tables say of it."""
    if result["state"] != "measured":
        return result
    limit, found = best(result, "limit"), targets(result)
    return {
        **result,
        "best_peer": best(result, "peer")["label"],
        "ratio": time_of(ours(result)) / time_of(best(result, "peer")),
        "spread": spread(result),
        "size_ratio": size_ratio(result),
        "limit_ratio": limit and time_of(ours(result)) / time_of(limit),
        "targets": [{"target": text, "met": met} for text, met in found],
        "verdict": ("no target" if not found else "met" if all(
            met for _, met in found) else "missed"),
    }


def line(*cells):
    return f"| {' | '.join(cells)} |"


def head(*cells):
    return line(*cells) + "\n|" + "---|" * len(cells)


def seconds(value):
    return f"{value:.3f}" if value < 1 else f"{value:.2f}"


def ratio(value):
    return "-" if value is None else f"{value:.3g}"


def mib(value):
    return "-" if value is None else f"{value / MIB:.1f}"


SUMMARY = head("case", "best peer", "s", "ours s", "ours / peer", "spread",
               "ours / limit", "size ours / theirs", "target", "verdict")


def row(result):
    if result["state"] != "measured":
        return line(result["name"], *["-"] * 8,
                    f"{result['state']}: {result['reason']}".replace("|", "/")
                    .replace("\n", " "))
    told = judged(result)
    low, high = told["spread"]
    return line(
        told["name"], told["best_peer"],
        seconds(time_of(best(result, "peer"))), seconds(time_of(ours(result))),
        ratio(told["ratio"]), f"{low:.2f}..{high:.2f}",
        ratio(told["limit_ratio"]), ratio(told["size_ratio"]),
        ", ".join(one["target"] for one in told["targets"]) or "-",
        told["verdict"])


def details(results):
    """A row a command."""
    rows = ["", head("case", "command", "s", "CPU s", "peak MiB", "output MiB",
                     "newly used MiB", "/ limit")]
    for result in results:
        if result["state"] != "measured":
            continue
        limit = best(result, "limit")
        for command in result["commands"]:
            rows.append(line(
                result["name"], command["label"], seconds(time_of(command)),
                seconds(middle(command, "cpu")), mib(middle(command, "peak")),
                mib(middle(command, "blocks") * 512),
                "-" if command["runs"][0]["used"] is None
                else mib(middle(command, "used")),
                ratio(limit and time_of(command) / time_of(limit))))
        for label in result["left_out"]:
            rows.append(line(result["name"], label, "not installed",
                             *["-"] * 5))
    return "\n".join(rows)


def heading(about, given):
    size = f"{given.size} disks"
    versions = "\n".join(f"- {name}: {text}"
                         for name, text in about["versions"].items())
    return (f"{about['time']}, {given.runs} runs of each command, {size},"
            f" caches {'dropped' if given.cold else 'warm'}\n\n"
            f"{about['cpu']}, {about['cores']} cores,"
            f" {about['memory_mib']} MiB, Linux {about['kernel']},"
            f" {about['file_system']}\n\n{versions}\n")


def markdown(about, given, results):
    return "\n".join([heading(about, given), SUMMARY,
                      *(row(result) for result in results),
                      details(results), ""])


def as_json(about, given, results):
    return json.dumps({
        "machine": about, "runs": given.runs, "cold": given.cold,
        "size": given.size, "cases": [judged(result) for result in results],
    }, indent=1) + "\n"
