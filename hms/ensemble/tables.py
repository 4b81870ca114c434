"""Print an ensemble as tables: weight and score of each member, and how much each two members differ."""

from pathlib import Path
from typing import Any

import numpy as np

from hms.runs.settings import with_same_settings
from hms.scoring.bootstrap import format_difference, format_interval
from hms.system.console import print_columns


def print_ensemble(content: dict[str, Any]) -> None:
    """Print the content of ensemble.json."""
    names = _short(content["members"])
    _show_scores(content, names)
    kl = content["kl"]
    if kl["nested"] >= kl["prior"]:
        print("The ensemble is no better than the prior, which always predicts the mean vote shares of these rows.")
    for name, seeds in zip(content["members"], content["member_seeds"], strict=True):
        if seeds > 1:
            print(f"{name}: {seeds} seeds averaged, so its KL is not hms.compare's, which is the mean over seeds.")
    for group in with_same_settings([Path(name) for name in content["members"]]):
        print(f"{', '.join(map(str, group))}: the same settings under different names, here {len(group)} members.")
    calibration = content["calibration"]
    bias = " ".join(f"{name} {value:+.3f}" for name, value in calibration["bias"].items())
    print(f"Calibration ({content['calibrate']}): temperature {calibration['temperature']:.3f}, bias {bias}")
    if len(names) > 1:
        _show_diversity(content["diversity"], len(names))
    if content["prior"] is not None:
        print(_prior(content))


def _show_scores(content: dict[str, Any], names: list[str]) -> None:
    kl, ends, differences = content["kl"], content["interval"], content["difference"]
    members = [
        [
            name,
            f"{content['weights'][i]:.3f}",
            "-" if (error := content["weights_se"][i]) is None else f"{error:.3f}",
            f"{kl['members'][i]:.4f}",
            format_interval(ends["members"][i], digits=4),
            format_difference(kl["members"][i] - kl["mean"], differences["members"][i], digits=4),
        ]
        for i, name in enumerate(names)
    ]
    combined = [["plain mean", "", "", f"{kl['mean']:.4f}", format_interval(ends["mean"], digits=4), ""]]
    for name, key in (("mixture", "uncalibrated"), ("mixture, calibrated", "nested")):
        against = format_difference(kl[key] - kl["mean"], differences[key], digits=4)
        combined.append([name, "", "", f"{kl[key]:.4f}", format_interval(ends[key], digits=4), against])
    combined.append(["the same, in sample", "", "", f"{kl['fitted']:.4f}", "", ""])
    references = [[name, "", "", f"{kl[name]:.4f}", "", ""] for name in ("prior", "uniform")]
    columns = ("", "weight", "SE", "KL", "95 % (patients)", "against the mean")
    print_columns(
        f"KL on {content['rows']:,} rows of {content['patients']:,} patients; weights ({content['mixing']}) and "
        "calibration fitted on the other patient folds",
        dict(zip(columns, zip(*members, *combined, *references, strict=True), strict=True)),
        expendable=[["SE"], ["95 % (patients)"], ["weight"]],
        sections=(len(members) - 1, len(members) + len(combined) - 1),
    )


def _show_diversity(diversity: dict[str, list[list[float]]], members: int) -> None:
    """Print both symmetric tables as one, in whole numbers, so that twelve members fit into 80 columns."""
    js, correlation = 1000 * np.array(diversity["js"]), 100 * np.array(diversity["loss_correlation"])
    both = np.where(np.tri(members, dtype=bool), js, correlation)
    columns = {"": [str(i + 1) for i in range(members)]}
    for i in range(members):
        columns[str(i + 1)] = ["-" if i == j else f"{both[j, i]:.0f}" for j in range(members)]
    print_columns("Diversity", columns)
    print("Below the diagonal: Jensen-Shannon divergence of predictions, in 0.001 nats.")
    print("Above it: correlation of KL by row, in %.")


def _prior(content: dict[str, Any]) -> str:
    prior, effect = content["prior"], content["prior_effect"]
    shares = ", ".join(f"{name} {prior['source'][name]:.3f} -> {share:.3f}" for name, share in prior["target"].items())
    return (
        f"Prior shift of strength {prior['strength']:.2f}: {shares}\n"
        f"  KL on half of the votes, with rows weighted to that prior by the other half (effective patients: "
        f"{effect['effective_patients']:,.0f}): {effect['before']:.4f} before the shift, {effect['after']:.4f} after, "
        f"{format_difference(effect['after'] - effect['before'], effect['interval'], digits=4)}\n"
        f"  KL on all rows as they are: {content['kl']['nested']:.4f} before, {effect['unweighted']:.4f} after"
    )


def _short(names: list[str]) -> list[str]:
    """The names, numbered if there are several, without their folders if they are still unique then."""
    short = [Path(name).name for name in names]
    kept = short if len({*short}) == len(names) else names
    return [f"{i} {name}" for i, name in enumerate(kept, start=1)] if len(kept) > 1 else kept
