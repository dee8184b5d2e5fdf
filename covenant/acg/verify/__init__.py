"""Structural checks of an architecture, independent of how it was built."""

from covenant.acg.verify.every import verify

__all__ = ["verify"]
