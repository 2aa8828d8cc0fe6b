"""The command line."""

from circuitsim.cli.app import main

__all__ = ["main"]
