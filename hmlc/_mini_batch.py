"""What mini-batch k-means keeps of the rows of all chunks."""

from typing import NamedTuple, Self

import numpy as np

from hmlc._cluster_rows import Double, Rows, ordered_sum
from hmlc._lloyd import PlainSteps


class Seen(NamedTuple):
    """Centres in the columns' own units, and the weight of the rows that each was given."""

    centres: Double
    counts: Double

    def middle(self) -> Double:
        """Return the mean of all rows seen: the centres are the means of their own."""
        shares = self.counts / ordered_sum(self.counts)
        middle: Double = np.cumsum(shares[:, np.newaxis] * self.centres, axis=0)[-1]
        return middle

    def joined(self, rows: Rows) -> Self:
        """Return what is kept when each centre has taken the rows of a chunk nearest to it.

        Sculley, "Web-scale k-means clustering", WWW 2010, algorithm 1: row by row a centre moves
        by (x - c) / v, v being how many rows it has taken; so it is their mean. With the centres
        fixed while a chunk's rows choose, that is one step for all.
        """
        relative = self.centres - rows.shift
        chunk = PlainSteps(rows, len(relative)).step(relative.astype(rows.dtype))
        counts = self.counts + chunk.counts
        moves = chunk.sums - chunk.counts[:, np.newaxis] * relative
        taken = np.where(counts > 0, counts, 1.0)[:, np.newaxis]
        return type(self)(self.centres + moves / taken, counts)
