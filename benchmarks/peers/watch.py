"""A clock that stands still while an error is taken. Standard library only: every peer reads it."""

from time import perf_counter


class Watch:
    """Seconds of training, and the error at some of them.

    error(): the error as it is. enough: stop once it is this small. every: seconds between two
    errors, so that a peer with short steps is not stopped at each of them. most: steps, where a
    count of them is to stop the training before the budget, in seconds, does.
    """

    def __init__(self, error, budget, enough=0.0, every=0.0, most=float("inf")):
        self.error, self.budget, self.enough, self.every = error, budget, enough, every
        self.most = most
        self.curve, self.steps, self.compiled, self.paused = [], 0, 0.0, 0.0
        self.begun = perf_counter()

    @property
    def seconds(self):
        """Since the watch was made, without the errors."""
        return perf_counter() - self.begun - self.paused

    @property
    def spent(self):
        """The part that is gone of the seconds, or of the steps: the larger."""
        return max(self.seconds / self.budget, self.steps / self.most)

    def look(self, steps=1, last=False):
        """After so many more steps: take the error if its time has come; True when to stop."""
        self.steps += steps
        seconds = self.seconds
        over = last or self.spent >= 1
        if over or not self.curve or seconds - self.curve[-1][0] >= self.every:
            begun = perf_counter()
            self.curve.append((seconds, float(self.error())))
            self.paused += perf_counter() - begun
        return over or self.curve[-1][1] <= self.enough

    def reached(self, target):
        """Seconds to the first error at or below the target; None if there was none."""
        return next((t for t, error in self.curve if error <= target), None)

    def at(self, limit):
        """The last error seen within the limit; infinite before the first."""
        return next((e for t, e in reversed(self.curve) if t <= limit), float("inf"))
