"""What is wrong with arguments that did not validate, in words."""

from pydantic import ValidationError


def faults_in(error: ValidationError, whole: str = "") -> list[str]:
    """Returns a phrase for each fault: where it is, and what is wrong. `whole` stands for the arguments as a whole."""
    return [f"{'.'.join(map(str, one['loc'])) or whole}: {one['msg']}" for one in error.errors()]
