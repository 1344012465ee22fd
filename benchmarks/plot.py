"""The plot: learners a second by the size of the course, a line a contender."""

from collections.abc import Mapping
from pathlib import Path

LABELS = {  # in the order of the legend
    "recourse": "Recourse",
    "bare_script": "SQL script, fence dropped",
    "script": "SQL script",
    "dramatiq": "Dramatiq",
    "loop": "Python loop",
    "oban": "Oban",
    "procrastinate": "Procrastinate",
    "chord": "Celery chord",
}
COLORS = ("#c2185b", "#37474f", "#78909c", "#1565c0", "#6d4c41", "#2e7d32", "#ef6c00", "#6a1b9a")
MARKERS = "osD^vP*X"


def draw(speeds: Mapping[str, Mapping[str, float]], path: Path) -> None:
    """Write the plot as SVG. `speeds` has the learners a second by contender and by size."""
    import matplotlib as mpl  # only installed for the benchmark

    mpl.use("svg")
    mpl.rcParams |= {"svg.hashsalt": "recourse", "font.size": 10}  # the same figures give the same file
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 5), layout="constrained")
    for (name, label), color, marker in zip(LABELS.items(), COLORS, MARKERS, strict=True):
        if by_size := speeds.get(name):
            points = sorted((int(size), speed) for size, speed in by_size.items())
            width = 2.5 if name == "recourse" else 1.3
            axes.plot(*zip(*points, strict=True), label=label, color=color, marker=marker, linewidth=width)
    axes.set(xscale="log", yscale="log", xlabel="learners in the course", ylabel="learners per second")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.grid(visible=True, which="major", color="#dddddd")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
