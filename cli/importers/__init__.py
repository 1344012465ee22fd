"""Courses, learners and records from elsewhere. One module per source; each imports in one transaction or not at all."""
