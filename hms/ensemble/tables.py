"""Print an ensemble as tables: weight and score of each member, and how much each two members differ."""

from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from hms.bootstrap import format_difference, format_interval
from hms.console import print_table


def show(content: dict[str, Any]) -> None:
    """Print the content of ensemble.json."""
    names = _short(content["members"])
    print_table(_scores(content, names), width=160)
    calibration = content["calibration"]
    bias = " ".join(f"{name} {value:+.3f}" for name, value in calibration["bias"].items())
    print(f"Calibration ({content['calibrate']}): temperature {calibration['temperature']:.3f}, bias {bias}")
    if len(names) > 1:
        print_table(_diversity(content["diversity"], names), width=160)
    if content["prior"] is not None:
        print(_prior(content))


def _scores(content: dict[str, Any], names: list[str]) -> Table:
    kl, ends, differences = content["kl"], content["interval"], content["difference"]
    title = f"KL on {content['rows']:,} rows of {content['patients']:,} patients"
    fitted = f"weights ({content['mixing']}) and calibration fitted on the other patient folds"
    table = Table(title=f"{title}; {fitted}", title_justify="left")
    table.add_column("", overflow="fold")
    for name in ("weight", "by fold", "KL", "95 % (patients)", "against the mean"):
        table.add_column(name, justify="right", style="bold" if name == "KL" else None, no_wrap=True)
    of_folds = np.array(content["weights_of_folds"])
    for i, name in enumerate(names):
        weights = [f"{content['weights'][i]:.3f}", f"{of_folds[:, i].min():.3f}-{of_folds[:, i].max():.3f}"]
        against = format_difference(kl["members"][i] - kl["mean"], differences["members"][i], digits=4)
        table.add_row(name, *weights, f"{kl['members'][i]:.4f}", format_interval(ends["members"][i], digits=4), against)
    table.add_section()
    table.add_row("plain mean", "", "", f"{kl['mean']:.4f}", format_interval(ends["mean"], digits=4), "")
    for name, key in (("mixture", "uncalibrated"), ("mixture, calibrated", "nested")):
        against = format_difference(kl[key] - kl["mean"], differences[key], digits=4)
        table.add_row(name, "", "", f"{kl[key]:.4f}", format_interval(ends[key], digits=4), against)
    table.add_row("the same, in sample", "", "", f"{kl['fitted']:.4f}", "", "")
    return table


def _diversity(diversity: dict[str, list[list[float]]], names: list[str]) -> Table:
    table = Table(
        title="Jensen-Shannon divergence of predictions (nats) / correlation of KL by row", title_justify="left"
    )
    table.add_column("", overflow="fold")
    for i in range(len(names)):
        table.add_column(str(i + 1), justify="right", no_wrap=True)
    for i, name in enumerate(names):
        pairs = zip(diversity["js"][i], diversity["loss_correlation"][i], strict=True)
        cells = ["-" if i == j else f"{js:.3f} / {correlation:.2f}" for j, (js, correlation) in enumerate(pairs)]
        table.add_row(f"{i + 1} {name}", *cells)
    return table


def _prior(content: dict[str, Any]) -> str:
    prior, effect = content["prior"], content["prior_effect"]
    shares = ", ".join(f"{name} {prior['source'][name]:.3f} -> {share:.3f}" for name, share in prior["target"].items())
    return (
        f"Prior shift of strength {prior['strength']:.2f}: {shares}\n"
        f"  KL on half of the votes, with rows weighted to that prior by the other half (effective rows: "
        f"{effect['effective_rows']:,.0f}): {effect['before']:.4f} before the shift, {effect['after']:.4f} after\n"
        f"  KL on all rows as they are: {content['kl']['nested']:.4f} before, {effect['unweighted']:.4f} after"
    )


def _short(names: list[str]) -> list[str]:
    """The names without their folders, if these are still unique."""
    short = [Path(name).name for name in names]
    return short if len({*short}) == len(names) else names
