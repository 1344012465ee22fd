"""Another company's Celery application, which knows nothing of this one, beside it on the same Redis."""
