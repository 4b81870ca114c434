"""Experts who look at findings and vote: a pool of people, each with thresholds of their own.

Every vote is four questions in the order of the ACNS terminology: is there a pattern, is it a seizure, is it periodic,
is it lateralised. An expert answers by a logistic in one measured quantity. The truth of a window is the expected vote
over the whole pool, so a panel differs from it by the noise of its finite number of votes and by nothing else.

Most of the real experts' disagreement comes from thresholds that differ from one to the next, not from noise (Jing et
al. 2023, Neurology 100:e1737-e1749), so `disagreement` is as large as `width` or larger.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.special import expit

from hms.labels import CLASSES
from hms.simulate.findings import Findings
from hms.timing import CENTRE_S


@dataclass(frozen=True)
class Question:
    """Threshold and width of the logistic, and how much the experts' thresholds differ."""

    threshold: float
    width: float
    disagreement: float


PRESENT = Question(threshold=0.92, width=0.3, disagreement=0.36)
"""A pattern is seen when its peaks reach two and a half times the background's SD and six cycles fit in."""

ICTAL = Question(threshold=2.65, width=0.3, disagreement=0.45)
"""ACNS draws the line at 2.5 Hz; the real votes cross over a little above it."""

PERIODIC = Question(threshold=1.05, width=0.15, disagreement=0.2)
LATERAL = Question(threshold=0.27, width=0.07, disagreement=0.08)
QUESTIONS = (PRESENT, ICTAL, PERIODIC, LATERAL)

LAPSE = 0.022
"""Share of votes that have nothing to do with the EEG: a slip of the hand, another window in mind."""


@dataclass(frozen=True)
class Panel:
    """The experts of one EEG and the draws by which each decides, the same for all windows of the EEG."""

    members: Int[np.ndarray, " voter"]
    answers: Float[np.ndarray, "voter 4"]
    lapses: Float[np.ndarray, "voter 2"]


def draw_pool(rng: np.random.Generator, size: int = 80) -> Float[np.ndarray, "expert 4"]:
    """Thresholds of every expert for the four questions."""
    middle = np.array([question.threshold for question in QUESTIONS])
    spread = np.array([question.disagreement for question in QUESTIONS])
    return middle + spread * rng.standard_normal((size, 4))


def draw_panel(rng: np.random.Generator, pool_size: int, votes: int) -> Panel:
    """Some of the pool, each once."""
    members = rng.choice(pool_size, votes, replace=False)
    return Panel(members, rng.random((votes, 4)), rng.random((votes, 2)))


def answer_probability(findings: Findings, pool: Float[np.ndarray, "expert 4"]) -> Float[np.ndarray, "expert 4"]:
    """Chance that each expert says yes to each question."""
    lasting = findings.cycles / (CENTRE_S * findings.frequency_hz)
    seen = np.array(
        [
            findings.conspicuity,
            # ACNS: definite evolution makes a seizure of any rhythm, if it lasts ten seconds; a smooth wave needs more
            # speed than a spike-wave.
            findings.frequency_hz
            + 1.5 * min(findings.evolution, 1.0)
            - 0.5 * (findings.peakedness < 0.7)
            - 1.5 * max(1 - lasting, 0.0),
            findings.peakedness,
            findings.laterality,
        ]
    )
    width = np.array([question.width for question in QUESTIONS])
    return expit((seen - pool) / width)


def class_probability(findings: Findings, pool: Float[np.ndarray, "expert 4"]) -> Float[np.ndarray, "expert 6"]:
    """Chance of each class for each expert's vote; the mean over the pool is the truth of the window."""
    present, ictal, periodic, lateral = answer_probability(findings, pool).T
    slow = present * (1 - ictal)
    chance = np.stack(
        [
            present * ictal,
            slow * periodic * lateral,
            slow * periodic * (1 - lateral),
            slow * (1 - periodic) * lateral,
            slow * (1 - periodic) * (1 - lateral),
            1 - present,
        ],
        axis=1,
    )
    return LAPSE / len(CLASSES) + (1 - LAPSE) * chance


def truth(findings: Findings, pool: Float[np.ndarray, "expert 4"]) -> Float[np.ndarray, " 6"]:
    """Expected share of the votes over the pool; sums to 1."""
    mean = class_probability(findings, pool).mean(axis=0)
    return mean / mean.sum()


def vote(findings: Findings, pool: Float[np.ndarray, "expert 4"], panel: Panel) -> Int[np.ndarray, " voter"]:
    """The class each member of the panel chooses; an expert's draws are reused, so like windows get like votes."""
    present, ictal, periodic, lateral = (panel.answers < answer_probability(findings, pool[panel.members])).T
    slow_class = np.where(periodic, np.where(lateral, 1, 2), np.where(lateral, 3, 4))
    chosen = np.where(present, np.where(ictal, 0, slow_class), 5)
    anything = (panel.lapses[:, 1] * len(CLASSES)).astype(np.int64)
    return np.where(panel.lapses[:, 0] < LAPSE, anything, chosen)
