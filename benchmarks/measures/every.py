"""All measures, in the order in which they are done."""

from benchmarks.measures.races import RACES

MEASURES = (*RACES,)
