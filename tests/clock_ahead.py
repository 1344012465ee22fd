"""A Python program on a host whose clock is wrong: `python tests/clock_ahead.py SECONDS MODULE ARGUMENTS…`.

Run as a file: importing the package `tests` removes the settings from the environment.
"""

import os
import runpy
import sys
from datetime import UTC, datetime, timedelta

import time_machine

seconds, module, *arguments = sys.argv[1:]
sys.path[0] = os.getcwd()  # not this folder, whose modules have the names of others
sys.argv = [module, *arguments]
time_machine.travel(datetime.now(UTC) + timedelta(seconds=float(seconds)), tick=True).start()
runpy.run_module(module, run_name="__main__", alter_sys=True)
