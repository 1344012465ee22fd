"""The bodies of requests, and what keeps them from filling memory, disk and time.

    doors       which address asks for whom, as its dependencies say
    reception   who sends a body is known before the first byte of it is read
    rules       what a body may hold, and how many are read at once
    pace        how slowly it may come
    spool       the folder in which large ones wait, and how full it may be

Whatever is refused here is refused before anything is done. Nothing here holds a database connection while it waits.
"""
