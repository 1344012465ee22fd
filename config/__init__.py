"""How this installation is set up: the settings, and what Celery and the logs take from them."""
