"""All measures, in the order in which they are done."""

from benchmarks.measures import few, flower, mail, million, processes, speeds, writes
from benchmarks.measures.races import RACES

MEASURES = (
    *RACES,
    few.MEASURE,
    writes.MEASURE,
    processes.MEASURE,
    flower.MEASURE,
    mail.MEASURE,
    million.MEASURE,
    speeds.MEASURE,
)
