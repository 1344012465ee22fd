"""`recourse`: the command line, with servers of its own where there are none."""
