"""Retraining rules."""

from models.refusals.base import Refused


class RecurrenceInvalid(Refused):
    code = "recurrence-invalid"

    def __init__(self, why: str) -> None:
        super().__init__(f"A rule cannot have this recurrence. {why} Nothing was changed.")


class RuleInvalid(Refused):
    code = "rule-invalid"


class RuleUnknown(Refused):
    code = "rule-unknown"
    status = 404

    def __init__(self, rule: object) -> None:
        super().__init__(f"There is no rule {rule}. Check its id.")


class RuleAmbiguous(Refused):
    code = "rule-ambiguous"
    status = 409

    def __init__(self, rule: object, alike: str) -> None:
        super().__init__(f"Several rules have ids like {rule}: {alike}. Type more of the id.")


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
            f"This rule is {state.replace('_', ' ')} and cannot be {what}. Nothing was changed. "
            "Open the rule again to see what you can do."
        )


class BrakeHolds(Refused):
    code = "brake-holds"
    status = 409
