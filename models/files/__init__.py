"""Learners' files: the attempts they belong to, the storage of their content, and its deletion."""
