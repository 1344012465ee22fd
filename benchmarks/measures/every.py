"""All measures, in the order in which they are done."""

from benchmarks.measures.million import MEASURE as MILLION
from benchmarks.measures.races import RACES

MEASURES = (*RACES, MILLION)
