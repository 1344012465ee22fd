"""Learners' files that a reset or an erasure deletes from the storage."""
