"""Experts who judge findings and vote: a pool of people, each with their own thresholds.

A vote answers four questions, in the order of the ACNS terminology: is there a pattern, is it a seizure, is it
periodic, is it lateralised? The probability of a yes is logistic in one measured quantity. The truth of a window is the
expected vote over the whole pool, so a panel differs from it only by the noise of its finite number of votes.

Real experts disagree mostly because their thresholds differ, not because of noise (Jing et al. 2023, Neurology
100:e1737-e1749). These disagree mostly by noise: a logistic has an SD of 1.81 times its `width`, so noise is 70 % of
the variance for the first question, and 59 %, 65 % and 72 % for the others; `disagreement`, an SD, is the rest.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.special import expit

from hms.labels import CLASSES
from hms.simulate.findings import Findings
from hms.window_lengths import CENTRE_S


@dataclass(frozen=True)
class Question:
    """Threshold and width of the logistic, and the SD of the threshold between experts."""

    threshold: float
    width: float
    disagreement: float


PRESENT = Question(threshold=0.92, width=0.3, disagreement=0.36)
"""A pattern is seen if its peaks reach 2.5 times the background's SD and it lasts for six cycles."""

ICTAL = Question(threshold=2.65, width=0.3, disagreement=0.45)
"""ACNS sets the limit at 2.5 Hz; the real votes change over slightly above it."""

PERIODIC = Question(threshold=1.05, width=0.15, disagreement=0.2)
LATERALISED = Question(threshold=0.27, width=0.07, disagreement=0.08)
QUESTIONS = (PRESENT, ICTAL, PERIODIC, LATERALISED)

LAPSE = 0.022
"""Share of votes unrelated to the EEG: a slip of the hand, or another window in mind."""


@dataclass(frozen=True)
class Panel:
    """The experts of one EEG and their random draws, which are the same for all windows of the EEG."""

    members: Int[np.ndarray, " voter"]
    answers: Float[np.ndarray, "voter 4"]
    lapses: Float[np.ndarray, "voter 2"]


def draw_pool(rng: np.random.Generator) -> Float[np.ndarray, "expert 4"]:
    """Draw the thresholds of all 80 experts for the four questions."""
    threshold = np.array([question.threshold for question in QUESTIONS])
    spread = np.array([question.disagreement for question in QUESTIONS])
    return threshold + spread * rng.standard_normal((80, 4))


def draw_panel(rng: np.random.Generator, pool_size: int, votes: int) -> Panel:
    """Draw a panel from the pool, without replacement."""
    members = rng.choice(pool_size, votes, replace=False)
    return Panel(members, rng.random((votes, 4)), rng.random((votes, 2)))


def answer_probability(findings: Findings, pool: Float[np.ndarray, "expert 4"]) -> Float[np.ndarray, "expert 4"]:
    """Probability that each expert answers yes to each question."""
    present_share = findings.cycles / (CENTRE_S * findings.frequency_hz)
    measured = np.array(
        [
            findings.conspicuity,
            # ACNS: any rhythm that definitely evolves and lasts ten seconds is a seizure; smooth waves have to be
            # faster than spike-waves.
            findings.frequency_hz
            + 1.5 * min(findings.evolution, 1.0)
            - 0.5 * (findings.peakedness < 0.7)
            - 1.5 * max(1 - present_share, 0.0),
            findings.peakedness,
            findings.laterality,
        ]
    )
    width = np.array([question.width for question in QUESTIONS])
    return expit((measured - pool) / width)


def class_probability(findings: Findings, pool: Float[np.ndarray, "expert 4"]) -> Float[np.ndarray, "expert 6"]:
    """Probability that each expert votes for each class; the mean over the pool is the truth of the window."""
    present, ictal, periodic, lateralised = answer_probability(findings, pool).T
    slow = present * (1 - ictal)
    probability = np.stack(
        [
            present * ictal,
            slow * periodic * lateralised,
            slow * periodic * (1 - lateralised),
            slow * (1 - periodic) * lateralised,
            slow * (1 - periodic) * (1 - lateralised),
            1 - present,
        ],
        axis=1,
    )
    return LAPSE / len(CLASSES) + (1 - LAPSE) * probability


def truth(findings: Findings, pool: Float[np.ndarray, "expert 4"]) -> Float[np.ndarray, " 6"]:
    """Expected vote shares over the whole pool; they sum to 1."""
    mean = class_probability(findings, pool).mean(axis=0)
    return mean / mean.sum()


def vote(findings: Findings, pool: Float[np.ndarray, "expert 4"], panel: Panel) -> Int[np.ndarray, " voter"]:
    """The class that each panel member votes for; draws are reused, so that similar windows get similar votes."""
    present, ictal, periodic, lateralised = (panel.answers < answer_probability(findings, pool[panel.members])).T
    slow_class = np.where(periodic, np.where(lateralised, 1, 2), np.where(lateralised, 3, 4))
    chosen = np.where(present, np.where(ictal, 0, slow_class), 5)
    random_class = (panel.lapses[:, 1] * len(CLASSES)).astype(np.int64)
    return np.where(panel.lapses[:, 0] < LAPSE, random_class, chosen)
