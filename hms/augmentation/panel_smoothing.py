"""Learn less certain targets from small panels: three votes for one class do not mean that nobody would differ.

A target becomes the posterior mean of the panel's shares under a Dirichlet prior without preference. This holds back a
network that learns rows by heart, at the price of flatter predictions than the metric asks for. Source: label smoothing
(Szegedy et al. 2016, arXiv 1512.00567) that falls with the number of votes, as in the 5th place. Changed: that takes
1 / (k + sqrt(votes)) from the leading classes; this is the estimate that the votes themselves suggest.
"""

from hms.batch import Batch
from hms.labels import CLASSES, votes_of
from hms.ranges import want_at_least


class PanelSmoothing:
    """Add `pseudo_votes`, spread evenly over the classes, to each row's votes."""

    acts_on = "electrodes"

    def __init__(self, pseudo_votes: float):
        want_at_least(0, pseudo_votes=pseudo_votes)
        self.pseudo_votes = pseudo_votes

    def __call__(self, batch: Batch) -> Batch:
        votes = votes_of(batch.weight)
        share = self.pseudo_votes / (votes + self.pseudo_votes)
        target = (1 - share)[:, None] * batch.target + share[:, None] / len(CLASSES)
        return batch._replace(target=target.to(batch.target.dtype))
