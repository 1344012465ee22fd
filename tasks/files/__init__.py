"""Deletes learners' files from the storage after a reset or an erasure."""
