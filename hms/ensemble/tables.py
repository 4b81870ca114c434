"""An ensemble as tables for people: who weighs how much and scores what, and how much two members differ."""

from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from hms.bootstrap import format_difference, format_interval
from hms.console import print_table


def show(held: dict[str, Any]) -> None:
    """Print what ensemble.json holds."""
    names = _short(held["members"])
    print_table(_scores(held, names), width=160)
    calibration = held["calibration"]
    bias = " ".join(f"{name} {value:+.3f}" for name, value in calibration["bias"].items())
    print(f"Calibration ({held['calibrate']}): temperature {calibration['temperature']:.3f}, bias {bias}")
    if len(names) > 1:
        print_table(_diversity(held["diversity"], names), width=160)
    if held["prior"] is not None:
        print(_prior(held))


def _scores(held: dict[str, Any], names: list[str]) -> Table:
    kl, ends, apart = held["kl"], held["interval"], held["difference"]
    title = f"KL of {held['rows']:,} rows of {held['patients']:,} patients; weights ({held['mixing']}) and calibration "
    table = Table(title=f"{title}fitted on the patients of all other folds", title_justify="left")
    table.add_column("", overflow="fold")
    for name in ("weight", "of a fold", "KL", "95 % (patients)", "against the mean"):
        table.add_column(name, justify="right", style="bold" if name == "KL" else None, no_wrap=True)
    of_folds = np.array(held["weights_of_folds"])
    for i, name in enumerate(names):
        weights = [f"{held['weights'][i]:.3f}", f"{of_folds[:, i].min():.3f}-{of_folds[:, i].max():.3f}"]
        against = format_difference(kl["members"][i] - kl["mean"], apart["members"][i], digits=4)
        table.add_row(name, *weights, f"{kl['members'][i]:.4f}", format_interval(ends["members"][i], digits=4), against)
    table.add_section()
    table.add_row("mean of all", "", "", f"{kl['mean']:.4f}", format_interval(ends["mean"], digits=4), "")
    for name, key in (("mixture", "uncalibrated"), ("mixture, calibrated", "nested")):
        against = format_difference(kl[key] - kl["mean"], apart[key], digits=4)
        table.add_row(name, "", "", f"{kl[key]:.4f}", format_interval(ends[key], digits=4), against)
    table.add_row("the same where it was fitted", "", "", f"{kl['fitted']:.4f}", "", "")
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
        cells = ["-" if i == j else f"{js:.3f} / {together:.2f}" for j, (js, together) in enumerate(pairs)]
        table.add_row(f"{i + 1} {name}", *cells)
    return table


def _prior(held: dict[str, Any]) -> str:
    prior, effect = held["prior"], held["prior_effect"]
    shares = ", ".join(f"{name} {prior['source'][name]:.3f} -> {share:.3f}" for name, share in prior["target"].items())
    return (
        f"Prior shift of strength {prior['strength']:.2f}: {shares}\n"
        f"  KL of half of the votes, rows weighted by the other half to have that prior (worth "
        f"{effect['effective_rows']:,.0f} rows): {effect['before']:.4f} before the shift, {effect['after']:.4f} after\n"
        f"  KL on the rows as they are: {held['kl']['nested']:.4f} before, {effect['unweighted']:.4f} after"
    )


def _short(names: list[str]) -> list[str]:
    """The names without their folders, where these still differ."""
    short = [Path(name).name for name in names]
    return short if len({*short}) == len(names) else names
