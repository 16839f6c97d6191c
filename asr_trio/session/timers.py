"""Deadlines of a session on the caller's clock."""

from __future__ import annotations

from enum import auto

from asr_trio.session.states import Key


class Timer(Key):
    """What may run out."""

    EXPIRY = auto()
    """The client has sent nothing for too long."""
    NO_INPUT = auto()
    """Nobody has begun to speak."""
    RECOGNITION = auto()
    """Speech has begun and its result is not there."""


class Timers:
    """At most one deadline per timer."""

    def __init__(self) -> None:
        self._deadlines_s: dict[Timer, float] = {}

    def set(self, timer: Timer, deadline_s: float) -> None:
        """Start a timer, or move it."""
        self._deadlines_s[timer] = deadline_s

    def cancel(self, *timers: Timer) -> None:
        """Stop timers, running or not."""
        for timer in timers:
            self._deadlines_s.pop(timer, None)

    @property
    def next_deadline_s(self) -> float | None:
        """The earliest deadline, or None."""
        return min(self._deadlines_s.values(), default=None)

    def take_due(self, now_s: float) -> Timer | None:
        """Return the timer that ran out first, and stop it; None where none has."""
        due = [(deadline_s, timer) for timer, deadline_s in self._deadlines_s.items() if deadline_s <= now_s]
        if not due:
            return None
        _, timer = min(due, key=lambda item: item[0])
        self.cancel(timer)
        return timer
