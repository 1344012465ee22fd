"""What is reset: a course of some size, whose rows lie between those of other courses, as in life."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """An organization whose learners have all completed each of its courses; the middle course is reset."""

    learners: int
    courses: int = 8
    one_by_one: int = 0  # so many of the learners have the small course `ONE` too

    @property
    def organization(self) -> str:
        """The slug of the organization."""
        return f"with-{self.learners}"

    @property
    def codes(self) -> list[str]:
        """The codes of all its courses."""
        return [f"C{number}" for number in range(1, self.courses + 1)]

    @property
    def course(self) -> str:
        """The code of the course to reset."""
        return self.codes[(self.courses - 1) // 2]


WARM_UP = Target(299)  # reset by every contender before the clock starts


def target_of(learners: int) -> Target:
    """Returns a target of that size; a large one has fewer courses beside the one that is reset."""
    if learners <= 20_000:
        return Target(learners)
    return Target(learners, 4 if learners <= 100_000 else 2)
