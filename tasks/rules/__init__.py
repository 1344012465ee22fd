"""Retraining by rule: terms, due times, brakes, events, and the tick that starts resets."""
