"""The words that pages show for values of the code: `partly failed` for `partly_failed`; see the filter `words`.

They stand here so that the catalogues have them. A test holds the list to the values.
"""

from config.languages import translatable

STATES = (
    translatable("active"),
    translatable("answered"),
    translatable("assigned"),
    translatable("cancelled"),
    translatable("completed"),
    translatable("deactivated"),
    translatable("delivered"),
    translatable("ended"),
    translatable("expired"),
    translatable("failed"),
    translatable("given up"),
    translatable("in progress"),
    translatable("not started"),
    translatable("overdue"),
    translatable("partly failed"),
    translatable("paused"),
    translatable("pending"),
    translatable("planned"),
    translatable("queued"),
    translatable("removed"),
    translatable("requested"),
    translatable("revoked"),
    translatable("running"),
    translatable("settled"),
    translatable("skipped"),
    translatable("stopping"),
    translatable("succeeded"),
    translatable("valid"),
    translatable("waiting"),
    translatable("withdrawn"),
)
PERMISSIONS = (
    translatable("Platform management: Users"),
    translatable("Training: Manage courses"),
    translatable("Platform operations"),
)
ACTIVITIES = (
    translatable("assignment"),
    translatable("discussion"),
    translatable("lesson"),
    translatable("practical assessment"),
)
RECORDS = (
    translatable("Assignment submissions"),
    translatable("Certificates"),
    translatable("Completions"),
    translatable("Discussion posts"),
    translatable("Files"),
    translatable("Lesson progress records"),
    translatable("Practical assessments"),
)
TERMS = (  # of a rule: their names and values, in what has changed
    translatable("audience"),
    translatable("calendar"),
    translatable("catch up"),
    translatable("event"),
    translatable("event kind"),
    translatable("group"),
    translatable("incident"),
    translatable("kind"),
    translatable("list"),
    translatable("most a day"),
    translatable("most learners"),
    translatable("non compliance"),
    translatable("notify"),
    translatable("once"),
    translatable("procedure changed"),
    translatable("recurrence"),
    translatable("rolling"),
    translatable("run once"),
    translatable("skip"),
    translatable("time zone"),
    translatable("users"),
)
FIELDS = (  # of a user, in what is wrong with them
    translatable("email"),
    translatable("external id"),
    translatable("locale"),
    translatable("name"),
    translatable("notifications on"),
)
