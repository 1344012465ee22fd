"""What is measured, a file for what is measured together."""
