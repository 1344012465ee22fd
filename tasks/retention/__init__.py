"""Deletion by age, the journal of what a backup must not bring back, and the work after a restore."""
