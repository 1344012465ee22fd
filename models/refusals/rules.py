"""Retraining rules."""

from config.languages import translatable
from models.refusals.base import Refused


class RecurrenceInvalid(Refused):
    code = "recurrence-invalid"

    def __init__(self, why: str) -> None:
        super().__init__("A rule cannot have this recurrence. {why} Nothing was changed.", why=why)


class RuleInvalid(Refused):
    code = "rule-invalid"


class RuleUnknown(Refused):
    code = "rule-unknown"
    status = 404

    def __init__(self, rule: object) -> None:
        super().__init__("There is no rule {rule}. Check its id.", rule=rule)


class RuleAmbiguous(Refused):
    code = "rule-ambiguous"
    status = 409

    def __init__(self, rule: object, alike: str) -> None:
        super().__init__("Several rules have ids like {rule}: {alike}. Type more of the id.", rule=rule, alike=alike)


class RuleChanged(Refused):
    code = "rule-changed"
    status = 409

    def __init__(self) -> None:
        super().__init__(
            "Someone else has confirmed or changed this rule in the meantime. Open it again. Nothing was changed."
        )


class RuleStateConflict(Refused):
    code = "rule-state-conflict"
    status = 409

    def __init__(self, state: str, what: str) -> None:
        super().__init__(
            "This rule is {state} and cannot be {what}. Nothing was changed. Open the rule again to see what you can "
            "do.",
            state=translatable(state.replace("_", " ")),
            what=what,
        )


class BrakeHolds(Refused):
    code = "brake-holds"
    status = 409
