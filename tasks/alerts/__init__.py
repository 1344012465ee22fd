"""Alerts: written to inboxes, then sent by e-mail; and announcements of resets in chat channels."""
