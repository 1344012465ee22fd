"""What is deleted by age, what a backup must not bring back, and what to do after one is restored."""
