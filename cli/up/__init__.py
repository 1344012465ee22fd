"""`recourse up`: its parts, and the supervisor that starts again what has ended.

part.py          what can be looked after: a server, or a program of Python's
supervisor.py    starts parts, notices their end, starts them again or gives them up
installation.py  which parts make up the whole
"""
