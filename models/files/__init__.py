"""Learners' files: which belongs to which attempt, where their content is stored, and what is still to be deleted."""
