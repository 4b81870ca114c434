"""The rows of train.csv for one recording: a panel per EEG, its votes on one or two windows, and the truth."""

from typing import Any

import numpy as np
from jaxtyping import Float

from hms.labels import CLASSES, CONSENSUS_NAMES, VOTE_COLUMNS
from hms.simulate.experts import Panel, draw_panel, draw_pool, truth, vote
from hms.simulate.findings import Findings
from hms.simulate.plan import EegPlan
from hms.simulate.recording import SimulatedRecording
from hms.window_lengths import EEG_S, LEAD_S


def label_rows(recording: SimulatedRecording) -> list[dict[str, Any]]:
    """One dict per window: the columns of train.csv, and the truth in columns named after the classes.

    Renders only the judged windows, at the slow rate, and no files: a fast way to many labels.
    """
    pool = draw_pool(recording.stream("pool"))
    rows: list[dict[str, Any]] = []
    for number, eeg in enumerate(recording.plan.eegs):
        panel = draw_panel(recording.stream("votes", number), len(pool), max(eeg.votes))
        findings = {
            judged_s: recording.findings(LEAD_S + eeg.start_s + judged_s + EEG_S / 2) for judged_s in {*eeg.judged_s}
        }
        for sub_id, (offset_s, judged_s) in enumerate(zip(eeg.offsets_s, eeg.judged_s, strict=True)):
            rows.append(
                {
                    "eeg_id": eeg.eeg_id,
                    "eeg_sub_id": sub_id,
                    "eeg_label_offset_seconds": float(offset_s),
                    "spectrogram_id": recording.plan.spectrogram_id,
                    "spectrogram_sub_id": len(rows),
                    "spectrogram_label_offset_seconds": float(eeg.start_s + offset_s),
                    "label_id": eeg.label_ids[sub_id],
                    "patient_id": recording.plan.patient_id,
                    **_judgement(findings[judged_s], pool, panel, eeg, sub_id),
                }
            )
    return rows


def _judgement(
    findings: Findings, pool: Float[np.ndarray, "expert 4"], panel: Panel, eeg: EegPlan, sub_id: int
) -> dict[str, Any]:
    """Consensus, votes and truth of one window; only the first `votes` members of the panel saw it."""
    counts = np.bincount(vote(findings, pool, panel)[: eeg.votes[sub_id]], minlength=len(CLASSES))
    return {
        "expert_consensus": CONSENSUS_NAMES[int(counts.argmax())],  # the first if tied, as in the real file
        **dict(zip(VOTE_COLUMNS, counts.tolist(), strict=True)),
        **dict(zip(CLASSES, truth(findings, pool).tolist(), strict=True)),
    }
