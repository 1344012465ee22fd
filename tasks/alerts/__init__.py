"""Alerts: into inboxes, then as e-mails and chat messages."""
