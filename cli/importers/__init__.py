"""Courses, learners and records from elsewhere: a module per source. An import is one transaction, or nothing."""
