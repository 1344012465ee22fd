"""A reset, a file a step: plan, request, ledger, slices, end; and what can be done to one meanwhile."""
