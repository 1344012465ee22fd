"""`recourse up`: its parts, and the supervisor that restarts parts that end.

command.py       the command
installation.py  all parts of the installation
part.py          what a part is: a server, or a Python program
web.py, flower.py  two parts that people reach over HTTP
supervisor.py    starts parts, notices when they end, restarts them or gives up
addresses.py     how other commands find the running `recourse up` of a folder
"""
