"""Lies over the modules that a unit forbids, in the sandbox."""

raise ImportError("This module cannot be imported while your work is graded: the task asks for your own code.")
