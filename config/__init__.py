"""The settings of this installation, and the configuration of Celery, Flower and the logs that follows from them."""
