"""All measures, in the order in which they are done."""

from benchmarks.measures import flower, mail, million, speeds, writes
from benchmarks.measures.races import RACES

MEASURES = (*RACES, writes.MEASURE, flower.MEASURE, mail.MEASURE, million.MEASURE, speeds.MEASURE)
