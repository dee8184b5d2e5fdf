"""Event-driven timing of encoded programs on any architecture."""

from covenant.sim.timing.model import Timing, time_program

__all__ = ["Timing", "time_program"]
