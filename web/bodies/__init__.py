"""Request bodies, and what keeps them from filling memory, disk and time.

    doors      who may use each address, from its dependencies
    reception  the sender is known before the first byte is read
    limits     how large a body may be, and how many are read at once
    pace       how slowly it may arrive
    spool      the folder where large bodies are kept, and how full it may be
    cut_off    forms whose file is too large

Bodies are refused before anything is done. No database connection is held while waiting.
"""
